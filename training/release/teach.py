"""What the padded original hears: targets and soft targets for the unpadded multi-task recogniser.

For each clip the off-the-shelf Whisper (input padded to 30 s, as it was trained) writes its transcript. The target is
that transcript where it agrees with the corpus's text (so the target has Whisper's case, punctuation and digits), else
the corpus's text in sentence case. Then the same network, teacher-forced on the target, gives its `TOP` most likely
next tokens, restricted to the pruned vocabulary: the soft targets of Hinton et al. 2015, computed once.

    python -m training.release.teach --whisper DIR --pruned DIR --corpus ravdess --path FILE --split train --out DIR
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import AutoFeatureExtractor, AutoTokenizer, PreTrainedTokenizerFast, WhisperForConditionalGeneration
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from phonolinguistic.model.speech_phonolinguistic import (
    WhisperGreedyDecoder,
    decode_teacher_forced,
    encode_whisper,
    token_limit,
)
from training.release.prune_whisper import END, NO_TIMESTAMPS, START, kept_ids
from training.whole_files import write_whole

TOP = 16  # soft targets kept a token; they hold nearly all of a confident recogniser's probability
SAMPLE_RATE = 16_000


@dataclass
class Lesson:
    """One clip's targets. target_ids: pruned ids with the end token, (tokens,); soft_*: (tokens, TOP)."""

    id: str
    heard: str
    target: str
    target_ids: torch.Tensor
    soft_ids: torch.Tensor
    soft_logprobs: torch.Tensor


def sentence_case(text: str) -> str:
    """Corpus text as Whisper would write it: "WE CALL IT BEAR" -> "We call it bear."."""
    if text.isupper() or text.islower():
        words = [
            w.capitalize() if w in ("i", "i'm", "i'll", "i've", "i'd") else w for w in text.lower().split()
        ]
        text = " ".join(words)
    text = text[:1].upper() + text[1:]
    return text if text[-1:] in ".!?" else text + "."


class Teacher:
    """The off-the-shelf recogniser and the pruned vocabulary that its answers are expressed in."""

    def __init__(self, whisper: Path, pruned: Path, device: str = "cpu"):
        self.device = device
        self.model = WhisperForConditionalGeneration.from_pretrained(whisper, dtype=torch.float32).eval().to(device)
        self.extractor = AutoFeatureExtractor.from_pretrained(whisper)
        self.full = PreTrainedTokenizerFast(tokenizer_file=str(whisper / "tokenizer.json"))
        self.small = AutoTokenizer.from_pretrained(pruned)
        tokens = len(self.small) - 3
        self.keep = torch.tensor(kept_ids(self.full, tokens), device=device)
        self.prompt = self.full.convert_tokens_to_ids([START, NO_TIMESTAMPS])
        self.end = self.full.convert_tokens_to_ids(END)
        begin = self.model.config.begin_suppress_tokens
        self.decoder = WhisperGreedyDecoder(self.model.model.decoder, self.prompt, self.end, begin)
        self.normalise = EnglishTextNormalizer({})

    @torch.inference_mode()
    def __call__(self, ids: list[str], clips: list, texts: list[str]) -> list[Lesson]:
        """`clips`: float32 arrays at 16 kHz, at most 30 s each; `texts`: what the corpus says was spoken."""
        mel = self.extractor(clips, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features.to(self.device)
        with torch.autocast(self.device, dtype=torch.bfloat16):
            states = encode_whisper(self.model.model.encoder, mel)[0][-1].float()
        limits = [token_limit(len(clip) / SAMPLE_RATE) for clip in clips]
        heard = [self.full.decode(row).strip() for row in self.decoder(states, max_new_tokens=limits)]
        targets = [
            h if self.normalise(h) == self.normalise(t) else sentence_case(t)
            for h, t in zip(heard, texts, strict=True)
        ]
        small = [self.small(f" {t}", add_special_tokens=False)["input_ids"] for t in targets]
        width = max(map(len, small)) + 1
        inputs = torch.full((len(small), len(self.prompt) + width - 1), self.end, device=self.device)
        inputs[:, : len(self.prompt)] = torch.tensor(self.prompt)
        for row, tokens in enumerate(small):
            inputs[row, len(self.prompt) : len(self.prompt) + len(tokens)] = torch.tensor(tokens, dtype=torch.long)
        logits = decode_teacher_forced(self.model.model.decoder, inputs, states, None)[:, len(self.prompt) - 1 :]
        soft = torch.log_softmax(logits[..., self.keep].float(), -1).topk(TOP, -1)
        lessons = []
        for row, tokens in enumerate(small):
            length = len(tokens) + 1
            lessons.append(
                Lesson(
                    ids[row],
                    heard[row],
                    targets[row],
                    torch.tensor(tokens + [len(self.small) - 3], dtype=torch.int32),
                    soft.indices[row, :length].to(torch.int32).cpu(),
                    soft.values[row, :length].half().cpu(),
                )
            )
        return lessons


def plain_lesson(id: str, text: str, tokenizer) -> Lesson:
    """A lesson of the corpus's own text alone, where the teacher was not asked: its soft targets are the hard ones."""
    target = sentence_case(text)
    ids = torch.tensor(tokenizer(f" {target}", add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id])
    sure = torch.full((len(ids), TOP), float("-inf"), dtype=torch.float16)
    sure[:, 0] = 0
    return Lesson(id, "", target, ids.int(), ids.int()[:, None].repeat(1, TOP), sure)


def save_shard(lessons: list[Lesson], path: Path) -> None:
    """One shard, whole or absent."""
    write_whole(path, lambda file: torch.save([vars(lesson) for lesson in lessons], file))


def load_lessons(folder: Path) -> dict[str, Lesson]:
    """All lessons under `folder`, by clip id."""
    lessons = {}
    for path in sorted(folder.glob("*.pt")):
        for row in torch.load(path, weights_only=True):
            lessons[row["id"]] = Lesson(**row)
    return lessons


def teach(teacher: Teacher, items, count: int, out: Path, batch: int = 8, shard: int = 128) -> None:
    """`items`: iterable of (id, samples, text), in a fixed order; shards that exist are not computed again."""
    out.mkdir(parents=True, exist_ok=True)
    bar = tqdm(total=count, desc=str(out.name))
    for start in range(0, count, shard):
        path = out / f"{start:06d}.pt"
        size = min(shard, count - start)
        rows = None if path.exists() else [items[i] for i in range(start, start + size)]
        if rows is not None:
            rows.sort(key=lambda r: len(r[1]))
            lessons = []
            for i in range(0, size, batch):
                lessons += teacher(*map(list, zip(*rows[i : i + batch], strict=True)))
            save_shard(lessons, path)
        bar.update(size)


class CorpusItems:
    """A corpus as (id, samples, text) by index, clips decoded when asked for."""

    def __init__(self, corpus: str, path: Path, split: str | None):
        from training.corpora import load_corpus

        rows = load_corpus(corpus, path)
        self.rows = rows.filter(lambda r: r["split"] == split) if split else rows
        self.corpus = corpus

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple:
        from phonolinguistic.audio.decoding import load_audio

        row = self.rows[i]
        return f"{self.corpus}/{row['audio']['path']}", load_audio(row["audio"]["bytes"]).samples, row["text"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--whisper", type=Path, required=True, help="off-the-shelf recogniser")
    parser.add_argument("--pruned", type=Path, required=True, help="what training.release.prune_whisper wrote")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--split")
    parser.add_argument("--limit", type=int, help="teach the first clips only (0.4 s a clip on 2 cores)")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    items = CorpusItems(args.corpus, args.path, args.split)
    count = min(len(items), args.limit or len(items))
    teach(Teacher(args.whisper, args.pruned), items, count, args.out, args.batch)


if __name__ == "__main__":
    main()

"""What cutting Whisper's vocabulary does by itself: words, texts that it can still write, time of choosing a token.

    python -m benchmarks.cut_vocabulary --data FOLDER --cache FOLDER [--tokens 12000] [--clips 200]

FOLDER holds speechocean762.parquet (its test speakers are transcribed, the clip alone with kept silence, with the full
vocabulary, with the full one whose candidates a small copy picks, and with the cut one) and meld_text.parquet (its test
texts go through both tokenizers and back).
"""

import re
import tempfile
import time
from pathlib import Path

import torch
from torch.nn import functional as F
from transformers import AutoTokenizer

from phonolinguistic.model.projection_phonolinguistic import TokenChoice
from training.inputs.release_data import load_texts
from training.release.prune_whisper import prune_whisper
from training.scoring.asr import recognition

from .common import ROOT, parse, parser, write
from .silence_states import RATE, Network, run, spread


def coverage(full, cut, texts: list[str]) -> dict:
    """How texts pass through the cut vocabulary, and how many more tokens they and their rarer words take."""

    def tokens(tokenizer, text: str) -> list[int]:
        return tokenizer(" " + text, add_special_tokens=False)["input_ids"]

    same = sum(cut.decode(tokens(cut, text)).strip() == text.strip() for text in texts)
    before, after = (sum(len(tokens(tokenizer, text)) for text in texts) for tokenizer in (full, cut))
    words = sorted({word for text in texts for word in re.findall(r"[A-Za-z']+|\d+", text)})
    kinds = {
        "names and other capitalised words": [word for word in words if word[0].isupper()],
        "numbers": [word for word in words if word.isdigit()],
        "other words": [word for word in words if word[0].islower()],
    }
    split = {}
    for kind, found in kinds.items():
        pieces = [(len(tokens(full, word)), len(tokens(cut, word))) for word in found]
        split[kind] = {
            "words": len(found),
            "in_more_pieces": sum(b > a for a, b in pieces),
            "pieces_full": sum(a for a, _ in pieces),
            "pieces_cut": sum(b for _, b in pieces),
        }
    return {
        "texts": len(texts),
        "written_and_read_back": same,
        "tokens_more_percent": round(100 * (after / before - 1), 2),
        "by_kind": split,
    }


class WholeProjection(TokenChoice):
    """Every score, in the weights' own precision."""

    def __call__(self, x: torch.Tensor, weight: torch.Tensor, barred: list[int]) -> torch.Tensor:
        logits = F.linear(x, weight)
        logits[:, barred] = -torch.inf
        return logits.argmax(-1)


@torch.inference_mode()
def choice_seconds(network: Network, repeats: int) -> float:
    """Median time in which one token is chosen."""
    weight, taken = network.model.model.decoder.embed_tokens.weight, []
    state = torch.randn(1, weight.shape[1])
    for _ in range(repeats):
        start = time.perf_counter()
        network.decoder.choice(state, weight, [])
        taken.append(time.perf_counter() - start)
    return sorted(taken)[len(taken) // 2]


def main() -> None:
    options = parser(__doc__.splitlines()[0])
    options.set_defaults(threads=1, repeats=200)
    options.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    options.add_argument("--cache", type=Path, required=True, help="folder for decoded audio")
    options.add_argument("--whisper", type=Path, default=ROOT / "models" / "asr")
    options.add_argument("--tokens", type=int, default=12_000)
    options.add_argument("--clips", type=int, default=200, help="of speechocean762 (default 200)")
    values = parse(options)
    clips, results = spread("speechocean762", values, "test"), {}
    with tempfile.TemporaryDirectory() as folder:
        prune_whisper(values.whisper, values.tokens, Path(folder))
        networks = {"full": Network(values.whisper), "cut": Network(Path(folder))}
        networks["cut"].tokenizer = AutoTokenizer.from_pretrained(folder)
        networks = {"full, whole projection": networks["full"]} | networks
        transcripts = {}
        for name, network in networks.items():
            network.decoder.choice = WholeProjection() if "whole" in name or name == "cut" else TokenChoice()
            found = run(network, network.kept, clips)
            transcripts[name] = found.texts
            wer = recognition(
                [clip.words for clip in clips],
                found.texts,
                seconds=[len(clip.samples) / RATE for clip in clips],
                speakers=[clip.speaker for clip in clips],
            )
            rows, size = network.model.model.decoder.embed_tokens.weight.shape
            results[name] = {
                "tokens": rows,
                "wer_percent": round(100 * wer.wer, 2),
                "interval": [round(100 * edge, 1) for edge in wer.wer_interval],
                "runaways": wer.runaways,
                "decoder_seconds": found.decoder_seconds,
                "choice_milliseconds": round(1000 * choice_seconds(network, values.repeats), 3),
                "embedding_parameters": rows * size,
            }
        texts = load_texts("meld", values.data / "meld_text.parquet").split("test").texts
        results["meld_test_texts"] = coverage(networks["full"].tokenizer, networks["cut"].tokenizer, texts)
    results["clips"] = len(clips)
    whole = transcripts["full, whole projection"]
    results["transcripts_that_differ"] = {
        name: sum(a != b for a, b in zip(whole, texts, strict=True)) for name, texts in transcripts.items()
    }
    write("cut_vocabulary", results, values)


if __name__ == "__main__":
    main()

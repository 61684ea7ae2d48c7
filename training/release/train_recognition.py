"""Teach the multi-task network to write transcripts of unpadded audio, together with emotion.

Off-the-shelf Whisper needs its input padded to 30 s: on the clip alone its decoder does not know where the clip stops.
This script trains encoder and decoder on the clip's own frames with three losses:

    L = (1 - a) CE(target) + a CE(soft targets of the padded original) + b CE(emotion of the voice)

(a: distillation, Hinton et al. 2015; b: multi-task, Cai et al. 2021), targets by `release.teach`. Low learning rates
keep the network near the original; the embedded heads are fitted afterwards on the encoder that comes out.
The loop is Accelerate's; it resumes at the last saved step with the same batches. Its final state is a multi-task
directory in the release's format, whose text tower is the one given.

    accelerate launch -m training.release.train_recognition --config training/configs/recognition.yaml \
        --pruned DIR --text DIR --lessons DIR --audio name=FILE ... --out DIR
"""

import argparse
import json
import math
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from accelerate import Accelerator
from accelerate.utils import set_seed
from jiwer import wer
from torch.nn import functional as F
from tqdm import tqdm
from transformers import AutoTokenizer, get_linear_schedule_with_warmup
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from phonolinguistic.audio.decoding import load_audio
from phonolinguistic.model.configuration_phonolinguistic import EMOTIONS
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor
from phonolinguistic.model.speech_phonolinguistic import decode_teacher_forced
from phonolinguistic.provenance import provenance
from training.corpora import load_corpus
from training.corpora.splits import release_split
from training.release.assemble import assemble
from training.release.teach import Lesson, load_lessons, plain_lesson
from training.whole_files import write_whole

SAMPLE_RATE = 16_000
# Of the head that teaches the encoder here; the release's own heads are fitted afterwards, on its own pooling.
POOLING = {
    "pooling": "mean_std",
    "spectrum_statistics": True,
    "pooling_options": {"active_db": 25.0, "spectrum_mean": False},
    "head_hidden_size": 0,
}


@dataclass
class Settings:
    """What `training/configs/recognition.yaml` sets; rates are per step of `batch_seconds` of audio."""

    epochs: int = 3
    batch_seconds: float = 64.0
    encoder_rate: float = 1.5e-5
    decoder_rate: float = 5e-5
    head_rate: float = 1e-3
    warmup: float = 0.05
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    distillation: float = 0.5
    emotion: float = 0.2
    noise_share: float = 0.4
    silence_share: float = 0.3
    mask_frames: int = 12
    mask_bins: int = 10
    bf16: bool = True
    save_every: int = 100
    seed: int = 0
    frozen_layers: int = 3  # of the encoder, from its convolutions up; the rest and the decoder are trained
    pooled_layers: tuple[int, ...] = (2, 3, 4)


@dataclass
class Clip:
    """A training clip: int16 samples at 16 kHz, its targets, its emotion's index or -100."""

    samples: np.ndarray
    lesson: Lesson
    emotion: int


def augment(samples: np.ndarray, settings: Settings, rng: np.random.Generator) -> np.ndarray:
    """Another microphone's level and noise, and a pause before or after; int16 in, float32 out."""
    x = samples.astype(np.float32) / 32768 * 10 ** (rng.uniform(-8, 6) / 20)
    if rng.random() < settings.silence_share:
        x = np.concatenate([np.zeros(int(rng.uniform(0, 4800)), np.float32), x])
        x = np.concatenate([x, np.zeros(int(rng.uniform(0, 12800)), np.float32)])
    level = float(np.sqrt(np.mean(x**2)) + 1e-6)
    decibels = rng.uniform(8, 30) if rng.random() < settings.noise_share else 45.0
    noise = rng.standard_normal(len(x), dtype=np.float32)
    if rng.random() < 0.5:  # a room's rumble rather than hiss
        noise = np.cumsum(noise - noise.mean())
        noise -= np.convolve(noise, np.ones(400) / 400, "same")
        noise = (noise / (noise.std() + 1e-6)).astype(np.float32)
    return (x + noise * level * 10 ** (-decibels / 20)).clip(-1, 1).astype(np.float32)


def mask_spectrum(mel: torch.Tensor, lengths: torch.Tensor, settings: Settings, rng: np.random.Generator) -> None:
    """SpecAugment (Park et al. 2019) in place: one time and one frequency stripe a clip, set to the clip's mean."""
    for row, frames in enumerate(lengths.tolist()):
        fill = mel[row, :, :frames].mean()
        width, start = int(rng.integers(settings.mask_frames + 1)), int(rng.integers(frames))
        mel[row, :, start : min(frames, start + width)] = fill
        width, start = int(rng.integers(settings.mask_bins + 1)), int(rng.integers(mel.shape[1]))
        mel[row, start : start + width, :frames] = fill


def batches(clips: list[Clip], settings: Settings, epoch: int) -> list[list[int]]:
    """Indices by length, `batch_seconds` of audio each, in the epoch's own order."""
    rng = random.Random(settings.seed * 1000 + epoch)
    keys = sorted(range(len(clips)), key=lambda i: len(clips[i].samples) * rng.uniform(0.85, 1.15))
    groups, group, longest = [], [], 0
    for i in keys:
        longest = max(longest, len(clips[i].samples) + SAMPLE_RATE)
        if group and longest * (len(group) + 1) > settings.batch_seconds * SAMPLE_RATE:
            groups.append(group)
            group, longest = [], len(clips[i].samples) + SAMPLE_RATE
        group.append(i)
    groups.append(group)
    rng.shuffle(groups)
    return groups


def collate(rows: list[Clip], processor, settings: Settings, rng: np.random.Generator) -> dict[str, torch.Tensor]:
    """Augmented log-mel, masks, targets (-100 padded) and soft targets of one batch."""
    batch = dict(processor(audio=[augment(c.samples, settings, rng) for c in rows]))
    mask_spectrum(batch["input_features"], batch["attention_mask"].sum(1), settings, rng)
    pad = torch.nn.utils.rnn.pad_sequence
    batch["targets"] = pad([c.lesson.target_ids.long() for c in rows], True, padding_value=-100)
    batch["soft_ids"] = pad([c.lesson.soft_ids.long() for c in rows], True)
    batch["soft_logprobs"] = pad([c.lesson.soft_logprobs.float() for c in rows], True, padding_value=-1e4)
    batch["emotions"] = torch.tensor([c.emotion for c in rows])
    return batch


def losses(model: PhonoLinguisticModel, batch: dict, settings: Settings) -> dict[str, torch.Tensor]:
    """The three losses of the module's docstring, and their weighted sum as "loss"."""
    states = model.encode_speech(batch["input_features"], batch["attention_mask"])
    prompt = torch.tensor([model.config.decoder_prompt_ids] * len(batch["targets"]), device=states.mask.device)
    inputs = torch.cat([prompt, batch["targets"][:, :-1].clamp(min=0)], 1)
    logits = decode_teacher_forced(model.speech.decoder, inputs, states.last_hidden_state, states.mask)
    logprobs = torch.log_softmax(logits[:, prompt.shape[1] - 1 :].float(), -1)
    real = batch["targets"].ne(-100)
    hard = F.nll_loss(logprobs[real], batch["targets"][real])
    soft_weights = batch["soft_logprobs"].softmax(-1)
    soft = -(soft_weights * logprobs.gather(-1, batch["soft_ids"])).sum(-1)[real].mean()
    total = (1 - settings.distillation) * hard + settings.distillation * soft
    parts = {"target": hard, "distillation": soft}
    if bool(batch["emotions"].ge(0).any()):
        pooled = model.pool_speech(states)
        audio_logits = model.audio_head(model.audio_projection(pooled.to(model.audio_head.weight.dtype)))
        parts["emotion"] = F.cross_entropy(audio_logits.float(), batch["emotions"], label_smoothing=0.1)
        # The mean is over the batch's emotional clips: weigh it by their share, so that each clip counts the same.
        total = total + settings.emotion * parts["emotion"] * batch["emotions"].ge(0).float().mean()
    return {"loss": total, **parts}


@torch.inference_mode()
def validate(model, processor, clips: list[Clip], device) -> dict[str, float]:
    """WER (English normaliser) of greedy decoding on the clip alone, and how many transcripts hit the length bound."""
    model.eval()
    normalise, truth, heard, longest = EnglishTextNormalizer({}), [], [], 0
    for clip in clips:
        batch = processor(audio=clip.samples.astype(np.float32) / 32768).to(device)
        ids = model.transcribe(model.encode_speech(batch["input_features"], batch["attention_mask"]))
        longest += len(ids[0]) >= 16 + 8 * len(clip.samples) / SAMPLE_RATE
        truth.append(normalise(clip.lesson.target))
        heard.append(normalise(processor.decode_transcripts(ids)[0]))
    model.train()
    kept = [(t, h) for t, h in zip(truth, heard, strict=True) if t]
    return {"wer": wer([t for t, _ in kept], [h for _, h in kept]), "at_length_limit": longest}


def save_state(path: Path, state: dict) -> None:
    """The last good state survives a full disk or a kill."""
    write_whole(path, lambda file: torch.save(state, file))


def build(args, settings: Settings) -> tuple[PhonoLinguisticModel, PhonoLinguisticProcessor]:
    """The multi-task network from the pruned recogniser and the text tower; heads are random until trained."""
    return assemble(str(args.pruned), str(args.text), True, POOLING | {"pooled_layers": list(settings.pooled_layers)})


def train(model, processor, clips: list[Clip], held_out: list[Clip], settings: Settings, out: Path) -> dict:
    """Run or resume; returns the run's facts (losses and validation by epoch, seconds)."""
    encoder = model.speech.encoder
    for part in (encoder.conv1, encoder.conv2, *encoder.layers[: settings.frozen_layers]):
        part.requires_grad_(False)
    accelerator = Accelerator(mixed_precision="bf16" if settings.bf16 else "no")
    groups = [
        {"params": list(encoder.parameters()), "lr": settings.encoder_rate},
        {"params": list(model.speech.decoder.parameters()), "lr": settings.decoder_rate},
        {"params": list(model.audio_head.parameters()), "lr": settings.head_rate},
    ]
    for group in groups:
        group["params"] = [p for p in group["params"] if p.requires_grad]
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, betas=(0.9, 0.98))
    plan = [(epoch, group) for epoch in range(settings.epochs) for group in batches(clips, settings, epoch)]
    schedule = get_linear_schedule_with_warmup(optimizer, int(settings.warmup * len(plan)), len(plan))
    state_file, step, facts = out / "state.pt", 0, {"epochs": [], "seconds": 0.0}
    out.mkdir(parents=True, exist_ok=True)
    if state_file.exists():
        state = torch.load(state_file, weights_only=False)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        step, facts = state["step"], state["facts"]
    model.train()
    model.to(accelerator.device)
    bar, sums, began = tqdm(total=len(plan), initial=step, desc="recognition"), {}, time.perf_counter()
    while step < len(plan):
        epoch, group = plan[step]
        rng = np.random.default_rng([settings.seed, step])
        torch.manual_seed(settings.seed + step)
        batch = {
            k: v.to(accelerator.device)
            for k, v in collate([clips[i] for i in group], processor, settings, rng).items()
        }
        with accelerator.autocast():
            parts = losses(model, batch, settings)
        if not math.isfinite(parts["loss"].item()):
            names = ", ".join(clips[i].lesson.id for i in group)
            raise FloatingPointError(f"Loss is {parts['loss'].item()} in step {step}; its clips: {names}")
        accelerator.backward(parts["loss"])
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        for name, value in parts.items():
            sums.setdefault(name, []).append(value.item())
        step += 1
        bar.update()
        bar.set_postfix({k: f"{np.mean(v[-20:]):.3f}" for k, v in sums.items()})
        last = step == len(plan) or plan[step][0] != epoch
        if last or step % settings.save_every == 0:
            facts["seconds"] += time.perf_counter() - began
            began = time.perf_counter()
            if last:
                row = {"epoch": epoch + 1, **{k: float(np.mean(v)) for k, v in sums.items()}}
                row |= validate(model, processor, held_out, accelerator.device)
                facts["epochs"].append(row)
                tqdm.write(json.dumps(row))
                sums = {}
            save_state(
                state_file,
                {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "schedule": schedule.state_dict(),
                    "step": step,
                    "facts": facts,
                },
            )
    facts["clips"] = len(clips)
    return facts


def read_clips(
    audio: dict[str, Path], lessons: dict[str, Lesson], tokenizer, limits: dict[str, int], seed: int
) -> tuple[list[Clip], list[Clip]]:
    """Training clips, and the validation speakers' (training/corpora/splits.py), of the corpora given by name and path.

    limits: at most so many training clips of a corpus, drawn with `seed`: two sentences said a thousand times would
    crowd out all others.
    """

    clips, held_out = [], []
    for name, path in audio.items():
        rows = release_split(load_corpus(name, path, on_error="skip"))
        chosen = {part: [i for i, s in enumerate(rows["split"]) if s == part] for part in ("train", "validation")}
        if len(chosen["train"]) > limits.get(name, len(rows)):
            chosen["train"] = sorted(random.Random(seed).sample(chosen["train"], limits[name]))
        for part, kept in (("train", clips), ("validation", held_out)):
            for row in tqdm(rows.select(chosen[part]), desc=f"read {name}, {part}"):
                if not row["text"]:
                    continue
                key = f"{name}/{row['audio']['path']}"
                lesson = lessons.get(key) or plain_lesson(key, row["text"], tokenizer)
                samples = load_audio(row["audio"]["bytes"] or row["audio"]["path"]).samples
                emotion = EMOTIONS.index(row["emotion"]) if row["emotion"] else -100
                kept.append(Clip((samples * 32767).clip(-32768, 32767).astype(np.int16), lesson, emotion))
    return clips, held_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", type=Path, help="YAML of Settings")
    parser.add_argument("--pruned", type=Path, required=True, help="what training.release.prune_whisper wrote")
    parser.add_argument("--text", type=Path, required=True, help="text encoder directory")
    parser.add_argument("--lessons", type=Path, required=True, help="folder of training.release.teach's folders")
    parser.add_argument("--audio", nargs="+", required=True, metavar="NAME=PATH", help="corpora of training.corpora")
    parser.add_argument("--limit", nargs="*", default=[], metavar="NAME=N", help="at most N training clips of a corpus")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    settings = Settings(**(yaml.safe_load(args.config.read_text()) if args.config else {}))
    set_seed(settings.seed)
    lessons = {k: v for folder in sorted(args.lessons.iterdir()) for k, v in load_lessons(folder).items()}
    tokenizer = AutoTokenizer.from_pretrained(args.pruned)
    limits = {k: int(v) for k, v in (a.split("=", 1) for a in args.limit)}
    audio = {k: Path(v) for k, v in (a.split("=", 1) for a in args.audio)}
    clips, held_out = read_clips(audio, lessons, tokenizer, limits, settings.seed)
    model, processor = build(args, settings)
    facts = train(model, processor, clips, held_out, settings, args.out)
    model.save_pretrained(args.out / "model")
    processor.save_pretrained(args.out / "model")
    record = {"settings": asdict(settings), "provenance": provenance(settings.seed), **facts}
    (args.out / "training_run.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Fit the heads, temperatures and the uncertain threshold of a model directory whose encoders are finished.

    python -m training.heads.fit --model DIR --ravdess FILE --tess FILE --goemotions FILE --meld FILE \\
        --speechocean762 FILE --transcripts DIR --cache DIR --out DIR

The same command serves a fusion and a multi-task directory (their transcripts differ: DIR holds ravdess.jsonl and
tess.jsonl as `training.transcribe` writes them; a clip without one is read as its official sentence). Steps:

1. Pooled features of all clips and utterances (kept in the cache), the standardiser.
2. Audio head: logistic regression on the training clips, which trusts a feature the less, the more it differs between
   their neutral clips and other people's read speech (heads/domain_shift.py; speechocean762's training speakers).
3. Text head: the model's own if it is trained (`release.trained_heads`), or a file with a linear layer's state dict
   (--text-head), else fitted on the training utterances.
4. Temperatures of both, on speakers and utterances that their head never saw.
5. Fusion head: pairs (docs/pairs.md) of training clips and of validation utterances' first part (the text tower has
   learned its training utterances too well to tell how sure it would be of new ones), its temperature and the
   threshold: on pairs of validation speakers and of the second part.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from phonolinguistic.calibration import choose_uncertain_threshold, expected_calibration_error, fit_temperature, softmax
from phonolinguistic.model.configuration_phonolinguistic import PhonoLinguisticConfig
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor
from phonolinguistic.provenance import provenance

from ..corpora import CorpusError, corpus_info, teaches_words
from ..corpora.splits import _share
from ..inputs.augment import Augmenter
from ..inputs.feature_cache import PooledCache
from ..inputs.pairs import VALIDATION_MIXTURE, Clips, Mixture, PairDataset, Words
from ..inputs.release_data import ClipSet, TextSet, load_clips, load_read_speech, load_texts
from ..inputs.text_noise import TextNoise, spoken_form
from ..scoring.classification import classification
from ..transcribe import read_transcripts
from . import linear as heads

CLIP_CORPORA = ("ravdess", "tess")
TEXT_CORPORA = ("goemotions", "meld")


@dataclass(frozen=True)
class Settings:
    """c: inverse penalty of the audio head. shares: weight of each corpus there. views: 1 + augmented views of a clip.
    stacked: part of the validation utterances that the fusion head is trained on. pairs, checked: pairs an epoch, and
    for validation."""

    c: float = 0.003
    shares: dict[str, float] = field(default_factory=lambda: {"ravdess": 1.0, "tess": 0.5})
    views: int = 1
    stacked: float = 0.6
    pairs: int = 16_000
    checked: int = 4_000
    epochs: int = 20
    seed: int = 0


def joined(parts: list[ClipSet]) -> tuple[np.ndarray, list[str], list[str]]:
    """(labels, speakers, corpora) of several sets in a row."""
    labels = np.concatenate([part.labels for part in parts])
    speakers = [speaker for part in parts for speaker in part.speakers]
    return labels, speakers, [part.corpus for part in parts for _ in range(len(part))]


def heard_texts(clips: ClipSet, transcripts: Path | None) -> list[str]:
    """The recogniser's words for each clip; the official sentence where there are none (said on stderr).

    "" for every clip of a corpus that is not in English: it teaches the voice only.
    """
    if not teaches_words(corpus_info(clips.corpus).language):
        return [""] * len(clips)
    file = transcripts / f"{clips.corpus}.jsonl" if transcripts else None
    found = read_transcripts(file) if file and file.is_file() else {}
    missing = sum(name not in found for name in clips.ids)
    if missing:
        words = f"{clips.corpus}: {missing} of {len(clips)} clips have no transcript, their sentence is taken"
        print(words, file=sys.stderr)
    return [found.get(name, text) for name, text in zip(clips.ids, clips.references, strict=True)]


def utterances(cache: PooledCache, sets: list[TextSet], head: heads.Linear, seed: int, name: str) -> Words:
    """Logits of single-label utterances in two versions: cleaned, and with recogniser-like errors."""
    noise = TextNoise(seed=seed)
    logits, labels, corpora = [], [], []
    for texts in (texts.single() for texts in sets):
        clean = [spoken_form(text) or text for text in texts.texts]
        noisy = [noise(text, key) or text for text, key in zip(texts.texts, texts.ids, strict=True)]
        views = [head(cache.texts(version, f"{name}-{texts.corpus}")) for version in (clean, noisy)]
        logits.append(np.stack(views, 1))
        labels.append(texts.labels)
        corpora += [texts.corpus] * len(texts)
    return Words(np.concatenate(logits), np.concatenate(labels), corpora)


def parted(texts: TextSet, share: float) -> tuple[TextSet, TextSet]:
    """Two parts of a set by a hash of the utterance's id."""
    first = [_share(name) < share for name in texts.ids]
    rows = np.arange(len(texts))
    return texts.select(rows[first].tolist()), texts.select(rows[~np.array(first)].tolist())


def text_head(model, cache: PooledCache, sets: list[TextSet], file: Path | None) -> tuple[heads.Linear, str]:
    """(linear text head, where it comes from): file, the model's own, or fitted on training utterances."""
    if file is not None:
        state = torch.load(file, map_location="cpu", weights_only=True)
        return heads.Linear(state["weight"].float().numpy(), state["bias"].float().numpy()), "given"
    if "text" in (model.config.release.get("trained_heads") or []):
        weight, bias = (
            value.detach().float().numpy().copy() for value in (model.text_head.weight, model.text_head.bias)
        )
        return heads.Linear(weight, bias), "kept"
    train = [texts.split("train") for texts in sets]
    features = np.concatenate([cache.texts([spoken_form(t) or t for t in s.texts], f"train-{s.corpus}") for s in train])
    return heads.fit_text(features, np.concatenate([s.targets for s in train])), "fitted"


def with_pooling(model, pooled_layers: list[int] | None = None, **options):
    """The same encoders and text head under another pooling (`pooled_layers`, `pooling_options`); what is None stays.
    Audio and fusion heads are new where anything changes."""
    options = {name: value for name, value in options.items() if value is not None}
    if pooled_layers is None and not options:
        return model
    settings = model.config.to_dict()
    if pooled_layers is not None:
        settings["pooled_layers"] = pooled_layers
    settings["pooling_options"] = settings["pooling_options"] | options
    other = PhonoLinguisticModel(PhonoLinguisticConfig.from_dict(settings))
    for part in ("speech", "text", "text_projection", "text_head"):
        getattr(other, part).load_state_dict(getattr(model, part).state_dict())
    return other.eval()


def labelled_rows(clips: ClipSet, split: str) -> list[int]:
    """Rows of a split that have a label."""
    return [row for row, own in enumerate(clips.splits) if own == split and clips.labels[row] >= 0]


def equal_weights(groups: list[str]) -> np.ndarray:
    """(rows,) weights by which each group counts the same."""
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return 1 / counts[place]


def fit(
    model, processor, clips: list[ClipSet], texts: list[TextSet], settings: Settings, cache_dir: Path,
    transcripts: Path | None = None, text_file: Path | None = None, change=None, progress: bool = True,
    read: ClipSet | None = None,
) -> dict:  # fmt: skip
    """Fit everything into `model`; returns what was found on validation data (plain types). read: read speech."""
    cache = PooledCache(model, processor, cache_dir / "pooled", progress=progress)
    features = {c.corpus: cache.clips(c.audio, c.keys, settings.views, change, settings.seed, c.corpus) for c in clips}
    train = [c.select(labelled_rows(c, "train")) for c in clips]
    labels, speakers, corpora = joined(train)
    x = np.concatenate([features[c.corpus][labelled_rows(c, "train")] for c in clips])
    others = None if read is None else cache.clips(read.audio, read.keys, name=f"read-{read.corpus}")[:, 0]
    audio, mean, deviation = heads.fit_audio(x, labels, corpora, settings.c, settings.shares, others)
    strangers = heads.out_of_fold(x, labels, corpora, speakers, settings.c, settings.shares, others)
    # Only RAVDESS validates with people of its own; TESS's validation words are its training speaker's.
    rows = labelled_rows(clips[0], "validation")
    held = clips[0].select(rows)
    held_logits = audio((features[held.corpus][rows] - mean) / deviation)
    # Of a corpus with a speaker or two, no head is left that knows the corpus and not the speaker: what a head of other
    # corpora makes of it would teach temperature and stack to distrust every voice.
    many = [c for c in train if len(set(c.speakers)) >= heads.FOLDS] or train
    chosen = np.isin(corpora, [c.corpus for c in many])
    unseen = np.concatenate([held_logits[:, 0], strangers[chosen, 0]])
    audio_t = fit_temperature(unseen, np.concatenate([held.labels, labels[chosen]]))

    words, origin = text_head(model, cache, texts, text_file)
    parts = [parted(t.split("validation"), settings.stacked) for t in texts]
    stacked, checked = ([part[side] for part in parts] for side in (0, 1))
    said = utterances(cache, stacked, words, settings.seed, "stacked")
    said_held = utterances(cache, checked, words, settings.seed, "checked")
    both = np.concatenate([said.pooled[:, 0], said_held.pooled[:, 0]])
    both_labels = np.concatenate([said.labels, said_held.labels])
    text_t = fit_temperature(both, both_labels, equal_weights(said.corpora + said_held.corpora))

    def voices(sets: list[ClipSet], logits: np.ndarray) -> Clips:
        heard = cache.texts([spoken_form(t) for c in sets for t in heard_texts(c, transcripts)], "heard")
        present = heard.any(1, keepdims=True)
        own = words(heard) / text_t * present
        of_labels, of_speakers, of_corpora = joined(sets)
        return Clips(logits / audio_t, of_labels, of_speakers, of_corpora, own.astype(np.float32))

    scaled = [Words(w.pooled / text_t, w.labels, w.corpora) for w in (said, said_held)]
    pairs = PairDataset(voices(many, strangers[chosen]), scaled[0], Mixture(), settings.pairs, settings.seed)
    validation = PairDataset(
        voices([held], held_logits), scaled[1], VALIDATION_MIXTURE, settings.checked, settings.seed, resample=False
    )
    run = heads.fit_stack(pairs, validation, model.fusion_head[1].out_features, settings.epochs, seed=settings.seed)
    heads.install(
        model, audio=audio, mean=mean, deviation=deviation, text=words, stack=run.stack, temperatures=(audio_t, text_t)
    )
    batch = validation.batch(range(len(validation)))
    fused, truth = heads.predict(run.stack, batch).numpy(), batch["labels"].argmax(1).numpy()
    fused_t = fit_temperature(fused, truth)
    mode = "multitask" if model.config.multitask else "fusion"
    temperatures = {"audio": audio_t, "text": text_t, mode: fused_t}
    confident = [
        (softmax(held_logits[:, 0], audio_t), held.labels),
        (softmax(said_held.pooled[:, 0], text_t), said_held.labels),
        (softmax(fused, fused_t), truth),
    ]
    threshold = choose_uncertain_threshold(*(np.concatenate(part) for part in zip(*confident, strict=True)))
    config = model.config
    config.temperatures = {name: round(value, 4) for name, value in temperatures.items()}
    config.uncertain_threshold = round(threshold, 4)
    trained = set(config.release.get("trained_heads") or []) | {"audio", "text", "fusion"}
    config.release = config.release | {"trained_heads": sorted(trained)}
    report = {
        "settings": asdict(settings),
        "mixture": pairs.shares,
        "text_head": origin,
        "clips": {c.corpus: len(c) for c in train},
        "read_speech": None if read is None else {"corpus": read.corpus, "clips": len(read)},
        "utterances": len(said.labels),
        "fusion_epoch": run.epoch,
        "fusion_losses": run.losses,
        "uncertain_threshold": threshold,
        "validation": {},
    }
    for name, (chances, own) in zip(("audio", "text", mode), confident, strict=True):
        found = classification(chances, own, resamples=0)
        report["validation"][name] = {
            "temperature": temperatures[name], "count": found.count, "accuracy": found.accuracy, "uar": found.uar,
            "macro_f1": found.macro_f1, "ece": expected_calibration_error(chances, own),
            "uncertain": float((chances.max(1) < threshold).mean()),
        }  # fmt: skip
    own = {corpus: np.array(corpora) == corpus for corpus in sorted(set(corpora))}
    report["validation"]["strangers_in_training"] = {
        corpus: classification(strangers[rows, 0], labels[rows], resamples=0).uar for corpus, rows in own.items()
    }
    report["validation"]["pairs_by_kind"] = by_kind(validation, batch, softmax(fused, fused_t))
    return report


def by_kind(pairs: PairDataset, batch: dict[str, torch.Tensor], fused: np.ndarray) -> dict[str, dict[str, float]]:
    """Accuracy of the fusion head and of each modality on each kind of pair; the head's mean confidence and calibration
    error. fused: (pairs, classes) probabilities."""
    truth, kinds = batch["labels"].argmax(1).numpy(), np.array(pairs.kinds())
    answers = {
        "fusion": fused.argmax(1),
        "audio": F.softmax(batch["audio_pooled"], 1).argmax(1).numpy(),
        "text": F.softmax(batch["text_pooled"], 1).argmax(1).numpy(),
    }
    return {
        kind: {"count": int((kinds == kind).sum())}
        | {name: float((answer == truth)[kinds == kind].mean()) for name, answer in answers.items()}
        | {"confidence": float(fused[kinds == kind].max(1).mean())}
        | {"ece": expected_calibration_error(fused[kinds == kind], truth[kinds == kind])}
        for kind in sorted(set(kinds))
    }


def save(model, processor, out: Path, report: dict, source: Path) -> None:
    """Encoders in half precision, heads and standardiser in single: their products are where rounding would show.
    source: the directory with the encoders, whose `training.json` is carried on."""
    exact = ("audio_pooling.", "audio_head.", "text_head.")
    state = {
        name: value if name.startswith(exact) or not value.is_floating_point() else value.half()
        for name, value in model.state_dict().items()
    }
    model.save_pretrained(out, state_dict=state)
    processor.save_pretrained(out)
    earlier = source / "training.json"
    record = json.loads(earlier.read_text(encoding="utf-8")) if earlier.is_file() else {}
    (out / "training.json").write_text(json.dumps(record | {"heads": report}, indent=2) + "\n", encoding="utf-8")


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.heads.fit", description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="directory with finished encoders")
    for name in (*CLIP_CORPORA, *TEXT_CORPORA):
        parser.add_argument(f"--{name}", type=Path, required=True, help="parquet file or official folder")
    parser.add_argument("--speechocean762", type=Path, help="read speech, for the trust in each feature of the voice")
    parser.add_argument("--transcripts", type=Path, help="folder with ravdess.jsonl, tess.jsonl (training.transcribe)")
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded clips and pooled features")
    parser.add_argument("--text-head", type=Path, help="state dict of a linear layer to take as text head")
    parser.add_argument("--pooled-layers", type=int, nargs="+", help="hidden states to pool; default: the model's own")
    parser.add_argument("--active-db", type=float, help="pool frames within so many dB of the loudest only")
    parser.add_argument("--without-spectrum-mean", action="store_true", help="pool no mean of the spectrum")
    parser.add_argument("--c", type=float, default=Settings.c, help="inverse penalty of the audio head")
    parser.add_argument("--tess-share", type=float, default=0.5, help="weight of TESS against RAVDESS")
    parser.add_argument("--views", type=int, default=Settings.views, help="1 + augmented views of each clip")
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--limit", type=int, help="at most N clips a corpus and N utterances a split (to try it out)")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr."""
    args = arguments(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    began = time.perf_counter()
    settings = Settings(
        c=args.c, shares={"ravdess": 1.0, "tess": args.tess_share}, views=args.views, epochs=args.epochs, seed=args.seed
    )
    try:
        model = PhonoLinguisticModel.from_pretrained(args.model, dtype=torch.float32)
        spectrum_mean = False if args.without_spectrum_mean else None
        model = with_pooling(model, args.pooled_layers, active_db=args.active_db, spectrum_mean=spectrum_mean)
        processor = PhonoLinguisticProcessor.from_pretrained(args.model)
        clips = [load_clips(name, getattr(args, name), args.cache, limit=args.limit) for name in CLIP_CORPORA]
        texts = [load_texts(name, getattr(args, name), limit=args.limit) for name in TEXT_CORPORA]
        change = augmentation(args.views)
        read = load_read_speech(args.speechocean762, args.cache) if args.speechocean762 else None
        report = fit(
            model, processor, clips, texts, settings, args.cache, args.transcripts, args.text_head, change, read=read
        )
    except (CorpusError, OSError, ValueError) as error:
        print(f"fit_heads: {error}", file=sys.stderr)
        return 2
    report |= {"seconds": round(time.perf_counter() - began, 1), "provenance": provenance(args.seed)}
    save(model, processor, args.out, report, args.model)
    print(json.dumps(report["validation"], indent=2))
    print(f"{args.out}: heads fitted in {report['seconds']:.0f} s")
    return 0


def augmentation(views: int):
    """What makes the augmented views: another voice, room and microphone; None for one view."""
    return Augmenter("microphone") if views > 1 else None


if __name__ == "__main__":
    raise SystemExit(main())

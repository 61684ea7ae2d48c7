"""The audio tower on strangers: RAVDESS folds, other corpus, other speaker. One command, one JSON file.

    python -m training.scoring.crossval --model DIR --ravdess FILE --tess FILE --speechocean762 FILE --cache DIR \\
        --out training/results/audio_crossval.json

The speech network of DIR is frozen; a logistic regression is fitted on its pooled features, anew for each split:

a. RAVDESS, 8 classes, the six speaker-independent folds of EmoBox.
b. RAVDESS -> TESS and TESS -> RAVDESS, 7 classes, calm as neutral. Nothing of the test corpus is looked at.
c. TESS, one actress -> the other.

The penalty is chosen inside the training part for (a): leave-one-fold-out among its five folds. (b) and (c) take the
given --c. What the pooling leaves out is part of DIR's configuration and is the same in all of them. With
--speechocean762 features are trusted by its read speech, as in the release (training/heads/domain_shift.py).

`test_mean_known` beside (b) is no result but a diagnosis: the same heads after the test corpus' own mean has been put
where the training corpus' is. What is still wrong then is no shift by room or microphone.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sklearn
import torch
import transformers
from sklearn.linear_model import LogisticRegression

from phonolinguistic.labels import EMOTIONS
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor
from phonolinguistic.provenance import commit

from ..corpora import CorpusError, load_corpus
from ..corpora.splits import RAVDESS_FOLDS, ravdess_speakers
from ..heads.domain_shift import STRENGTH, trust
from ..heads.linear import standardiser
from ..inputs.features import FeatureTable, load_or_compute_features, pooled_cache
from ..inputs.release_data import load_read_speech
from .classification import classification

PENALTIES = (0.001, 0.003, 0.01)
NEUTRAL = ("neutral", "calm")


@dataclass(frozen=True)
class Read:
    """Read speech to trust features by. values: (clips, size) raw features; strength: as for `strangers.trust`."""

    values: np.ndarray
    strength: float = STRENGTH


def fitted(
    values: np.ndarray, labels: np.ndarray, c: float, classes: int, neutral: np.ndarray | None = None,
    read: Read | None = None,
):  # fmt: skip
    """A function (clips, size) -> (clips, classes) logits, fitted on all views of (clips, views, size).

    neutral: (clips,) which clips are neutral; with `read`, what features are trusted by.
    """
    clips, views, size = values.shape
    flat = values.reshape(-1, size)
    mean, deviation = standardiser(flat)
    # Views share the weight of their clip, or more of them would weaken the penalty.
    weights = np.full(len(flat), 1 / views)
    if read is not None and neutral is not None and neutral.any():
        deviation = deviation / trust(flat[np.repeat(neutral, views)], read.values, deviation, read.strength)
    head = LogisticRegression(C=c, max_iter=500, tol=1e-3, class_weight="balanced")
    head.fit((flat - mean) / deviation, np.repeat(labels, views), sample_weight=weights)

    def logits(x: np.ndarray) -> np.ndarray:
        scores = np.full((len(x), classes), -1e3)
        scores[:, head.classes_] = head.predict_log_proba((x - mean) / deviation)
        return scores

    return logits


def fold_of(speakers: list[str]) -> np.ndarray:
    """(clips,) 0..5."""
    place = {speaker: fold for fold in range(len(RAVDESS_FOLDS)) for speaker in ravdess_speakers(fold + 1)}
    return np.array([place[speaker] for speaker in speakers])


def chosen_penalty(
    values: np.ndarray, labels: np.ndarray, folds: np.ndarray, classes: int, choices=PENALTIES,
    neutral: np.ndarray | None = None, read: Read | None = None,
) -> float:  # fmt: skip
    """The penalty that does best on speakers left out of these training clips; the test fold is not among them."""
    neutral = np.zeros(len(labels), bool) if neutral is None else neutral

    def right(c: float) -> float:
        hits = 0
        for fold in sorted(set(folds)):
            held = folds == fold
            head = fitted(values[~held], labels[~held], c, classes, neutral[~held], read)
            answers = head(values[held][:, 0]).argmax(1)
            hits += int((answers == labels[held]).sum())
        return hits / len(labels)

    return max(choices, key=right)


def folds_report(table: FeatureTable, choices=PENALTIES, progress: bool = True, read: Read | None = None) -> dict:
    """(a): each fold, and all folds' answers together."""
    names = sorted(set(table.labels))
    labels = np.array([names.index(label) for label in table.labels])
    neutral = np.isin(table.labels, NEUTRAL)
    folds, scores, report = fold_of(table.speakers), np.zeros((len(table), len(names))), []
    for fold in sorted(set(folds)):
        held = folds == fold
        seen = (table.values[~held], labels[~held])
        c = chosen_penalty(*seen, folds[~held], len(names), choices, neutral[~held], read)
        scores[held] = fitted(*seen, c, len(names), neutral[~held], read)(table.values[held][:, 0])
        own = classification(scores[held], labels[held], names=names, resamples=0)
        report.append({"fold": int(fold) + 1, "c": c, "accuracy": round(own.accuracy, 5), "uar": round(own.uar, 5)})
        if progress:
            print(json.dumps(report[-1]), file=sys.stderr, flush=True)
    together = classification(scores, labels, names=names, speakers=table.speakers).to_dict()
    mean = {rate: round(float(np.mean([row[rate] for row in report])), 5) for rate in ("accuracy", "uar")}
    return {"mean_of_folds": mean, "folds": report, "together": together}


def transfer(
    train: FeatureTable, test: FeatureTable, labels: dict[str, str], c: float, read: Read | None = None,
    bound: bool = False,
) -> dict:  # fmt: skip
    """(b), (c): fitted on one table, tested on another; labels: source label -> emotion. bound: `test_mean_known`."""
    own, true = (np.array([EMOTIONS.index(labels[label]) for label in table.labels]) for table in (train, test))
    head = fitted(train.values, own, c, len(EMOTIONS), np.isin(train.labels, NEUTRAL), read)
    heard = test.values[:, 0]
    report = classification(head(heard), true, speakers=test.speakers).to_dict()
    if bound:
        moved = heard - heard.mean(0) + train.values.reshape(-1, heard.shape[1]).mean(0)
        report["test_mean_known"] = round(float((head(moved).argmax(1) == true).mean()), 5)
    return report


def part(table: FeatureTable, keep: np.ndarray) -> FeatureTable:
    """Rows of a table."""
    rows = np.flatnonzero(keep)
    speakers, labels = ([column[row] for row in rows] for column in (table.speakers, table.labels))
    return FeatureTable(table.values[rows], table.rows[rows], speakers, labels)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.scoring.crossval", description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="directory whose speech network is measured")
    parser.add_argument("--ravdess", type=Path, required=True)
    parser.add_argument("--tess", type=Path, required=True)
    parser.add_argument("--speechocean762", type=Path, help="read speech to trust features by")
    parser.add_argument("--strength", type=float, default=STRENGTH, help="how much the trust falls with the shift")
    parser.add_argument("--pooling", type=json.loads, help="JSON of pooling settings to measure instead of the model's")
    parser.add_argument("--views", type=int, default=1, help="1 + augmented views of each clip")
    parser.add_argument("--c", type=float, default=0.003, help="inverse penalty for (b) and (c)")
    parser.add_argument("--half", action="store_true", help="run the network in bfloat16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--note", action="append", default=[], help="what a reader of the figures must know")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr."""
    args = arguments(argv)
    torch.set_num_threads(args.threads)
    began = time.perf_counter()
    try:
        model = PhonoLinguisticModel.from_pretrained(args.model, dtype=torch.float32)
        processor = PhonoLinguisticProcessor.from_pretrained(args.model)
        corpora = {name: load_corpus(name, getattr(args, name), on_error="skip") for name in ("ravdess", "tess")}
        speech = load_read_speech(args.speechocean762, args.cache) if args.speechocean762 else None
    except (CorpusError, OSError, ValueError) as error:
        print(f"crossval: {error}", file=sys.stderr)
        return 2
    if args.pooling:
        settings = {**model.config.to_dict(), **args.pooling}
        model = with_pooling(model, settings)
    tables = {
        name: load_or_compute_features(model, processor, corpus, args.views, args.cache, seed=args.seed, half=args.half)
        for name, corpus in corpora.items()
    }
    read = None
    if speech is not None:
        cache = pooled_cache(model, processor, args.cache, half=args.half)
        read = Read(cache.clips(speech.audio, speech.keys, name=f"read-{speech.corpus}")[:, 0], args.strength)
    heard = time.perf_counter()
    report = results(tables["ravdess"], tables["tess"], args.c, read=read)
    config = model.config
    pooling = {
        name: getattr(config, name) for name in ("pooling", "pooled_layers", "spectrum_statistics", "pooling_options")
    }
    report["how"] = {
        "command": "python -m training.scoring.crossval", "commit": commit(),
        "seed": args.seed, "views": args.views, "c": args.c,
        "read_speech": None if read is None else {"clips": len(read.values), "strength": read.strength},
        "penalties": list(PENALTIES), "pooling": pooling, "bfloat16": args.half, "threads": args.threads,
        "device": "cpu", "cpu": platform.machine(), "python": platform.python_version(), "torch": torch.__version__,
        "transformers": transformers.__version__, "scikit_learn": sklearn.__version__,
        "seconds": {"features": round(heard - began, 1), "heads": round(time.perf_counter() - heard, 1)},
    }  # fmt: skip
    report["notes"] = args.note
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(summary(report)))
    return 0


def with_pooling(model, settings: dict):
    """The model with another pooling over the same speech network; its heads are not trained."""
    changed = type(model.config).from_dict({**settings, "head_hidden_size": 0})
    other = type(model)(changed)
    other.speech.load_state_dict(model.speech.state_dict())
    return other.eval()


def results(ravdess: FeatureTable, tess: FeatureTable, c: float, choices=PENALTIES, read: Read | None = None) -> dict:
    """All of (a), (b), (c)."""
    from ..corpora import ravdess as of_ravdess
    from ..corpora import tess as of_tess

    labels = of_tess.LABELS | of_ravdess.relabel({"calm_as_neutral": True})
    first = np.array(tess.speakers) == sorted(set(tess.speakers))[0]
    older, younger = part(tess, first), part(tess, ~first)
    return {
        "ravdess_folds": folds_report(ravdess, choices, read=read),
        "ravdess_to_tess": transfer(ravdess, tess, labels, c, read, bound=True),
        "tess_to_ravdess": transfer(tess, ravdess, labels, c, read, bound=True),
        "tess_older_to_younger": transfer(older, younger, labels, c, read),
        "tess_younger_to_older": transfer(younger, older, labels, c, read),
    }


def summary(report: dict) -> dict[str, float]:
    """Accuracy of each part."""
    found = {"ravdess_folds": report["ravdess_folds"]["mean_of_folds"]["accuracy"]}
    return found | {name: value["accuracy"] for name, value in report.items() if "accuracy" in value}


if __name__ == "__main__":
    sys.exit(main())

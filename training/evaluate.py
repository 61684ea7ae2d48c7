"""Evaluate model directories on the test sets at hand and write metrics.json and plots into them.

    python -m training.evaluate --models models/fusion models/multitask --asr models/asr --cache DIR \\
        --ravdess FILE --tess FILE --goemotions FILE --meld FILE --speechocean762 FILE
    python -m training.evaluate --models models/fusion models/multitask --markdown      # tables from metrics.json

A corpus that is not given is not evaluated. Test sets (release split): RAVDESS fold-1 actors, the younger actress of
TESS, the official tests of GoEmotions and MELD, speechocean762's without sentences that its training part holds, and
constructed pairs (docs/pairs.md). Everything expensive (pooled features, transcripts) is kept in the cache under a hash
of the weights, so a second run takes seconds and an interrupted one goes on. Where both kinds of model are given, the
two are compared row by row.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from .corpora import CorpusError
from .inputs.release_data import ClipSet, TextSet, load_clips, load_texts
from .scoring import plots, report
from .scoring.asr import normaliser
from .scoring.evaluation import Evaluated, Evaluator, difference
from .whole_files import write_json

CLIPS, TEXTS, READ = ("ravdess", "tess"), ("goemotions", "meld"), ("speechocean762", "ravdess")
NOTES = (
    "Constructed pairs put a test clip and a test utterance together by their labels; their accuracy is higher than "
    "fusion can be on real speech (docs/pairs.md).",
    "The sentences of RAVDESS and TESS say nothing about the emotion, and are the same in training and test.",
    "The multi-task recogniser was trained on speechocean762's training speakers and on RAVDESS's two sentences, the "
    "off-the-shelf one on neither: its lower word error rates there hold for such speakers and sentences only.",
    "TESS's test is one speaker and RAVDESS's four: intervals are by clip and do not tell how other speakers would do.",
)


def load_sets(args: argparse.Namespace) -> tuple[dict[str, ClipSet], dict[str, TextSet]]:
    """Test clips by corpus (labelled ones, and speechocean762's), and utterances of all splits."""
    clips: dict[str, ClipSet] = {}
    for name in dict.fromkeys((*CLIPS, *READ)):
        path = getattr(args, name)
        if path is not None:
            found = load_clips(name, path, args.cache).split("test")
            if name in CLIPS:
                found = found.select([row for row, own in enumerate(found.labels) if own >= 0])
            rows = range(len(found)) if args.limit is None else range(0, len(found), max(1, len(found) // args.limit))
            clips[name] = found.select(list(rows)[: args.limit])
    texts = {n: load_texts(n, getattr(args, n), limit=args.limit) for n in TEXTS if getattr(args, n) is not None}
    return clips, texts


def evaluate(evaluator: Evaluator, clips: dict[str, ClipSet], texts: dict[str, TextSet], normalise) -> Evaluated:
    """All figures of one model."""
    found = Evaluated(evaluator.mode)
    for name in CLIPS:
        if name in clips:
            evaluator.on_clips(clips[name], found)
    for part in texts.values():
        evaluator.on_texts(part, found)
    labelled = [clips[name] for name in CLIPS if name in clips]
    if labelled and texts:
        evaluator.on_pairs(labelled, list(texts.values()), found)
    recogniser = "multitask" if evaluator.mode == "multitask" else "off-the-shelf recogniser"
    for name in READ:
        if name in clips:
            evaluator.on_recognition(clips[name], found, normalise, recogniser)
    evaluator.count_runaways(list(clips.values()), found)
    return found


def compare(multitask: Evaluated, fusion: Evaluated) -> dict[str, Any]:
    """Multi-task against fusion: accuracy on the same rows, WER on the same clips."""
    found: dict[str, Any] = {"multitask_against_fusion": {}, "recognition_against_asr": {}}
    for corpus in (*CLIPS, "constructed pairs"):
        one, other = multitask.find(corpus, "multitask"), fusion.find(corpus, "fusion")
        if one and other and one.labels is not None:
            found["multitask_against_fusion"][corpus] = difference(one, other)
    for corpus in READ:
        one = multitask.find(corpus, "multitask", "recognition")
        other = fusion.find(corpus, "off-the-shelf recogniser", "recognition")
        if one and other:
            rates = one.figures.wer * 100, other.figures.wer * 100
            found["recognition_against_asr"][corpus] = {
                "count": one.figures.clips,
                "multitask": round(rates[0], 3),
                "off-the-shelf": round(rates[1], 3),
                "difference": round(rates[0] - rates[1], 3),
            }
    return found


def training_record(folder: Path) -> dict[str, Any]:
    """What the training runs wrote beside the weights (training.json), with the seconds of all runs added up."""
    file = folder / "training.json"
    if not file.is_file():
        return {}
    record = json.loads(file.read_text(encoding="utf-8"))
    parts = [part["seconds"] for part in record.values() if isinstance(part, dict) and part.get("seconds")]
    if parts and "seconds" not in record:
        record["seconds"] = round(sum(parts), 1)
    return record


def provenance() -> dict[str, Any]:
    """Machine and versions, by the package's one place for that."""
    return import_module("phonolinguistic.provenance").provenance()


def draw(found: Evaluated, folder: Path) -> list[str]:
    """Plots of one model; their names relative to its directory."""
    files, curves = [], {}
    for result in found.results:
        if result.probabilities is None or (result.mode == "text" and result.corpus in (*CLIPS, "constructed pairs")):
            continue
        name = f"{result.mode}_{result.corpus.replace(' ', '_')}"
        title = f"{report.NAMES.get(result.corpus, result.corpus)}, {result.mode}"
        file = folder / "plots" / f"confusion_{name}.png"
        files.append(plots.confusion_png(result.figures.confusion, result.figures.labels, title, file))
        curves[title] = (result.probabilities, result.labels)
    if curves:
        file = folder / "plots" / "reliability.png"
        files.append(plots.reliability_png(curves, "Confidence against accuracy, after temperature", file))
    return [str(file.relative_to(folder)) for file in files]


def document(folder: Path, found: Evaluated, evaluator: Evaluator, comparison: dict, limit: int | None) -> dict:
    """The whole metrics.json."""
    config = evaluator.model.config
    results = [result.to_dict() for result in found.results]
    metrics: dict[str, Any] = {"kind": evaluator.mode, "version": config.release.get("version")}
    if limit is not None:
        metrics["limited_to"] = limit
    metrics |= {
        "summary": report.summary(results),
        "calibration": {"temperatures": config.temperatures, "uncertain_threshold": config.uncertain_threshold},
        **comparison,
        "runaways": found.runaways,
        "results": results,
        "notes": list(NOTES),
        "plots": draw(found, folder),
        "training": training_record(folder),
        "provenance": provenance(),
    }
    metrics["targets"] = report.targets(metrics)
    return {key: value for key, value in metrics.items() if value not in (None, {}, [])}


def run(args: argparse.Namespace) -> list[tuple[str, dict[str, Any]]]:
    """Evaluate every directory; (name, metrics) of each, which are written too."""
    clips, texts = load_sets(args)
    if not clips and not texts:
        raise CorpusError("no corpus given: name at least one, e.g. --meld FILE")
    normalise = normaliser(args.asr)
    pairs = []
    for folder in args.models:
        began = time.perf_counter()
        given = args.transcripts
        if given is not None and (given / folder.name).is_dir():
            given = given / folder.name
        elif len(args.models) > 1:
            given = None  # one recogniser's words are not the other's
        evaluator = Evaluator(folder, args.cache, args.asr, given, args.device, heard=args.heard)
        pairs.append((folder, evaluator, evaluate(evaluator, clips, texts, normalise)))
        logging.info("%s: evaluated in %.0f s", folder, time.perf_counter() - began)
    kinds = {found.kind: found for _, _, found in pairs}
    comparison = compare(kinds["multitask"], kinds["fusion"]) if len(kinds) == 2 else {}
    written = []
    for folder, evaluator, found in pairs:
        own = comparison if found.kind == "multitask" else {}
        metrics = document(folder, found, evaluator, own, args.limit)
        if args.crossval is not None:
            metrics["cross_validation"] = json.loads(args.crossval.read_text(encoding="utf-8"))
        write_json(folder / "metrics.json", metrics)
        written.append((folder.name, metrics))
    return written


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__.split("\n\n")[0])
    parser.add_argument("--models", nargs="+", type=Path, required=True, help="one, or a fusion and a multi-task one")
    parser.add_argument("--asr", type=Path, help="recogniser of a fusion model; its spelling table normalises texts")
    for name in dict.fromkeys((*CLIPS, *TEXTS, *READ)):
        parser.add_argument(f"--{name}", type=Path, help="parquet file or official folder")
    parser.add_argument(
        "--transcripts", type=Path, help="folder of training.transcribe's files, or of one for each model"
    )
    parser.add_argument("--heard", type=int, help="recognisers read at most N clips of each corpus")
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/phonolinguistic"))
    parser.add_argument("--crossval", type=Path, help="result of training.scoring.crossval, taken into metrics.json")
    parser.add_argument("--limit", type=int, help="at most N clips a corpus and N utterances a split")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--markdown", action="store_true", help="print tables of metrics.json, evaluate nothing")
    args = parser.parse_args(argv)
    args.cache = args.cache.expanduser()
    return args


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr if the input is at fault."""
    args = arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        if args.markdown:
            found = [(f.name, json.loads((f / "metrics.json").read_text(encoding="utf-8"))) for f in args.models]
        else:
            found = run(args)
    except (CorpusError, OSError, ValueError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    print(report.markdown(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Evaluate models on the test split of any corpora and write metrics.json and plots into them.

    python -m training evaluate runs/own                                    # the corpora that the run was trained on
    python -m training evaluate models/fusion --corpora own=clips.csv --asr models/asr
    python -m training evaluate models/fusion models/multitask --corpora corpora.yaml --asr models/asr
    python -m training evaluate models/fusion models/multitask --markdown   # tables from metrics.json

Clips give figures of voice, words and both, and word error rates where the model or --asr writes transcripts; texts
give figures of the words; where there are both, constructed pairs (docs/pairs.md) are judged, too. Everything expensive
(pooled features, transcripts) is kept in the cache under a hash of the weights, so a second run takes seconds and an
interrupted one goes on. Where both kinds of model are given, the two are compared row by row.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers.utils.logging import disable_progress_bar

from phonolinguistic.model.configuration_phonolinguistic import PhonoLinguisticConfig
from phonolinguistic.provenance import provenance

from .config import ConfigError, Corpus, read_yaml
from .hub.errors import hub_errors
from .inputs.release_data import ClipSet, TextSet
from .options import CACHE, add_shared, pick_device, read_corpora
from .scoring import plots, report
from .scoring.asr import normaliser
from .scoring.evaluation import HEADS, SAY_NOTHING, Evaluated, Evaluator, difference
from .scoring.metrics_file import read_metrics, write_metrics
from .scoring.run_metrics import model_folder, read_run, training_facts
from .scoring.test_sets import SPLITS, TestSets, load_test_sets
from .transcribe import read_transcripts

EMBEDDED_ASR = Path(__file__).resolve().parent.parent / "models" / "asr"
PAIRS_NOTE = (
    "Constructed pairs put a test clip and a test utterance together by their labels; their accuracy is higher than "
    "fusion can be on real speech (docs/pairs.md)."
)
CORPUS_NOTES = {
    "ravdess": "The sentences of RAVDESS say nothing about the emotion, and are the same in training and test.",
    "tess": "The sentences of TESS say nothing about the emotion, and its test is one speaker: intervals are by clip "
    "and do not tell how other speakers would do.",
}


@dataclass(frozen=True)
class Subject:
    """A model to be evaluated. run: what training_run.json says, if it is a run's; pulled: it came from the Hub."""

    folder: Path
    config: PhonoLinguisticConfig
    run: dict[str, Any] | None
    pulled: bool = False

    @property
    def heads(self) -> tuple[str, ...]:
        """Heads that were trained."""
        trained = self.config.release.get("trained_heads") or HEADS
        return tuple(head for head in HEADS if head in trained)

    @property
    def corpora(self) -> list[Corpus]:
        """What the run was trained on."""
        return [Corpus(**entry) for entry in self.run["settings"]["data"]["corpora"]] if self.run else []


def subject(path: Path) -> Subject:
    """The model at a path: its directory, or that of a run; or org/name on the Hub.

    Raises:
        ConfigError: there is none. PublishError: the Hub does not give it.
    """
    pulled = not path.exists() and len(path.parts) == 2
    if pulled:
        with hub_errors(str(path)):
            path = Path(snapshot_download(str(path), allow_patterns=["*.json", "*.safetensors", "*.txt"]))
    folder = model_folder(path)
    if not (folder / "config.json").is_file():
        if (path / "checkpoints").is_dir():
            raise ConfigError(f"{path} is a run that is not finished: start its command again, it goes on.")
        raise ConfigError(f"{path} holds no model; accepted: a model's directory, or that of a run.")
    try:
        config = PhonoLinguisticConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {str(error).splitlines()[0]}") from error
    return Subject(folder, config, read_run(path), pulled)


def evaluate(
    evaluator: Evaluator, clips: Mapping[str, ClipSet], texts: Mapping[str, TextSet], normalise, split: str = "test"
) -> Evaluated:
    """All figures of one model on clips and texts by corpus."""
    found = Evaluated(evaluator.mode)
    labelled = [part.select([row for row, own in enumerate(part.labels) if own >= 0]) for part in clips.values()]
    labelled = [part for part in labelled if len(part)]
    for part in labelled:
        evaluator.on_clips(part, found, split)
    words = list(texts.values()) if "text" in evaluator.modes else []
    for part in words:
        evaluator.on_texts(part, found, split)
    if labelled and words and evaluator.mode in evaluator.modes:
        evaluator.on_pairs(labelled, words, found, split)
    if evaluator.mode in evaluator.modes:
        recogniser = "multitask" if evaluator.mode == "multitask" else "off-the-shelf recogniser"
        for part in clips.values():
            if any(part.references) and evaluator.reads_transcripts(part):
                evaluator.on_recognition(part, found, normalise, recogniser, split)
        evaluator.count_runaways(list(clips.values()), found)
    return found


def compare(multitask: Evaluated, fusion: Evaluated) -> dict[str, Any]:
    """Multi-task against fusion: accuracy on the same rows, WER on the same clips."""
    found: dict[str, Any] = {"multitask_against_fusion": {}, "recognition_against_asr": {}}
    for corpus in dict.fromkeys(result.corpus for result in multitask.results):
        one, other = multitask.find(corpus, "multitask"), fusion.find(corpus, "fusion")
        if one and other and one.labels is not None:
            found["multitask_against_fusion"][corpus] = difference(one, other)
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


def training_record(subject: Subject) -> dict[str, Any]:
    """What is known of the training: of the run, or what stands beside the weights (training.json), with the seconds of
    all its parts added up."""
    if subject.run is not None:
        return training_facts(subject.run)
    file = subject.folder / "training.json"
    record = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    parts = [part["seconds"] for part in record.values() if isinstance(part, dict) and part.get("seconds")]
    if parts and "seconds" not in record:
        record["seconds"] = round(sum(parts), 1)
    return record


def draw(found: Evaluated, folder: Path) -> list[str]:
    """Plots of one model; their names relative to its directory."""
    files, curves = [], {}
    for result in found.results:
        idle = result.mode == "text" and result.corpus in (*SAY_NOTHING, "constructed pairs")
        if result.probabilities is None or idle:
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


def document(
    subject: Subject, found: Evaluated, comparison: dict, limit: int | None = None, out: Path | None = None
) -> dict[str, Any]:
    """The whole metrics.json; plots go into `out` (default: the model's directory)."""
    config, results = subject.config, [result.to_dict() for result in found.results]
    corpora = {result.corpus for result in found.results}
    notes = [note for corpus, note in CORPUS_NOTES.items() if corpus in corpora]
    metrics: dict[str, Any] = {"kind": found.kind, "version": config.release.get("version")}
    if limit is not None:
        metrics["limited_to"] = limit
    metrics |= {
        "summary": report.summary(results),
        "calibration": {"temperatures": config.temperatures, "uncertain_threshold": config.uncertain_threshold},
        **comparison,
        "runaways": found.runaways,
        "results": results,
        "notes": [PAIRS_NOTE] * ("constructed pairs" in corpora) + notes,
        "plots": draw(found, out or subject.folder),
        "training": training_record(subject),
        "provenance": provenance(),
    }
    metrics["targets"] = report.targets(metrics)
    return {key: value for key, value in metrics.items() if value not in (None, {}, [])}


def find_asr(subject: Subject, given: Path | None) -> Path | None:
    """The recogniser that a fusion model reads: the one given, the one that its config names as a directory, or the
    embedded one where that is the one it names; None: the words as the corpora have them."""
    if given is not None and not (given / "config.json").is_file():
        raise ConfigError(f"--asr {given} holds no recogniser; accepted: a Whisper's directory.")
    if given is not None or subject.config.multitask:
        return given
    named = subject.config.asr or ""
    for folder in (subject.folder / named, Path(named)):
        if named and (folder / "config.json").is_file():
            return folder
    embedded = named == "openai/whisper-tiny.en" and (EMBEDDED_ASR / "config.json").is_file()
    return EMBEDDED_ASR if embedded else None


def evaluate_subjects(
    subjects: Sequence[Subject], corpora: Sequence[Corpus], *, cache: Path | None = None, split: str = "test",
    asr: Path | None = None, transcripts: Path | None = None, heard: int | None = None, limit: int | None = None,
    seed: int = 0, device: str | None = None, out: Path | None = None, crossval: dict | None = None,
    progress: bool = True,
) -> list[tuple[str, dict[str, Any]]]:  # fmt: skip
    """Evaluate models on corpora (none: those of the run); (name, metrics) of each, which are written too.

    Args:
        cache: decoded clips, features and transcripts; None: the run's own, or the usual place.
        transcripts: folder with a corpus's .jsonl by `training transcribe`, or with such a folder for each model.
        crossval: what `training leave-one-corpus-out` found, to be kept with the figures.
        heard, limit: recognisers read at most so many clips; at most so many clips, and texts a split.

    Raises:
        ConfigError: no corpora, or a model that knows no corpora was given with runs. CorpusError: no data.
    """
    if out is None and any(one.pulled for one in subjects):
        raise ConfigError("the figures of a model on the Hub have no place yet; name one with --out DIR.")
    device = pick_device(device)
    done, sets = [], None
    for one in subjects:
        began, wanted = time.perf_counter(), list(corpora) or one.corpora
        if not wanted:
            raise ConfigError(f"{one.folder} is no run: name corpora to evaluate on, e.g. --corpora own=clips.csv.")
        own = one.run is not None and cache is None
        place = Path(one.run["settings"]["data"]["cache"] if own else cache or CACHE).expanduser()
        seed = one.run["settings"]["seed"] if one.run is not None and not corpora else seed
        sets = load_test_sets(wanted, one.heads, place if own else place / "audio", split=split, seed=seed, limit=limit,
                              progress=progress)  # fmt: skip
        recogniser = find_asr(one, asr)
        given = sets.given | _given(transcripts, one.folder.name, len(subjects), sets)
        evaluator = Evaluator(one.folder, place, recogniser, given, device, progress, heard)
        found = evaluate(evaluator, sets.clips, sets.texts, normaliser(recogniser), split)
        done.append((one, found))
        logging.info("%s: evaluated in %.0f s", one.folder, time.perf_counter() - began)
    kinds = {found.kind: found for _, found in done}
    comparison = compare(kinds["multitask"], kinds["fusion"]) if len(kinds) == 2 else {}
    written = []
    for one, found in done:
        folder = one.folder if out is None else out if len(done) == 1 else out / one.folder.name
        metrics = document(one, found, comparison if found.kind == "multitask" else {}, limit, folder)
        if crossval is not None:
            metrics["cross_validation"] = crossval
        write_metrics(folder, metrics)
        written.append((one.folder.parent.name if one.run else one.folder.name, metrics))
    return written


def _given(folder: Path | None, model: str, models: int, sets: TestSets) -> dict[str, str]:
    """Clip id -> transcript, of a folder given on the command line."""
    if folder is None:
        return {}
    if (folder / model).is_dir():
        folder = folder / model
    elif models > 1:
        return {}  # one recogniser's words are not the other's
    files = [folder / f"{corpus}.jsonl" for corpus in sets.clips]
    return {name: text for file in files if file.is_file() for name, text in read_transcripts(file).items()}


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training evaluate", description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL_OR_RUN", help="one, or one of each kind")
    add_shared(parser, "corpora", "cache", "out", "seed", "device", "progress", cache={"default": None},
               corpora={"help": "NAME=PATH, or a YAML file with a list of {name, path, ...}; default: the run's own"},
               out={"help": "where metrics.json and plots go; default: beside the weights"})  # fmt: skip
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--asr", type=Path, metavar="DIR", help="recogniser of a fusion model")
    parser.add_argument("--transcripts", type=Path, metavar="DIR", help="CORPUS.jsonl of `training transcribe`, or a "
                        "folder of them for each model")  # fmt: skip
    parser.add_argument("--heard", type=int, metavar="N", help="recognisers read at most N clips of each corpus")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N clips a corpus and N texts a split")
    parser.add_argument("--crossval", type=Path, metavar="FILE", help="result of `training leave-one-corpus-out`")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--markdown", action="store_true", help="print tables of metrics.json, evaluate nothing")
    args = parser.parse_args(argv)
    for name in ("heard", "limit", "threads"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f"--{name} is {getattr(args, name)}; accepted: 1 or more")
    return args


def main(argv: list[str] | None = None) -> int:
    """The command `evaluate`; raises what a user can put right."""
    args = arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    disable_progress_bar()  # transformers' own, one for each model that is loaded
    if args.threads:
        torch.set_num_threads(args.threads)
    subjects = [subject(path) for path in args.models]
    if args.markdown:
        found = [(one.folder.name, read_metrics(one.folder)) for one in subjects]
    else:
        settings = {name: getattr(args, name) for name in (
            "cache", "split", "asr", "transcripts", "heard", "limit", "seed", "device", "out", "progress",
        )}  # fmt: skip
        settings["crossval"] = read_yaml(args.crossval) if args.crossval else None  # JSON is YAML
        found = evaluate_subjects(subjects, read_corpora(args.corpora or []), **settings)
    print(report.markdown(found))
    return 0


if __name__ == "__main__":
    import sys

    from .__main__ import main as door

    sys.exit(door(["evaluate", *sys.argv[1:]]))

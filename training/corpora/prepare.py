"""Official downloads -> the parquet files that every command reads.

    python -m training.corpora.prepare --from DOWNLOADS --to DIR [--corpora ravdess nemo ...]

DOWNLOADS holds the archives (zip, tar) or unpacked folders of the corpora under their official names or under names
that begin with the corpus's (ravdess.zip, nemo-master/). For each corpus that is there DIR gets one file
(`ravdess.parquet`, ...), whole or not at all; one that is there and whole is not made again, so that the same command
goes on where it was stopped. Clips are stored as FLAC, 16 kHz, mono, 16 bit: nothing is lost of what every command
decodes (`load_audio`). A corpus that is not there says where it is to be had; that is an error only for one that was
named.
"""

from __future__ import annotations

import argparse
import io
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from tqdm.auto import tqdm

from phonolinguistic.audio.decoding import AudioError, load_audio

from ..whole_files import write_whole
from . import CORPORA, describe, load_corpus
from .archives import downloads, opened, sweep
from .cache import MAX_CLIP_SECONDS
from .schema import SAMPLE_RATE, Corpus, CorpusError, RowProblem

PREPARED = tuple(name for name in CORPORA if name != "own")
BATCH = 256  # rows that are held in memory and written as one group
TEXT = datasets.Value("string")
VOICE_FEATURES = datasets.Features(
    {
        "audio": datasets.Audio(sampling_rate=SAMPLE_RATE),
        **dict.fromkeys(("text", "emotion", "source_label", "speaker", "gender", "intensity", "corpus", "split"), TEXT),
        "duration": datasets.Value("float32"),
        **dict.fromkeys(("id", "language"), TEXT),
    }
)


@dataclass(frozen=True)
class Prepared:
    """What became of one corpus.

    status: "made", "there" (whole before), "missing" or "failed". file: its parquet file. rows, skipped: rows written,
    and rows that could not be used, by kind. message: one line for people.
    """

    corpus: str
    status: str
    message: str
    file: Path | None = None
    rows: int = 0
    skipped: dict[str, int] | None = None


def prepare(
    source: str | Path,
    target: str | Path,
    corpora: Sequence[str] = (),
    *,
    again: bool = False,
    progress: bool = True,
    report: Callable[[Prepared], None] | None = None,
) -> list[Prepared]:
    """Make the parquet files of the corpora found in `source`.

    Args:
        source: folder of the downloads. target: folder of the parquet files; made if absent.
        corpora: names; none: all that there are loaders for, and a missing one is no failure.
        again: make anew what is there.
        report: called with each outcome as soon as it is known.

    Returns:
        One outcome for each corpus, in order. What fails does not keep the others from being made.

    Raises:
        CorpusError: an unknown name, or `source` is no folder.
    """
    source, target = Path(source).expanduser(), Path(target).expanduser()
    chosen = [describe(name) for name in corpora or PREPARED]
    if any(corpus.parquet_name is None for corpus in chosen):
        raise CorpusError("own recordings are read as they are: there is nothing to prepare")
    if not source.is_dir():
        raise CorpusError(f"{source} is no folder; accepted: one that holds archives or folders of corpora")
    target.mkdir(parents=True, exist_ok=True)
    sweep(target)
    outcomes = []
    for corpus in chosen:
        try:
            outcome = _one(corpus, source, target, again, progress)
        except CorpusError as error:
            outcome = Prepared(corpus.name, "failed", str(error))
        outcomes.append(outcome)
        if report:
            report(outcome)
    return outcomes


def whole(file: Path) -> int | None:
    """Rows of a parquet file that is there and whole; None otherwise."""
    try:
        return pq.read_metadata(file).num_rows
    except (OSError, pa.ArrowInvalid):
        return None


def _files(corpus: Corpus, target: Path) -> tuple[Path, Path]:
    """(file with clips, file of text alone)."""
    return target / f"{corpus.name}.parquet", target / corpus.parquet_name


def _one(corpus: Corpus, source: Path, target: Path, again: bool, progress: bool) -> Prepared:
    for file in dict.fromkeys(_files(corpus, target)):
        rows = None if again else whole(file)
        if rows:
            return Prepared(corpus.name, "there", f"{corpus.name}: {file.name} is there, {rows} rows", file, rows)
    found = downloads(corpus.info, source)
    if not found:
        return Prepared(corpus.name, "missing", f"{corpus.name}: not found. Get it from {corpus.source}")
    problems: list[RowProblem] = []
    rows = _rows(corpus, found, target, problems, progress)
    first = next(rows, None)
    if first is None:
        reason = f"; the first: {problems[0]}" if problems else ""
        raise CorpusError(f"{corpus.name}: no usable row in {', '.join(path.name for path in found)}{reason}")
    spoken, written = _files(corpus, target)
    file = written if first["audio"] is None and not corpus.needs_audio else spoken
    count = _write(corpus, itertools.chain([first], rows), file)
    skipped = dict(Counter(problem.kind for problem in problems))
    words = "".join(f", {number} {kind}" for kind, number in sorted(skipped.items()))
    words = f", left out: {words[2:]}, e.g. {problems[0]}" if words else ""
    return Prepared(corpus.name, "made", f"{corpus.name}: {file.name}, {count} rows{words}", file, count, skipped)


def _rows(
    corpus: Corpus, found: list[Path], workspace: Path, problems: list[RowProblem], progress: bool
) -> Iterator[dict[str, Any]]:
    """Rows of all downloads of a corpus with their clips as FLAC; a second row of an id is passed over."""
    seen: set[str] = set()
    for path in found:
        if progress:
            tqdm.write(f"{corpus.name}: reading {path.name}", file=sys.stderr)
        with opened(path, workspace) as root:
            try:
                dataset = load_corpus(corpus.name, root, on_error="skip", min_examples=1, problems=problems)
            except CorpusError as error:
                raise CorpusError(str(error).replace(str(root), path.name)) from error
            # Rows with a clip first: the first row tells whether the corpus has any.
            silent = [row["audio"] is None for row in dataset.select_columns("audio")]
            order = sorted(range(len(dataset)), key=silent.__getitem__)
            for place in tqdm(order, desc=corpus.name, unit="row", disable=not progress):
                row = dataset[place]
                if row["id"] in seen:
                    continue
                seen.add(row["id"])
                try:
                    yield row if row["audio"] is None else row | _encoded(row)
                except AudioError as error:
                    problems.append(RowProblem(row["id"], "corrupt clip", f"corrupt clip: {error}"))


def _encoded(row: dict[str, Any]) -> dict[str, Any]:
    """The clip of a row as FLAC, and its length."""
    audio = row["audio"]
    content = audio["path"] if audio["bytes"] is None else audio["bytes"]
    samples = load_audio(content, max_seconds=MAX_CLIP_SECONDS).samples
    file = io.BytesIO()
    soundfile.write(file, samples.clip(-1, 1), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    name = row["id"].split("/", 1)[1].replace("/", "_")
    return {"audio": {"bytes": file.getvalue(), "path": f"{name}.flac"}, "duration": len(samples) / SAMPLE_RATE}


def _write(corpus: Corpus, rows: Iterable[dict[str, Any]], file: Path) -> int:
    """Write rows in groups, under another name until all are there; the number written."""
    features, layout = corpus.to_parquet or (VOICE_FEATURES, lambda row: row)
    schema = features.arrow_schema
    count = 0

    def write(handle: io.BufferedWriter) -> None:
        nonlocal count
        with pq.ParquetWriter(handle, schema) as writer:
            iterator = iter(rows)
            while batch := [layout(row) for row in itertools.islice(iterator, BATCH)]:
                kept = [{name: row[name] for name in schema.names} for row in batch]
                writer.write_table(pa.Table.from_pylist(kept, schema=schema))
                count += len(kept)

    write_whole(file, write)
    return count


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.corpora.prepare", description=__doc__.split("\n\n")[0])
    parser.add_argument("--from", dest="source", required=True, help="folder with the archives or folders of corpora")
    parser.add_argument("--to", dest="target", required=True, help="folder of the parquet files")
    parser.add_argument("--corpora", nargs="+", choices=PREPARED, default=[], metavar="NAME", help=", ".join(PREPARED))
    parser.add_argument("--again", action="store_true", help="make anew what is there")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0, or 2 if something failed or a named corpus is missing (a line each on stderr)."""
    args = arguments(argv)

    def report(outcome: Prepared) -> None:
        bad = outcome.status == "failed" or (outcome.status == "missing" and args.corpora)
        tqdm.write(f"prepare: {outcome.message}" if bad else outcome.message, file=sys.stderr if bad else sys.stdout)

    try:
        outcomes = prepare(
            args.source, args.target, args.corpora, again=args.again, progress=not args.quiet, report=report
        )
    except (CorpusError, OSError) as error:
        tqdm.write(f"prepare: {error}", file=sys.stderr)
        return 2
    failed = {"failed", "missing"} if args.corpora else {"failed"}
    return 2 if any(outcome.status in failed for outcome in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main())

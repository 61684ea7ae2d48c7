"""The one schema that every corpus is loaded into, and the checks that every row passes on its way there.

A corpus module only lists rows (plain dicts); this module maps their labels, measures and checks their clips, names
what is wrong with which row, and builds the `datasets.Dataset`.
"""

from __future__ import annotations

import csv
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from phonolinguistic.labels import EMOTIONS

from .info import OWN, CorpusInfo

SAMPLE_RATE = 16_000
COLUMNS = (
    "id", "audio", "text", "emotion", "emotions", "source_label", "speaker", "gender", "intensity", "language",
    "corpus", "split", "duration",
)  # fmt: skip

logger = logging.getLogger(__name__)


class CorpusError(ValueError):
    """A corpus is missing or a row of it cannot be used. The message says which, and what to do."""


@dataclass(frozen=True)
class RowProblem:
    """One row that was left out. `where`: file (and row) a user can look up; `kind`: a short class of problem."""

    where: str
    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(frozen=True)
class Corpus:
    """How one corpus is read.

    name: the name for `load_corpus`.
    source: where to get it (official page or DOI).
    layout: one line that describes the official folder layout.
    labels: source label (lower case) -> one of the seven emotions, or None for a known label outside the seven.
    rows: (root folder, options) -> rows of the official layout. A row has the keys of the schema that apply, `where`,
        and `audio` as {"path", "bytes"} or None; or `problem` with a message (and its `kind`) if it is of no use.
    parquet_row: turns a row of this project's parquet layout into the same kind of row.
    needs_text, needs_audio: an empty transcript / absent clip is a problem.
    options: names of the options that `rows` and `relabel` know.
    relabel: options -> label table, where options change it.
    info: what is said of it (licence, citation, language, ...).
    to_parquet: (what `prepare` stores, turning a row of the schema into a row of it); None: clips and the schema.
    """

    name: str
    source: str
    layout: str
    labels: dict[str, str | None]
    rows: Callable[[Path, dict[str, Any]], Iterator[dict[str, Any]]]
    parquet_row: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    parquet_name: str | None = None
    needs_text: bool = True
    needs_audio: bool = True
    options: tuple[str, ...] = ()
    relabel: Callable[[dict[str, Any]], dict[str, str | None]] | None = None
    info: CorpusInfo = OWN
    to_parquet: tuple[datasets.Features, Callable[[dict[str, Any]], dict[str, Any]]] | None = None

    @classmethod
    def of(cls, info: CorpusInfo, **how: Any) -> Corpus:
        """How a published corpus is read; `how`: the fields besides name and source."""
        return cls(name=info.name, source=info.source, info=info, **how)

    def missing(self, path: Path) -> CorpusError:
        """The error for a path that does not hold this corpus."""
        return CorpusError(
            f"{self.name}: nothing to load at {path}. Expected {self.layout}"
            + (f", or the file {self.parquet_name}" if self.parquet_name else "")
            + f". Get it from {self.source}"
        )


def features() -> datasets.Features:
    """The schema: audio is {"bytes", "path"} undecoded or None; emotion is None where there is none or several."""
    columns: dict[str, Any] = {name: datasets.Value("string") for name in COLUMNS}
    columns["audio"] = datasets.Audio(sampling_rate=SAMPLE_RATE, decode=False)
    columns["emotions"] = datasets.List(datasets.Value("string"))
    columns["duration"] = datasets.Value("float32")
    return datasets.Features({name: columns[name] for name in COLUMNS})


def clip_seconds(path: str | os.PathLike) -> float:
    """Length of a sound or video file in seconds, from its header. CorpusError if there is no sound to be read."""
    import soundfile

    try:
        info = soundfile.info(str(path))
        seconds = info.frames / info.samplerate
    except (soundfile.LibsndfileError, OSError, RuntimeError, UnicodeError):
        return _container_seconds(path)
    if seconds <= 0:
        raise CorpusError("corrupt clip: it holds no sound")
    return float(seconds)


def _container_seconds(path: str | os.PathLike) -> float:
    """As `clip_seconds`, for what libsndfile cannot open (mp4, m4a)."""
    import av

    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.audio:
                raise CorpusError("corrupt clip: no audio track in it")
            stream = container.streams.audio[0]
            if stream.duration and stream.time_base:
                seconds = float(stream.duration * stream.time_base)
            else:
                seconds = float(container.duration or 0) / 1e6
    except (av.FFmpegError, OSError, UnicodeError) as error:  # UnicodeError: names and tags in other encodings
        raise CorpusError(f"corrupt clip: {getattr(error, 'strerror', None) or error}") from error
    if seconds <= 0:
        raise CorpusError("corrupt clip: it holds no sound")
    return seconds


def find_parquet(corpus: Corpus, path: Path) -> Path | None:
    """The parquet file for this corpus: `path` itself, or `<name>.parquet` or `<parquet_name>` in it."""
    if path.is_file() and path.suffix == ".parquet":
        return path
    names = (f"{corpus.name}.parquet", corpus.parquet_name) if corpus.parquet_name else ()
    return next((path / name for name in names if (path / name).is_file()), None)


def parquet_rows(file: Path, corpus: Corpus, options: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Rows of this project's parquet layout (audio as bytes, labels already mapped); option audio=False: no clips."""
    try:
        reader = pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise CorpusError(f"{corpus.name}: {file} is not a readable parquet file ({error})") from error
    silent = (options or {}).get("audio") is False
    number = 0
    for batch in reader.iter_batches(batch_size=512):
        for row in batch.to_pylist():
            where = f"{file.name} row {number}"
            if row.get("corpus", corpus.name) != corpus.name:
                raise CorpusError(f"{corpus.name}: {where} is of corpus {row['corpus']!r}")
            try:
                row = corpus.parquet_row(row) if corpus.parquet_row else row
            except KeyError as error:
                raise CorpusError(f"{corpus.name}: {file.name} has no column {error}") from error
            audio = row["audio"] = None if silent else row.get("audio")
            name = Path(audio["path"]).stem if audio and audio.get("path") else str(number)
            yield {**row, "where": where, "id": row.get("id") or f"{corpus.name}/{name}"}
            number += 1


def _check(row: dict[str, Any], corpus: Corpus, labels: dict[str, str | None]) -> tuple[dict | None, tuple | None]:
    """(row of the schema, None) or (None, (kind, message))."""
    if row.get("problem"):
        return None, (row.get("kind", "unreadable"), row["problem"])
    source = row.get("source_label")
    if row.get("emotions") is not None:
        emotions = list(row["emotions"])
    else:
        label = source if source is not None else row.get("emotion")
        if label is None:
            emotions = []
        elif label.strip().lower() in labels:
            mapped = labels[label.strip().lower()]
            emotions = [] if mapped is None else [mapped]
        else:
            return None, ("unknown label", f"unknown label {label!r}; known: {', '.join(sorted(labels))}")
    unknown = [emotion for emotion in emotions if emotion not in EMOTIONS]
    if unknown:
        return None, ("unknown label", f"unknown label {unknown[0]!r}; known: {', '.join(EMOTIONS)}")
    text = row.get("text")
    text = text.strip() if text else text
    if row.get("needs_text", corpus.needs_text) and not text:
        return None, ("empty transcript", "empty transcript")
    audio, duration = row.get("audio"), row.get("duration")
    if audio is None and corpus.needs_audio:
        return None, ("no clip", "no clip for this row")
    if audio is not None and audio.get("bytes") is None:
        try:
            duration = clip_seconds(audio["path"]) if duration is None else duration
        except CorpusError as error:
            return None, ("corrupt clip", str(error))
    elif audio is not None and not audio["bytes"]:
        return None, ("corrupt clip", "corrupt clip: it is empty")
    checked = {name: row.get(name) for name in COLUMNS}
    checked.update(
        text=text or None,
        emotion=emotions[0] if len(emotions) == 1 else None,
        emotions=emotions,
        source_label=source,
        corpus=corpus.name,
        language=row.get("language") or corpus.info.language,
        audio=None if audio is None else {"bytes": audio.get("bytes"), "path": audio.get("path")},
        duration=None if duration is None else float(duration),
    )
    return checked, None


def _lonely(rows: list[dict], places: list[str], least: int) -> Iterator[tuple[int, RowProblem]]:
    """Rows whose emotion has fewer than `least` examples: it can be neither trained nor measured."""
    counts = Counter(emotion for row in rows for emotion in row["emotions"])
    rare = {emotion for emotion, count in counts.items() if count < least}
    for number, row in enumerate(rows):
        for emotion in row["emotions"]:
            if emotion in rare:
                message = f"label {emotion!r} has only {counts[emotion]} example(s), at least {least} are needed"
                yield number, RowProblem(places[number], "rare label", message)
                break


def build_dataset(
    corpus: Corpus,
    rows: Iterable[dict[str, Any]],
    options: dict[str, Any],
    *,
    on_error: str,
    min_examples: int,
    problems: list[RowProblem],
) -> datasets.Dataset:
    """Check `rows` and make the dataset. `on_error`: "raise" at the first bad row, or "skip" it into `problems`."""
    labels = corpus.relabel(options) if corpus.relabel else corpus.labels
    good: list[dict] = []
    places: list[str] = []
    found = len(problems)
    for row in rows:
        checked, problem = _check(row, corpus, labels)
        if problem is None:
            good.append(checked)
            places.append(row["where"])
        else:
            _note(corpus, RowProblem(row["where"], *problem), on_error, problems)
    lonely = dict(_lonely(good, places, min_examples))
    for problem in lonely.values():
        _note(corpus, problem, on_error, problems)
    good = [row for number, row in enumerate(good) if number not in lonely]
    skipped = Counter(problem.kind for problem in problems[found:])
    if skipped:
        detail = ", ".join(f"{count} {kind}" for kind, count in sorted(skipped.items()))
        logger.warning("%s: %d rows kept, %d skipped (%s)", corpus.name, len(good), sum(skipped.values()), detail)
    schema = features()
    table = pa.Table.from_pylist(good, schema=schema.arrow_schema)
    return datasets.Dataset(table)


def _note(corpus: Corpus, problem: RowProblem, on_error: str, problems: list[RowProblem]) -> None:
    if on_error == "raise":
        raise CorpusError(f"{corpus.name}: {problem} (on_error='skip' leaves such rows out)")
    problems.append(problem)


def plain_files(root: Path, *suffixes: str) -> list[Path]:
    """Files under `root` with one of these suffixes (lower case), sorted, without the `._` ghosts of macOS archives."""
    return sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in suffixes and not path.name.startswith("._") and path.is_file()
    )


def named_clips(
    info: CorpusInfo, root: Path, pattern: re.Pattern[str], example: str
) -> Iterator[tuple[dict[str, Any], re.Match[str] | None]]:
    """(beginning of a row, match of its name) for every clip under `root`, in whatever folders; a second copy of a name
    is passed over.

    pattern: what the whole name matches, without its suffix. Where it does not, the match is None and the row names the
    problem, with `example`.
    """
    seen: set[str] = set()
    for path in plain_files(root, ".wav", ".flac", ".ogg", ".aiff", ".aif"):
        if path.stem in seen:
            continue
        seen.add(path.stem)
        row = {"where": str(path.relative_to(root)), "id": f"{info.name}/{path.stem}", "audio": clip(path)}
        match = pattern.fullmatch(path.stem)
        yield (row, match) if match else (row | {"problem": f"not a name of {info.title} ({example})"}, None)


def clip(path: Path) -> dict[str, Any]:
    """The audio cell of a clip on disk."""
    return {"bytes": None, "path": str(path)}


def table_lines(
    info: CorpusInfo, root: Path, name: str, needed: tuple[str, ...], **how: Any
) -> Iterator[tuple[Path, str, dict[str, str]]]:
    """(file, where, line) for the lines of the first table `name` under `root`; absent cells are "". None: no lines.

    how: arguments of `csv.DictReader`. CorpusError if a needed column is not there.
    """
    file = next(iter(sorted(root.rglob(name))), None)
    if file is None:
        return
    with open(file, newline="", encoding="utf-8-sig", errors="replace") as handle:
        table = csv.DictReader(handle, restval="", **how)
        absent = [column for column in needed if column not in (table.fieldnames or ())]
        if absent:
            raise CorpusError(f"{info.name}: {name} has no column {absent[0]}; needed: {', '.join(needed)}")
        for number, line in enumerate(table, start=2):
            yield file, f"{name} line {number}", line

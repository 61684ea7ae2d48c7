"""Many clips into one table: resumable, shared out over processes, and no bad file ends the run.

Rows are appended to a journal beside the table as they come (`results.parquet.rank0.jsonl`), so that a crash loses at
most the clip in work; the table itself is written whole to a new file that then takes the old one's place.
"""

import csv
import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from .audio.decoding import AudioError
from .labels import EMOTIONS

logger = logging.getLogger(__name__)

SUFFIXES = {".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".webm", ".mp4", ".aif", ".aiff"}
COLUMNS = (
    "path",
    "mode",
    "status",
    "emotion",
    "confidence",
    *(f"score_{emotion}" for emotion in EMOTIONS),
    "transcript",
    "seconds",
    "model",
    "error",
)
NUMBERS = {"confidence", "seconds", *(f"score_{emotion}" for emotion in EMOTIONS)}
TABLES = (".parquet", ".csv")
DAY = timedelta(days=1)


class BatchError(ValueError):
    """The source or the table cannot be used; the message says what is accepted."""


@dataclass(frozen=True)
class Summary:
    """What a run did, for this process's share."""

    done: int
    errors: int
    kept: int
    total: int
    interrupted: bool = False

    def __str__(self) -> str:
        text = (
            f"{self.done} clips answered, {self.errors} with an error, {self.kept} already there, {self.total} in all"
        )
        return text + ("; interrupted: the same command goes on from here" if self.interrupted else "")


def find_clips(source: str | os.PathLike) -> list[tuple[str, Path]]:
    """-> (name in the table, file) of every clip under a folder, or in the column `path` of a CSV.

    Names are relative to the folder, or as the CSV has them (relative ones are looked up beside the CSV).

    Raises:
        BatchError: neither a folder nor a CSV with such a column, or no clips.
    """
    source = Path(source)
    if source.is_dir():
        files = sorted(f for f in source.rglob("*") if f.is_file() and f.suffix.lower() in SUFFIXES)
        if not files:
            raise BatchError(f"{source} holds no clips; accepted: {', '.join(sorted(SUFFIXES))}.")
        return [(file.relative_to(source).as_posix(), file) for file in files]
    if source.is_file() and source.suffix.lower() == ".csv":
        try:
            with open(source, newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file)
                if "path" not in (reader.fieldnames or []):
                    raise BatchError(
                        f"{source} has no column `path`; it has: {', '.join(reader.fieldnames or ['none'])}."
                    )
                names = [row["path"].strip() for row in reader if (row["path"] or "").strip()]
        except UnicodeDecodeError:
            raise BatchError(f"{source} is not a CSV in UTF-8.") from None
        if not names:
            raise BatchError(f"{source} names no clips.")
        return [(name, source.parent / name) for name in dict.fromkeys(names)]
    raise BatchError(f"{source}: accepted: a folder, or a .csv with a column `path`.")


def run_batch(
    clips: list[tuple[str, Path]], out: str | os.PathLike, load: Callable, *, retry_errors: bool = False
) -> Summary:
    """Answer every clip that has no row yet.

    Args:
        clips: as from `find_clips`.
        out: the table, .parquet or .csv.
        load: (device or None) -> (recognizer, mode); called only when there is work.
        retry_errors: answer clips again whose row carries an error.

    Raises:
        BatchError: a table of another kind, a folder that is not there, or an existing table that is not ours.
    """
    out = Path(out)
    if out.suffix.lower() not in TABLES:
        raise BatchError(f"--out {out.name}: accepted: a name that ends in {' or '.join(TABLES)}.")
    if not out.parent.is_dir():
        raise BatchError(f"--out {out}: there is no folder {out.parent}.")
    state, rank, world = _processes()
    rows = _finished(out)
    if retry_errors:
        rows = {name: row for name, row in rows.items() if not row["error"]}
    left = [clip for clip in clips if clip[0] not in rows][rank::world]
    if state is not None:
        state.wait_for_everyone()  # everyone has read what was there before anyone writes
    interrupted, new = False, {}
    try:
        if left:
            recognizer, mode = load(None if state is None else state.device)
            others = {row["mode"] for row in rows.values()} - {mode}
            if others:
                raise BatchError(f"{out} holds answers of mode {others.pop()}, not {mode}; choose another --out.")
            _answer(left, new, _journal(out, rank), recognizer, mode, quiet=rank != 0)
    except KeyboardInterrupt:
        if state is not None:
            raise  # the journals stay; the other processes are being stopped, too
        interrupted = True
    if state is not None:
        state.wait_for_everyone()
    if rank == 0:
        _write_table(out, clips, rows | _journals(out) | new)
        for journal in out.parent.glob(f"{out.name}.rank*.jsonl"):
            journal.unlink()
    errors = sum(1 for row in new.values() if row["error"])
    return Summary(len(new) - errors, errors, len(rows), len(clips), interrupted)


def _processes():
    """-> accelerate's state (None for one process), rank, world size; imports accelerate only under a launcher."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return None, 0, 1
    import torch
    from accelerate import PartialState

    # One process may have the long files: the others wait for it. Without `cpu`, accelerate sees one process on a CPU.
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=DAY)
    return state, state.process_index, state.num_processes


def _answer(left: list, new: dict[str, dict], journal: Path, recognizer, mode: str, quiet: bool) -> None:
    from tqdm import tqdm

    with open(journal, "a", encoding="utf-8") as file:
        for name, clip in tqdm(left, unit="clip", disable=quiet or not sys.stderr.isatty()):
            new[name] = row = _row(recognizer, mode, name, clip)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()


def _row(recognizer, mode: str, name: str, clip: Path) -> dict:
    row = dict.fromkeys(COLUMNS) | {"path": name, "mode": mode}
    try:
        answer = recognizer.recognize(clip, mode)
    except AudioError as error:
        return row | {"error": str(error)}
    except Exception as error:  # whatever is wrong with one clip, the others are answered
        logger.exception("%s", name)
        return row | {"error": f"{type(error).__name__}: {error}"}
    scores = {f"score_{emotion}": answer.scores.get(emotion) for emotion in EMOTIONS}
    return row | scores | {column: getattr(answer, column) for column in row if hasattr(answer, column)}


def _journal(out: Path, rank: int) -> Path:
    return out.with_name(f"{out.name}.rank{rank}.jsonl")


def _journals(out: Path) -> dict[str, dict]:
    rows = {}
    for journal in sorted(out.parent.glob(f"{out.name}.rank*.jsonl")):
        for line in journal.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue  # the line in which a process was killed
            if row["path"] not in rows or not row["error"]:  # an answer beats an error of an earlier run
                rows[row["path"]] = row
    return rows


def _finished(out: Path) -> dict[str, dict]:
    """Rows of an earlier run, by path."""
    rows = {row["path"]: row for row in _read_table(out)} if out.is_file() else {}
    return rows | _journals(out)


def _read_table(out: Path) -> list[dict]:
    import pandas as pd

    try:
        table = pd.read_parquet(out) if out.suffix.lower() == ".parquet" else pd.read_csv(out)
    except (OSError, ValueError) as error:
        raise BatchError(f"{out} is there and cannot be read as a table; choose another --out.") from error
    if not set(COLUMNS) <= set(table.columns):
        raise BatchError(f"{out} is there and is not a table of this command; choose another --out.")
    records = table[list(COLUMNS)].astype(object).where(table[list(COLUMNS)].notna(), None)
    return records.to_dict("records")


def _write_table(out: Path, clips: list[tuple[str, Path]], rows: dict[str, dict]) -> None:
    """All rows, in the order of the clips, others from earlier runs behind; in one step."""
    import pandas as pd

    order = dict.fromkeys([name for name, _ in clips if name in rows]) | dict.fromkeys(rows)
    table = pd.DataFrame([rows[name] for name in order], columns=list(COLUMNS))
    for column in COLUMNS:
        table[column] = table[column].astype("float64" if column in NUMBERS else "string")
    partial = out.with_name(f".{out.name}.partial")
    if out.suffix.lower() == ".parquet":
        table.to_parquet(partial, index=False)
    else:
        table.to_csv(partial, index=False)
    os.replace(partial, out)

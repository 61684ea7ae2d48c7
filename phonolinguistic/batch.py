"""Many clips into one table: resumable, shared out over processes, and no bad file ends the run.

Rows are appended to a journal beside the table as they come (`results.parquet.rank0.jsonl`), so that a crash loses at
most the clip in work; the table itself is written whole to a new file that then takes the old one's place.
"""

import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from .audio.decoding import AudioError
from .batch_source import BatchError, Listing, find_clips
from .batch_table import COLUMNS, check_table, clean, finished, journal, journal_rows, journals, write_table
from .labels import EMOTIONS

__all__ = ["COLUMNS", "BatchError", "Listing", "Summary", "find_clips", "run_batch"]

DAY = timedelta(days=1)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """What a run did, for this process's share. left_out: what lay in the folder and is no clip."""

    done: int
    errors: int
    kept: int
    total: int
    left_out: int = 0
    interrupted: bool = False

    def __str__(self) -> str:
        text = (
            f"{self.done} clips answered, {self.errors} with an error, {self.kept} already there, {self.total} in all"
        )
        text += f", {self.left_out} left out" if self.left_out else ""
        return text + ("; interrupted: the same command goes on from here" if self.interrupted else "")


def run_batch(listing: Listing, out: str | os.PathLike, load: Callable, *, retry_errors: bool = False) -> Summary:
    """Answer every clip that has no row yet.

    Args:
        listing: as from `find_clips`.
        out: the table, .parquet or .csv.
        load: (device or None) -> (recognizer, mode); called only when there is work.
        retry_errors: answer clips again whose row carries an error.

    Raises:
        BatchError: a table of another kind, a folder that is not there or cannot be written to, or an existing table
            that is not ours.
    """
    out = Path(os.path.expanduser(out))
    check_table(out)
    state, rank, world = _processes()
    rows = finished(out)
    if retry_errors:
        rows = {name: row for name, row in rows.items() if not row["error"]}
    left = [clip for clip in listing.clips if clip[0] not in rows][rank::world]
    if state is not None:
        state.wait_for_everyone()  # everyone has read what was there before anyone writes
    interrupted, new = False, {}
    try:
        if left:
            recognizer, mode = load(None if state is None else state.device)
            others = {row["mode"] for row in rows.values()} - {mode}
            if others:
                raise BatchError(f"{out} holds answers of mode {others.pop()}, not {mode}; choose another --out.")
            _answer(left, new, journal(out, rank), recognizer, mode, quiet=rank != 0)
    except KeyboardInterrupt:
        if state is not None:
            raise  # the journals stay; the other processes are being stopped, too
        interrupted = True
    if state is not None:
        state.wait_for_everyone()
    if rank == 0:
        write_table(out, [name for name, _ in listing.clips], rows | journal_rows(out) | new)
        for file in journals(out):
            file.unlink()
    errors = sum(1 for row in new.values() if row["error"])
    return Summary(len(new) - errors, errors, len(rows), len(listing.clips), len(listing.left_out), interrupted)


def _processes():
    """-> accelerate's state (None for one process), rank, world size; imports accelerate only under a launcher."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return None, 0, 1
    import torch
    from accelerate import PartialState

    # One process may have the long files: the others wait for it. Without `cpu`, accelerate sees one process on a CPU.
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=DAY)
    return state, state.process_index, state.num_processes


def _answer(left: list, new: dict[str, dict], file: Path, recognizer, mode: str, quiet: bool) -> None:
    from tqdm import tqdm

    try:
        with open(file, "a", encoding="utf-8") as handle:
            handle.write("\n" if handle.tell() else "")  # behind the line in which a process was killed
            for name, clip in tqdm(left, unit="clip", disable=quiet or not sys.stderr.isatty()):
                row = clean(_row(recognizer, mode, name, clip))
                handle.write(json.dumps(row, ensure_ascii=False) + "\n")
                handle.flush()
                new[name] = row
    except OSError as error:  # of the journal: what a clip raises is in its row
        raise BatchError(f"{file.name} cannot be written: {error.strerror or error}.") from None


def _row(recognizer, mode: str, name: str, clip: Path) -> dict:
    row = dict.fromkeys(COLUMNS) | {"path": name, "mode": mode}
    try:
        answer = recognizer.recognize(clip, mode)
    except AudioError as error:
        return row | {"error": " ".join(str(error).split())}
    except Exception as error:  # whatever is wrong with one clip, the others are answered
        logger.exception("%s", name)
        return row | {"error": f"{type(error).__name__}: {error}"}
    scores = {f"score_{emotion}": answer.scores.get(emotion) for emotion in EMOTIONS}
    row |= scores | {column: getattr(answer, column) for column in row if hasattr(answer, column)}
    return row | {"warnings": ";".join(line.replace(";", ",") for line in answer.warnings) or None}

"""The table of a batch and the journals beside it: read, whatever version wrote them, and written whole in one step."""

import csv
import json
import os
from collections.abc import Iterable
from glob import escape
from pathlib import Path

from .batch_source import BatchError, written
from .labels import EMOTIONS

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
    "warnings",
)
LATER = {"warnings"}  # columns that tables of earlier versions do not have
NUMBERS = {"confidence", "seconds", *(f"score_{emotion}" for emotion in EMOTIONS)}
TABLES = (".parquet", ".csv")
MAX_NAME = 220  # bytes of the table's name: journals and partial files have longer ones


def check_table(out: Path) -> None:
    """BatchError if a table of this name cannot be written."""
    if out.suffix.lower() not in TABLES:
        raise BatchError(f"--out {out.name[:60]}: accepted: a name that ends in {' or '.join(TABLES)}.")
    if len(os.fsencode(out.name)) > MAX_NAME:
        raise BatchError(f"--out has a name of {len(out.name)} characters; accepted: at most {MAX_NAME} bytes.")
    if not os.path.isdir(out.parent):
        raise BatchError(f"--out {out}: there is no folder {out.parent}.")
    if os.path.isdir(out):
        raise BatchError(f"--out {out} is a folder; accepted: a name that ends in {' or '.join(TABLES)}.")
    if not os.access(out.parent, os.W_OK):
        raise BatchError(f"--out {out}: the folder {out.parent} cannot be written to.")


def clean(row: dict) -> dict:
    """The row with texts that UTF-8 can hold."""
    return {column: written(value) if isinstance(value, str) else value for column, value in row.items()}


def finished(out: Path) -> dict[str, dict]:
    """Rows of an earlier run, by path."""
    rows = {row["path"]: row for row in _read_table(out)} if out.is_file() else {}
    return rows | journal_rows(out)


def journal(out: Path, rank: int) -> Path:
    """The journal of one process."""
    return out.with_name(f"{out.name}.rank{rank}.jsonl")


def journals(out: Path) -> list[Path]:
    """The journals of all processes."""
    return sorted(out.parent.glob(f"{escape(out.name)}.rank*.jsonl"))


def journal_rows(out: Path) -> dict[str, dict]:
    """Rows of all journals, by path."""
    rows: dict[str, dict] = {}
    for file in journals(out):
        # Not splitlines(): a transcript may hold one of Unicode's other line ends.
        for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                row = dict.fromkeys(COLUMNS) | json.loads(line)
            except (ValueError, TypeError):
                continue  # the line in which a process was killed
            if row["path"] not in rows or not row["error"]:  # an answer beats an error of an earlier run
                rows[row["path"]] = row
    return rows


def _read_table(out: Path) -> list[dict]:
    import pandas as pd
    from pyarrow import ArrowException

    try:
        if out.suffix.lower() == ".parquet":
            table = pd.read_parquet(out)
        else:  # as text: a transcript may be "None", "NA" or "1"
            table = pd.read_csv(out, dtype=str, keep_default_na=False).replace({"": None})
        missing = set(COLUMNS) - LATER - set(table.columns)
        for column in NUMBERS - missing:
            table[column] = pd.to_numeric(table[column])
    except (OSError, ValueError, TypeError, ArrowException) as error:
        raise BatchError(f"{out} is there and cannot be read as a table; choose another --out.") from error
    if missing:
        raise BatchError(f"{out} is there and is not a table of this command; choose another --out.")
    table = table.reindex(columns=list(COLUMNS))
    return table.astype(object).where(table.notna(), None).to_dict("records")


def write_table(out: Path, names: Iterable[str], rows: dict[str, dict]) -> None:
    """All rows, in the order of `names`, others from earlier runs behind; in one step. BatchError: no room or right."""
    import pandas as pd

    order = dict.fromkeys([name for name in names if name in rows]) | dict.fromkeys(rows)
    table = pd.DataFrame([rows[name] for name in order], columns=list(COLUMNS))
    for column in COLUMNS:
        table[column] = table[column].astype("float64" if column in NUMBERS else "string")
    partial = out.with_name(f".{out.name}.partial")
    try:
        if out.suffix.lower() == ".parquet":
            table.to_parquet(partial, index=False)
        else:
            # The writer quotes a carriage return only where it quotes every text.
            texts = "".join(value for row in rows.values() for value in row.values() if isinstance(value, str))
            table.to_csv(partial, index=False, quoting=csv.QUOTE_NONNUMERIC if "\r" in texts else csv.QUOTE_MINIMAL)
        os.replace(partial, out)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise BatchError(f"--out {out} cannot be written: {why}; the same command goes on from its journal.") from None
    finally:
        partial.unlink(missing_ok=True)

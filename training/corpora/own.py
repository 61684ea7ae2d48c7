"""Your own recordings: a table with the columns path,text,emotion,speaker[,split], or a `datasets` audiofolder.

Paths are relative to the table. In an audiofolder the table is metadata.csv (or metadata.jsonl) with file_name, at the
root or in the folders train, validation and test. A table without a path column is a text corpus; one without emotions
serves recognition. What other headings, labels and split names are known stands in own_names.py. See first how a table
is understood (exit status 2 if it, or rows of it, are refused):

    python -m training.corpora.own clips.csv
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .own_clips import ClipFinder
from .own_names import ACCEPTED_SPLITS, LABELS, emotion_of, is_label, split_of
from .own_reading import TableReading, describe, describe_table, refused_labels
from .own_table import Row, Table, read_table, short
from .schema import Corpus, CorpusError, clip

REFUSED = 2  # exit status

logger = logging.getLogger(__name__)


def tables(root: Path) -> list[tuple[Path, str | None]]:
    """(table, split that its folder says) of a table file, or of the folder of an audiofolder."""
    if root.is_file():
        return [(root, None)]
    files = [root / name for name in ("metadata.csv", "metadata.jsonl") if (root / name).is_file()]
    if files:
        return [(files[0], None)]
    found = sorted(f for f in root.glob("*/metadata.*") if f.suffix in (".csv", ".jsonl"))
    return [(file, split_of(file.parent.name)) for file in found]


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of the table(s), clips resolved against the folder of their table; how each was understood is logged."""
    for file, folder_split in tables(root):
        table, finder = read_table(file), ClipFinder(file.parent)
        reading = describe(table, finder)
        if os.environ.get("RANK", "0") == "0":  # of several processes one tells
            logger.warning("%s", "\n".join(reading.lines()))
        for row in table.rows:
            where = f"{file.name} line {row.line}"
            kind, problem = "unreadable", row.problem
            if problem is None:
                kind, problem = _problem(table, row, reading)
            if problem is None and "path" in table.columns:
                audio, problem = finder.find(table.cell(row, "path"))
            else:
                audio = None
            if problem is not None:
                yield {"where": where, "problem": problem, "kind": kind}
                continue
            label, split = table.cell(row, "emotion"), table.cell(row, "split")
            emotion = emotion_of(label) if label else None
            name = finder.name(table.cell(row, "path"), audio) if audio else None
            yield {
                "where": where,
                "id": f"own/{name or f'{file.stem}-{row.line}'}"
                if folder_split is None
                else f"own/{folder_split}/{name or row.line}",
                "audio": clip(audio) if audio else None,
                "text": table.cell(row, "text"),
                "source_label": label,
                "emotions": [emotion] if emotion else [],
                "speaker": table.cell(row, "speaker"),
                "gender": table.cell(row, "gender"),
                "split": split_of(split) if split else folder_split,
                "needs_text": "text" in table.columns,
            }


def _problem(table: Table, row: Row, reading: TableReading) -> tuple[str, str | None]:
    """(kind, what is wrong with a row's label or split, or None)."""
    label, split = table.cell(row, "emotion"), table.cell(row, "split")
    if label and not is_label(label):
        return "unknown label", refused_labels(reading.refused_labels, label)
    if split and split_of(split) is None:
        return "unknown split", f"unknown split {short(split)}; accepted: {ACCEPTED_SPLITS}"
    return "unreadable", None


CORPUS = Corpus(
    name="own",
    source="your own recordings (see training/corpora/own.py for the columns)",
    layout="a CSV file with the columns path,text,emotion,speaker[,split], or a folder with metadata.csv",
    labels=LABELS,
    rows=rows,
    needs_text=False,
    needs_audio=False,
)


def main(arguments: list[str] | None = None) -> int:
    """Print how a table is understood. Returns 0, or 2 if it, or rows of it, are refused."""
    parser = argparse.ArgumentParser(
        prog="python -m training.corpora.own", description="How a table of your own recordings is understood."
    )
    parser.add_argument("table", type=Path, metavar="TABLE", help="a CSV or JSON-lines file, or an audiofolder")
    path = parser.parse_args(arguments).table.expanduser()
    try:
        found = tables(path)
        if not found:
            raise CORPUS.missing(path)
        readings = [describe_table(file) for file, _ in found]
    except CorpusError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    for reading in readings:
        print("\n".join(reading.lines()))
    return REFUSED if any(reading.refused for reading in readings) else 0


if __name__ == "__main__":
    sys.exit(main())

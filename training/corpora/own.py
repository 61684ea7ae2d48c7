"""Your own recordings: a CSV with the columns path,text,emotion,speaker[,split], or a `datasets` audiofolder.

Paths are relative to the CSV. In an audiofolder the table is metadata.csv (or metadata.jsonl) with file_name, at the
root or in the folders train, validation and test. A table without a path column is a text corpus; one without emotions
serves recognition.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from phonolinguistic.labels import EMOTIONS

from .schema import Corpus, CorpusError, clip

# Names that other tools write for the same column; the first that is there is taken.
NAMES = {
    "path": ("path", "file_name", "audio", "file"),
    "text": ("text", "transcription", "transcript", "sentence"),
    "emotion": ("emotion", "label"),
    "speaker": ("speaker", "speaker_id"),
    "gender": ("gender",),
    "split": ("split",),
}
SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "dev": "validation", "test": "test"}
LABELS: dict[str, str | None] = {
    **{emotion: emotion for emotion in EMOTIONS},
    **{"angry": "anger", "disgusted": "disgust", "fearful": "fear", "afraid": "fear", "happy": "joy"},
    **{"happiness": "joy", "calm": None, "sad": "sadness", "surprised": "surprise"},
}


def _lines(file: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    """(line number, row) of a CSV or JSON-lines table."""
    with open(file, newline="", encoding="utf-8-sig") as handle:
        if file.suffix == ".jsonl":
            for number, line in enumerate(handle, start=1):
                if line.strip():
                    yield number, json.loads(line)
        else:
            yield from enumerate(csv.DictReader(handle), start=2)


def _tables(root: Path) -> list[tuple[Path, str | None]]:
    """(table, split that its folder says)."""
    if root.is_file():
        return [(root, None)]
    files = [root / name for name in ("metadata.csv", "metadata.jsonl") if (root / name).is_file()]
    if files:
        return [(files[0], None)]
    found = sorted(f for f in root.glob("*/metadata.*") if f.suffix in (".csv", ".jsonl"))
    return [(file, SPLITS.get(file.parent.name.lower())) for file in found]


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of the table(s), clips resolved against the folder of their table."""
    for file, folder_split in _tables(root):
        columns: dict[str, str] | None = None
        for number, line in _lines(file):
            where = f"{file.name} line {number}"
            if columns is None:
                columns = {k: name for k, names in NAMES.items() for name in reversed(names) if name in line}
                if "path" not in columns and "text" not in columns:
                    raise CorpusError(
                        f"own: {file.name} has columns {', '.join(map(str, line))}; it needs path or text"
                    )
            cell = {key: line.get(name) or None for key, name in columns.items()}
            split = cell.get("split")
            if split is not None and split.strip().lower() not in SPLITS:
                yield {"where": where, "problem": f"unknown split {split!r}; known: {', '.join(SPLITS)}"}
                continue
            path = file.parent / cell["path"] if cell.get("path") else None
            if path is not None and not path.is_file():
                yield {"where": where, "problem": f"no clip at {cell['path']}"}
                continue
            if path is None and "path" in columns:
                yield {"where": where, "problem": "no path in this row"}
                continue
            yield {
                "where": where,
                "id": f"own/{cell.get('path') or f'{file.stem}-{number}'}"
                if folder_split is None
                else f"own/{folder_split}/{cell.get('path') or number}",
                "audio": clip(path) if path else None,
                "text": cell.get("text"),
                "source_label": cell.get("emotion"),
                "speaker": cell.get("speaker"),
                "gender": cell.get("gender"),
                "split": SPLITS[split.strip().lower()] if split else folder_split,
                "needs_text": "text" in columns,
            }


CORPUS = Corpus(
    name="own",
    source="your own recordings (see training/corpora/own.py for the columns)",
    layout="a CSV file with the columns path,text,emotion,speaker[,split], or a folder with metadata.csv",
    labels=LABELS,
    rows=rows,
    needs_text=False,
    needs_audio=False,
)

"""How a table of someone's own recordings is understood: each column, label, split and clip, before anything is loaded.

`describe_table` opens no clip; what it finds is printed as lines before training starts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .own_clips import ClipFinder
from .own_names import ACCEPTED_LABELS, ACCEPTED_SPLITS, HEADINGS, SPLITS, emotion_of, is_label, split_of
from .own_table import Table, listed, read_table, short


@dataclass(frozen=True)
class TableReading:
    """How a table is understood, before anything is loaded.

    Attributes:
        name: of the file. encoding, delimiter: as found. rows: how many, without the heading.
        columns: heading -> path, text, emotion, speaker, gender or split; ignored: the other headings.
        labels: label as written -> (emotion, or None for a known label outside the seven; rows).
        refused_labels: label as written -> rows. splits: train, validation, test -> rows. refused_splits alike.
        clips: how many were found. missing: path as written -> why there is no clip.
        damaged: "line N: what is wrong" of rows that cannot be read.
    """

    name: str
    encoding: str
    delimiter: str
    rows: int
    columns: dict[str, str]
    ignored: tuple[str, ...]
    labels: dict[str, tuple[str | None, int]]
    refused_labels: dict[str, int]
    splits: dict[str, int]
    refused_splits: dict[str, int]
    clips: int
    missing: dict[str, str]
    damaged: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether rows of it will be left out, or stop a run that leaves none out."""
        return bool(self.refused_labels or self.refused_splits or self.missing or self.damaged)

    def lines(self) -> list[str]:
        """The reading for people, a line each."""
        lines = [f"{self.name}: {self.rows} rows, {self.encoding}, {self.delimiter}"]
        lines += [f"  column {heading!r} is {meaning}" for heading, meaning in self.columns.items()]
        if self.ignored:
            lines.append(f"  NOT USED, heading unknown: {', '.join(map(short, self.ignored))}")
        for meaning in HEADINGS:
            if meaning not in self.columns.values() and meaning not in ("gender", "split"):
                lines.append(f"  no column for {meaning} (known headings: {', '.join(HEADINGS[meaning])})")
        if "split" not in self.columns.values() and "speaker" in self.columns.values():
            lines.append("  no column for split: the speakers are divided")
        lines += [f"  label {label!r} is {emotion or 'none of the seven'}: {_rows(count)}"
                  for label, (emotion, count) in self.labels.items()]  # fmt: skip
        lines += [f"  split {split}: {_rows(count)}" for split, count in self.splits.items()]
        if "path" in self.columns.values():
            lines.append(f"  clips found: {self.clips}")
        if self.refused_labels:
            lines.append(f"  REFUSED labels: {_counted(self.refused_labels)}; accepted: {ACCEPTED_LABELS}")
        if self.refused_splits:
            lines.append(f"  REFUSED splits: {_counted(self.refused_splits)}; accepted: {ACCEPTED_SPLITS}")
        if self.missing:
            lines.append(f"  REFUSED clips: {len(self.missing)}, e.g. {next(iter(self.missing.values()))}")
        if self.damaged:
            lines.append(f"  REFUSED rows: {len(self.damaged)}, e.g. {self.damaged[0]}")
        return lines


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _counted(values: dict[str, int]) -> str:
    return listed(values.items(), lambda item: f"{short(item[0])} ({item[1]})")


def refused_labels(counts: dict[str, int], first: str) -> str:
    """The message for rows whose label is `first`; `counts` are those of all labels of the table that are refused."""
    others = {label: count for label, count in counts.items() if label != first}
    also = f"; also {_counted(others)}" if others else ""
    return f"unknown label {short(first)} ({_rows(counts[first])}){also}; accepted: {ACCEPTED_LABELS}"


def describe_table(path: str | Path) -> TableReading:
    """How the table at `path` is understood; looks its clips up and opens none. CorpusError as in `read_table`."""
    file = Path(path).expanduser()
    return describe(read_table(file), ClipFinder(file.parent))


def describe(table: Table, finder: ClipFinder) -> TableReading:
    """As `describe_table`, of a table that has been read."""
    labels, splits, bad_splits, missing = Counter(), Counter(), Counter(), {}
    clips = 0
    good = [row for row in table.rows if row.problem is None]
    for row in good:
        label, split, path = (table.cell(row, meaning) for meaning in ("emotion", "split", "path"))
        if label:
            labels[label] += 1
        if split:
            known = split_of(split)
            (splits if known else bad_splits)[known or split] += 1
        if "path" in table.columns:
            _, problem = finder.find(path)
            clips += problem is None
            if problem:
                missing.setdefault(path or f"line {row.line}", problem)
    used = set(table.columns.values())
    return TableReading(
        name=table.name,
        encoding=table.encoding,
        delimiter=table.delimiter,
        rows=len(table.rows),
        columns={table.headings[place]: meaning for meaning, place in table.columns.items()},
        ignored=tuple(heading for place, heading in enumerate(table.headings) if place not in used),
        labels={label: (emotion_of(label), count) for label, count in labels.items() if is_label(label)},
        refused_labels={label: count for label, count in labels.items() if not is_label(label)},
        splits={split: splits[split] for split in SPLITS if split in splits},
        refused_splits=dict(bad_splits),
        clips=clips,
        missing=missing,
        damaged=tuple(f"line {row.line}: {row.problem}" for row in table.rows if row.problem),
    )

"""A table of someone's own recordings, whatever program wrote it -> headings and rows of cells.

CSV with commas, semicolons, tabs or bars, or JSON lines; UTF-8, UTF-16 or Windows-1252, told by their bytes.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .own_names import HEADINGS, meaning_of
from .schema import CorpusError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
JSON_LINES = "JSON lines"
JSON_SUFFIXES = (".jsonl", ".ndjson")
BOMS = (  # UTF-32's begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NOT_TEXT = ((b"PK\x03\x04", "a workbook or an archive"), (b"\xd0\xcf\x11\xe0", "an old Excel workbook"))
END = "\uffff"  # no character, so in no cell
LONGEST = 10_000  # characters of a heading line that are looked at
SHOWN, LONGEST_SHOWN = 8, 40  # values listed by name; characters of each


@dataclass(frozen=True)
class Row:
    """One row. line: its first in the file. cells: as many as headings, stripped. problem: why it is of no use."""

    line: int
    cells: tuple[str, ...]
    problem: str | None = None


@dataclass(frozen=True)
class Table:
    """What a file holds. delimiter: a name of DELIMITERS, or JSON_LINES. columns: meaning -> place of its column."""

    name: str
    encoding: str
    delimiter: str
    headings: tuple[str, ...]
    columns: dict[str, int]
    rows: tuple[Row, ...]

    def cell(self, row: Row, meaning: str) -> str | None:
        """The cell of this meaning; None where it is empty or there is no such column."""
        return row.cells[self.columns[meaning]] or None if meaning in self.columns else None


def short(value: str) -> str:
    """A value for a message, quoted and not over LONGEST_SHOWN characters."""
    return repr(value if len(value) <= LONGEST_SHOWN else f"{value[: LONGEST_SHOWN - 3]}...")


def listed(values: Iterable, form: Callable[[Any], str] = short) -> str:
    """The first values for a message, and how many more there are."""
    values = list(values)
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return ", ".join(map(form, values[:SHOWN])) + more


def read_table(file: Path) -> Table:
    """Read a table whole.

    Raises:
        CorpusError: it is no text, its encoding is none of the accepted ones, it has neither a path nor a text column,
            two columns mean the same, or a quotation mark is never closed.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CorpusError(f"own: {file.name} cannot be read: {error.strerror or error}") from None
    text, encoding = _text(data, file.name)
    if file.suffix.lower() in JSON_SUFFIXES or text.lstrip().startswith("{"):
        delimiter, (headings, rows) = JSON_LINES, _json_lines(text)
    else:
        delimiter, headings, rows = _delimited(text, file.name)
    return Table(file.name, encoding, delimiter, headings, _columns(headings, file.name), rows)


def _text(data: bytes, name: str) -> tuple[str, str]:
    """(the text, its encoding)."""
    for start, kind in NOT_TEXT:
        if data.startswith(start):
            raise CorpusError(f"own: {name} is {kind}; save it as CSV (UTF-8)")
    encoding = next((encoding for bom, encoding in BOMS if data.startswith(bom)), None)
    if encoding is None and b"\0" in data:  # letters of UTF-16 whose other byte is zero
        odd, even = data[1::2].count(0), data[::2].count(0)
        encoding = "utf-16-le" if odd > even else "utf-16-be"
    try:
        text = data.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding is not None:
            raise CorpusError(f"own: {name} is not a table in text; accepted: CSV or JSON lines in UTF-8") from None
        _refuse_mixture(data, error, name)
        try:
            text, encoding = data.decode("cp1252"), "cp1252"
        except UnicodeDecodeError:
            raise CorpusError(
                f"own: {name} is text in neither UTF-8, UTF-16 nor Windows-1252; save it as UTF-8"
            ) from None
    if "\0" in text:
        raise CorpusError(f"own: {name} is not a table in text; accepted: CSV or JSON lines in UTF-8")
    return text, encoding or "utf-8"


def _refuse_mixture(data: bytes, error: UnicodeDecodeError, name: str) -> None:
    """Most letters are UTF-8 and some are not: read as Windows-1252, the good ones would become garbage."""
    if any(letter > "\x7f" and letter != "�" for letter in data.decode("utf-8", errors="replace")):
        line = data.count(b"\n", 0, error.start) + 1
        raise CorpusError(f"own: {name} is UTF-8, but for line {line}; save it as UTF-8") from None


def _columns(headings: tuple[str, ...], name: str) -> dict[str, int]:
    columns: dict[str, int] = {}
    for place, heading in enumerate(headings):
        meaning = meaning_of(heading)
        if meaning in columns:
            both = f"{headings[columns[meaning]]!r} and {heading!r}"
            raise CorpusError(f"own: {name}: the columns {both} both mean {meaning}; rename or remove one")
        if meaning is not None:
            columns[meaning] = place
    if "path" not in columns and "text" not in columns:
        known = ", ".join((*HEADINGS["path"], *HEADINGS["text"]))
        raise CorpusError(
            f"own: {name} has columns {listed(headings)} in its first line; it needs path or text (or {known})"
        )
    return {meaning: columns[meaning] for meaning in HEADINGS if meaning in columns}


def _delimited(text: str, name: str) -> tuple[str, tuple[str, ...], tuple[Row, ...]]:
    """(delimiter's name, headings, rows) of a CSV."""
    first = next((line for line in io.StringIO(text, newline=None) if line.strip()), "").rstrip("\n")
    if not first:
        raise CorpusError(f"own: {name} is empty; accepted: CSV or JSON lines with a heading and rows")
    if first.lower().startswith("sep=") and first[4:5] in DELIMITERS:  # Excel's way to say it
        delimiter = first[4]
        text = text.replace(first, "", 1)
    else:
        delimiter = max(DELIMITERS, key=lambda mark: _fit(first, mark))
    lines = _records(text, delimiter, name)
    _, headings, _ = next(lines, (1, [], 1))
    rows = tuple(_row(start, cells, end - start, len(headings)) for start, cells, end in lines)
    return DELIMITERS[delimiter], tuple(headings), rows


def _fit(line: str, delimiter: str) -> tuple[int, int]:
    """(known headings, all headings), if the first line is cut at this delimiter."""
    headings = next(csv.reader([line[:LONGEST]], delimiter=delimiter, skipinitialspace=True), [])
    return sum(meaning_of(heading) is not None for heading in headings), len(headings)


def _records(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str], int]]:
    """(first line, stripped cells, last line) of every record that is not empty."""
    reader = csv.reader(
        itertools.chain(io.StringIO(text, newline=""), [END]), delimiter=delimiter, skipinitialspace=True
    )
    end, cells = 0, []
    try:
        for cells in reader:
            start, end = end + 1, reader.line_num
            if cells != [END] and any(cell.strip() for cell in cells):
                yield start, [cell.strip() for cell in cells], end
    except csv.Error as error:
        raise CorpusError(f"own: {name} line {end + 1}: {error}") from None
    if cells != [END]:  # it was swallowed by an open quotation
        raise CorpusError(f"own: {name} line {start}: a quotation mark is never closed")


def _row(line: int, cells: list[str], further_lines: int, width: int) -> Row:
    while len(cells) > width and not cells[-1]:
        cells.pop()
    if len(cells) > width or (further_lines and len(cells) != width):
        hint = "a quotation mark not closed?" if further_lines else "a text with the delimiter in it needs quotes"
        return Row(line, (), f"{len(cells)} cells under {width} headings; {hint}")
    return Row(line, tuple(cells + [""] * (width - len(cells))))


def _json_lines(text: str) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """(all keys in the order in which they come, rows) of one JSON object a line."""
    found: list[tuple[int, dict | None]] = []
    for number, line in enumerate(io.StringIO(text), start=1):
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            found.append((number, value if isinstance(value, dict) else None))
    headings = tuple(dict.fromkeys(key for _, value in found if value for key in value))
    return headings, tuple(_json_row(number, value, headings) for number, value in found)


def _json_row(number: int, value: dict | None, headings: tuple[str, ...]) -> Row:
    if value is None:
        return Row(number, (), "not a JSON object")
    cells = []
    for heading in headings:
        cell = value.get(heading)
        if isinstance(cell, (dict, list)) and meaning_of(heading):
            return Row(number, (), f"{heading!r} is not a text")
        cell = "" if cell is None else str(cell).strip()
        if meaning_of(heading) and not _is_unicode(cell):
            return Row(number, (), f"{heading!r} holds half a character (a lone surrogate)")
        cells.append(cell)
    return Row(number, tuple(cells))


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

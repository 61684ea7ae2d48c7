"""Which clips a batch answers: the sound files of a folder, or the paths in a CSV; what was left out, by name."""

import codecs
import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

from .audio.formats import SUFFIXES

PATH_HEADINGS = ("path", "file_name", "filename", "file", "audio", "wav")
DELIMITERS = (",", ";", "\t")
SHOWN = 3  # names of each kind in a message
LONGEST_SHOWN = 60  # characters of each


class BatchError(ValueError):
    """The source or the table cannot be used; the message says what is accepted."""


@dataclass(frozen=True)
class LeftOut:
    """Something in a folder that is no clip: its name and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Listing:
    """clips: (name in the table, file). left_out: what else lay in the folder."""

    clips: list[tuple[str, Path]]
    left_out: tuple[LeftOut, ...] = ()

    def lines(self) -> list[str]:
        """What was left out, a line for each reason: how many, and the first names."""
        names: dict[str, list[str]] = {}
        for item in self.left_out:
            names.setdefault(item.why, []).append(item.name)
        return [f"left out, {why}: {_first(found)}" for why, found in names.items()]


def _first(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    shown = ["".join(c if c.isprintable() else "?" for c in name) for name in names[:SHOWN]]
    return ", ".join(n if len(n) <= LONGEST_SHOWN else f"{n[: LONGEST_SHOWN - 3]}..." for n in shown) + more


def written(name: str) -> str:
    """A name that any table can hold: bytes of a file name that are no UTF-8 become \\udcXX, as JSON writes them."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def find_clips(source: str | os.PathLike, ignore: str | os.PathLike | None = None) -> Listing:
    """Every clip under a folder (by its ending), or in the column `path` of a CSV.

    Names are relative to the folder, or as the CSV has them (relative ones are looked up beside the CSV).

    Args:
        ignore: the table that is to be written, should it lie in the folder.

    Raises:
        BatchError: neither a folder nor a CSV with such a column, or no clips.
    """
    source = os.path.expanduser(os.fspath(source))
    if os.path.isdir(source):
        return _in_folder(Path(source), None if ignore is None else os.path.abspath(os.path.expanduser(ignore)))
    if os.path.isfile(source) and source.lower().endswith(".csv"):
        return _in_csv(Path(source))
    raise BatchError(f"{_first([source])}: accepted: a folder, or a .csv with a column `path`.")


def _in_folder(root: Path, ignore: str | None) -> Listing:
    clips, left_out = [], []

    def unreadable(error: OSError) -> None:
        name = os.path.relpath(error.filename or root, root)
        left_out.append(LeftOut(written(name), f"folder cannot be read ({error.strerror})"))

    for folder, folders, files in os.walk(root, onerror=unreadable):
        inside = Path(os.path.relpath(folder, root))
        for name in folders:
            if os.path.islink(os.path.join(folder, name)):
                left_out.append(LeftOut(written((inside / name).as_posix()), "link to a folder"))
        for name in files:
            path = os.path.join(folder, name)
            shown = written((inside / name).as_posix())
            if not name.lower().endswith(SUFFIXES):
                if ignore is None or not os.path.abspath(path).startswith(ignore):  # the table, its journals
                    left_out.append(LeftOut(shown, "not a sound file by its ending"))
            elif name.startswith("._"):
                left_out.append(LeftOut(shown, "a macOS companion file, not sound"))
            elif not os.path.isfile(path):
                left_out.append(LeftOut(shown, "not a plain file, or a link to nothing"))
            else:
                clips.append((shown, Path(path)))
    listing = Listing(sorted(clips), tuple(sorted(left_out, key=lambda item: item.name)))
    if not clips:
        found = "; ".join(["", *listing.lines()])
        raise BatchError(f"{root} holds no clips; accepted: {', '.join(SUFFIXES)}{found}.")
    return listing


def _in_csv(file: Path) -> Listing:
    try:
        text = _text(file.read_bytes())
    except OSError as error:
        raise BatchError(f"{file.name} cannot be read: {error.strerror}.") from None
    except UnicodeError:
        raise BatchError(f"{file} is not a CSV in UTF-8.") from None
    first = next((line for line in io.StringIO(text, newline=None) if line.strip()), "")
    delimiter = max(DELIMITERS, key=lambda mark: first.count(mark))
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)]
    except csv.Error as error:
        raise BatchError(f"{file.name} is not a CSV: {error}.") from None
    rows = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
    headings = [heading.lower() for heading in rows[0]] if rows else []
    place = next((headings.index(heading) for heading in PATH_HEADINGS if heading in headings), None)
    if place is None:
        raise BatchError(f"{file} has no column `path`; it has: {_first(rows[0]) if rows else 'none'}.")
    names = [row[place] for row in rows[1:] if len(row) > place and row[place]]
    if not names:
        raise BatchError(f"{file} names no clips.")
    return Listing([(name, _beside(file.parent, name)) for name in dict.fromkeys(names)])


def _text(data: bytes) -> str:
    """UTF-8, UTF-16 with its mark, or else Windows-1252. UnicodeError for anything else."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    if b"\0" in data:
        raise UnicodeError("not text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def _beside(folder: Path, name: str) -> Path:
    """A path of the CSV; with backslashes as separators where it is not there as it is written."""
    path = folder / os.path.expanduser(name)
    if "\\" in name and not os.path.exists(path):
        return folder / name.replace("\\", "/")
    return path

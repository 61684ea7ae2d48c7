"""Where the clips of a table are: paths as Windows, macOS or another machine wrote them, found beside the table."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PureWindowsPath


class ClipFinder:
    """Finds the clips of a table in its folder.

    A path is taken as it is written; else with backslashes as separators; else without regard to case and Unicode form.
    One that is absolute and not there (the table comes from another machine) is looked up by its name, and its folders
    as far as they agree, under the table's folder; two that fit alike are refused.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._files: dict[str, list[tuple[str, ...]]] | None = None
        self._found: dict[str, tuple[Path | None, str | None]] = {}

    def find(self, path: str | None) -> tuple[Path | None, str | None]:
        """(the clip, None) or (None, what is wrong, naming the path as it was written)."""
        if not path:
            return None, "no path in this row"
        if path not in self._found:
            self._found[path] = self._find(path)
        return self._found[path]

    def _find(self, path: str) -> tuple[Path | None, str | None]:
        parts = PureWindowsPath(path)  # it takes both kinds of slashes
        absolute = bool(parts.drive or parts.root)
        names = parts.parts[1:] if absolute else parts.parts
        written = [self.folder / path] + ([] if absolute else [self.folder.joinpath(*names)])
        if path.startswith("~"):
            written.append(Path(os.path.expanduser(path)))
        for file in written:
            if os.path.isfile(file):
                return file, None
        found = self._alike(names, whole=not absolute)
        if len(found) == 1:
            return self.folder.joinpath(*found[0]), None
        if found:
            return None, f"no clip at {path}, and {len(found)} files of this name beside the table"
        return None, f"no clip at {path}"

    def name(self, path: str, file: Path) -> str:
        """The clip's name in the data: its path as written, or within the table's folder where it was looked up."""
        if os.path.normpath(self.folder / path) == os.path.normpath(file) or not file.is_relative_to(self.folder):
            return path
        return file.relative_to(self.folder).as_posix()

    def _alike(self, names: tuple[str, ...], whole: bool) -> list[tuple[str, ...]]:
        """Files under the folder, as parts, whose last parts agree furthest; `whole`: all parts must."""
        wanted = [_key(name) for name in names]
        if not wanted:
            return []
        best: dict[int, list[tuple[str, ...]]] = {}
        for file in self._by_name().get(wanted[-1], []):
            agreeing = 0
            for part, want in zip(reversed(file), reversed(wanted), strict=False):
                if _key(part) != want:
                    break
                agreeing += 1
            if (not whole or agreeing == len(file) == len(wanted)) and os.path.isfile(self.folder.joinpath(*file)):
                best.setdefault(agreeing, []).append(file)
        return best[max(best)] if best else []

    def _by_name(self) -> dict[str, list[tuple[str, ...]]]:
        if self._files is None:
            self._files = {}
            for folder, folders, files in os.walk(self.folder):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                inside = Path(folder).relative_to(self.folder).parts
                for name in files:
                    if not name.startswith("._"):  # ghosts of macOS archives
                        self._files.setdefault(_key(name), []).append((*inside, name))
        return self._files


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()

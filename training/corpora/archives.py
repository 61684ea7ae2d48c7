"""Downloads of a corpus: which files and folders hold it, and what is in an archive, unpacked while it is read."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from .info import CorpusInfo
from .schema import CorpusError

SUFFIXES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tar", ".zip")
DEPTH = 2  # MELD.Raw.tar.gz holds train.tar.gz, dev.tar.gz and test.tar.gz
# What a torn, encrypted or foreign archive makes the libraries raise.
BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError, RuntimeError,
)  # fmt: skip


def stem(path: Path) -> str | None:
    """The name of an archive without its suffix; None if it is none."""
    name = path.name.lower()
    return next((path.name[: -len(suffix)] for suffix in SUFFIXES if name.endswith(suffix)), None)


def downloads(info: CorpusInfo, folder: Path) -> list[Path]:
    """Folders, archives and parquet files in `folder` that are named like this corpus (NAME*, or one of its `archives`;
    any case), sorted. An archive beside the folder that it unpacks to is left out."""
    patterns = [pattern.lower() for pattern in (f"{info.name}*", *info.archives)]
    found = []
    for path in sorted(folder.iterdir()):
        name = stem(path) or path.name
        fits = any(fnmatch(name.lower(), pattern) for pattern in patterns)
        if fits and (path.is_dir() or stem(path) or path.suffix == ".parquet"):
            found.append(path)
    folders = {path.name for path in found if path.is_dir()}
    return [path for path in found if path.is_dir() or stem(path) not in folders]


@contextlib.contextmanager
def opened(path: Path, workspace: Path) -> Iterator[Path]:
    """`path` itself, or the folder that an archive is unpacked to, which is gone afterwards.

    workspace: where to unpack (it needs room for the whole). CorpusError for an archive that cannot be read.
    """
    if path.is_dir() or stem(path) is None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix=f".{os.getpid()}.unpacked.", dir=workspace) as folder:
        unpack(path, Path(folder))
        yield Path(folder)


def sweep(workspace: Path) -> None:
    """Remove what killed runs left in `workspace`: hidden files and folders named after a process that is no more."""
    for path in workspace.glob(".*.*"):
        owner = path.name.split(".")[1]
        if owner.isdigit() and int(owner) > 0 and not _alive(int(owner)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # someone else's; or no number of a process
        return True
    return True


def unpack(archive: Path, folder: Path, depth: int = DEPTH) -> None:
    """Unpack into `folder`, and the archives in it into folders of their own, which replace them.

    Members that point outside of the folder are refused or put inside, as the libraries do. CorpusError if the archive
    cannot be read or the disk is too small for it.
    """
    try:
        if archive.name.lower().endswith(".zip"):
            with zipfile.ZipFile(archive) as file:
                needed, free = sum(item.file_size for item in file.infolist()), shutil.disk_usage(folder).free
                if needed > free:
                    raise CorpusError(f"{archive.name} unpacks to {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free")
                file.extractall(folder)
        else:
            with tarfile.open(archive) as file:
                file.extractall(folder, filter="data")
    except BROKEN as error:
        reason = next(iter(str(error).splitlines()), "it ends early")
        raise CorpusError(f"{archive.name} cannot be unpacked ({reason}); download it again") from error
    inner = [path for path in sorted(folder.rglob("*")) if path.is_file() and stem(path)] if depth > 1 else []
    for path in inner:
        target = path.with_name(stem(path))
        target.mkdir(exist_ok=True)
        unpack(path, target, depth - 1)
        path.unlink()

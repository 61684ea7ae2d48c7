"""A path, a pipe, standard input or a file object -> the bytes of one sound file, read once, bounded in bytes and time.

Messages name the file and never its folder.
"""

import io
import os
import re
import select
import stat
import sys
import time
from typing import Any, BinaryIO

from .formats import FORMATS
from .limits import MAX_BYTES, MAX_TIMELINE_SECONDS, AudioError

IDLE_SECONDS = 30.0  # a pipe that says nothing for so long is given up
STREAM_SECONDS = MAX_TIMELINE_SECONDS + 60.0  # a pipe that drips is given up then
BLOCK = 1 << 16
SHOWN_NAME = 80  # characters of a file's name in a message

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_OPEN_FILE = re.compile(r"/dev/stdin|/(?:dev|proc/self)/fd/(\d{1,9})")


def shown(path: str) -> str:
    """A file's name as a message shows it: one line, no folders, printable, not endless."""
    name = os.path.basename(os.path.normpath(path)) or path
    name = "".join(c if c.isprintable() else "?" for c in name)
    return name if len(name) <= SHOWN_NAME else f"{name[: SHOWN_NAME - 20]}...{name[-17:]}"


def read_path(path: Any, *, idle_seconds: float = IDLE_SECONDS, stream_seconds: float = STREAM_SECONDS) -> bytes:
    """The bytes of a file, FIFO, device or standard input ("-", "/dev/stdin"); "~" is the home folder.

    Args:
        idle_seconds: how long a pipe may say nothing. stream_seconds: how long it may last in all.

    Raises:
        AudioError: a URL, a folder, no such file, over 50 MB, unreadable, or a pipe without data.
    """
    path = os.fsdecode(path)
    if not path:
        raise AudioError(f"No audio was given (the path is empty); accepted: {FORMATS}.")
    if _URL.match(path):
        scheme = path.split(":", 1)[0]
        raise AudioError(f"URLs ({scheme}:) are not read; accepted: a path on this machine, or the bytes of the file.")
    path = os.path.expanduser(path)
    limits = (idle_seconds, stream_seconds)
    try:
        if path == "-":
            return _read_standard_input(limits)
        if opened := _OPEN_FILE.fullmatch(path):
            return _read_descriptor(os.dup(int(opened[1] or 0)), shown(path), limits)
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise AudioError(f"{shown(path)} is a folder; accepted: one sound file ({FORMATS}).")
        # A FIFO without a writer would hang in open(); O_NONBLOCK means nothing for plain files.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        return _read_descriptor(os.open(path, flags), shown(path), limits)
    except (FileNotFoundError, NotADirectoryError):
        raise AudioError(f"{shown(path)}: no such file; accepted: {FORMATS}.") from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise AudioError(f"{shown(path)} cannot be read: {why}; accepted: {FORMATS}.") from None
    except ValueError as error:
        if isinstance(error, AudioError):
            raise
        raise AudioError(f"{shown(path)} is no name of a file: {error}; accepted: {FORMATS}.") from None


def read_file(file: BinaryIO) -> bytes:
    """At most MAX_BYTES of an open binary file. Raises AudioError: text mode, closed, unreadable, over 50 MB."""
    if isinstance(file, io.TextIOBase):
        raise AudioError("The file object is in text mode; accepted: one opened in binary mode.")
    blocks, count = [], 0
    try:
        # A raw pipe gives what it has; only an empty answer (or None, when nothing is ready) is the end.
        while block := file.read(MAX_BYTES + 1 - count):
            if not isinstance(block, (bytes, bytearray, memoryview)):
                raise AudioError(f"The file object gives {type(block).__name__}; accepted: one opened in binary mode.")
            blocks.append(block)
            count += len(block)
            if count > MAX_BYTES:
                raise _too_large("The file object")
    except OSError as error:
        raise AudioError(f"The file object cannot be read: {error.strerror or error}; accepted: an open one.") from None
    except ValueError as error:
        if isinstance(error, AudioError):
            raise
        raise AudioError(f"The file object cannot be read: {error}; accepted: an open one.") from None
    return b"".join(blocks)


def _too_large(name: str, size: int | None = None) -> AudioError:
    found = f"{size / 2**20:.0f} MB" if size else f"over {MAX_BYTES >> 20} MB"
    return AudioError(f"{name} has {found}; accepted: at most {MAX_BYTES >> 20} MB.")


def _read_standard_input(limits: tuple[float, float]) -> bytes:
    try:
        descriptor = sys.stdin.fileno()
    except (AttributeError, ValueError, OSError):  # none, closed, or replaced by an object without a descriptor
        file = getattr(sys.stdin, "buffer", None)
        if file is None:
            raise AudioError("Standard input is closed; accepted: a path, or a sound file piped into it.") from None
        return read_file(file)
    return _read_descriptor(os.dup(descriptor), "standard input", limits)


def _read_descriptor(descriptor: int, name: str, limits: tuple[float, float]) -> bytes:
    """All of an open file, which is closed."""
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise AudioError(f"{name} is a folder; accepted: one sound file ({FORMATS}).")
        if stat.S_ISREG(found.st_mode) and found.st_size > MAX_BYTES:
            raise _too_large(name, found.st_size)
        return _read_all(descriptor, name, not stat.S_ISREG(found.st_mode), limits)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, name: str, is_stream: bool, limits: tuple[float, float]) -> bytes:
    blocks, count = [], 0
    start = heard = time.monotonic()
    idle_seconds, stream_seconds = limits
    while True:
        if is_stream and not _ready(descriptor, 0.05):
            now = time.monotonic()
            if now - heard > idle_seconds:
                said = (
                    f"went silent for {idle_seconds:g} s after {count} bytes"
                    if count
                    else f"gave no data in {idle_seconds:g} s"
                )
                raise AudioError(f"{name} {said}; accepted: a writer that sends a sound file and then closes.")
            continue
        if is_stream and time.monotonic() - start > stream_seconds:
            raise AudioError(f"{name} was still sending after {stream_seconds:g} s; accepted: a sound file that ends.")
        try:
            block = os.read(descriptor, BLOCK)
        except BlockingIOError:
            time.sleep(0.01)
            continue
        if not block:
            return b"".join(blocks)
        heard = time.monotonic()
        blocks.append(block)
        count += len(block)
        if count > MAX_BYTES:
            raise _too_large(name)


def _ready(descriptor: int, seconds: float) -> bool:
    """Whether a read would answer at once: with data, or with the end once a writer has come and gone."""
    if not hasattr(select, "poll"):  # Windows: pipes there cannot be asked
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))

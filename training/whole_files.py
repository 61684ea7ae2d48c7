"""A file is there whole or not at all: written under another name, then renamed."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO


def write_whole(file: Path, write: Callable[[BinaryIO], object]) -> None:
    """Make `file` of what `write` puts into the open binary file; its folder is made, too.

    On a full disk or a kill the file that was there before stays. Raises what `write` raises, and leaves nothing then.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{os.getpid()}.{threading.get_ident()}.{file.name}")
    try:
        with open(temporary, "wb") as handle:
            write(handle)
        os.replace(temporary, file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(file: Path, value: Any) -> None:
    """Make `file` of JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_whole(file, lambda handle: handle.write(text.encode()))

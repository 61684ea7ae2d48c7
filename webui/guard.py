"""Between the page and the recogniser: refuses input that cannot be answered, and turns failures into short texts."""

import logging
import os
import re
import secrets
from pathlib import Path

from phonolinguistic.audio.decoding import AudioError

from . import words

logger = logging.getLogger(__name__)

# The folders of an absolute path that stands by itself: neither "wav/flac" nor what follows the scheme of an address.
_FOLDERS = re.compile(r"(?:(?<![\w.:/\\])/(?:[^\s/:;,'\"]+/)+|\b[A-Za-z]:\\(?:[^\s\\:;,'\"]+\\)+)")


class InputRefused(Exception):
    """The input cannot be answered; the message is fit to be shown: one line, and without a path of this machine."""


def presentable(text: str, clip: str | None = None) -> str:
    """`text` whole, in one line; of every absolute path, and of the clip's, only the last name is left."""
    if clip:
        text = text.replace(clip, os.path.basename(clip))
    return _FOLDERS.sub("", " ".join(text.split()))


def report_fault(what: str, error: BaseException, innocent: str = "clip") -> str:
    """Write a fault of ours into the log, with its traceback and a new id -> what a person is told, with the same id.

    Args:
        what: what was being done; for the log alone.
        innocent: what the person gave, which is not to blame: "clip" or "words".
    """
    fault = secrets.token_hex(4)
    logger.error("Fault %s: %s failed", fault, what, exc_info=error)
    return words.FAULT.format(innocent=innocent, fault=fault)


class Guard:
    """The recogniser with checks around it. Nothing is cached: every time that is shown is real."""

    def __init__(self, recognizer):
        self.recognizer = recognizer

    def call(self, method: str, given: str, **options):
        """Call a method of the recogniser with `given`, a clip's path or a text. Raises InputRefused, whatever went
        wrong: with the recogniser's own line for sound that it cannot use, with a fault's id for everything else."""
        typed = method.endswith("_text")
        try:
            return getattr(self.recognizer, method)(given, **options)
        except AudioError as error:
            raise InputRefused(presentable(str(error), given)) from error
        except Exception as error:  # the page must answer whatever happens
            raise InputRefused(report_fault(method, error, "words" if typed else "clip")) from error

    def clip(self, path: str | None) -> str:
        """The path of a clip that is there."""
        if not path:
            raise InputRefused(words.NO_CLIP)
        if not Path(path).is_file():
            raise InputRefused(words.GONE_CLIP)
        return path

    def mode(self, mode: str) -> str:
        """A mode that the loaded models offer."""
        if mode not in self.recognizer.modes:
            raise InputRefused(words.NOT_AVAILABLE.format(modes=", ".join(self.recognizer.modes)))
        return mode

"""Between the page and the recogniser: refuses input that cannot be answered, and turns failures into short texts."""

import logging
from pathlib import Path

from phonolinguistic.audio.decoding import AudioError

from . import words

logger = logging.getLogger(__name__)


class InputRefused(Exception):
    """The input cannot be answered; the message is fit to be shown: short, and without a path of this machine."""


class Guard:
    """The recogniser with checks around it. Nothing is cached: every time that is shown is real."""

    def __init__(self, recognizer):
        self.recognizer = recognizer

    def call(self, method: str, *arguments, **options):
        """Call a method of the recogniser. Raises InputRefused, whatever went wrong; the log keeps the whole story."""
        try:
            return getattr(self.recognizer, method)(*arguments, **options)
        except AudioError as error:
            raise InputRefused(str(error)) from error
        except Exception as error:  # the page must answer whatever happens
            logger.exception("%s failed", method)
            raise InputRefused(words.UNEXPECTED) from error

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

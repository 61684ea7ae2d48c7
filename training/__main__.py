"""One door to everything here: `python -m training COMMAND ...`; `python -m training COMMAND --help` says more.

A command's module is imported when it is asked for. Whatever is wrong with the input is one line on stderr and exit
code 2, whichever command found it.
"""

from __future__ import annotations

import sys
from importlib import import_module

COMMANDS = {
    "train": ("training.train", "train a model: audio, text, fusion or multitask"),
    "evaluate": ("training.evaluate", "figures of models or runs on test splits, into metrics.json"),
    "transcribe": ("training.transcribe", "write what a recogniser hears in every clip of a corpus"),
    "publish": ("training.publish", "send a trained model to the Hub"),
    "export": ("training.hub.export_stock", "the audio or text head as a plain transformers class"),
    "card": ("training.hub.card", "render a model's card"),
    "heads": ("training.heads.fit", "fit heads on finished encoders"),
    "leave-one-corpus-out": ("training.scoring.crossval", "voice heads on speakers and corpora left out"),
}
# What a user can put right. Named, not imported: the modules are heavy, and most commands need few of them.
USER_ERRORS = (
    ("training.config", "ConfigError"),
    ("training.corpora.schema", "CorpusError"),
    ("training.engine.checkpoint", "DiskError"),
    ("training.train", "NotFinite"),
    ("training.hub.package", "PublishError"),
    ("training.hub.card", "CardError"),
    ("training.scoring.metrics_file", "MetricsError"),
    ("phonolinguistic.releases", "ReleaseError"),
    ("phonolinguistic.audio.decoding", "AudioError"),
)
REFUSED, INTERRUPTED = 2, 130


def usage() -> str:
    """The commands, one a line."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(["usage: python -m training COMMAND ...", "", *lines])


def is_user_error(error: BaseException) -> bool:
    """Whether a user can put it right; such errors say how in one line. A class that was never imported was not
    raised."""
    loaded = ((sys.modules.get(module), name) for module, name in USER_ERRORS)
    return isinstance(error, tuple(getattr(module, name) for module, name in loaded if module is not None))


def main(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code, 2 if the input is at fault."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0 if arguments else REFUSED
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        print(f"training: unknown command {name!r}; accepted: {', '.join(COMMANDS)}.", file=sys.stderr)
        return REFUSED
    try:
        return import_module(COMMANDS[name][0]).main(rest)
    except (ValueError, RuntimeError, FloatingPointError) as error:
        if not is_user_error(error):
            raise
        print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
        return REFUSED
    except OSError as error:  # a full disk, a folder that may not be written
        where = f" ({error.filename})" if error.filename else ""
        print(f"{name}: {' '.join(str(error.strerror or error).split())}{where}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())

"""The command line: compare, recognize, timeline, batch.

Answers go to stdout (`--json`: one JSON document and nothing else), progress, warnings and errors to stderr. Exit
status: 0; 2 for input that is refused, with one line that says what is wrong and what is accepted; 130 after Ctrl-C.

A clip is read once, before the models are loaded, so that one that is refused costs no waiting, and a pipe is a clip
like any other: `-` and /dev/stdin are standard input, `<(...)` and FIFOs files.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import replace

from .labels import MODES

REFUSED, INTERRUPTED = 2, 130
CLIP = "a sound file, a FIFO, or - for standard input"


class _Parser(argparse.ArgumentParser):
    """Errors in one line, without the usage in front; options only in full."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, allow_abbrev=False, **options)

    def error(self, message: str):
        self.exit(REFUSED, f"{self.prog}: error: {message}\n")


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m phonolinguistic",
        description="Emotion from speech, four ways: by voice, by words, by both, and by one shared network.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    models = _Parser(add_help=False)
    group = models.add_argument_group("models (each a directory or org/repo[@revision]; default: the embedded release)")
    group.add_argument("--model", help="this one model alone, fusion or multi-task")
    group.add_argument("--fusion", help="the fusion model")
    group.add_argument("--multitask", help="the multi-task model")
    group.add_argument("--asr", help="the recogniser that writes the fusion model's transcript")
    group.add_argument("--device", help="cpu, cuda, cuda:1 (default: a GPU when there is one)")
    output = _Parser(add_help=False)
    output.add_argument("--json", action="store_true", help="one JSON document on stdout")

    compare = commands.add_parser("compare", parents=[models, output], help="all modes on one clip of 0.3 to 30 s")
    compare.add_argument("clip", help=CLIP)
    recognize = commands.add_parser("recognize", parents=[models, output], help="one mode on one clip of 0.3 to 30 s")
    recognize.add_argument("clip", help=CLIP)
    recognize.add_argument("--mode", choices=MODES, help="default: multitask, or what the model offers")
    timeline = commands.add_parser("timeline", parents=[models, output], help="a recording of up to 30 min in pieces")
    timeline.add_argument("clip", help=CLIP)
    timeline.add_argument("--mode", choices=MODES, help="default: multitask, or what the model offers")
    batch = commands.add_parser(
        "batch",
        parents=[models],
        help="a folder of clips, or a CSV with a column `path`",
        description="Run it again with the same --out to go on where it stopped. Under `accelerate launch` "
        "(several GPUs) or `torchrun --nproc_per_node 2 -m phonolinguistic batch ...` the clips are shared out.",
    )
    batch.add_argument("source", metavar="FOLDER_OR_CSV")
    batch.add_argument("--out", required=True, help="results.parquet or results.csv")
    batch.add_argument("--mode", choices=MODES, help="default: multitask, or what the model offers")
    batch.add_argument("--retry-errors", action="store_true", help="try clips again whose row carries an error")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    options = build_parser().parse_args(arguments)
    try:
        return _COMMANDS[options.command](options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `... | head`: the reader has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _refusals() as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return REFUSED


def _refusals() -> tuple[type[Exception], ...]:
    from .audio.decoding import AudioError
    from .batch import BatchError
    from .releases import ReleaseError

    return AudioError, BatchError, ReleaseError, _Refused


class _Refused(ValueError):
    """Options that do not go together."""


def _recognizer(options, warm_up: bool = True):
    # Warnings of the libraries are not part of an answer.
    import warnings

    warnings.filterwarnings("ignore")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "0" if sys.stderr.isatty() else "1")
    if options.model and (options.fusion or options.multitask):
        raise _Refused("--model stands alone: it says by itself whether it is fusion or multi-task.")
    if options.device and not options.device.startswith(("cpu", "cuda")):
        raise _Refused(f"--device {options.device}: accepted: cpu, cuda, cuda:0, ...")
    from .recognizer import EmotionRecognizer

    return EmotionRecognizer.from_pretrained(
        options.model,
        fusion=options.fusion,
        multitask=options.multitask,
        asr=options.asr,
        device=options.device,
        warm_up=warm_up,
    )


def _load(options, max_seconds: float | None = None):
    """-> the clip, and the seconds that decoding took."""
    from .audio.decoding import MAX_SECONDS, load_audio

    began = time.perf_counter()
    clip = load_audio(options.clip, max_seconds=max_seconds or MAX_SECONDS)
    return clip, time.perf_counter() - began


def _mode(options, recognizer) -> str:
    mode = options.mode or recognizer.modes[-1]
    if mode not in recognizer.modes:
        raise _Refused(f"--mode {mode} is not in the loaded models; accepted: {', '.join(recognizer.modes)}.")
    return mode


def _with_decoding(result, seconds: float):
    """The result with the seconds of decoding where the recogniser would have put them, had it been given the path."""
    from .results import Comparison, Recognition

    if isinstance(result, Recognition):
        stages = {"decode_audio": 0.0} | result.stages
        stages["decode_audio"] += seconds
        return replace(result, stages=stages, seconds=result.seconds + seconds)
    if isinstance(result, Comparison):
        return replace(result, modes={mode: _with_decoding(answer, seconds) for mode, answer in result.modes.items()})
    return replace(result, seconds=result.seconds + seconds)


def _print(options, result, table) -> int:
    """JSON, or a table with its warnings on stderr; on a terminal of a narrow encoding, too."""
    if not options.json:
        for warning in result.warnings if hasattr(result, "warnings") else result.clip.warnings:
            print(f"warning: {' '.join(warning.split())}", file=sys.stderr)
    document = result.to_dict()
    text = json.dumps(document, ensure_ascii=False, indent=2) if options.json else table(result)
    try:
        print(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        narrow = text.encode(encoding, "replace").decode(encoding)
        print(json.dumps(document, indent=2) if options.json else narrow)
    sys.stdout.flush()
    return 0


def _compare(options) -> int:
    from .tables import comparison_table

    clip, seconds = _load(options)
    return _print(options, _with_decoding(_recognizer(options).compare(clip), seconds), comparison_table)


def _recognize(options) -> int:
    from .tables import recognition_table

    clip, seconds = _load(options)
    recognizer = _recognizer(options)
    answer = recognizer.recognize(clip, _mode(options, recognizer))
    return _print(options, _with_decoding(answer, seconds), recognition_table)


def _timeline(options) -> int:
    from .audio.decoding import MAX_TIMELINE_SECONDS
    from .tables import timeline_table

    clip, seconds = _load(options, MAX_TIMELINE_SECONDS)
    recognizer = _recognizer(options)
    mode = _mode(options, recognizer)
    if not sys.stderr.isatty():
        return _print(options, _with_decoding(recognizer.timeline(clip, mode), seconds), timeline_table)
    from tqdm import tqdm

    with tqdm(unit="piece", leave=False) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        timeline = recognizer.timeline(clip, mode, progress=report)
    return _print(options, _with_decoding(timeline, seconds), timeline_table)


def _batch(options) -> int:
    from .batch import find_clips, run_batch

    listing = find_clips(options.source, ignore=options.out)

    def load(device):
        options.device = options.device or (device and str(device))
        recognizer = _recognizer(options)
        return recognizer, _mode(options, recognizer)

    summary = run_batch(listing, options.out, load, retry_errors=options.retry_errors)
    if int(os.environ.get("RANK", "0")) == 0:  # of several processes one tells
        for line in listing.lines():
            print(line, file=sys.stderr)
    print(summary, file=sys.stderr)
    return INTERRUPTED if summary.interrupted else 0


_COMMANDS = {"compare": _compare, "recognize": _recognize, "timeline": _timeline, "batch": _batch}

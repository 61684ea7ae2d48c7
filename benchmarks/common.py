"""What the benchmarks share: options, clips, medians, and the file that a run leaves behind."""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from phonolinguistic.audio.decoding import Clip, load_audio
from phonolinguistic.audio.formats import SUFFIXES
from phonolinguistic.provenance import provenance

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def parser(description: str) -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--threads", type=int, default=2, help="threads of one network (default 2)")
    options.add_argument("--repeats", type=int, default=10, help="runs of each measurement (default 10)")
    options.add_argument("--out", type=Path, help="where the JSON goes (default benchmarks/results/NAME.json)")
    return options


def parse(options: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line and set the threads."""
    values = options.parse_args()
    torch.set_num_threads(values.threads)
    return values


def clips(folder: Path = ROOT / "examples", shortest: float = 3.0, longest: float = 5.0) -> dict[str, Clip]:
    """name -> decoded clip, of those between `shortest` and `longest` seconds. Raises SystemExit when there is none."""
    files = sorted(f for f in folder.rglob("*") if f.suffix in SUFFIXES)
    loaded = {f.name: load_audio(f, max_seconds=1800.0) for f in files}
    kept = {name: clip for name, clip in loaded.items() if shortest <= clip.seconds <= longest}
    if not kept:
        raise SystemExit(f"{folder} holds no clip of {shortest:g} to {longest:g} s.")
    return kept


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def median(values) -> float:
    return round(statistics.median(values), 5)


def percent_less(new: float, old: float) -> float:
    return round(100 * (1 - new / old), 1)


def write(name: str, results: dict, values: argparse.Namespace, seed: int | None = None, device: str = "cpu") -> None:
    """Print the results and keep them, with where they come from."""
    document = {"benchmark": name, "provenance": provenance(seed, device), "repeats": values.repeats, **results}
    text = json.dumps(document, indent=2, ensure_ascii=False)
    out = values.out or RESULTS / f"{name}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + "\n", encoding="utf-8")
    print(text)

"""Write the README's result tables from the JSON files that the scripts left: `python -m docs.tables`.

`--check` writes nothing and fails when the README differs from the files.
"""

import argparse
import json
import sys
from pathlib import Path

from training.scoring.report import markdown

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- tables: begin (python -m docs.tables) -->", "<!-- tables: end -->"
BENCHMARKS = ROOT / "benchmarks" / "results"


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def latency() -> str:
    """Median seconds and parameters of each mode, embedded release."""
    found = read(BENCHMARKS / "latency.json")
    results = found
    lines = ["| mode | seconds, median | parameters |", "| --- | ---: | ---: |"]
    lines += [
        f"| {mode} | {results['seconds'][mode]:.3f} | {count / 1e6:.1f} M |"
        for mode, count in results["parameters"].items()
    ]
    lines.append(f"| all four (`compare`) | {results['seconds']['compare']:.3f} | |")
    note = (
        f"Multi-task takes {results['multitask_seconds_percent_less']} % less time and "
        f"{results['multitask_parameters_percent_less']} % fewer parameters than fusion; `compare` costs "
        f"{results['compare_ratio']:.2f} times fusion and multi-task together."
    )
    memory, page = read(BENCHMARKS / "memory.json"), read(BENCHMARKS / "page_overhead.json")
    rest = (
        f"\n\nEverything loaded takes {memory['recognizer']['resident_mb']} MB of memory, the page with it "
        f"{memory['app']['resident_mb']} MB; the page answers {memory['app']['ready_seconds']:.0f} s after its start "
        f"and adds {page['page_overhead_ms']['median']:.0f} ms to a comparison."
    )
    return "### Latency of the embedded release\n\n" + "\n".join(lines) + "\n\n" + note + _where(found) + rest


def _where(found: dict) -> str:
    facts = found["provenance"]
    return f" Clips of 3 to 5 s, {facts['device']}, {facts['threads']} threads, torch {facts['versions']['torch']}."


def published_size() -> str:
    results = read(BENCHMARKS / "published_size.json")
    lines = ["| published size, random weights | parameters | seconds |", "| --- | ---: | ---: |"]
    for name in ("fusion", "multitask"):
        lines.append(f"| {name} | {results['parameters'][name] / 1e6:.0f} M | {results['seconds'][name]:.2f} |")
    lines.append(
        f"| less, percent (published: 42 and over 42) | {results['parameters_percent_less']:.1f} | "
        f"{results['seconds_percent_less']:.1f} |"
    )
    return "### At the published size (HuBERT-large, BERT-base)\n\n" + "\n".join(lines)


ROWS = {
    "ravdess_to_tess": "RAVDESS to TESS, 7 classes",
    "tess_to_ravdess": "TESS to RAVDESS, 7 classes",
    "tess_older_to_younger": "TESS, older actress to younger",
    "tess_younger_to_older": "TESS, younger actress to older",
}
# What was wanted, in percent accuracy; the frozen probe's figures are those that were known before.
WANTED = {"folds": (78, 76.0), "ravdess_to_tess": (60, 46.7), "tess_to_ravdess": (50, 38.5)}
KNOWN = {"tess_older_to_younger": 80, "tess_younger_to_older": 58}


def crossval() -> str:
    """The RAVDESS folds and the change of corpus or speaker."""
    found = read(ROOT / "training" / "results" / "audio_crossval.json")
    folds = found["ravdess_folds"]
    lines = [
        "| trained on, tested on | accuracy | UAR | majority | known probe | wanted | test mean known |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    reached = []

    def row(name: str, rates: dict, majority: float, known: object, wanted: object, bound: float | None = None) -> None:
        cells = [f"{value * 100:.1f}" for value in (rates["accuracy"], rates["uar"], majority)]
        cells += [str(known), str(wanted), "" if bound is None else f"{bound * 100:.1f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
        if wanted != "":
            reached.append(rates["accuracy"] * 100 >= wanted)

    mean = folds["mean_of_folds"]
    wanted, known = WANTED["folds"]
    majority = folds["together"]["majority"]["accuracy"]
    row("RAVDESS, six folds, 8 classes", mean, majority, known, wanted)
    for key, name in ROWS.items():
        wanted, known = WANTED.get(key, ("", KNOWN.get(key, "")))
        bound = found[key].get("test_mean_known")
        row(name, found[key], found[key]["majority"]["accuracy"], known, wanted, bound)
    notes = "\n".join(f"- {note}" for note in found["notes"])
    heading = "### Voice alone: six RAVDESS folds, and another corpus\n\n"
    count = f"{sum(reached)} of {len(reached)} targets are reached. Read these with care:"
    return heading + "\n".join(lines) + f"\n\n{count}\n\n" + notes


def robustness() -> str:
    """What silence, offset, gain, band, coding and noise cost the voice, whole clip against speech alone."""
    found = read(BENCHMARKS / "robustness.json")
    names = {"ravdess": "RAVDESS", "tess": "TESS"}
    head = " | ".join(f"{names[c]}: accuracy | ECE | held | no speech" for c in found["corpora"])
    lines = [f"| before → after | {head} |", "| --- |" + " ---: |" * (4 * len(found["corpora"]))]
    for name in next(iter(found["corpora"].values()))["rows"]:
        cells = []
        for corpus in found["corpora"].values():
            before, after = corpus["rows"][name]["before"], corpus["rows"][name]["after"]
            for key in ("accuracy", "ece", "held"):
                cells.append(f"{before[key]} → {after[key]}")
            cells.append(str(after["no_speech"]))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    clips = ", ".join(f"{c['clips']} {names[n]} (majority {c['majority']} %)" for n, c in found["corpora"].items())
    note = (
        f"Voice of the embedded release on test speakers: {clips}. Before: the networks hear the whole clip, as in "
        f"0.2.0; after: the front end's speech alone. Held: of the clips answered undisturbed with over "
        f"{found['sure_above']}, the percentage whose emotion stays."
    )
    return "### What is not speech\n\n" + note + "\n\n" + "\n".join(lines)


def render() -> str:
    names = {"Fusion": "fusion", "Multi-task": "multitask"}
    metrics = [(title, read(ROOT / "models" / folder / "metrics.json")) for title, folder in names.items()]
    parts = [latency(), published_size(), robustness(), crossval(), "### The embedded release\n\n" + markdown(metrics)]
    return "\n\n".join(part.strip() for part in parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    new = f"{before}{BEGIN}\n{render()}\n{END}{after}"
    if check and new != text:
        sys.exit("README.md differs from the result files: run python -m docs.tables")
    if not check:
        README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()

"""How long each mode takes on clips of 3 to 5 s, and what `compare` costs beside its two parts.

    python -m benchmarks.latency

Fusion and multi-task decode with the same code; the runs alternate, so that a slow moment of the machine hits all.
Times are whole requests: reading the file, voice activity, every network.
"""

from phonolinguistic import EmotionRecognizer

from .common import ROOT, clips, median, parse, parser, percent_less, seconds, write


def measure(recognizer, paths: list[str], repeats: int) -> dict:
    """Medians over clips and repeats, seconds."""
    walls: dict[str, list[float]] = {mode: [] for mode in (*recognizer.modes, "compare")}
    ratios: list[float] = []
    stages: dict[str, dict[str, list[float]]] = {mode: {} for mode in recognizer.modes}
    for _ in range(repeats):
        for path in paths:
            run = {}
            for mode in recognizer.modes:
                answers = []
                run[mode] = seconds(lambda m=mode, p=path, a=answers: a.append(recognizer.recognize(p, m)))
                for stage, taken in answers[0].stages.items():
                    stages[mode].setdefault(stage, []).append(taken)
            run["compare"] = seconds(lambda p=path: recognizer.compare(p))
            for name, taken in run.items():
                walls[name].append(taken)
            if {"fusion", "multitask"} <= set(run):
                ratios.append(run["compare"] / (run["fusion"] + run["multitask"]))
    return {
        "seconds": {name: median(taken) for name, taken in walls.items()},
        "stages": {mode: {s: median(taken) for s, taken in parts.items()} for mode, parts in stages.items()},
        "compare_ratio": median(ratios) if ratios else None,
    }


def main() -> None:
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--model")
    options.add_argument("--fusion")
    options.add_argument("--multitask")
    options.add_argument("--asr")
    values = parse(options)
    recognizer = EmotionRecognizer.from_pretrained(
        values.model, fusion=values.fusion, multitask=values.multitask, asr=values.asr
    )
    chosen = clips()
    paths = [str(next((ROOT / "examples").rglob(name))) for name in chosen]
    for path in paths:
        recognizer.compare(path)  # the first run at a new length allocates
    results = measure(recognizer, paths, values.repeats)
    compared = recognizer.compare(paths[0])
    parameters = {mode: answer.parameters for mode, answer in compared.modes.items()}
    taken = results["seconds"]
    if {"fusion", "multitask"} <= set(parameters):
        results["multitask_seconds_percent_less"] = percent_less(taken["multitask"], taken["fusion"])
        results["multitask_parameters_percent_less"] = percent_less(parameters["multitask"], parameters["fusion"])
        results["targets"] = {"multitask_seconds_percent_less": 42, "compare_ratio": 1.25}
    results |= {"parameters": parameters, "clips": {name: round(clip.seconds, 2) for name, clip in chosen.items()}}
    write("latency", results, values, device=recognizer.device)


if __name__ == "__main__":
    main()

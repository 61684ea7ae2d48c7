"""metrics.json of a training run that was not evaluated further: its validation figures, and said to be that."""

import json
from pathlib import Path

RUN_FILE = "training_run.json"
RATES = ("uar", "accuracy", "macro_f1", "weighted_f1")
NOTE = (
    "The figures are on validation rows, by which the epoch was chosen and the temperatures were fitted: expect less "
    "on new speakers. Evaluate on test speakers before relying on them."
)


def model_folder(directory: Path) -> Path:
    """The model of a run's directory (which `training.train` writes into model/), or the directory itself."""
    inner = directory / "model"
    return inner if (directory / RUN_FILE).is_file() and (inner / "config.json").is_file() else directory


def run_metrics(model: Path) -> dict | None:
    """Contents for metrics.json from the run that `model` lies in; None where there is no such run.

    The figures are those of the epoch that was kept, the one with the best validation macro-F1.
    """
    file = model.parent / RUN_FILE
    if not file.is_file():
        return None
    run = json.loads(file.read_text(encoding="utf-8"))
    if not run.get("epochs"):
        return None
    kept = max(run["epochs"], key=lambda epoch: epoch.get("macro_f1") or 0)
    whole = run["task"] if run["task"] in ("fusion", "multitask") else "fusion"
    corpora = run.get("settings", {}).get("data", {}).get("corpora") or []
    corpus = " + ".join(sorted({entry["name"] for entry in corpora})) or "own"
    results = []
    for head, mode in (("audio", "audio"), ("text", "text"), ("fusion", whole)):
        figures = kept.get(head)
        if isinstance(figures, dict):
            rates = {name: {"value": figures[name]} for name in RATES if figures.get(name) is not None}
            results.append(
                {"corpus": corpus, "split": "validation", "mode": mode, "n": figures.get("rows", 0), "metrics": rates}
            )
    if kept.get("wer") is not None:
        wer = {"corpus": corpus, "split": "validation", "mode": whole, "note": "recognition"}
        results.append(
            wer | {"n": run.get("rows", {}).get("validation", 0), "metrics": {"wer": {"value": kept["wer"]}}}
        )
    machine = run.get("provenance") or {}
    training = {"seconds": (run.get("training") or {}).get("seconds"), "threads": machine.get("threads")}
    return {"results": results, "notes": [NOTE], "training": training, "provenance": machine}

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
    return {
        "results": results, "notes": [NOTE], "training": training_facts(run), "provenance": run.get("provenance") or {}
    }  # fmt: skip


def read_run(directory: Path) -> dict | None:
    """training_run.json of a run's directory, or of the run that a model/ lies in; None where there is none."""
    for folder in (directory, directory.parent):
        if (folder / RUN_FILE).is_file() and model_folder(folder).name in (directory.name, "model"):
            return json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    return None


def training_facts(run: dict) -> dict:
    """What a card says of a run: seconds, threads, machine, and in words what learned by what."""
    machine, settings = run.get("provenance") or {}, run.get("settings") or {}
    facts = {"seconds": (run.get("training") or {}).get("seconds"), "threads": machine.get("threads")}
    if settings.get("heads_learning_rate") is not None:
        facts["procedure"] = procedure(run)
    return facts


def procedure(run: dict) -> str:
    """One paragraph: corpora, what learned how fast, which losses, how the epoch was chosen."""
    settings = run["settings"]
    towers = []
    for name, idle in (("speech", "text"), ("text", "audio")):
        tower = settings.get(name)
        if tower is None or run["task"] == idle:
            continue
        if tower["frozen"] == "all":
            towers.append(f"the {name} encoder stayed as it was")
        else:
            frozen = tower["frozen"]
            part = {"none": "", "front": ", its front frozen"}.get(frozen, f", {frozen} layers frozen")
            towers.append(f"the {name} encoder learned at {tower['learning_rate']:g}{part}")
    corpora = []
    for corpus in settings["data"]["corpora"]:
        labels = {"one": "", "several": " (several labels)", "both": " (one label and several)"}[corpus["labels"]]
        corpora.append(corpus["name"] + labels)
    rows = run.get("rows") or {}
    return (
        f"Task `{run['task']}` on {', '.join(dict.fromkeys(corpora))}: {rows.get('train', 0)} training and "
        f"{rows.get('validation', 0)} validation rows. The heads learned at {settings['heads_learning_rate']:g}; "
        f"{'; '.join(towers)}. AdamW, {run['steps']} steps in {len(run['epochs'])} epochs, {settings['lr_schedule']} "
        f"schedule with {settings['warmup_ratio']:.0%} warm-up, seed {settings['seed']}. The epoch with the best "
        "validation macro-F1 was kept; temperatures were fitted on validation rows."
    )

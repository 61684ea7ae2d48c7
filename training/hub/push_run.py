"""A training run that ends on the Hub: what could stop it is found before the first epoch, then the same checks and the
same commit as `python -m training publish`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import HfApi

from ..config import Settings
from ..publish import Published, push
from ..whole_files import write_json
from .errors import hub_errors
from .package import PublishError, collect, unpublishable

PATHS = ("path", "transcripts", "cache", "source", "asr_tokenizer")  # keys that may name places on this machine


def check_push(settings: Settings, config: dict[str, Any]) -> None:
    """Before the run: the model that it makes may be published, and the token may write to the repository (which is
    made now). `config`: the model's configuration as a dict.

    Raises:
        PublishError: says what is in the way.
    """
    hub = settings.hub
    problems = unpublishable(config, hub.base_models)
    if problems:
        raise PublishError(f"{hub.repo}: this run cannot be pushed: {'; '.join(problems)}.")
    with hub_errors(hub.repo):
        api = HfApi()
        api.whoami()
        api.create_repo(hub.repo, private=hub.private or None, exist_ok=True)
        api.auth_check(hub.repo, write=True)  # a token that may only read passes where the repository exists


def push_run(settings: Settings, out: Path, run: dict[str, Any], device: str, progress: bool = True) -> Published:
    """After the run: figures of its test split (where it has one), then model, processor, card, figures and the run's
    settings in one commit.

    Raises:
        PublishError: the Hub refused; the run itself is finished, and the same command tries again.
    """
    from ..evaluate import evaluate_subjects, subject

    folder, hub = out / "model", settings.hub
    if run["rows"]["test"]:
        evaluate_subjects([subject(out)], [], device=device, progress=progress)
    write_json(folder / "training.json", {"train": _record(run)})
    bundle = collect(folder, hub.repo, base_models=hub.base_models)
    try:
        return push(bundle, hub.repo, private=hub.private, message=f"Train {run['task']} model")
    finally:
        bundle.close()


def _record(run: dict[str, Any]) -> dict[str, Any]:
    """The run without its losses by epoch and without what names places on this machine."""
    kept = ("task", "processes", "precision", "parameters", "rows", "steps", "stopped_early", "best_macro_f1",
            "provenance")  # fmt: skip
    seconds = run["training"]["seconds"]
    return {"settings": _without_places(run["settings"]), "seconds": seconds} | {name: run[name] for name in kept}


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_places(item) for key, item in value.items() if key not in PATHS}
    return [_without_places(item) for item in value] if isinstance(value, list) else value

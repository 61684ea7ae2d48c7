"""Which parameters learn, how fast, and how that falls over a run."""

from __future__ import annotations

import torch
from transformers import get_scheduler

from ..config import Settings


def parameter_groups(model, settings: Settings) -> list[dict]:
    """Optimiser groups by tower; vectors (biases, norms, layer weights) are not decayed."""
    groups: dict[tuple[str, bool], list] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            tower = name.split(".")[0]
            tower = tower if tower in ("speech", "text") else "heads"
            groups.setdefault((tower, parameter.dim() > 1), []).append(parameter)
    rates = {"text": settings.text.learning_rate, "heads": settings.heads_learning_rate}
    if settings.speech is not None:
        rates["speech"] = settings.speech.learning_rate
    decays = {True: settings.weight_decay, False: 0.0}
    return [{"params": params, "lr": rates[tower], "weight_decay": decays[matrix]}
            for (tower, matrix), params in groups.items()]  # fmt: skip


def make_optimiser(model, settings: Settings, steps: int):
    """(AdamW, its schedule over so many steps)."""
    optimizer = torch.optim.AdamW(parameter_groups(model, settings), betas=(0.9, 0.98))
    warmup = round(settings.warmup_ratio * steps)
    return optimizer, get_scheduler(settings.lr_schedule, optimizer, num_warmup_steps=warmup, num_training_steps=steps)


def train_mode(model, settings: Settings) -> None:
    """Training mode; a wholly frozen tower stays in evaluation mode (no dropout in what never learns)."""
    model.train()
    for name, tower in (("speech", settings.speech), ("text", settings.text)):
        if tower is not None and tower.frozen == "all":
            getattr(model, name).eval()

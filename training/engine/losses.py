"""What a training step minimises: emotion losses of the task's heads, and the recogniser's."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

HEADS = {
    "audio": ("audio",), "text": ("text",), "fusion": ("audio", "text", "fusion"),
    "multitask": ("audio", "text", "fusion"),
}  # fmt: skip
DECIDING = {"audio": "audio", "text": "text", "fusion": "fusion", "multitask": "fusion"}  # the mode's own head


def balanced_weights(targets: np.ndarray, repeats: np.ndarray) -> np.ndarray:
    """(classes,) inverse frequencies of label probabilities (rows, classes), averaging 1 over the rows; a class that
    never comes has weight 0."""
    counts = (targets * repeats[:, None]).sum(0)
    there = counts > 0
    return np.where(there, counts.sum() / (there.sum() * np.maximum(counts, 1e-9)), 0.0).astype(np.float32)


def emotion_loss(
    logits: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor | None, gamma: float
) -> torch.Tensor | None:
    """Cross-entropy to label probabilities, weighted by class and focal (Lin et al. 2017) if asked.

    logits, targets: (batch, classes); rows: (batch,) bool, which count. None when no such row has a label.
    """
    rows = rows & targets.gt(0).any(1)
    if not bool(rows.any()):
        return None
    logs = F.log_softmax(logits[rows].float(), 1)
    targets = targets[rows] if weights is None else targets[rows] * weights
    terms = targets if not gamma else targets * (1 - logs.exp()) ** gamma
    return -(terms * logs).sum() / targets.sum().clamp(min=1e-9)


def objective(
    output, targets: torch.Tensor, task: str, loss_weights: dict, weights: torch.Tensor | None, gamma: float = 0.0
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """(weighted sum, its parts by name) for a `PhonoLinguisticOutput`; a batch without any label gives a zero."""
    present = {"audio": output.audio_pooled, "text": output.text_pooled, "fusion": None}
    parts = {}
    for head in HEADS[task]:
        logits, pooled = getattr(output, f"{head}_logits"), present[head]
        if logits is None:
            continue
        rows = torch.ones_like(logits[:, 0], dtype=torch.bool) if pooled is None else pooled.ne(0).any(1)
        loss = emotion_loss(logits, targets, rows, weights, gamma)
        if loss is not None:
            parts[head] = loss
    if output.recognition_loss is not None:
        parts["recognition"] = output.recognition_loss
    if not parts:
        return output.fusion_logits.sum() * 0.0, {}
    return sum(loss_weights[name] * value for name, value in parts.items()), parts

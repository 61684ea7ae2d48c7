"""What a training step minimises: emotion losses of the task's heads, and the recogniser's.

A row takes part in a loss where it has what the loss needs: the modality, a label, and its corpus's consent
(`config.Corpus.losses`). Its emotions are one answer (softmax), several (a sigmoid each), or both questions to one
head.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

HEADS = {
    "audio": ("audio",), "text": ("text",), "fusion": ("audio", "text", "fusion"),
    "multitask": ("audio", "text", "fusion"),
}  # fmt: skip
DECIDING = {"audio": "audio", "text": "text", "fusion": "fusion", "multitask": "fusion"}  # the mode's own head
LOSSES = ("audio", "text", "fusion", "recognition")


class Targets(NamedTuple):
    """What the rows of a batch are to learn.

    emotions: (batch, classes) label probabilities, uniform over a row's labels; zeros where there is none.
    one, several: (batch,) bool, whether the labels are one answer, several, or (both True) both.
    taught: (batch, len(LOSSES)) bool, which losses the row's corpus takes part in.
    """

    emotions: torch.Tensor
    one: torch.Tensor
    several: torch.Tensor
    taught: torch.Tensor


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


def several_loss(logits: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor) -> torch.Tensor | None:
    """Binary cross-entropy of each class, summed over classes, averaged over rows; arguments as `emotion_loss`."""
    rows = rows & targets.gt(0).any(1)
    if not bool(rows.any()):
        return None
    holds = targets[rows].gt(0).float()
    return F.binary_cross_entropy_with_logits(logits[rows].float(), holds, reduction="none").sum(1).mean()


def head_loss(
    logits: torch.Tensor, targets: Targets, rows: torch.Tensor, weights: torch.Tensor | None, gamma: float
) -> torch.Tensor | None:
    """Both kinds of emotion loss of one head, each weighted by the share of the labelled rows that ask for it; None
    when no row of `rows` (batch,) has a label."""
    rows = rows & targets.emotions.gt(0).any(1)
    asked = (rows & targets.one), (rows & targets.several)
    parts = (
        emotion_loss(logits, targets.emotions, asked[0], weights, gamma),
        several_loss(logits, targets.emotions, asked[1]),
    )
    shares = [side.sum() / rows.sum() for side in asked]
    found = [part * share for part, share in zip(parts, shares, strict=True) if part is not None]
    return sum(found) if found else None


def objective(
    output, targets: Targets, task: str, loss_weights: dict, weights: torch.Tensor | None, gamma: float = 0.0
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """(weighted sum, its parts by name) for a `PhonoLinguisticOutput`; a batch without any label gives a zero."""
    present = {"audio": output.audio_pooled, "text": output.text_pooled, "fusion": None}
    parts = {}
    for head in HEADS[task]:
        logits, pooled = getattr(output, f"{head}_logits"), present[head]
        if logits is None:
            continue
        rows = targets.taught[:, LOSSES.index(head)]
        if pooled is not None:
            rows = rows & pooled.ne(0).any(1)
        loss = head_loss(logits, targets, rows, weights, gamma)
        if loss is not None:
            parts[head] = loss
    if output.recognition_loss is not None:  # its rows are chosen where its labels are made: inputs.collate
        parts["recognition"] = output.recognition_loss
    if not parts:
        return output.fusion_logits.sum() * 0.0, {}
    return sum(loss_weights[name] * value for name, value in parts.items()), parts

"""Heads over frozen encoders, fitted in seconds from pooled features.

Audio head: logistic regression on standardised features. Fusion head: a small network that is *stacked* on the two
single heads: it sees their logits (and which of them is there), not the features themselves, so that a thousand clips
cannot be learned by heart. The logits of training clips come from heads that never heard their speaker (stacking,
Wolpert 1992); otherwise the voice would look far surer in training than it is for a stranger. Since single heads are
linear, the stack is one linear layer on the pooled features again, exactly, and that is how it is stored.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from phonolinguistic.labels import EMOTIONS

from ..inputs.pairs import PairDataset
from .domain_shift import trust

CLASSES = len(EMOTIONS)
NEUTRAL = EMOTIONS.index("neutral")
MIN_DEVIATION = 1e-3
FOLDS = 4
MIN_STEPS = 300


@dataclass(frozen=True)
class Linear:
    """Logits = x @ weight.T + bias. weight: (classes, size), bias: (classes,)."""

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x @ self.weight.T + self.bias


def standardiser(features: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(mean, deviation), each (size,), of (rows, size); a constant feature gets MIN_DEVIATION, not 0."""
    mean = np.average(features, axis=0, weights=weights)
    variance = np.average((features - mean) ** 2, axis=0, weights=weights)
    return mean.astype(np.float32), np.maximum(np.sqrt(variance), MIN_DEVIATION).astype(np.float32)


def balanced_weights(labels: np.ndarray, corpora: Sequence[str], shares: dict[str, float] | None = None) -> np.ndarray:
    """(rows,) weights with mean 1: each label counts the same within its corpus, each corpus by its share (else 1)."""
    corpora, weights = np.asarray(corpora), np.zeros(len(labels))
    for corpus in sorted(set(corpora)):
        inside = corpora == corpus
        found, counts = np.unique(labels[inside], return_counts=True)
        each = dict(zip(found, 1 / counts, strict=True))
        weights[inside] = [each[label] for label in labels[inside]]
        weights[inside] *= (shares or {}).get(corpus, 1.0) / weights[inside].sum()
    return weights * len(weights) / weights.sum()


def fit_linear(
    features: np.ndarray, labels: np.ndarray, weights: np.ndarray, c: float, rows: int | None = None,
    factors: np.ndarray | None = None,
) -> Linear:  # fmt: skip
    """Multinomial logistic regression with an L2 penalty of strength 1 / c.

    Args:
        features: (rows, size), standardised.
        factors: (size,), `strangers.trust`; None: all features are penalised alike.
        weights: (rows,); scaled to sum to `rows` (default: their number), so that views of a clip do not weaken the
            penalty.

    A label that does not occur gets a logit so low that it is never answered.
    """
    from sklearn.linear_model import LogisticRegression

    weights = weights / weights.sum() * (rows or len(labels))
    factors = np.ones(features.shape[1]) if factors is None else factors
    fitted = LogisticRegression(C=c, max_iter=500, tol=1e-3).fit(features * factors, labels, sample_weight=weights)
    weight, bias = np.zeros((CLASSES, features.shape[1])), np.full(CLASSES, -20.0)
    if len(fitted.classes_) == 2:  # scikit-learn keeps one row for two classes
        weight[fitted.classes_] = np.concatenate([-fitted.coef_, fitted.coef_]) / 2
        bias[fitted.classes_] = np.concatenate([-fitted.intercept_, fitted.intercept_]) / 2
    else:
        weight[fitted.classes_], bias[fitted.classes_] = fitted.coef_, fitted.intercept_
    return Linear((weight * factors).astype(np.float32), bias.astype(np.float32))


def speaker_folds(speakers: Sequence[str], corpora: Sequence[str], folds: int = FOLDS) -> np.ndarray:
    """(rows,) fold of each row: a speaker is in one fold, and a corpus with few speakers has a fold for each."""
    place: dict[str, int] = {}
    start = 0
    for corpus in sorted(set(corpora)):
        names = sorted({s for s, c in zip(speakers, corpora, strict=True) if c == corpus})
        count = min(folds, len(names))
        place |= {name: start + row % count for row, name in enumerate(names)}
        start += count
    return np.array([place[speaker] for speaker in speakers])


def out_of_fold(
    features: np.ndarray,
    labels: np.ndarray,
    corpora: Sequence[str],
    speakers: Sequence[str],
    c: float,
    shares: dict[str, float] | None = None,
    read: np.ndarray | None = None,
) -> np.ndarray:
    """(clips, views, classes) logits of (clips, views, size) raw features, each by a head (with its standardiser) that
    was fitted without the clip's speaker; read: as for `fit_audio`."""
    folds = speaker_folds(speakers, corpora)
    if len(set(folds)) < 2:
        raise ValueError("one speaker only: there is no head that did not hear it; at least two are needed.")
    result = np.zeros((*features.shape[:2], CLASSES), np.float32)
    corpora = np.asarray(corpora)
    for fold in sorted(set(folds)):
        seen = folds != fold
        head, mean, deviation = fit_audio(features[seen], labels[seen], corpora[seen], c, shares, read)
        result[~seen] = head((features[~seen] - mean) / deviation)
    return result


def fit_audio(
    features: np.ndarray, labels: np.ndarray, corpora: Sequence[str], c: float, shares: dict[str, float] | None = None,
    read: np.ndarray | None = None,
) -> tuple[Linear, np.ndarray, np.ndarray]:  # fmt: skip
    """(head on standardised features, mean, deviation) from (clips, views, size) raw features.

    read: (clips, size) raw features of read speech, by which features are trusted (heads/domain_shift.py); without
    neutral training clips, or None, all are trusted alike.
    """
    clips, views, size = features.shape
    flat, all_labels = features.reshape(-1, size), np.repeat(labels, views)
    weights = balanced_weights(all_labels, np.repeat(np.asarray(corpora), views), shares)
    mean, deviation = standardiser(flat, weights)
    calm, factors = all_labels == NEUTRAL, None
    if read is not None and calm.any():
        factors = trust(np.average(flat[calm], axis=0, weights=weights[calm]), read, deviation)
    return fit_linear((flat - mean) / deviation, all_labels, weights, c, clips, factors), mean, deviation


def fit_text(features: np.ndarray, targets: np.ndarray, epochs: int = 30, seed: int = 0) -> Linear:
    """A linear head on (rows, size) text features; targets (rows, classes) of 0 and 1.

    The loss is that of the fine-tuned text tower: cross-entropy to the labels' mixture plus a binary one per label.
    """
    torch.manual_seed(seed)
    x, y = torch.from_numpy(np.asarray(features, np.float32)), torch.from_numpy(np.asarray(targets, np.float32))
    head = nn.Linear(x.shape[1], CLASSES)
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3, weight_decay=0.01)
    for _ in range(max(epochs, MIN_STEPS * 512 // len(x))):
        for rows in torch.randperm(len(x)).split(512):
            logits, wanted = head(x[rows]), y[rows]
            mixture = wanted / wanted.sum(1, keepdim=True)
            loss = F.cross_entropy(logits, mixture)
            loss = loss + F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return Linear(head.weight.detach().numpy().copy(), head.bias.detach().numpy().copy())


class FusionStack(nn.Module):
    """The network on top of the single heads: logits and flags in, logits out.

    audio, text: (batch, classes) logits divided by their temperature; a row of zeros is an absent modality.
    """

    def __init__(self, hidden: int, dropout: float = 0.1):
        super().__init__()
        self.inner = nn.Linear(2 * CLASSES + 2, hidden)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(hidden, CLASSES)
        self._start_at_the_sum()

    @torch.no_grad()
    def _start_at_the_sum(self) -> None:
        """Begin as the sum of both logits (independent evidence), which gelu(x) - gelu(-x) = x expresses exactly; what
        is learned on top is when to trust which."""
        paths = 2 * CLASSES
        if self.inner.out_features < 2 * paths:
            return
        self.inner.weight[: 2 * paths], self.inner.bias[: 2 * paths] = 0, 0
        self.outer.weight.mul_(0.1)
        self.outer.bias.zero_()
        self.outer.weight[:, : 2 * paths] = 0
        for i in range(paths):
            for unit, sign in ((2 * i, 1.0), (2 * i + 1, -1.0)):
                self.inner.weight[unit, i] = sign
                self.outer.weight[i % CLASSES, unit] = sign

    def forward(self, audio: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        flags = [x.ne(0).any(1, keepdim=True).to(x.dtype) for x in (audio, text)]
        return self.outer(self.dropout(F.gelu(self.inner(torch.cat([audio, text, *flags], 1)))))


@dataclass(frozen=True)
class StackRun:
    """A fitted stack and how it went: validation loss after each epoch, and the epoch that was kept (from 1)."""

    stack: FusionStack
    losses: list[float]
    epoch: int


def fit_stack(
    train: PairDataset, validation: PairDataset, hidden: int, epochs: int = 20, rate: float = 3e-4, seed: int = 0
) -> StackRun:
    """Train on pairs of logits; the epoch with the lowest validation loss is kept."""
    torch.manual_seed(seed)
    stack = FusionStack(hidden)
    optimizer = torch.optim.AdamW(stack.parameters(), lr=rate, weight_decay=0.0)
    steps = epochs * -(-len(train) // 256)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    held = validation.batch(range(len(validation)))
    losses, best = [], None
    for epoch in range(epochs):
        train.set_epoch(epoch)
        batch = train.batch(range(len(train)))
        stack.train()
        for rows in torch.randperm(len(train)).split(256):
            logits = stack(batch["audio_pooled"][rows], batch["text_pooled"][rows])
            optimizer.zero_grad()
            F.cross_entropy(logits, batch["labels"][rows]).backward()
            optimizer.step()
            schedule.step()
        losses.append(float(F.cross_entropy(predict(stack, held), held["labels"])))
        if losses[-1] == min(losses):
            best = copy.deepcopy(stack.state_dict())
    stack.load_state_dict(best)
    return StackRun(stack.eval(), losses, int(np.argmin(losses)) + 1)


@torch.inference_mode()
def predict(stack: FusionStack, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """(rows, classes) logits of a batch of pairs."""
    return stack.eval()(batch["audio_pooled"], batch["text_pooled"])


@torch.no_grad()
def install(
    model,
    *,
    audio: Linear,
    mean: np.ndarray,
    deviation: np.ndarray,
    text: Linear | None,
    stack: FusionStack,
    temperatures: tuple[float, float],
) -> None:
    """Write fitted heads into a model with linear heads (`head_hidden_size` 0).

    text: None keeps the model's own. temperatures: what the audio and the text logits were divided by for the stack.

    Raises:
        ValueError: the model has hidden layers in front of its heads; they are trained with training.train.
    """
    if model.config.head_hidden_size:
        raise ValueError(
            f"head_hidden_size is {model.config.head_hidden_size}; accepted: 0 (linear heads), else use training.train."
        )
    model.audio_pooling.feature_mean.copy_(torch.from_numpy(mean))
    model.audio_pooling.feature_std.copy_(torch.from_numpy(deviation))
    for layer, head in ((model.audio_head, audio), (model.text_head, text)):
        if head is not None:
            layer.weight.copy_(torch.from_numpy(head.weight))
            layer.bias.copy_(torch.from_numpy(head.bias))
    first, last = model.fusion_head[1], model.fusion_head[4]
    inner = stack.inner.weight
    for place, (layer, temperature) in enumerate(zip((model.audio_head, model.text_head), temperatures, strict=True)):
        part = inner[:, place * CLASSES : (place + 1) * CLASSES] / temperature
        start = 0 if place == 0 else model.audio_head.in_features
        first.weight[:, start : start + layer.in_features] = part @ layer.weight
        # An absent modality has no bias either: it rides on the flag.
        flag = model.audio_head.in_features + model.text_head.in_features + place
        first.weight[:, flag] = inner[:, 2 * CLASSES + place] + part @ layer.bias
    first.bias.copy_(stack.inner.bias)
    last.weight.copy_(stack.outer.weight)
    last.bias.copy_(stack.outer.bias)

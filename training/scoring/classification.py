"""The one metric contract: every figure in a metrics.json, a card or a table is computed here.

    result = classification(logits, labels, temperature=1.3, speakers=speakers, groups={"gender": genders})
    result.accuracy, result.uar, result.to_dict()

Definitions: UAR is the mean recall of the classes that occur; macro-F1 is the mean F1 of the classes that occur or were
answered, weighted F1 weighs them by how often they occur (both as in scikit-learn); ECE: `phonolinguistic.calibration`.
Intervals are 95 % percentile bootstrap (Efron 1979): whole speakers are drawn where there are at least five, because
clips of one speaker err together; else single clips, and `interval_unit` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from phonolinguistic.calibration import chance_calibration_error, expected_calibration_error, softmax
from phonolinguistic.labels import EMOTIONS

MIN_SPEAKERS = 5
RESAMPLES = 1000
RATES = ("accuracy", "uar", "macro_f1", "weighted_f1")


@dataclass(frozen=True)
class Metrics:
    """Figures of one mode on one set of rows; rates are fractions of 1.

    confusion: rows are the truth, columns the answer, in the order of `labels`.
    ece, ece_before: after and before the temperature; None where there were only answers, no scores.
    ece_by_chance: mean and 95th percentile of what a perfectly calibrated model would show on as many rows.
    majority: what always giving the commonest label would score.
    intervals: rate -> [low, high]; interval_unit: "speaker" or "clip"; interval_units: how many of them.
    groups: column -> value -> {count, accuracy, uar, macro_f1, weighted_f1}.
    """

    count: int
    accuracy: float
    uar: float
    macro_f1: float
    weighted_f1: float
    labels: list[str]
    confusion: list[list[int]]
    majority: dict[str, Any]
    ece: float | None = None
    ece_before: float | None = None
    ece_by_chance: dict[str, float] | None = None
    temperature: float | None = None
    intervals: dict[str, list[float]] = field(default_factory=dict)
    interval_unit: str | None = None
    interval_units: int = 0
    groups: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, rates rounded to five digits."""
        return _rounded(asdict(self))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return round(float(value), 5)
    return int(value) if isinstance(value, np.integer) else value


def confusion_matrix(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) counts, rows are the truth."""
    cells = np.asarray(labels, dtype=np.int64) * classes + np.asarray(answers, dtype=np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def rates(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """The four rates of one confusion matrix or of a stack of them: (..., classes, classes) -> (...,)."""
    confusion = np.asarray(confusion, dtype=np.float64)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    true, answered = confusion.sum(-1), confusion.sum(-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.where(true > 0, hits / true, 0.0)
        f1 = np.where(true + answered > 0, 2 * hits / (true + answered), 0.0)
        return {
            "accuracy": hits.sum(-1) / true.sum(-1),
            "uar": recall.sum(-1) / (true > 0).sum(-1),
            "macro_f1": f1.sum(-1) / (true + answered > 0).sum(-1),
            "weighted_f1": (f1 * true).sum(-1) / true.sum(-1),
        }


def bootstrap(
    labels: np.ndarray,
    answers: np.ndarray,
    classes: int,
    speakers: Sequence[str | None] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[dict[str, list[float]], str, int]:
    """(rate -> [2.5 %, 97.5 %], "speaker" or "clip", how many of them)."""
    random = np.random.default_rng(seed)
    names = [] if speakers is None or any(s is None for s in speakers) else sorted(set(speakers))
    if len(names) >= MIN_SPEAKERS:
        place = {name: row for row, name in enumerate(names)}
        index = np.array([place[name] for name in speakers])
        cells = index * classes**2 + labels * classes + answers
        each = np.bincount(cells, minlength=len(names) * classes**2).reshape(len(names), -1)
        drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
        tables, unit, units = drawn @ each, "speaker", len(names)
    else:
        # Drawing clips with replacement is drawing cells of the confusion matrix.
        cells = confusion_matrix(labels, answers, classes).ravel()
        tables, unit, units = random.multinomial(len(labels), cells / cells.sum(), size=resamples), "clip", len(labels)
    values = rates(tables.reshape(resamples, classes, classes))
    limits = {name: [float(x) for x in np.nanpercentile(value, [2.5, 97.5])] for name, value in values.items()}
    return limits, unit, units


def classification(
    scores,
    labels,
    *,
    names: Sequence[str] = EMOTIONS,
    temperature: float | None = None,
    speakers: Sequence[str | None] | None = None,
    groups: Mapping[str, Sequence[str | None]] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Metrics:
    """Figures of single-label answers.

    Args:
        scores: (rows, classes) logits, or (rows,) answered class indices (then there is no ECE).
        labels: (rows,) class indices.
        temperature: the mode's fitted one; None: 1.
        speakers: name per row, for the intervals.
        groups: e.g. {"gender": [...], "corpus": [...]}: a row of figures for each value; None values are left out.
        resamples: 0: no intervals.

    Raises:
        ValueError: no rows, different lengths, a label or answer that is no class, NaN scores.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    if not len(labels) or len(scores) != len(labels):
        raise ValueError(f"{len(scores)} scores for {len(labels)} labels; accepted: as many, at least one.")
    classes = len(names)
    answers = scores.argmax(1) if scores.ndim == 2 else scores
    for what, values in (("label", labels), ("answer", answers)):
        if values.min() < 0 or values.max() >= classes:
            raise ValueError(f"{what} {int(values.min())}..{int(values.max())} is outside the {classes} classes.")
    if scores.ndim == 2 and not np.isfinite(scores).all():
        raise ValueError("scores hold NaN or infinity.")
    table = confusion_matrix(labels, answers, classes)
    values = {name: float(value) for name, value in rates(table).items()}
    commonest = int(table.sum(1).argmax())
    always = rates(confusion_matrix(labels, np.full(len(labels), commonest), classes))
    calibration = {}
    if scores.ndim == 2:
        chances = softmax(scores, temperature or 1.0)
        mean, most = chance_calibration_error(chances)
        calibration = {
            "ece": expected_calibration_error(chances, labels),
            "ece_by_chance": {"mean": mean, "p95": most},
            "ece_before": expected_calibration_error(softmax(scores), labels),
            "temperature": temperature,
        }
    intervals = {}
    if resamples:
        limits, unit, units = bootstrap(labels, answers, classes, speakers, resamples, seed)
        intervals = {"intervals": limits, "interval_unit": unit, "interval_units": units}
    return Metrics(
        count=len(labels),
        **values,
        labels=list(names),
        confusion=table.tolist(),
        majority={"label": names[commonest]} | {name: float(value) for name, value in always.items()},
        **calibration,
        **intervals,
        groups={column: _rows(labels, answers, classes, value) for column, value in (groups or {}).items()},
    )


def _rows(labels, answers, classes: int, column: Sequence[str | None]) -> dict[str, dict[str, float]]:
    column = np.array(["" if value is None else str(value) for value in column])
    found = {}
    for value in sorted(set(column) - {""}):
        inside = column == value
        table = confusion_matrix(labels[inside], answers[inside], classes)
        found[value] = {"count": int(inside.sum())} | {name: float(rate) for name, rate in rates(table).items()}
    return found


# ---- several labels at once (GoEmotions) ----------------------------------------------------------------------------


@dataclass(frozen=True)
class MultiLabelMetrics:
    """Figures where several labels may hold; thresholds come from validation data."""

    count: int
    macro_f1: float
    micro_f1: float
    f1: dict[str, float]
    thresholds: dict[str, float]
    intervals: dict[str, list[float]]
    interval_unit: str = "clip"

    def to_dict(self) -> dict[str, Any]:
        """Plain types, rates rounded to five digits."""
        return _rounded(asdict(self))


def best_thresholds(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(classes,) thresholds, each the one with the best F1 of its class on these (validation) rows.

    scores: (rows, classes), any monotone score. targets: (rows, classes) of 0 and 1.
    """
    scores, targets = np.asarray(scores, dtype=np.float64), np.asarray(targets).astype(bool)
    chosen = np.full(scores.shape[1], np.inf)
    for column in range(scores.shape[1]):
        order = np.argsort(-scores[:, column], kind="stable")
        value, hits = scores[order, column], np.cumsum(targets[order, column])
        f1 = 2 * hits / (np.arange(1, len(order) + 1) + max(1, targets[:, column].sum()))
        f1[:-1][value[:-1] == value[1:]] = -1  # a threshold cannot part equal scores
        best = int(f1.argmax())
        below = value[best + 1] if best + 1 < len(value) else value[best] - 1e-6
        chosen[column] = (value[best] + below) / 2
    return chosen


def decide(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(rows, classes) of bool: labels over their threshold; a row with none gets its nearest, as every row has one."""
    margin = np.asarray(scores, dtype=np.float64) - thresholds
    answers = margin >= 0
    empty = ~answers.any(1)
    answers[empty, margin[empty].argmax(1)] = True
    return answers


def multilabel(
    scores, targets, thresholds, *, names: Sequence[str] = EMOTIONS, resamples: int = RESAMPLES, seed: int = 0
) -> MultiLabelMetrics:
    """F1 of thresholded scores. scores, targets: (rows, classes); thresholds: (classes,), from validation rows."""
    scores, targets = np.asarray(scores, dtype=np.float64), np.asarray(targets).astype(bool)
    if scores.shape != targets.shape or not len(scores):
        raise ValueError(f"scores {scores.shape} and targets {targets.shape}; accepted: the same (rows, classes).")
    answers = decide(scores, np.asarray(thresholds))
    counts = np.stack([answers & targets, answers & ~targets, ~answers & targets], 1).astype(np.float64)  # (n, 3, C)

    def f1_of(total: np.ndarray) -> np.ndarray:  # (..., 3, C) -> (..., C)
        hits = 2 * total[..., 0, :]
        return hits / np.maximum(1, hits + total[..., 1, :] + total[..., 2, :])

    total = counts.sum(0)
    each, pooled = f1_of(total), f1_of(total.sum(1, keepdims=True))
    intervals = {}
    if resamples:
        random = np.random.default_rng(seed)
        flat = counts.reshape(len(counts), -1)
        drawn = [
            f1_of((np.bincount(random.integers(len(flat), size=len(flat)), minlength=len(flat)) @ flat).reshape(3, -1))
            for _ in range(resamples)
        ]
        intervals["macro_f1"] = [float(x) for x in np.percentile(np.stack(drawn).mean(1), [2.5, 97.5])]
    return MultiLabelMetrics(
        count=len(scores),
        macro_f1=float(each.mean()),
        micro_f1=float(pooled[0]),
        f1=dict(zip(names, each.tolist(), strict=True)),
        thresholds=dict(zip(names, np.asarray(thresholds, dtype=float).tolist(), strict=True)),
        intervals=intervals,
    )

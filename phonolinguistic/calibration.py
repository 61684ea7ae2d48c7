"""Make a confidence mean what it says: temperature, calibration error, and where an answer becomes "uncertain".

Guo et al. 2017, "On Calibration of Modern Neural Networks": one temperature divides all logits (section 4.2), and the
expected calibration error is the gap between confidence and accuracy over equal bins of confidence (section 2).
Inputs may be numpy arrays or torch tensors; nothing here is trained and nothing is random.
"""

import math
from dataclasses import dataclass

import numpy as np

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
BINS = 15  # Guo et al. 2017, table 1
UNCERTAIN_ACCURACY = 0.5
MAX_UNCERTAIN_SHARE = 0.3


def _array(values) -> np.ndarray:
    """numpy or torch (any dtype and device) -> numpy; half precision becomes float64."""
    if hasattr(values, "detach"):
        values = values.detach().float().cpu().numpy() if values.is_floating_point() else values.cpu().numpy()
    return np.asarray(values)


def _checked(scores, labels) -> tuple[np.ndarray, np.ndarray]:
    scores, labels = _array(scores).astype(np.float64), _array(labels)
    if scores.ndim != 2 or not len(scores):
        raise ValueError(f"scores have shape {scores.shape}; accepted: (rows, classes), at least one row.")
    if labels.shape not in ((len(scores),), scores.shape):
        raise ValueError(f"labels have shape {labels.shape} for {scores.shape} scores; accepted: one per row.")
    if not np.isfinite(scores).all():
        raise ValueError("scores hold NaN or infinity.")
    return scores, labels


def log_softmax(logits, temperature: float = 1.0) -> np.ndarray:
    """(rows, classes) logits -> log probabilities, after division by the temperature."""
    scaled = _array(logits).astype(np.float64) / temperature
    scaled = scaled - scaled.max(1, keepdims=True)
    return scaled - np.log(np.exp(scaled).sum(1, keepdims=True))


def softmax(logits, temperature: float = 1.0) -> np.ndarray:
    """(rows, classes) logits -> probabilities, after division by the temperature."""
    return np.exp(log_softmax(logits, temperature))


def negative_log_likelihood(logits, labels, temperature: float = 1.0, weights=None) -> float:
    """Mean over rows (weighted, if asked); labels are (rows,) indices or (rows, classes) target probabilities."""
    logits, labels = _checked(logits, labels)
    logs = log_softmax(logits, temperature)
    if labels.ndim == 1:
        rows = -logs[np.arange(len(logs)), labels.astype(np.int64)]
    else:
        rows = -(labels * logs).sum(1)
    return float(np.average(rows, weights=weights))


def fit_temperature(logits, labels, weights=None) -> float:
    """The temperature that makes validation labels most likely.

    The likelihood is convex in 1 / temperature, so a golden-section search over its logarithm finds the one minimum.

    Args:
        logits: (rows, classes).
        labels: (rows,) class indices, or (rows, classes) target probabilities.
        weights: (rows,), e.g. to let a small corpus count as much as a large one; None: all the same.

    Returns:
        A number between 0.05 and 20; a bound is returned where the data want even more (e.g. no mistake at all).

    Raises:
        ValueError: no rows, shapes that do not fit, NaN.
    """
    logits, labels = _checked(logits, labels)
    ratio = (math.sqrt(5) - 1) / 2
    low, high = math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE)

    def loss(place: float) -> float:
        return negative_log_likelihood(logits, labels, math.exp(place), weights)

    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-4:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(right)
    return float(min(MAX_TEMPERATURE, max(MIN_TEMPERATURE, math.exp((low + high) / 2))))


@dataclass(frozen=True)
class Reliability:
    """Bins of confidence, each (bins,): rows in it, mean confidence and accuracy (NaN in an empty bin)."""

    edges: np.ndarray  # (bins + 1,)
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def reliability(probabilities, labels, bins: int = BINS) -> Reliability:
    """How often the winning class was right, by how sure it was; equal bins over (0, 1], as in Guo et al."""
    probabilities, labels = _checked(probabilities, labels)
    if labels.ndim != 1:
        raise ValueError("reliability needs one class index per row.")
    confidence = np.clip(probabilities.max(1), 0.0, 1.0)
    right = (probabilities.argmax(1) == labels).astype(np.float64)
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = np.bincount(place, confidence, bins) / counts
        hits = np.bincount(place, right, bins) / counts
    return Reliability(edges, counts, means, hits)


def expected_calibration_error(probabilities, labels, bins: int = BINS) -> float:
    """Mean over rows of |accuracy - confidence| of their bin; 0 is perfect. (rows, classes) and (rows,) indices."""
    table = reliability(probabilities, labels, bins)
    filled = table.counts > 0
    gaps = np.abs(table.accuracy[filled] - table.confidence[filled])
    return float((table.counts[filled] / table.counts.sum() * gaps).sum())


def chance_calibration_error(probabilities, bins: int = BINS, draws: int = 200, seed: int = 0) -> tuple[float, float]:
    """(mean, 95th percentile) of the error that a perfectly calibrated model would show on as many rows.

    Binning few rows gives an error above 0 by chance alone. Here the winning class is right as often as it says, drawn
    `draws` times (Bröcker and Smith 2007, "Increasing the reliability of reliability diagrams", section 3).
    """
    confidence = np.clip(np.asarray(probabilities, dtype=np.float64).max(1), 0.0, 1.0)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    right = np.random.default_rng(seed).random((draws, len(confidence))) < confidence
    gaps = np.stack([np.bincount(place, row - confidence, bins) for row in right])
    errors = np.abs(gaps).sum(1) / len(confidence)
    return float(errors.mean()), float(np.quantile(errors, 0.95))


def choose_uncertain_threshold(
    probabilities, labels, accuracy: float = UNCERTAIN_ACCURACY, most: float = MAX_UNCERTAIN_SHARE
) -> float:
    """The confidence below which an answer is called uncertain.

    Rule: accuracy on validation data as a rising function of confidence (isotonic regression, so that one lucky row
    does not decide) is under `accuracy` below the threshold and at least that from it on. At most the share `most` of
    the validation answers may fall below; if nothing is that bad the threshold is 0.

    Args:
        probabilities: (rows, classes), after temperature. labels: (rows,) indices.
    """
    probabilities, labels = _checked(probabilities, labels)
    confidence = probabilities.max(1)
    order = np.argsort(confidence, kind="stable")
    confidence = confidence[order]
    right = (probabilities.argmax(1) == labels)[order].astype(np.float64)
    fitted = _rising(right)
    enough = np.flatnonzero(fitted >= accuracy)
    place = int(enough[0]) if len(enough) else len(confidence)
    place = min(place, int(most * len(confidence)))
    return float(confidence[place]) if place else 0.0


def _rising(values: np.ndarray) -> np.ndarray:
    """The non-decreasing sequence nearest to `values` (pool adjacent violators)."""
    blocks: list[list[float]] = []  # [sum, count]
    for value in values:
        blocks.append([float(value), 1])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    return np.concatenate([np.full(int(count), total / count) for total, count in blocks])

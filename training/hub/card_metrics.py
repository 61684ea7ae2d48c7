"""Reads metrics.json for the model card: the one place that knows how its results are written down."""

from dataclasses import dataclass, field

# metrics.json's names -> (Hub metric id, words, as a percentage). The first that is there heads the table.
METRICS = {
    "uar": ("recall", "UAR", True),
    "accuracy": ("accuracy", "accuracy", True),
    "weighted_f1": ("f1", "weighted F1", True),
    "macro_f1": ("f1", "macro F1", True),
    "ece": ("expected_calibration_error", "calibration error", False),
    "wer": ("wer", "word error rate", True),
}


@dataclass(frozen=True)
class Value:
    """A figure with its 95 % interval, where it was computed; fractions, not percentages."""

    value: float
    low: float | None = None
    high: float | None = None

    def text(self, percentage: bool = True) -> str:
        scale, digits = (100, 1) if percentage else (1, 3)
        shown = f"{self.value * scale:.{digits}f}"
        if self.low is None or self.high is None:
            return shown
        return f"{shown} [{self.low * scale:.{digits}f}, {self.high * scale:.{digits}f}]"


@dataclass
class Result:
    """One mode on one test set. `groups`: factor -> group -> metric -> Value."""

    corpus: str
    split: str
    mode: str
    count: int
    metrics: dict[str, Value]
    groups: dict[str, dict[str, dict[str, Value]]] = field(default_factory=dict)
    note: str | None = None


def read_results(metrics: dict) -> list[Result]:
    """The results of metrics.json, in its order.

    Raises:
        ValueError: there are none, or one lacks its corpus, mode or figures.
    """
    found = []
    for number, entry in enumerate(metrics.get("results") or []):
        missing = [key for key in ("corpus", "mode", "metrics") if not entry.get(key)]
        if missing:
            raise ValueError(f"metrics.json: result {number} lacks {', '.join(missing)}.")
        groups = {
            factor: {name: _values(group.get("metrics", group)) for name, group in members.items()}
            for factor, members in (entry.get("groups") or {}).items()
        }
        found.append(
            Result(
                corpus=entry["corpus"],
                split=entry.get("split") or "test",
                mode=entry["mode"],
                count=int(entry.get("n") or entry.get("count") or 0),
                metrics=_values(entry["metrics"]),
                groups=groups,
                note=entry.get("note"),
            )
        )
    if not any(result.metrics for result in found):
        raise ValueError("metrics.json has no results: evaluate the model first (python -m training evaluate).")
    return found


def _values(metrics: dict) -> dict[str, Value]:
    values = {}
    for name, value in metrics.items():
        if name not in METRICS:
            continue
        if isinstance(value, dict):
            low, high = value.get("low"), value.get("high")
            if isinstance(value.get("interval"), (list, tuple)):
                low, high = value["interval"]
            values[name] = Value(float(value["value"]), low, high)
        elif isinstance(value, (int, float)):
            values[name] = Value(float(value))
    return values

"""How far a run is, where its time goes, and what it must share with another to be the same run."""

from __future__ import annotations

import dataclasses
import hashlib

from ..config import Settings
from ..inputs.batching import Step
from ..inputs.dataset import Rows


@dataclasses.dataclass
class Timer:
    """Where the time of the steps goes. seconds: all; data_seconds: waiting for batches; clips: rows seen."""

    seconds: float = 0.0
    data_seconds: float = 0.0
    clips: int = 0

    def report(self) -> dict[str, float]:
        total = max(self.seconds, 1e-9)
        return {"seconds": round(self.seconds, 2), "data_share": round(self.data_seconds / total, 4),
                "rows_per_second": round(self.clips / total, 2)}  # fmt: skip


@dataclasses.dataclass
class Progress:
    """What a checkpoint remembers beside weights and optimiser. best: the best validation score; worse: epochs since
    then; losses: [sum, steps] of the epoch at hand."""

    step: int = 0
    best: float | None = None
    worse: int = 0
    epochs: list[dict] = dataclasses.field(default_factory=list)
    losses: list[float] = dataclasses.field(default_factory=lambda: [0.0, 0])
    timer: Timer = dataclasses.field(default_factory=Timer)

    @classmethod
    def read(cls, state: dict | None) -> Progress:
        """From what a checkpoint holds; a new one for None."""
        if state is None:
            return cls()
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{k: v for k, v in state.items() if k in names} | {"timer": Timer(**state["timer"])})


def fingerprint(settings: Settings, plan: list[Step], rows: Rows, processes: int) -> dict:
    """What two runs must share for one to go on from the other's checkpoint. Where files lie does not matter."""
    own = settings.model_dump()
    for key in ("tracker", "save_every", "log_every", "hub"):
        own.pop(key)
    own["data"] = {key: value for key, value in own["data"].items() if key not in ("cache", "workers", "corpora")}
    names = hashlib.sha256("\n".join(rows.ids).encode()).hexdigest()[:16]
    taught = hashlib.sha256(rows.taught.tobytes() + rows.one.tobytes() + rows.several.tobytes()).hexdigest()[:16]
    return _flat(own) | {"rows": names, "losses": taught, "steps": len(plan), "processes": processes}


def _flat(values: dict, where: str = "") -> dict:
    """Nested settings -> dotted keys, so that a difference can be named."""
    found = {}
    for key, value in values.items():
        inner = isinstance(value, dict) and value
        found |= _flat(value, f"{where}{key}.") if inner else {f"{where}{key}": value}
    return found

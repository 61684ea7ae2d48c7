"""The one place that times stages and reports progress."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

# Every stage there is, in the order in which a request passes through them.
STAGES = (
    "decode_audio",
    "voice_activity",
    "asr_features",
    "asr_encoder",
    "asr_decoder",
    "features",
    "speech_encoder",
    "speech_decoder",
    "text_encoder",
    "heads",
)

Item = TypeVar("Item")


class StageTimer:
    """Seconds by stage of one request; one timer a request (and network), so nothing is shared between threads.

    Args:
        device: where the networks run. A GPU works behind Python's back: it is waited for at both ends of a stage.
        progress: called with (done, total) by `track`.
    """

    def __init__(self, device: str = "cpu", progress: Callable[[int, int], None] | None = None):
        self.device, self.progress = str(device), progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the body to stage `name`, whether or not it raises."""
        if name not in STAGES:
            raise ValueError(f"Unknown stage {name!r}; accepted: {', '.join(STAGES)}.")
        self._wait()
        start = time.perf_counter()
        try:
            yield
            self._wait()
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def track(self, items: Sequence[Item]) -> Iterator[Item]:
        """Go through `items` and report (0, total) before the first and (done, total) after each."""
        self._report(0, len(items))
        for done, item in enumerate(items, 1):
            yield item
            self._report(done, len(items))

    def _report(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(done, total)

    def _wait(self) -> None:
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.synchronize(self.device)


def in_order(*parts: dict[str, float]) -> dict[str, float]:
    """Join stage times in the order of `STAGES`; times of one stage add up."""
    total: dict[str, float] = {}
    for part in parts:
        for name, seconds in part.items():
            total[name] = total.get(name, 0.0) + seconds
    return {name: total[name] for name in STAGES if name in total}

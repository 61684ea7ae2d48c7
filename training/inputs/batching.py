"""Which rows make which step: batches of like length, the same on every machine, computed before the run starts.

The plan depends on the seed, the lengths and the number of batches a step alone. So a resumed run goes on with the very
batches that the killed one would have had, and N processes with accumulation 1 take the steps of one process with
accumulation N.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

POOL = 50  # batches' worth of shuffled rows that are sorted together: like lengths, and still another mix each epoch


@dataclass(frozen=True)
class Step:
    """One optimiser step. batches: rows of each process and accumulation turn; shares: what each batch's mean loss
    counts, so that every row of the step counts the same (0 for a repeated filler)."""

    epoch: int
    batches: list[list[int]]
    shares: list[float]


def length_batches(
    seconds: Sequence[float], words: Sequence[int], limits: tuple[float, int, int], random: np.random.Generator
) -> list[list[int]]:
    """Shuffled batches of rows of like length. limits: seconds, words and rows of a batch, padding counted."""
    seconds, words = np.asarray(seconds, dtype=float), np.asarray(words)
    order = random.permutation(len(seconds))
    pool = POOL * limits[2]
    batches: list[list[int]] = []
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        part = part[np.lexsort((words[part], np.round(seconds[part], 1)))]
        rows: list[int] = []
        for row in part.tolist():
            longer = rows + [row]
            longest = seconds[longer].max() * len(longer), words[longer].max() * len(longer), len(longer)
            if rows and any(value > limit for value, limit in zip(longest, limits, strict=True)):
                batches.append(rows)
                longer = [row]
            rows = longer
        if rows:
            batches.append(rows)
    return [batches[place] for place in random.permutation(len(batches))]


def make_plan(
    seconds: Sequence[float],
    words: Sequence[int],
    limits: tuple[float, int, int],
    epochs: int,
    per_step: int,
    seed: int,
    repeats: Sequence[int] | None = None,
    max_steps: int | None = None,
) -> list[Step]:
    """Every step of a run.

    Args:
        seconds, words: (rows,) lengths of the clip (0: none) and of the text.
        limits: seconds, words and rows of a batch.
        per_step: processes times accumulation.
        repeats: (rows,) times that an epoch sees a row; None: once.
        max_steps: no more steps than that.
    """
    rows = np.arange(len(seconds)) if repeats is None else np.repeat(np.arange(len(seconds)), repeats)
    seconds, words = np.asarray(seconds, dtype=float)[rows], np.asarray(words)[rows]
    plan: list[Step] = []
    for epoch in range(epochs):
        batches = length_batches(seconds, words, limits, np.random.default_rng([seed, epoch]))
        for start in range(0, len(batches), per_step):
            chosen = [[int(rows[place]) for place in batch] for batch in batches[start : start + per_step]]
            total = sum(len(batch) for batch in chosen)
            shares = [per_step * len(batch) / total for batch in chosen]
            fillers = per_step - len(chosen)
            plan.append(Step(epoch, chosen + [chosen[0]] * fillers, shares + [0.0] * fillers))
            if max_steps is not None and len(plan) >= max_steps:
                return plan
    return plan


class PlannedBatches:
    """Batch sampler: every batch of every step from `start` on, as lists of (epoch, row), in the order in which
    `accelerate` deals them out to processes. `start` may be set until the first batch is asked for."""

    def __init__(self, plan: list[Step], start: int = 0):
        self.plan, self.start = plan, start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for step in self.plan[self.start :]:
            for batch in step.batches:
                yield [(step.epoch, row) for row in batch]

    def __len__(self) -> int:
        return sum(len(step.batches) for step in self.plan[self.start :])

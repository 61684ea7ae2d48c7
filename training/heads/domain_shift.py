"""How far to trust each pooled feature among people, rooms and microphones that no emotion corpus holds.

A head that is fitted on one corpus of acted speech meets another one shifted as a whole: its answers crowd into two or
three labels. Read speech by other people in another room shows where the shift lies: what its features' mean differs in
from the corpus' own neutral clips is not the mood. For feature j, in deviations of the training clips,

    d_j = (mean over read speech - mean over neutral training clips) / deviation,

and the head's penalty on weight w_j becomes w_j^2 (1 + strength d_j^2): ridge regression against a shift of that size
and unknown sign (feature noise of variance s^2 adds s^2 w^2 to a squared loss; Bishop 1995, "Training with noise is
equivalent to Tikhonov regularization"). Nothing of a test corpus is looked at, and read speech gets no label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

STRENGTH = 1.0
CLIPS_A_SPEAKER = 8


def trust(neutral: np.ndarray, read: np.ndarray, deviation: np.ndarray, strength: float = STRENGTH) -> np.ndarray:
    """(size,) factors in (0, 1] for standardised features: fit a penalised head on features times these.

    Args:
        neutral: (clips, size) raw features of the training corpora's neutral clips, or (size,), their mean.
        read: (clips, size) raw features of read speech.
        deviation: (size,) of the training clips.
        strength: 0 trusts all features alike.
    """
    centre = neutral if neutral.ndim == 1 else neutral.mean(0)
    shift = (read.mean(0) - centre) / deviation
    return (1 / np.sqrt(1 + strength * shift**2)).astype(np.float32)


def some_of_each(speakers: Sequence[str], keys: Sequence[str], count: int = CLIPS_A_SPEAKER) -> list[int]:
    """Rows of at most `count` clips of each speaker, those with the lowest keys (hashes of content): the same clips
    whatever the order of rows."""
    rows: dict[str, list[int]] = {}
    for row in sorted(range(len(keys)), key=lambda row: keys[row]):
        chosen = rows.setdefault(speakers[row], [])
        if len(chosen) < count:
            chosen.append(row)
    return sorted(row for chosen in rows.values() for row in chosen)

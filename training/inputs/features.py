"""A corpus as a table of pooled speech features: cached, resumable, keyed by the weights, the pooling and the clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np

from ..corpora.cache import clip_key, decoded
from .augment import Augmenter
from .feature_cache import PooledCache


@dataclass(frozen=True)
class FeatureTable:
    """values: (clips, views, size) float32, before the standardiser; view 0 is the clip as it is.

    rows: (clips,) rows of the dataset; clips that could not be decoded are not among them.
    speakers, labels: of these rows; labels are the dataset's `source_label`.
    """

    values: np.ndarray
    rows: np.ndarray
    speakers: list[str]
    labels: list[str]

    def __len__(self) -> int:
        return len(self.rows)


def load_or_compute_features(
    model,
    processor,
    dataset: datasets.Dataset,
    views: int,
    cache_dir: str | Path,
    *,
    augment: Augmenter | None = None,
    seed: int = 0,
    half: bool = False,
    device: str = "cpu",
    progress: bool = True,
) -> FeatureTable:
    """Pooled features of every usable clip of one corpus.

    Args:
        model, processor: a PhonoLinguisticModel and its processor; only its speech network runs.
        views: 1 + how many augmented views; each is one file in the cache, so a stopped run goes on at its last view.
        augment: what makes the further views; None: `Augmenter("microphone")`.
        half: run the network in bfloat16 (three times as fast on CPUs that have it); kept apart in the cache.
    """
    audio = decoded(dataset, Path(cache_dir) / "audio", progress=progress)
    rows = np.array(audio.good, dtype=np.int64)
    chosen = dataset.select(rows)
    cache = pooled_cache(model, processor, cache_dir, half=half, device=device, progress=progress)
    keys = [clip_key(cell) for cell in chosen["audio"]]
    name = dataset[0]["corpus"] if len(dataset) else "clips"
    values = cache.clips(_Usable(audio, rows), keys, views, augment or Augmenter(), seed, name)
    return FeatureTable(values, rows, list(chosen["speaker"]), list(chosen["source_label"]))


def pooled_cache(
    model, processor, cache_dir: str | Path, *, half: bool = False, device: str = "cpu", progress: bool = True
) -> PooledCache:
    """The features kept under `cache_dir`, where fit_heads keeps them too; those of bfloat16 apart."""
    folder = Path(cache_dir) / ("pooled-bf16" if half else "pooled")
    return PooledCache(model, processor, folder, device=device, progress=progress, half=half)


class _Usable(Sequence):
    """The decoded rows of a corpus, in order."""

    def __init__(self, audio, rows: np.ndarray):
        self.audio, self.rows, self.lengths = audio, rows, audio.lengths[rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> np.ndarray:
        return self.audio[int(self.rows[row])]

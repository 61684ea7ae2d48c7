"""A tower that never learns runs once: what it makes of each row is computed before the first step and kept on disk.

Augmented clips and texts with noise are further versions of a row (`data.views` of them), computed once too; each epoch
draws one. A frozen speech tower still runs in every step where that cannot be: SpecAugment changes its input anew each
time, and a learned sum over layers changes its output.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..config import Settings
from ..inputs.augment import Augmenter
from ..inputs.dataset import Rows
from ..inputs.feature_cache import PooledCache
from ..inputs.text_noise import TextNoise


def runs_once(settings: Settings, model) -> dict[str, bool]:
    """Tower -> whether its pooled output is computed once."""
    speech, masks = settings.speech, settings.data.spec_augment
    learned = any(parameter.requires_grad for parameter in model.audio_pooling.parameters())
    return {
        "speech": settings.task != "text" and speech.frozen == "all" and not learned
        and not (masks.time_masks or masks.frequency_masks),
        "text": settings.task != "audio" and settings.text.frozen == "all",
    }  # fmt: skip


def run_once(
    settings: Settings, rows: dict[str, Rows], model, processor, device, progress: bool = True
) -> dict[str, Rows]:
    """Train and validation rows with what their frozen towers make of them; rows of the test stay as they are."""
    once = runs_once(settings, model)
    if not any(once.values()):
        return rows
    cache = PooledCache(model, processor, Path(settings.data.cache).expanduser() / "pooled", device, progress)
    found = dict(rows)
    for split in ("train", "validation"):
        part, varied = rows[split], split == "train"
        if once["speech"]:
            part = replace(part, audio_pooled=_voices(cache, model, part, settings, varied))
        if once["text"]:
            part = replace(part, text_pooled=_texts(cache, part, settings, varied))
        found[split] = part
    return found


def _voices(cache: PooledCache, model, rows: Rows, settings: Settings, varied: bool) -> np.ndarray:
    """(rows, versions, size), standardised; zeros where there is no clip."""
    change = Augmenter(settings.data.augment) if varied and settings.data.augment else None
    views = 1 + settings.data.views if change else 1
    spoken = [row for row, clip in enumerate(rows.clips) if clip is not None]
    pooling = model.audio_pooling
    values = np.zeros((len(rows), views, pooling.output_size), np.float32)
    if spoken:
        part = rows.select(spoken)
        raw = cache.clips(part.audio(), part.keys, views, change, settings.seed)
        mean, deviation = (x.float().cpu().numpy() for x in (pooling.feature_mean, pooling.feature_std))
        values[spoken] = (raw - mean) / deviation
    return values


def _texts(cache: PooledCache, rows: Rows, settings: Settings, varied: bool) -> np.ndarray:
    """(rows, versions, size); zeros where there is no text."""
    versions = [rows.texts]
    if varied and settings.data.text_noise:
        noise = TextNoise(seed=settings.seed)
        for view in range(settings.data.views):
            noisy = (noise(text, (view, row)) if text else "" for row, text in enumerate(rows.texts))
            versions.append([new or text for new, text in zip(noisy, rows.texts, strict=True)])
    values = cache.texts([text for version in versions for text in version])
    return values.reshape(len(versions), len(rows), -1).swapaxes(0, 1)

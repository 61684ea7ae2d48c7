"""SpecAugment (Park et al. 2019) for spectra and, in the spirit of it, for waveforms: hide spans of time and bands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..config import SpecAugment


def _span(length: int, share: float, random: np.random.Generator) -> slice:
    """A span of up to `share` of `length`, anywhere in it."""
    width = int(random.integers(0, int(length * share) + 1))
    start = int(random.integers(0, length - width + 1))
    return slice(start, start + width)


def mask_spectrum(
    spectrum: torch.Tensor, lengths: Sequence[int], settings: SpecAugment, randoms: Sequence[np.random.Generator | None]
) -> None:
    """Put each clip's mean into stripes of (batch, bins, frames), in place; a row without a generator is left alone."""
    for row, (frames, random) in enumerate(zip(lengths, randoms, strict=True)):
        if random is None or not (settings.time_masks or settings.frequency_masks):
            continue
        fill = spectrum[row, :, :frames].mean()
        for _ in range(settings.time_masks):
            spectrum[row, :, _span(frames, settings.time_share, random)] = fill
        for _ in range(settings.frequency_masks):
            spectrum[row, _span(spectrum.shape[1], settings.frequency_share, random), :frames] = fill


def mask_waveform(samples: np.ndarray, settings: SpecAugment, random: np.random.Generator) -> np.ndarray:
    """(samples,) -> the same with bands of frequency and spans of time silenced."""
    if settings.frequency_masks:
        spectrum = np.fft.rfft(samples)
        for _ in range(settings.frequency_masks):
            spectrum[_span(len(spectrum), settings.frequency_share, random)] = 0
        samples = np.fft.irfft(spectrum, len(samples)).astype(np.float32)
    if settings.time_masks:
        samples = samples.copy()
        for _ in range(settings.time_masks):
            samples[_span(len(samples), settings.time_share, random)] = 0
    return samples

"""SpecAugment (Park et al. 2019) for spectra and, in the spirit of it, for waveforms: hide spans of time and bands.

The masks are torchaudio's, drawn from torch's global state; here they are drawn from a generator of the row's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torchaudio.transforms import FrequencyMasking, TimeMasking

from ..config import SpecAugment


@contextmanager
def _drawn_from(random: np.random.Generator) -> Iterator[None]:
    """torch's draws come from `random` inside, and its state is what it was afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(random.integers(2**63)))
        yield


def mask_spectrum(
    spectrum: torch.Tensor, lengths: Sequence[int], settings: SpecAugment, randoms: Sequence[np.random.Generator | None]
) -> None:
    """Put each clip's mean into stripes of (batch, bins, frames), in place; a row without a generator is left alone."""
    if not (settings.time_masks or settings.frequency_masks):
        return
    for row, (frames, random) in enumerate(zip(lengths, randoms, strict=True)):
        if random is None or not frames:
            continue
        clip = spectrum[row, :, :frames]
        time = TimeMasking(int(frames * settings.time_share))
        frequency = FrequencyMasking(int(clip.shape[0] * settings.frequency_share))
        fill, masked = float(clip.mean()), clip
        with _drawn_from(random):
            for _ in range(settings.time_masks):
                masked = time(masked, fill)
            for _ in range(settings.frequency_masks):
                masked = frequency(masked, fill)
        spectrum[row, :, :frames] = masked


def mask_waveform(samples: np.ndarray, settings: SpecAugment, random: np.random.Generator) -> np.ndarray:
    """(samples,) float32 -> the same with bands of frequency and spans of time silenced."""
    if not (settings.time_masks or settings.frequency_masks):
        return samples
    wave = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
    with _drawn_from(random):
        if settings.frequency_masks:
            bins = torch.view_as_real(torch.fft.rfft(wave))  # (frequencies, 2): torchaudio masks no complex numbers
            mask = FrequencyMasking(int(len(bins) * settings.frequency_share))
            for _ in range(settings.frequency_masks):
                bins = mask(bins)
            wave = torch.fft.irfft(torch.view_as_complex(bins.contiguous()), len(wave))
        mask = TimeMasking(int(len(wave) * settings.time_share))
        for _ in range(settings.time_masks):
            wave = mask(wave[None])[0]
    return wave.numpy()

"""Arrays of samples (numpy, torch, lists) and a rate -> (channels, n) float32 in [-1, 1].

Integers: int8, uint8 and int16 are of full scale. int32 and int64 often hold smaller values, so their range tells: a
peak up to 2^15 is 16 bit, up to 2^23 is 24 bit, up to 2^31 is 32 bit; beyond that they are refused.
"""

from typing import Any

import numpy as np

from .limits import MAX_LEVEL, MAX_RATE, MIN_RATE, AudioError, shape_fault

WIDE_SCALES = (2**15, 2**23, 2**31)
FEW_STEPS = 256  # a wide integer whose peak is below this is read as 16 bit, with a warning


def from_array(source: Any, sampling_rate: Any) -> tuple[np.ndarray, int, tuple[str, ...]]:
    """An array of (n,), (n, channels) or (channels, n) and its rate in Hz -> (channels, n) float32, rate, warnings.

    Raises:
        AudioError: no array, no rate or an absurd one, a shape or a type that is not sound, over 8 channels, NaN.
    """
    values = _as_numpy(source)
    if sampling_rate is None:
        raise AudioError(f"An array needs its sampling_rate; accepted: {MIN_RATE} to {MAX_RATE} Hz.")
    if isinstance(sampling_rate, (float, np.floating)) and float(sampling_rate).is_integer():
        sampling_rate = int(sampling_rate)
    if values.ndim not in (1, 2) or not values.size:
        raise AudioError(f"Array of shape {values.shape}; accepted: (n,), (n, channels) or (channels, n), not empty.")
    if values.ndim == 1:
        values = values[None]
    elif values.shape[0] > values.shape[1]:
        values = values.T
    if fault := shape_fault(sampling_rate, len(values)):
        raise AudioError(fault)
    samples, warnings = _scaled(values)
    check_samples(samples)
    return samples, int(sampling_rate), warnings


def check_samples(samples: np.ndarray) -> None:
    """Raises AudioError for NaN, infinite, or what can only be integers that were made floats."""
    peak = float(np.abs(samples).max(initial=0))  # NaN stays NaN
    if not np.isfinite(peak):
        raise AudioError("The audio has NaN or infinite samples; accepted: finite samples in [-1, 1].")
    if peak > MAX_LEVEL:
        raise AudioError(f"Float samples reach {peak:.0f}; accepted: floats in [-1, 1], or integers of full scale.")


def to_float(values: np.ndarray) -> np.ndarray:
    """Integers of full scale -> float32 in [-1, 1); floats as they are."""
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128) / 128
    if np.issubdtype(values.dtype, np.signedinteger):
        return values.astype(np.float32) / -float(np.iinfo(values.dtype).min)
    if np.issubdtype(values.dtype, np.floating):
        with np.errstate(over="ignore"):  # a double beyond float32 is infinite, which is refused
            return values.astype(np.float32)
    raise AudioError(f"Samples of type {values.dtype}; accepted: float, int16, int32, int64, int8 or uint8.")


def _as_numpy(source: Any) -> np.ndarray:
    try:
        if hasattr(source, "detach"):  # torch; numpy has no bfloat16
            source = source.detach().cpu()
            source = source.float().numpy() if source.is_floating_point() else source.numpy()
        values = np.asarray(source)
        if values.dtype == object:
            raise TypeError
    except (ValueError, TypeError, RuntimeError):
        raise AudioError(
            f"{type(source).__name__} is not audio; accepted: a path, bytes, a file object, or an array with its rate."
        ) from None
    return values


def _scaled(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    if values.dtype not in (np.int32, np.int64):
        return to_float(values), ()
    peak = max(int(values.max()), -int(values.min()))
    scale = next((s for s in WIDE_SCALES if peak <= s), None)
    if scale is None:
        raise AudioError(f"{values.dtype} samples reach {peak}; accepted: integers of 16, 24 or 32 bit.")
    warnings = ()
    if 0 < peak < FEW_STEPS:
        warnings = (f"The {values.dtype} samples reach only {peak} and were read as 16 bit; floats lie in [-1, 1].",)
    return (values / scale).astype(np.float32), warnings

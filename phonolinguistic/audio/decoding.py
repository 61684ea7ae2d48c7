"""Any sound a person brings -> mono float32 samples at 16 kHz, loudness kept, or one line that says what is wrong."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import from_array
from .containers import decode
from .formats import FORMATS
from .limits import (
    MAX_BYTES,
    MAX_CHANNELS,
    MAX_LEVEL,
    MAX_RATE,
    MAX_SECONDS,
    MAX_TIMELINE_SECONDS,
    MIN_RATE,
    MIN_SECONDS,
    SAMPLE_RATE,
    AudioError,
    check_length,
)
from .mixing import resample
from .sources import read_file, read_path

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "MAX_CHANNELS",
    "MAX_LEVEL",
    "MAX_RATE",
    "MAX_SECONDS",
    "MAX_TIMELINE_SECONDS",
    "MIN_RATE",
    "MIN_SECONDS",
    "SAMPLE_RATE",
    "AudioError",
    "Clip",
    "load_audio",
]


@dataclass(frozen=True)
class Clip:
    """A decoded clip. samples: (n,) float32, mono, 16 kHz, full scale 1.0. sampling_rate (Hz) and channels: as found.

    path: where it came from, None for arrays and bytes. warnings: what was odd but bearable, a line each (a recording
    that ends early).
    """

    samples: np.ndarray
    seconds: float
    path: str | None
    sampling_rate: int
    channels: int
    warnings: tuple[str, ...] = ()


def load_audio(source: Any, sampling_rate: int | None = None, *, max_seconds: float = MAX_SECONDS) -> Clip:
    """Read the default track that can be played, mix it to mono and resample it to 16 kHz.

    The mix keeps the speech: between 100 and 4000 Hz, channels 20 dB or more below the loudest are left out, those
    that run against it (correlation below -0.5) are turned over, then the mean is taken (see `mixing`).

    Sizes, durations and tags of a file are not believed against the sound that is there. What is odd but bearable (an
    end that is missing, a few damaged packets, a default track that cannot be played) is in `Clip.warnings`.

    Args:
        source: a path ("~" is the home folder), a FIFO, or "-" for standard input, which are read once and given up
            after 30 s without data; the bytes of a file, or a binary file object; an array of samples (numpy, torch,
            list), (n,), (n, channels) or (channels, n); Gradio's (rate, array); or a `datasets` audio dict. Arrays hold
            floats in [-1, 1] or integers: int8, uint8 and int16 of full scale, int32 and int64 of 16, 24 or 32 bit,
            told by their peak.
        sampling_rate: Hz; needed for arrays, ignored otherwise.
        max_seconds: longest accepted clip.

    Raises:
        AudioError: empty, not audio, no audio track that can be played, damaged beyond use, shorter than 0.3 s, longer
            than `max_seconds`, over 50 MB, over 8 channels, a rate outside 8 to 192 kHz, NaN or infinite samples, a
            URL. The message is one line: what was found, and what is accepted; it names the file, not its folder.
    """
    path = None
    if isinstance(source, tuple) and len(source) == 2:
        sampling_rate, source = source
    if isinstance(source, dict):
        if source.get("array") is not None:
            sampling_rate, source = source.get("sampling_rate"), source["array"]
        else:
            path = source.get("path")
            source = source.get("bytes") or path
    if source is None:
        raise AudioError(f"No audio was given; accepted: {FORMATS}.")
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        source = read_path(path)
    elif hasattr(source, "read"):
        source = read_file(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        sound = decode(bytes(source), max_seconds)
        return Clip(sound.samples, sound.seconds, path, sound.rate, sound.channels, sound.warnings)
    channels, rate, warnings = from_array(source, sampling_rate)
    seconds = channels.shape[1] / rate
    check_length(seconds, max_seconds, f"an array of {channels.shape[1]} samples at {rate} Hz")
    return Clip(resample(channels, rate), seconds, path, rate, len(channels), warnings)

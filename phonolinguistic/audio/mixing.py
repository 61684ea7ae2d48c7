"""Channels -> one, so that the speech stays; any rate -> 16 kHz.

The mix: channels that are 20 dB or more below the loudest are left out (a silent channel must not halve the speech of
another); of the rest, those that run against the loudest (correlation below -0.5) are turned over (their sum would
cancel); then the mean. Both are judged between 100 and 4000 Hz, where speech is: neither an offset nor rumble nor hiss
decides. The polarity is that of the first channel that is kept.
"""

import math

import av
import numpy as np

from .limits import SAMPLE_RATE

QUIET_DB = 20.0
OPPOSED = -0.5
BAND = (100.0, 4000.0)  # Hz
_WINDOW = SAMPLE_RATE // 2


def mix(channels: np.ndarray) -> np.ndarray:
    """(channels, n) float32 at 16 kHz -> (n,) float32, by the rule above."""
    if len(channels) == 1:
        return channels[0]
    products = _band_products(channels)
    power = np.diag(products)
    loudest = int(power.argmax())
    if power[loudest] <= 0:
        return channels.mean(0, dtype=np.float32)
    kept = power > power[loudest] * 10 ** (-QUIET_DB / 10)
    correlation = products[loudest] / np.sqrt(np.maximum(power * power[loudest], np.finfo(float).tiny))
    signs = np.where(correlation < OPPOSED, -1.0, 1.0)
    weights = np.where(kept, signs * signs[int(kept.argmax())], 0.0) / kept.sum()
    if np.all(weights == weights[0]):
        return channels.mean(0, dtype=np.float32)
    result = np.zeros(channels.shape[1], np.float32)
    for channel, weight in zip(channels, weights, strict=True):
        if weight:
            result += channel * np.float32(weight)
    return result


def _band_products(channels: np.ndarray) -> np.ndarray:
    """(channels, n) -> (channels, channels): sums of products within BAND, over Hann windows of half a second."""
    count, length = channels.shape
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE)
    band = (frequencies >= BAND[0]) & (frequencies <= BAND[1])
    products = np.zeros((count, count))
    for start in range(0, max(1, length - _WINDOW // 2), _WINDOW // 2):
        block = channels[:, start : start + _WINDOW]
        block = (block - block.mean(1, keepdims=True)) * window[: block.shape[1]]
        spectrum = np.fft.rfft(block, _WINDOW, axis=1)[:, band]
        products += (spectrum @ spectrum.conj().T).real
    return products


class Collector:
    """Blocks of (channels, n) float32, rate and channel count free to change between them -> mono at 16 kHz.

    A stretch of one rate and channel count is resampled channel by channel as it comes, and mixed at its end.
    """

    def __init__(self):
        self.shapes: list[tuple[int, int]] = []  # (rate in Hz, channels) of each stretch
        self._mixed: list[np.ndarray] = []
        self._waiting: list[np.ndarray] = []  # at the file's rate, about a second
        self._done: list[np.ndarray] = []  # at 16 kHz
        self._resamplers: list[av.AudioResampler] | None = None
        self._earlier = 0.0  # seconds in the stretches before this one
        self._count = self._pending = 0  # samples of this one, and of those waiting

    @property
    def seconds(self) -> float:
        return self._earlier + (self._count / self.shapes[-1][0] if self._count else 0.0)

    def add(self, block: np.ndarray, rate: int) -> None:
        shape = (int(rate), len(block))
        if not self.shapes or self.shapes[-1] != shape:
            self._close()
            self.shapes.append(shape)
        self._waiting.append(block)
        self._count += block.shape[1]
        self._pending += block.shape[1]
        if self._pending >= rate:
            self._resample(last=False)

    def finish(self) -> np.ndarray:
        """(n,) float32 at 16 kHz; n is the duration, rounded up per stretch."""
        self._close()
        mixed, self._mixed = self._mixed, []
        return np.ascontiguousarray(np.concatenate(mixed) if mixed else np.zeros(0), dtype=np.float32)

    def _close(self) -> None:
        if not self._count:
            return
        self._resample(last=True)
        length = math.ceil(self._count * SAMPLE_RATE / self.shapes[-1][0])
        self._mixed.append(mix(np.concatenate(self._done, 1)[:, :length]))
        self._earlier = self.seconds
        self._done, self._resamplers, self._count = [], None, 0

    def _resample(self, last: bool) -> None:
        rate, channels = self.shapes[-1]
        block = np.concatenate(self._waiting, 1) if self._waiting else np.zeros((channels, 0), np.float32)
        self._waiting, self._pending = [], 0
        if rate == SAMPLE_RATE:
            self._done.append(block)
            return
        if self._resamplers is None:
            self._resamplers = [
                av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE) for _ in range(channels)
            ]
        planes = [_through(r, samples, rate, last) for r, samples in zip(self._resamplers, block, strict=True)]
        self._done.append(np.stack(planes))


def _through(resampler: av.AudioResampler, samples: np.ndarray, rate: int, last: bool) -> np.ndarray:
    """(n,) at `rate` -> what the resampler has to give, (m,) at 16 kHz."""
    frames = []
    if len(samples):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None], np.float32), "fltp", "mono")
        frame.sample_rate = rate
        frames += resampler.resample(frame)
    if last:
        frames += resampler.resample(None)
    planes = [f.to_ndarray()[0] for f in frames]
    return np.concatenate(planes) if planes else np.zeros(0, np.float32)


def resample(channels: np.ndarray, rate: int) -> np.ndarray:
    """(channels, n) float32 at `rate` Hz -> (m,) float32 at 16 kHz, mixed as above."""
    collector = Collector()
    collector.add(channels, rate)
    return collector.finish()

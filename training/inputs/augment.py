"""Waveform augmentation for real microphones (masks on spectra are in spec_augment.py).

Everything reads float32 mono at 16 kHz and a `numpy.random.Generator`: the same generator state gives the same sound.

    augment = Augmenter("microphone")
    heard = augment(samples, np.random.default_rng([seed, row]))

`Augmenter` draws what happens, in the order in which it happens to sound: voice (speed, pitch), room, noise,
microphone (equaliser, band limit), gain, clipping, codec. The single effects below can be used alone.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import fftconvolve, resample_poly

SAMPLE_RATE = 16_000
ACTIVE_FLOOR = 1e-3  # frames 30 dB below the loudest are not speech
FRAME = 400  # 25 ms
# (container, encoder, bits a second) of low-rate speech links: voice messages, conference calls, old recordings.
CODECS = (
    ("ogg", "libopus", 8_000), ("ogg", "libopus", 16_000), ("mp3", "libmp3lame", 16_000), ("mp3", "libmp3lame", 32_000)
)  # fmt: skip


def active_level(samples: np.ndarray) -> float:
    """Root mean square over speech: frames within 30 dB of the loudest. At least 1e-6."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    if not len(frames):
        return max(float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0, 1e-6)
    energy = (frames**2).mean(1)
    return max(float(np.sqrt(energy[energy >= energy.max() * ACTIVE_FLOOR].mean())), 1e-6)


# ---- voice ----------------------------------------------------------------------------------------------------------


def change_speed(samples: np.ndarray, rate: float) -> np.ndarray:
    """Play `rate` times as fast: length, pitch and formants change together (Ko et al. 2015)."""
    return resample_poly(samples, 100, max(1, round(100 * rate))).astype(np.float32)


def stretch(samples: np.ndarray, rate: float, size: int = 640) -> np.ndarray:
    """Change the tempo only: `rate` times as fast, the pitch stays.

    Waveform-similarity overlap-add (Verhelst and Roelands 1993): pieces of 40 ms are laid down at half their length,
    each taken from where it continues the last one best.
    """
    hop, reach = size // 2, size // 4
    count = int((len(samples) / rate - size) // hop)
    if count < 1 or abs(rate - 1) < 1e-3:
        return samples
    padded = np.concatenate([np.zeros(reach), samples, np.zeros(2 * size + reach)])
    window = np.hanning(size + 1)[:size]
    result = np.zeros(count * hop + size)
    place = reach
    for piece in range(count):
        if piece:
            target = reach + int(piece * hop * rate)
            start = target - reach
            # What would follow the last piece; the best match near the target is taken.
            wanted = padded[place + hop : place + hop + size]
            area = padded[start : start + size + 2 * reach]
            place = start + int(np.argmax(fftconvolve(area, wanted[::-1], mode="valid")))
        result[piece * hop : piece * hop + size] += window * padded[place : place + size]
    return result[: int(len(samples) / rate)].astype(np.float32)


def change_voice(samples: np.ndarray, factor: float) -> np.ndarray:
    """Another throat: pitch and formants times `factor`, the length stays."""
    return stretch(change_speed(samples, factor), 1 / factor)


# ---- room and noise -------------------------------------------------------------------------------------------------


def room_response(rng: np.random.Generator, reverberation: float, ratio_db: float) -> np.ndarray:
    """Synthetic impulse response: the direct sound, then decaying noise.

    Args:
        reverberation: seconds until it has fallen by 60 dB.
        ratio_db: energy of the direct sound over that of the rest.
    """
    length = int(reverberation * SAMPLE_RATE)
    tail = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail[: int(rng.uniform(0.001, 0.01) * SAMPLE_RATE)] = 0  # nothing is heard before the nearest wall
    tail *= np.sqrt(10 ** (-ratio_db / 10) / max(float(np.sum(tail**2)), 1e-9))
    tail[0] = 1.0
    return tail.astype(np.float32)


def in_room(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    """The sound in a room; same length, same place in time."""
    return fftconvolve(samples, response)[: len(samples)].astype(np.float32)


def coloured_noise(rng: np.random.Generator, length: int, slope: float) -> np.ndarray:
    """Noise of unit power whose power falls with frequency as 1 / f^slope (0 white, 1 pink, 2 brown)."""
    size = next_fast_len(max(length, 2), real=True)
    spectrum = rfft(rng.standard_normal(size))
    spectrum *= np.maximum(np.arange(len(spectrum)), size * 20 / SAMPLE_RATE) ** (-slope / 2)
    noise = irfft(spectrum, size)[:length]
    return (noise / max(float(noise.std()), 1e-9)).astype(np.float32)


def add_noise(samples: np.ndarray, noise: np.ndarray, ratio_db: float) -> np.ndarray:
    """Add unit-power noise at this ratio of speech (its active level) to noise."""
    return samples + noise * np.float32(active_level(samples) * 10 ** (-ratio_db / 20))


# ---- microphone and transmission ------------------------------------------------------------------------------------


def equalise(samples: np.ndarray, frequencies: np.ndarray, gains_db: np.ndarray) -> np.ndarray:
    """Filter without delay: gains in dB at these frequencies (Hz, rising), drawn straight over log-frequency."""
    size = next_fast_len(len(samples) + FRAME, real=True)
    spectrum = rfft(samples, size)
    hertz = np.maximum(np.arange(len(spectrum)) * SAMPLE_RATE / size, 20.0)
    gain = 10 ** (np.interp(np.log(hertz), np.log(frequencies), gains_db) / 20)
    return irfft(spectrum * gain, size)[: len(samples)].astype(np.float32)


def random_microphone(samples: np.ndarray, rng: np.random.Generator, depth_db: float) -> np.ndarray:
    """A smooth colouring of up to +-depth_db, at times with the band limit of a small microphone or a telephone."""
    frequencies = np.geomspace(60, 8000, 8)
    gains = rng.uniform(-depth_db, depth_db, 8)
    if rng.random() < 0.3:
        low, high = rng.uniform(60, 350), rng.uniform(3000, 7500)
        gains = gains - 12 * np.log2(np.maximum(low / frequencies, 1)) - 24 * np.log2(np.maximum(frequencies / high, 1))
    return equalise(samples, frequencies, gains)


def through_codec(samples: np.ndarray, container: str, encoder: str, bits: int) -> np.ndarray:
    """Encode with loss and decode again (PyAV); same length. A codec that is not built in leaves the sound as it is."""
    import av

    memory = io.BytesIO()
    pcm = np.clip(samples, -1, 1)
    try:
        with av.open(memory, "w", format=container) as output:
            stream = output.add_stream(encoder, rate=SAMPLE_RATE, layout="mono")
            stream.bit_rate = bits
            frame = av.AudioFrame.from_ndarray((pcm * 32767).astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            resampler = av.AudioResampler(stream.format, "mono", SAMPLE_RATE, stream.frame_size or 320)
            for piece in (*resampler.resample(frame), *resampler.resample(None), None):
                output.mux(stream.encode(piece))
        memory.seek(0)
        with av.open(memory) as source:
            resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
            pieces = [r.to_ndarray()[0] for f in source.decode(audio=0) for r in resampler.resample(f)]
            pieces += [r.to_ndarray()[0] for r in resampler.resample(None)]
    except (av.FFmpegError, ValueError):
        return samples
    decoded = np.concatenate(pieces).astype(np.float32) if pieces else samples
    return np.pad(decoded, (0, max(0, len(samples) - len(decoded))))[: len(samples)]


# ---- all of it ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AugmentSettings:
    """Chances (0 to 1) of each effect, and its range."""

    speed: float = 0.3
    speed_range: tuple[float, float] = (0.9, 1.1)
    voice: float = 0.6
    voice_range: tuple[float, float] = (0.85, 1.18)
    room: float = 0.5
    reverberation: tuple[float, float] = (0.15, 0.7)  # seconds to -60 dB
    direct_db: tuple[float, float] = (0.0, 15.0)
    noise: float = 0.5
    noise_db: tuple[float, float] = (8.0, 35.0)
    microphone: float = 0.8
    microphone_db: float = 9.0
    gain_db: float = 12.0
    clip: float = 0.05
    codec: float = 0.2


PRESETS = {
    "microphone": AugmentSettings(),
    # The voice stays: for the recogniser, and where the speaker must be kept.
    "channel": AugmentSettings(speed=0.0, voice=0.0),
    "gentle": AugmentSettings(voice=0.3, room=0.25, noise=0.3, microphone=0.5, microphone_db=5.0, codec=0.1, clip=0.0),
}


class Augmenter:
    """Random effects on one clip.

    Args:
        settings: AugmentSettings, or the name of one of PRESETS.
        changes: fields to replace, e.g. voice=0.0.

    `key` names settings for a cache of what was computed from augmented clips.
    """

    def __init__(self, settings: AugmentSettings | str = "microphone", **changes):
        if isinstance(settings, str):
            if settings not in PRESETS:
                raise ValueError(f"augmentation {settings!r}; accepted: {', '.join(sorted(PRESETS))}.")
            settings = PRESETS[settings]
        self.settings = replace(settings, **changes)
        self.key = f"augment1:{sorted(asdict(self.settings).items())}"

    def __call__(self, samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """float32 (n,) -> float32 (m,), in [-1, 1]; m is n but for a change of speed."""
        s, x = self.settings, np.asarray(samples, np.float32)
        if len(x) < FRAME or not np.any(x):
            return x
        if rng.random() < s.voice:
            x = change_voice(x, float(np.exp(rng.uniform(*np.log(s.voice_range)))))
        if rng.random() < s.speed:
            x = change_speed(x, float(rng.uniform(*s.speed_range)))
        if rng.random() < s.room:
            x = in_room(x, room_response(rng, float(rng.uniform(*s.reverberation)), float(rng.uniform(*s.direct_db))))
        if rng.random() < s.noise:
            x = add_noise(x, coloured_noise(rng, len(x), float(rng.uniform(0, 2))), float(rng.uniform(*s.noise_db)))
        if rng.random() < s.microphone:
            x = random_microphone(x, rng, s.microphone_db)
        x = x * np.float32(10 ** (rng.uniform(-s.gain_db, s.gain_db) / 20))
        if rng.random() < s.clip:
            limit = np.float32(max(np.abs(x).max() * rng.uniform(0.3, 0.9), 1e-6))
            x = np.clip(x, -limit, limit)
        if rng.random() < s.codec:
            x = through_codec(x, *CODECS[rng.integers(len(CODECS))])
        return np.clip(x, -1, 1).astype(np.float32)

"""In front of the networks: what of a recording is speech, and nothing else of it.

    samples (16 kHz) -> offset and rumble removed -> voice activity -> the speech, cut and joined one way

The same in use, training, evaluation and the published pipeline, so that silence before, after and between, a constant
offset, hum and the file's own length change nothing that a network hears. Pauses longer than 2 x `PAD_SECONDS` become
that long. The level is kept, for loudness is part of a voice, down to `QUIETEST_RMS`: a recording whose speech is
quieter was made far from the microphone or with its gain turned down, and is raised to that.

Needs the package silero-vad (its weights come in its wheel).
"""

import functools
import importlib
import threading
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

SAMPLE_RATE = 16_000  # Hz

# High-pass: -6 dB at 64 Hz, over 45 dB below 50 Hz and under 0.1 dB above 80 Hz, where men's voices start.
CUTOFF_HZ = 64.0
TAPS = 1_761  # odd: 55 ms to each side
BLOCK = 2**17  # samples filtered at once: a half-hour recording needs no half-hour transform

# Below this RMS (-94 dBFS) there is nothing to hear; digital silence with dither is not amplified into something.
SILENCE_RMS = 2e-5
# The detector hears a copy whose loud parts have this RMS (-23 dBFS): RAVDESS is far below what it was trained on.
HEARD_RMS = 0.07
QUIETEST_RMS = 10 ** (-50 / 20)  # the quietest clips that the voice learned from (RAVDESS, 5th percentile)
MAX_GAIN = 1_000.0
MIN_SPEECH_SECONDS = 0.15
PAD_SECONDS = 0.15
MIN_PAUSE_SECONDS = 2 * PAD_SECONDS  # shorter pauses are kept, longer ones become as long: no step between them
THRESHOLD = 0.5
EDGE_DB = 40.0  # an edge lies where the level comes within this of the span's loudest 20 ms
EDGE_WINDOW = 320  # samples
EDGE_REACH = 4_000  # samples: soft first consonants are found or missed by how the detector's grid lies
LEAD = 32 * 512  # samples of silence that the detector hears first, so that a clip without any begins like others
WINDOW, CONTEXT = 512, 64  # samples: silero-vad's window, and what it sees of the one before
WINDOWS_AT_ONCE = 2_048  # 65 s: bounds the memory


@dataclass(frozen=True)
class SpeechSpan:
    """Somebody speaks from `start` to `end`, in seconds."""

    start: float
    end: float


@dataclass(frozen=True)
class Heard:
    """What the front end makes of a recording.

    samples: (n,) float32, 16 kHz, the whole recording without offset and rumble, raised if it was very quiet.
    spans: where somebody speaks, without padding; empty when nobody does.
    """

    samples: np.ndarray
    spans: tuple[SpeechSpan, ...]

    @property
    def seconds(self) -> float:
        """How much of the recording is speech."""
        return sum(span.end - span.start for span in self.spans)

    @property
    def speech(self) -> np.ndarray:
        """(m,) what the networks hear of it; empty when nobody speaks."""
        return join_speech(self.samples, self.spans)


def remove_rumble(samples: np.ndarray) -> np.ndarray:
    """(n,) at 16 kHz -> (n,) float32 without a constant offset and what lies below 60 Hz; no delay, no change of level.

    A linear-phase low-pass (windowed sinc, Hamming; Oppenheim and Schafer, Discrete-Time Signal Processing, 7.5) is
    taken away from the signal, which is mirrored at its ends.
    """
    samples = np.asarray(samples, np.float32)
    half = TAPS // 2
    if len(samples) < 2:
        return np.zeros_like(samples)
    padded = np.pad(samples, half, "symmetric")
    size = 1 << (min(BLOCK, len(padded)) + TAPS).bit_length()
    response, step = _low_pass_response(size), size - TAPS + 1
    low = np.empty_like(samples)
    for start in range(0, len(samples), step):
        block = padded[start : start + size]
        kept = np.fft.irfft(np.fft.rfft(block, size) * response, size)[TAPS - 1 : len(block)]
        kept = kept[: len(samples) - start]
        low[start : start + len(kept)] = kept
    return samples - low


def _low_pass() -> np.ndarray:
    times = np.arange(TAPS) - TAPS // 2
    taps = np.sinc(2 * CUTOFF_HZ / SAMPLE_RATE * times) * np.hamming(TAPS)
    return taps / taps.sum()


@functools.cache  # of the few sizes that blocks have
def _low_pass_response(size: int) -> np.ndarray:
    return np.fft.rfft(_low_pass(), size)


def speech_level(samples: np.ndarray) -> float:
    """RMS of the loud parts: the power of each 32 ms weighted by itself, so that silence around changes nothing."""
    powers = np.square(samples, dtype=np.float64)
    powers = np.add.reduceat(powers, np.arange(0, len(powers), WINDOW)) / WINDOW if len(powers) else powers
    total = powers.sum()
    return float(np.sqrt(np.square(powers).sum() / total)) if total > 0 else 0.0


def join_speech(samples: np.ndarray, spans) -> np.ndarray:
    """The speech with `PAD_SECONDS` around each span; silence stands in where the recording itself has less."""
    if not spans:
        return np.zeros(0, np.float32)
    pad = round(PAD_SECONDS * SAMPLE_RATE)
    padded = np.pad(samples, pad)
    edges = [(round(span.start * SAMPLE_RATE), round(span.end * SAMPLE_RATE) + 2 * pad) for span in spans]
    return np.concatenate([padded[start:end] for start, end in edges])


class FrontEnd:
    """Samples -> `Heard`. Safe to share between threads.

    Raises:
        ImportError: silero-vad is not installed.
    """

    def __init__(self, threshold: float = THRESHOLD):
        threads = torch.get_num_threads()
        try:
            # By name: transformers refuses remote code that mentions a package which is not there.
            silero = importlib.import_module("silero_vad")
        except ImportError:
            raise ImportError("The speech is found by silero-vad; accepted: `pip install silero-vad` first.") from None
        self._weights = {
            name.removeprefix("_model."): value
            for name, value in silero.load_silero_vad().state_dict().items()
            if name.startswith("_model.")
        }
        self._spans = silero.get_speech_timestamps_from_probs
        torch.set_num_threads(threads)  # importing silero_vad sets torch to one thread
        self._threshold, self._cell, self._lock = threshold, self._recurrent(), threading.Lock()

    def __call__(self, samples: np.ndarray) -> Heard:
        """(n,) float32 at 16 kHz, any length -> what is heard of it."""
        samples = remove_rumble(samples)
        level = speech_level(samples)
        if SILENCE_RMS <= level < QUIETEST_RMS:
            samples = samples * np.float32(QUIETEST_RMS / level)
        return Heard(samples, tuple(self.find_speech(samples)))

    def find_speech(self, samples: np.ndarray) -> list[SpeechSpan]:
        """(n,) without rumble -> spans in order, at least `MIN_PAUSE_SECONDS` apart, edges at the speech itself."""
        level = speech_level(samples)
        if level < SILENCE_RMS:
            return []
        heard = torch.from_numpy(samples * np.float32(min(HEARD_RMS / level, MAX_GAIN))).clamp(-1, 1)
        found = self._spans(
            self.probabilities(F.pad(heard, (LEAD, 0)))[LEAD // WINDOW :].tolist(),
            sampling_rate=SAMPLE_RATE,
            threshold=self._threshold,
            min_speech_duration_ms=round(MIN_SPEECH_SECONDS * 1000),
            min_silence_duration_ms=100,
            speech_pad_ms=0,
            audio_length_samples=len(samples),
        )
        edges = [
            _tightened(samples, max(0, s["start"] - EDGE_REACH), min(len(samples), s["end"] + EDGE_REACH))
            for s in found
        ]
        spans: list[SpeechSpan] = []
        for start, end in edges:
            if spans and start / SAMPLE_RATE - spans[-1].end < MIN_PAUSE_SECONDS:
                spans[-1] = SpeechSpan(spans[-1].start, max(spans[-1].end, end / SAMPLE_RATE))
            else:
                spans.append(SpeechSpan(start / SAMPLE_RATE, end / SAMPLE_RATE))
        return spans

    @torch.inference_mode()
    def probabilities(self, samples: torch.Tensor) -> torch.Tensor:
        """(n,) float32 -> (ceil(n / 512),) probability of speech in each window of 32 ms.

        silero-vad's 16 kHz network with its convolutions run on many windows at once; only the recurrent cell goes
        window by window. Its own call runs everything window by window, 10 times as slow.
        """
        w, count = self._weights, -(-len(samples) // WINDOW)
        padded = F.pad(samples, (CONTEXT, count * WINDOW - len(samples)))
        windows = padded.unfold(0, WINDOW + CONTEXT, WINDOW)
        state, parts = None, []
        for start in range(0, count, WINDOWS_AT_ONCE):
            x = F.pad(windows[start : start + WINDOWS_AT_ONCE], (0, CONTEXT), mode="reflect")[:, None]
            x = F.conv1d(x, w["stft.forward_basis_buffer"], stride=128)
            x = torch.sqrt(x[:, :129] ** 2 + x[:, 129:] ** 2)
            for layer, stride in enumerate((1, 2, 2, 1)):
                name = f"encoder.{layer}.reparam_conv"
                x = torch.relu(F.conv1d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride=stride, padding=1))
            with self._lock:
                hidden, state = self._cell(x[:, None, :, 0], state)
            x = F.linear(torch.relu(hidden[:, 0]), w["decoder.decoder.2.weight"][:, :, 0], w["decoder.decoder.2.bias"])
            parts.append(torch.sigmoid(x)[:, 0])
        return torch.cat(parts) if parts else samples.new_zeros(0)

    def _recurrent(self) -> torch.nn.LSTM:
        cell = torch.nn.LSTM(128, 128)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        cell.load_state_dict({f"{name}_l0": self._weights[f"decoder.rnn.{name}"] for name in names})
        return cell.eval().requires_grad_(False)


def _tightened(samples: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """The detector's edges lie on a grid of 32 ms that moves with the silence in front: find the speech's own."""
    power = np.square(samples[start:end], dtype=np.float64)
    sums = np.concatenate([[0.0], np.cumsum(power)])
    if len(power) <= EDGE_WINDOW:
        return start, end
    levels = sums[EDGE_WINDOW:] - sums[:-EDGE_WINDOW]
    loud = np.flatnonzero(levels > levels.max() * 10 ** (-EDGE_DB / 10))
    return start + int(loud[0]), start + int(loud[-1]) + EDGE_WINDOW

"""Where somebody speaks: silero-vad (its weights come in its wheel), made safe to share between threads."""

import threading
from dataclasses import dataclass

import numpy as np
import torch

SAMPLE_RATE = 16_000
# Below this RMS (-80 dBFS) there is nothing to hear; digital silence with dither is not amplified into something.
SILENCE_RMS = 1e-4
# The detector hears a copy at this RMS (-23 dBFS): recordings such as RAVDESS are far below what it was trained on.
HEARD_RMS = 0.07
MAX_GAIN = 30.0
MIN_SPEECH_SECONDS = 0.15
MIN_PAUSE_SECONDS = 0.3
PAD_SECONDS = 0.1
THRESHOLD = 0.5


@dataclass(frozen=True)
class SpeechSpan:
    """Somebody speaks from `start` to `end`, in seconds."""

    start: float
    end: float


class VoiceActivityDetector:
    """Speech spans of a clip. The network keeps a state between its 32 ms windows, so one call runs at a time."""

    def __init__(self, threshold: float = THRESHOLD):
        threads = torch.get_num_threads()
        import silero_vad

        self._network = silero_vad.load_silero_vad()
        self._spans = silero_vad.get_speech_timestamps
        torch.set_num_threads(threads)  # importing silero_vad sets torch to one thread
        self._threshold, self._lock = threshold, threading.Lock()

    def __call__(self, samples: np.ndarray) -> list[SpeechSpan]:
        """(n,) float32 at 16 kHz -> spans in order; an empty list when nobody speaks."""
        level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
        if level < SILENCE_RMS:
            return []
        heard = torch.from_numpy(samples * min(HEARD_RMS / level, MAX_GAIN)).clamp(-1, 1)
        with self._lock, torch.inference_mode():
            found = self._spans(
                heard,
                self._network,
                threshold=self._threshold,
                sampling_rate=SAMPLE_RATE,
                min_speech_duration_ms=int(MIN_SPEECH_SECONDS * 1000),
                min_silence_duration_ms=int(MIN_PAUSE_SECONDS * 1000),
                speech_pad_ms=int(PAD_SECONDS * 1000),
            )
        return [SpeechSpan(s["start"] / SAMPLE_RATE, s["end"] / SAMPLE_RATE) for s in found]

"""A front end for tests with tones: whatever is not silent is speech, in stretches between pauses."""

import numpy as np

from phonolinguistic.model.front_end_phonolinguistic import Heard, SpeechSpan

RATE, WINDOW = 16_000, 1_600
LOUD = 1e-3


class LevelFrontEnd:
    """Spans of 0.1 s windows whose RMS is over `LOUD`."""

    def __call__(self, samples: np.ndarray) -> Heard:
        spans: list[SpeechSpan] = []
        for start in range(0, len(samples), WINDOW):
            window = samples[start : start + WINDOW]
            if np.sqrt(np.mean(window**2)) < LOUD:
                continue
            first, end = start / RATE, (start + len(window)) / RATE
            if spans and spans[-1].end == first:
                spans[-1] = SpeechSpan(spans[-1].start, end)
            else:
                spans.append(SpeechSpan(first, end))
        return Heard(np.asarray(samples, np.float32), tuple(spans))

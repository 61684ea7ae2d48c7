"""Who speaks, and where to cut."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from phonolinguistic.audio.cutting import cut_at_pauses
from phonolinguistic.audio.decoding import load_audio
from phonolinguistic.model.front_end_phonolinguistic import FrontEnd, SpeechSpan

ROOT = Path(__file__).resolve().parents[2]
T = np.arange(48_000) / 16_000
RNG = np.random.default_rng(0)
NO_SPEECH = {
    "silence": np.zeros(48_000),
    "hiss": RNG.normal(size=48_000) * 0.1,
    "quiet hiss": RNG.normal(size=48_000) * 1e-3,
    "tone": 0.3 * np.sin(2 * np.pi * 440 * T),
    "chord": 0.1 * sum(np.sin(2 * np.pi * f * T) for f in (262, 330, 392, 523)),
}


@pytest.fixture(scope="module")
def detector():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    made = FrontEnd()
    assert torch.get_num_threads() == 2, "importing silero-vad must not change torch's threads"
    torch.set_num_threads(threads)
    return made.find_speech


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return load_audio(ROOT / "examples" / "plain_words_calm_voice.flac").samples


@pytest.mark.parametrize("name", NO_SPEECH)
def test_nobody_speaks(detector, name):
    assert detector(NO_SPEECH[name].astype(np.float32)) == []


@pytest.mark.parametrize("gain", [1.0, 0.1, 0.01])
def test_speech_is_found_however_quiet(detector, speech, gain):
    spans = detector(speech * np.float32(gain))
    assert spans and sum(s.end - s.start for s in spans) > 0.6 * len(speech) / 16_000


def test_a_pause_is_left_out(detector, speech):
    spans = detector(np.concatenate([speech, np.zeros(32_000, np.float32), speech]))
    assert len(spans) >= 2
    assert not any(s.start < len(speech) / 16_000 + 1 < s.end for s in spans)


def test_threads_get_the_same_answer(detector, speech):
    expected = detector(speech)
    with ThreadPoolExecutor(8) as pool:
        assert all(found == expected for found in pool.map(lambda _: detector(speech), range(16)))


def test_cutting_joins_the_short_and_cuts_the_long():
    spans = [SpeechSpan(0.0, 0.4), SpeechSpan(0.6, 3.0), SpeechSpan(5.0, 25.0), SpeechSpan(26.0, 29.0)]
    cut = cut_at_pauses(spans, 29.0, min_seconds=1.0, max_seconds=15.0)
    assert cut[0] == SpeechSpan(0.0, 3.0)
    assert [round(s.end - s.start, 3) for s in cut] == [3.0, 10.0, 10.0, 3.0]
    assert all(a.end <= b.start for a, b in zip(cut, cut[1:], strict=False))


def test_a_lonely_short_word_stays():
    assert cut_at_pauses([SpeechSpan(2.0, 2.3)], 60.0) == [SpeechSpan(2.0, 2.3)]
    assert cut_at_pauses([], 60.0) == []
    with pytest.raises(ValueError, match="0 < min < max"):
        cut_at_pauses([], 60.0, 5.0, 2.0)

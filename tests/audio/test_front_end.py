"""Silence, offset, hum and gain around speech change nothing that the networks hear."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from phonolinguistic import EmotionRecognizer
from phonolinguistic.audio.decoding import Clip, load_audio
from phonolinguistic.model.front_end_phonolinguistic import (
    PAD_SECONDS,
    QUIETEST_RMS,
    SAMPLE_RATE,
    TAPS,
    WINDOW,
    FrontEnd,
    SpeechSpan,
    _low_pass,
    join_speech,
    remove_rumble,
    speech_level,
)

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(file.name for file in EXAMPLES.glob("*_voice.flac"))


@pytest.fixture(scope="module")
def front_end() -> FrontEnd:
    return FrontEnd()


@pytest.fixture(scope="module")
def recognizer(release) -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained(warm_up=False, device="cpu")


def example(name: str = NAMES[0]) -> np.ndarray:
    return load_audio(EXAMPLES / name).samples


def zeros(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def as_clip(samples: np.ndarray) -> Clip:
    return Clip(samples.astype(np.float32), len(samples) / SAMPLE_RATE, None, SAMPLE_RATE, 1)


@pytest.mark.parametrize(
    ("hertz", "least", "most"),
    [(0, -200, -100), (30, -200, -45), (50, -200, -40), (80, -0.3, 0.3), (1000, -0.05, 0.05)],
)
def test_rumble_goes_and_voices_stay(hertz, least, most):
    wave = np.cos(2 * np.pi * hertz * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE + 0.3).astype(np.float32)
    left = remove_rumble(wave)[2_000:-2_000]
    decibels = 20 * np.log10(np.sqrt(np.mean(left**2) / np.mean(wave**2)) + 1e-9)
    assert least <= decibels <= most


@pytest.mark.parametrize("length", [0, 1, 2, 300, 1_761, 2**17 + 5, 2**18 - 1, 300_001])
def test_any_length_is_filtered_as_by_one_long_transform(length):
    samples = np.random.default_rng(length).normal(0.1, 0.2, length).astype(np.float32)
    filtered = remove_rumble(samples)
    assert filtered.shape == samples.shape and filtered.dtype == np.float32
    if length > 2_000:
        padded = np.pad(samples.astype(np.float64), TAPS // 2, "symmetric")
        size = 1 << (len(padded) + TAPS).bit_length()
        low = np.fft.irfft(np.fft.rfft(padded, size) * np.fft.rfft(_low_pass(), size), size)[TAPS - 1 : len(padded)]
        assert np.abs(filtered - (samples - low)).max() < 1e-5


def test_many_windows_at_once_give_what_silero_gives_one_by_one(front_end):
    import silero_vad

    network, samples = silero_vad.load_silero_vad(), torch.from_numpy(example())
    with torch.inference_mode():
        padded = F.pad(samples, (0, -len(samples) % WINDOW))
        expected = [network(window, SAMPLE_RATE).item() for window in padded.split(WINDOW)]
    found = front_end.probabilities(samples)
    assert len(found) == len(expected) and max(expected) > 0.9
    assert np.abs(found.numpy() - np.array(expected)).max() < 1e-4


def test_the_level_of_speech_does_not_know_the_silence_around_it():
    samples = np.random.default_rng(0).normal(0, 0.1, 20 * WINDOW).astype(np.float32)
    assert speech_level(np.concatenate([np.zeros(100 * WINDOW, np.float32), samples])) == pytest.approx(
        speech_level(samples)
    )
    assert speech_level(zeros(0)) == speech_level(zeros(1)) == 0.0


@pytest.mark.parametrize("decibels", [-40, -60, -70])
def test_a_very_quiet_recording_is_raised_and_others_keep_their_level(front_end, decibels):
    speech = example()
    level = speech_level(remove_rumble(speech))
    assert front_end(speech * np.float32(2)).samples == pytest.approx(2 * remove_rumble(speech), abs=1e-6)
    quiet = front_end(speech * np.float32(10 ** (decibels / 20) / level))
    assert speech_level(quiet.samples) == pytest.approx(max(10 ** (decibels / 20), QUIETEST_RMS), rel=1e-3)
    assert quiet.seconds == pytest.approx(front_end(speech).seconds, abs=0.05)


def test_joined_speech_has_one_pause_and_silence_where_the_recording_has_nothing():
    samples = np.ones(3 * SAMPLE_RATE, np.float32)
    joined = join_speech(samples, [SpeechSpan(0.0, 0.5), SpeechSpan(2.0, 3.0)])
    pad = round(PAD_SECONDS * SAMPLE_RATE)
    assert len(joined) == 1.5 * SAMPLE_RATE + 4 * pad
    assert not joined[:pad].any() and not joined[-pad:].any() and joined[pad:-pad].all()
    assert len(join_speech(samples, [])) == 0


@pytest.mark.parametrize("name", NAMES)
def test_silence_before_between_and_after_changes_nothing_that_is_heard(front_end, name):
    speech = example(name)
    alone = front_end(speech)
    for before, after in ((0.013, 0), (5, 5), (25, 0), (0, 25)):
        around = front_end(np.concatenate([zeros(before), speech, zeros(after)]))
        assert len(around.speech) == pytest.approx(len(alone.speech), abs=0.02 * SAMPLE_RATE)
        assert around.seconds == pytest.approx(alone.seconds, abs=0.02)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("around", ["silence before", "silence after", "noise before", "offset", "polarity", "hum"])
def test_what_is_not_speech_changes_no_answer(recognizer, name, around):
    speech = example(name)
    rng, times = np.random.default_rng(0), np.arange(len(speech)) / SAMPLE_RATE
    odd = {
        "silence before": lambda: np.concatenate([zeros(25 - len(speech) / SAMPLE_RATE), speech]),
        "silence after": lambda: np.concatenate([speech, zeros(15)]),
        "noise before": lambda: np.concatenate([rng.normal(0, 1e-4, 10 * SAMPLE_RATE), speech]),
        "offset": lambda: speech + 0.02,
        "polarity": lambda: -speech,
        "hum": lambda: speech + 0.01 * np.sin(2 * np.pi * 50 * times),
    }[around]()
    expected, answer = recognizer.recognize(as_clip(speech), "audio"), recognizer.recognize(as_clip(odd), "audio")
    assert answer.emotion == expected.emotion
    assert answer.confidence == pytest.approx(expected.confidence, abs=0.05)


def test_a_pause_made_longer_changes_no_answer(recognizer):
    first, second = example(NAMES[0]), example(NAMES[1])
    for gap in (1, 5, 15):
        answer = recognizer.recognize(as_clip(np.concatenate([first, zeros(gap), second])), "audio")
        expected = recognizer.recognize(as_clip(np.concatenate([first, zeros(0.6), second])), "audio")
        assert answer.emotion == expected.emotion
        assert answer.confidence == pytest.approx(expected.confidence, abs=0.05)


def test_a_clip_and_its_timeline_hear_the_same(recognizer):
    speech = example()
    answer = recognizer.recognize(as_clip(speech), "audio")
    timeline = recognizer.timeline(as_clip(np.concatenate([zeros(20), speech, zeros(20)])), "audio")
    assert [segment.recognition.emotion for segment in timeline.segments] == [answer.emotion]
    assert timeline.segments[0].recognition.confidence == pytest.approx(answer.confidence, abs=0.05)
    assert timeline.clip.speech_seconds == pytest.approx(
        timeline.segments[0].end - timeline.segments[0].start, abs=0.01
    )


def test_warnings_and_the_length_of_the_speech_reach_the_answer(recognizer):
    clip = Clip(example(), len(example()) / SAMPLE_RATE, "a.wav", SAMPLE_RATE, 1, ("The recording ends early.",))
    comparison = recognizer.compare(clip)
    assert comparison.clip.warnings == ("The recording ends early.",)
    assert 2.5 < comparison.clip.speech_seconds < comparison.clip.seconds
    assert all(answer.warnings == comparison.clip.warnings for answer in comparison.modes.values())

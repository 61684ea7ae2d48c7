"""Many channels become one, and the speech stays."""

import numpy as np
import pytest

from phonolinguistic.audio.arrays import from_array
from phonolinguistic.audio.decoding import AudioError, load_audio
from phonolinguistic.audio.mixing import Collector, mix

RATE = 16_000
T = np.arange(2 * RATE) / RATE
RNG = np.random.default_rng(0)


def rms(x) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    tone = sum(np.sin(2 * np.pi * 150 * k * T) / k for k in range(1, 9))
    return (0.1 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * T))).astype(np.float32)


def quiet_noise(level: float) -> np.ndarray:
    return (RNG.normal(size=len(T)) * level).astype(np.float32)


@pytest.mark.parametrize("gain", [1.0, 0.7, 0.3])
def test_an_inverted_channel_does_not_cancel(speech, gain):
    mixed = mix(np.stack([speech, -gain * speech]))
    np.testing.assert_allclose(mixed, speech * (1 + gain) / 2, atol=1e-6)


def test_inverted_stereo_is_the_first_channel(speech):
    for first in (speech, -speech):
        clip = load_audio(np.stack([first, -first], 1), RATE)
        np.testing.assert_allclose(clip.samples, first, atol=1e-6)
        assert clip.channels == 2 and clip.warnings == ()


def test_some_of_many_channels_are_inverted(speech):
    channels = np.stack([speech, speech, -speech, speech, -speech, speech])
    np.testing.assert_allclose(mix(channels), speech, atol=1e-6)


@pytest.mark.parametrize("place", range(8))
def test_speech_in_one_of_eight_keeps_its_level(speech, place):
    channels = np.stack([quiet_noise(1e-4) for _ in range(8)])
    channels[place] += speech
    assert rms(mix(channels)) == pytest.approx(rms(speech), rel=0.01)


def test_offset_rumble_and_hiss_do_not_decide(speech):
    """A channel that is louder in all that is not speech must not push the speech out."""
    hum = (0.5 * np.sin(2 * np.pi * 30 * T) + 0.3).astype(np.float32)
    high = (0.3 * np.sin(2 * np.pi * 6500 * T)).astype(np.float32)
    for noise in (hum, high):
        mixed = mix(np.stack([noise, speech]))
        assert np.dot(mixed, speech) / np.dot(speech, speech) == pytest.approx(1.0, rel=0.02)
    both = mix(np.stack([speech + hum, -speech + hum]))
    assert np.dot(both, speech) / np.dot(speech, speech) == pytest.approx(1.0, rel=0.05)


def test_like_channels_are_averaged_and_silence_stays(speech):
    other = speech + quiet_noise(0.02)
    np.testing.assert_allclose(mix(np.stack([speech, other])), (speech + other) / 2, atol=1e-6)
    assert not mix(np.zeros((3, RATE), np.float32)).any()
    assert mix(speech[None]) is not None and np.array_equal(mix(speech[None]), speech)


def test_two_speakers_are_both_kept(speech):
    first, second = speech.copy(), np.roll(speech, RATE // 3)[::-1].copy()
    first[RATE:], second[:RATE] = 0, 0
    mixed = mix(np.stack([first, second]))
    assert rms(mixed[:RATE]) == pytest.approx(rms(first[:RATE]) / 2, rel=0.01)
    assert rms(mixed[RATE:]) == pytest.approx(rms(second[RATE:]) / 2, rel=0.01)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_blocks_of_any_size_give_the_same_samples(rate):
    x = RNG.normal(size=(2, 3 * rate)).astype(np.float32) * 0.1
    results = []
    for size in (3 * rate, 1000, 577):
        collector = Collector()
        for start in range(0, x.shape[1], size):
            collector.add(x[:, start : start + size], rate)
        results.append(collector.finish())
        assert collector.seconds == pytest.approx(3.0)
    assert len(results[0]) == 3 * RATE
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_a_change_of_rate_or_channels_within(speech):
    collector = Collector()
    collector.add(speech[None], RATE)
    collector.add(np.stack([speech, -speech]), RATE)
    collector.add(np.repeat(speech, 3)[None], 3 * RATE)
    assert collector.shapes == [(RATE, 1), (RATE, 2), (3 * RATE, 1)]
    joined = collector.finish()
    np.testing.assert_allclose(joined[: 2 * len(speech)], np.tile(speech, 2), atol=1e-6)
    assert len(joined) == 3 * len(speech)


# Arrays of integers


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("bits", [16, 24, 32])
def test_wide_integers_are_told_by_their_range(speech, dtype, bits):
    values = (speech / np.abs(speech).max() * 0.5 * (2 ** (bits - 1) - 1)).astype(dtype)
    clip = load_audio(values, RATE)
    assert np.abs(clip.samples).max() == pytest.approx(0.5, rel=1e-3) and clip.warnings == ()


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_full_scale_is_full_scale(bits):
    values = np.tile(np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]), RATE)
    assert load_audio(values, RATE).samples.min() == -1.0


def test_wide_integers_that_are_hardly_there_are_said(speech):
    clip = load_audio((speech * 100).astype(np.int64), RATE)
    assert "reach only" in clip.warnings[0] and "read as 16 bit" in clip.warnings[0]
    assert load_audio(np.zeros(RATE, np.int64), RATE).warnings == ()


def test_lists_and_narrow_integers(speech):
    sixteen = (speech * 32767).astype(np.int16)
    np.testing.assert_array_equal(load_audio(sixteen.tolist(), RATE).samples, load_audio(sixteen, RATE).samples)
    eight = (speech * 127 + 128).astype(np.uint8)
    assert rms(load_audio(eight, RATE).samples) == pytest.approx(rms(speech), rel=0.1)


@pytest.mark.parametrize(
    "values, message",
    [
        (np.full(RATE, 2**40), r"int64 samples reach 1099511627776; accepted: integers of 16, 24 or 32 bit"),
        (np.full(RATE, np.iinfo(np.int64).min), "int64 samples reach 9223372036854775808"),
        (np.zeros(RATE, np.uint16), "type uint16"),
        (np.zeros(RATE, bool), "type bool"),
        (np.zeros(RATE, complex), "type complex128"),
        (np.full(RATE, 1e300), "infinite"),
        ([[1, 2], [3]], "list is not audio"),
        (["a", "b"], "type <U1"),
        ([2**70] * 9, "list is not audio"),
        (0.5, "shape"),
    ],
)
def test_arrays_that_are_no_sound(values, message):
    with pytest.raises(AudioError, match=message):
        load_audio(values, RATE)


def test_channels_first_or_last():
    x = RNG.normal(size=(2, RATE)).astype(np.float32) * 0.1
    for array in (x, x.T):
        channels, rate, warnings = from_array(array, float(RATE))
        np.testing.assert_array_equal(channels, x)
        assert (rate, warnings) == (RATE, ())

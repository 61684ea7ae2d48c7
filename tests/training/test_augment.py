"""Augmentation: repeatable, the same length where promised, and each effect does what its name says."""

import numpy as np
import pytest

from training.inputs import augment
from training.inputs.augment import Augmenter

SECONDS = 1.5


@pytest.fixture
def voice():
    """A buzz of 120 Hz in syllables, as speech is, in a little noise."""
    time = np.arange(int(SECONDS * augment.SAMPLE_RATE)) / augment.SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 3 * time), 0, None)
    noise = np.random.default_rng(1).standard_normal(len(time)) * 1e-4
    return (0.1 * buzz * syllables + noise).astype(np.float32)


def pitch(samples):
    """Strongest period between 60 and 400 Hz, as a frequency."""
    centred = samples - samples.mean()
    spectrum = np.abs(np.fft.rfft(centred, 2 * len(centred))) ** 2
    periods = np.fft.irfft(spectrum)[40:267]
    return augment.SAMPLE_RATE / (40 + int(periods.argmax()))


@pytest.mark.parametrize("preset", sorted(augment.PRESETS))
def test_same_seed_same_sound(voice, preset):
    change = Augmenter(preset)
    for seed in range(6):
        first, second = (change(voice, np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(first, second)
        assert first.dtype == np.float32 and np.isfinite(first).all() and np.abs(first).max() <= 1
        assert 0.85 * len(voice) < len(first) < 1.15 * len(voice)
    assert not np.array_equal(first, change(voice, np.random.default_rng(99)))


def test_channel_preset_keeps_length(voice):
    assert all(len(Augmenter("channel")(voice, np.random.default_rng(i))) == len(voice) for i in range(6))


def test_nothing_to_augment():
    change = Augmenter()
    for samples in (np.zeros(0, np.float32), np.zeros(16_000, np.float32), np.ones(10, np.float32)):
        assert np.array_equal(change(samples, np.random.default_rng(0)), samples)


def test_unknown_preset_names_the_known_ones():
    with pytest.raises(ValueError, match="microphone"):
        Augmenter("studio")


def test_key_tells_settings_apart():
    assert Augmenter().key == Augmenter("microphone").key != Augmenter("microphone", voice=0.0).key


def test_voice_speed_and_tempo(voice):
    own = pitch(voice)
    cases = [(augment.change_voice, 0.8, 0.8, 1.0), (augment.change_speed, 1.2, 1.2, 1.2)]
    cases.append((augment.stretch, 1.2, 1.0, 1.2))
    for change, amount, higher, shorter in cases:
        heard = change(voice, amount)
        assert pitch(heard) == pytest.approx(higher * own, rel=0.04)
        assert len(heard) == pytest.approx(len(voice) / shorter, rel=0.01)


def test_noise_has_the_ratio_asked_for(voice):
    rng = np.random.default_rng(0)
    for slope in (0.0, 1.0, 2.0):
        noise = augment.coloured_noise(rng, len(voice), slope)
        added = augment.add_noise(voice, noise, 12.0) - voice
        assert 20 * np.log10(augment.active_level(voice) / added.std()) == pytest.approx(12.0, abs=0.2)


def test_equaliser_and_room_do_not_move_the_sound(voice):
    frequencies = np.geomspace(60, 8000, 8)
    assert np.allclose(augment.equalise(voice, frequencies, np.zeros(8)), voice, atol=1e-5)
    louder = augment.equalise(voice, frequencies, np.full(8, 6.0))
    assert np.allclose(louder, voice * 10 ** (6 / 20), atol=1e-3)
    click = np.zeros(8000, np.float32)
    click[1000] = 1
    heard = augment.in_room(click, augment.room_response(np.random.default_rng(0), 0.4, 6.0))
    assert int(np.abs(heard).argmax()) == 1000 and np.abs(heard[:999]).max() < 1e-5
    assert 10 * np.log10(1 / np.sum(heard[1001:] ** 2)) == pytest.approx(6.0, abs=0.3)


@pytest.mark.parametrize("codec", augment.CODECS)
def test_codec_changes_a_little_and_keeps_time(voice, codec):
    heard = augment.through_codec(voice, *codec)
    assert len(heard) == len(voice) and not np.array_equal(heard, voice)
    across = np.fft.irfft(np.fft.rfft(heard, 65536) * np.conj(np.fft.rfft(voice, 65536)))
    lag = int(across.argmax())
    assert min(lag, 65536 - lag) <= 16  # a millisecond
    assert np.corrcoef(heard[1600:-1600], voice[1600:-1600])[0, 1] > 0.5


def test_codec_that_is_not_there_leaves_the_sound(voice):
    assert augment.through_codec(voice, "ogg", "no_such_encoder", 8000) is voice

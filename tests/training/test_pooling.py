"""Pooling: alone as in a batch, silence left out, what is joined and how large it is."""

import pytest
import torch

from phonolinguistic.model.pooling_phonolinguistic import SpeechPooling, active_frames

BINS, SIZE, STATES = 8, 6, 3


@pytest.fixture
def clip():
    """(hidden states, log-mel): 60 frames, of which 20 to 39 are 60 dB louder than the rest."""
    torch.manual_seed(0)
    mel = torch.full((1, BINS, 60), -0.9) + 0.01 * torch.randn(1, BINS, 60)
    mel[:, :, 20:40] += 1.5
    return tuple(torch.randn(1, 30, SIZE) for _ in range(STATES)), mel


def padded(states, mel, steps):
    """The clip in front of `steps` states of rubbish, with its masks."""
    longer = tuple(torch.cat([h, torch.full((1, steps, SIZE), 7.0)], 1) for h in states)
    mask = torch.arange(30 + steps)[None] < 30
    return longer, mask, torch.cat([mel, torch.full((1, BINS, 2 * steps), 3.0)], 2), mask.repeat_interleave(2, 1).long()


@pytest.mark.parametrize("active_db", [None, 25.0])
@pytest.mark.parametrize("layers", [None, [1, 2]])
def test_padding_changes_nothing(clip, active_db, layers):
    states, mel = clip
    pooling = SpeechPooling(SIZE, STATES, layers, "mean_std", BINS, active_db=active_db)
    alone = pooling(states, torch.ones(1, 30), mel, None)
    assert alone.shape == (1, pooling.output_size) and alone.dtype == torch.float32
    assert torch.allclose(alone, pooling(*padded(states, mel, 9)), atol=1e-5)


def test_silence_is_left_out(clip):
    states, mel = clip
    active = active_frames(mel, torch.ones(1, 60), 25.0)[0].nonzero().flatten()
    assert active.min() >= 18 and active.max() <= 41 and len(active) >= 20
    pooling = SpeechPooling(SIZE, STATES, [2], "mean", active_db=25.0)
    changed = states[2].clone()
    changed[:, :8] = 100.0
    before = pooling(states, torch.ones(1, 30), mel, None)
    assert torch.equal(before, pooling((*states[:2], changed), torch.ones(1, 30), mel, None))


@pytest.mark.parametrize("level", [-1.5, 0.0, 1.5])
def test_even_sound_counts_throughout_and_loudness_does_not_matter(clip, level):
    even = torch.full((2, BINS, 40), level)
    active = active_frames(even, torch.ones(2, 40), 12.0)
    assert active.all()
    quiet, loud = (active_frames(clip[1] + gain, torch.ones(1, 60), 25.0) for gain in (0.0, 0.5))
    assert torch.equal(quiet, loud)


def test_clip_that_is_masked_altogether_gives_zeros(clip):
    states, mel = clip
    pooling = SpeechPooling(SIZE, STATES, [0], "mean_std", BINS, active_db=25.0)
    assert torch.isfinite(pooling(states, torch.zeros(1, 30), mel, torch.zeros(1, 60))).all()


def test_sizes_and_standardiser(clip):
    states, mel = clip
    without = SpeechPooling(SIZE, STATES, [1, 2], "mean_std", BINS, spectrum_mean=False)
    full = SpeechPooling(SIZE, STATES, [1, 2], "mean_std", BINS)
    assert full.output_size == 2 * (2 * SIZE + BINS) and without.output_size == full.output_size - BINS
    raw = full(states, torch.ones(1, 30), mel, None)
    assert torch.equal(without(states, torch.ones(1, 30), mel, None)[:, -BINS:], raw[:, -BINS:])
    full.feature_mean.fill_(1.0)
    full.feature_std.fill_(2.0)
    assert torch.allclose(full(states, torch.ones(1, 30), mel, None), (raw - 1) / 2)


def test_unknown_layer():
    with pytest.raises(ValueError, match="accepted: 0 to 2"):
        SpeechPooling(SIZE, STATES, [3])

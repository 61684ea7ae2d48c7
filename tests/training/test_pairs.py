"""Constructed pairs: right labels, seeded, balanced, and never out of their own split's material."""

from collections import Counter

import numpy as np
import pytest
import torch

from phonolinguistic.labels import EMOTIONS
from training.inputs.pairs import KINDS, NEUTRAL, TEST_MIXTURE, Clips, Mixture, PairDataset, Words


def material(clips: int = 120, utterances: int = 200, heard: bool = True, seed: int = 0) -> tuple[Clips, Words]:
    """Vectors whose first number is the label + 1, to see what was put together; 3 views, 2 versions."""
    random = np.random.default_rng(seed)
    voices = np.arange(clips) % 7
    # Rare labels: half of all utterances are neutral.
    words = np.where(np.arange(utterances) % 2, NEUTRAL, np.arange(utterances) // 2 % 7)
    audio, text = random.normal(size=(clips, 3, 5)), random.normal(size=(utterances, 2, 4))
    audio[..., 0], text[..., 0] = voices[:, None] + 1, words[:, None] + 1
    own = np.full((clips, 4), 9.0) if heard else np.zeros((clips, 4))
    own[clips // 2 :] = 0  # the second half has no transcript
    speakers = [f"s{row // 7 % 4}" for row in range(clips)]
    corpora = ["ravdess" if row < clips // 2 else "tess" for row in range(clips)]
    sources = ["goemotions" if row % 3 else "meld" for row in range(utterances)]
    return Clips(audio, voices, speakers, corpora, own), Words(text, words, sources)


@pytest.fixture(scope="module")
def dataset():
    return PairDataset(*material(), rows=6000)


def test_rows_have_the_names_of_the_forward(dataset):
    row = dataset[0]
    assert {name: tuple(value.shape) for name, value in row.items()} == {
        "audio_pooled": (5,),
        "text_pooled": (4,),
        "labels": (7,),
    }
    batch = dataset.batch(range(50))
    assert batch["labels"].sum(1).tolist() == pytest.approx([1.0] * 50) and batch["audio_pooled"].dtype == torch.float32


def test_each_kind_puts_together_what_it_says(dataset):
    batch = dataset.batch(range(len(dataset)))
    seen = Counter()
    for kind, audio, text, target in zip(dataset.kinds(), *(batch[n] for n in batch), strict=True):
        voice, words = round(float(audio[0])) - 1, round(float(text[0])) - 1  # -1: absent, 8: own transcript
        best = int(target.argmax())
        seen[kind] += 1
        expected = {
            "real": voice == best and words == 8,
            "matched": voice == words == best,
            "voice_only": voice == best != NEUTRAL and words == NEUTRAL,
            "words_only": voice == NEUTRAL != best and words == best,
            "conflict": voice != words and NEUTRAL not in (voice, words) and sorted(target.tolist())[-2:] == [0.5, 0.5],
            "no_words": voice == best and not text.any(),
            "no_voice": words == best and not audio.any(),
        }
        assert expected[kind], kind
    shares = Mixture().shares()
    assert set(seen) == set(KINDS)
    for kind, share in shares.items():
        assert seen[kind] / len(dataset) == pytest.approx(share, abs=0.02)


def test_classes_corpora_and_speakers_are_balanced(dataset):
    matched = [pair for pair in dataset.pairs if pair.kind == "matched"]
    labels = Counter(pair.label for pair in matched)
    assert all(count / len(matched) == pytest.approx(1 / 7, abs=0.03) for count in labels.values())
    corpora = Counter(dataset.words.corpora[pair.words] for pair in matched)
    assert corpora["meld"] / len(matched) == pytest.approx(0.5, abs=0.05)
    assert {pair.view for pair in matched} == {0, 1, 2} and {pair.version for pair in matched} == {0, 1}


def test_seeded_and_drawn_anew_in_every_epoch():
    first, again, other = (PairDataset(*material(), rows=300, seed=seed) for seed in (1, 1, 2))
    assert first.pairs == again.pairs != other.pairs
    start = first.pairs
    first.set_epoch(1)
    assert first.pairs != start
    again.set_epoch(1)
    assert first.pairs == again.pairs
    first.set_epoch(0)
    assert first.pairs == start


def test_fixed_pairs_stay_and_use_clips_as_they_are():
    fixed = PairDataset(*material(), TEST_MIXTURE, rows=300, resample=False)
    start = fixed.pairs
    fixed.set_epoch(5)
    assert fixed.pairs == start and {pair.view for pair in start} == {0}
    assert set(fixed.kinds()) == {"matched", "voice_only", "words_only"}


def test_what_the_data_lack_is_left_out():
    clips, words = material(heard=False)
    assert "real" not in PairDataset(clips, words, rows=10).shares
    emotional = words.labels != NEUTRAL
    corpora = [words.corpora[row] for row in np.flatnonzero(emotional)]
    some = Words(words.pooled[emotional], words.labels[emotional], corpora)
    found = PairDataset(clips, some, rows=500)
    assert "voice_only" not in found.shares and sum(found.shares.values()) == pytest.approx(1)
    with pytest.raises(ValueError, match="no kind of pair"):
        PairDataset(clips, words, Mixture(1, 0, 0, 0, 0, 0, 0), rows=10)
    with pytest.raises(ValueError, match="0 or more"):
        Mixture(real=-1).shares()


def test_a_label_without_a_clip_or_an_utterance_does_not_stop_it():
    clips, words = material()
    calm = np.where(clips.labels == 1, -100, clips.labels)
    found = PairDataset(Clips(clips.pooled, calm, clips.speakers, clips.corpora, clips.heard), words, rows=2000)
    assert {pair.label for pair in found.pairs if pair.kind in ("real", "matched", "no_words")} == {0, 2, 3, 4, 5, 6}
    assert EMOTIONS[1] == "disgust"

"""Trust in features: what read speech of others differs in counts less; a head fitted with it is no worse at home."""

import numpy as np
import pytest

from phonolinguistic.labels import EMOTIONS
from training.heads import linear as heads
from training.heads.domain_shift import some_of_each, trust
from training.scoring import crossval

NEUTRAL = EMOTIONS.index("neutral")


def test_trust_falls_with_the_shift_in_deviations():
    neutral, deviation = np.zeros((4, 3)), np.array([1.0, 2.0, 1.0])
    read = np.array([[0.0, 4.0, -1.0]] * 5)
    assert np.allclose(trust(neutral, read, deviation), [1, 1 / np.sqrt(5), 1 / np.sqrt(2)])
    assert np.allclose(trust(neutral, read, deviation, strength=0), 1)
    assert np.allclose(trust(neutral.mean(0), read, deviation), trust(neutral, read, deviation))


def test_some_of_each_is_the_same_in_any_order():
    speakers, keys = ["a", "a", "b", "a", "b"], ["3", "1", "9", "2", "8"]
    assert some_of_each(speakers, keys, 2) == [1, 2, 3, 4]
    turned = some_of_each(speakers[::-1], keys[::-1], 2)
    assert sorted(keys[::-1][row] for row in turned) == ["1", "2", "8", "9"]


@pytest.fixture
def rooms():
    """(features, labels) of one room, the same of another, read speech of the other: feature 0 tells the mood and hears
    the room, feature 1 tells it a little less and does not."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(len(EMOTIONS)), 60)
    mood = np.eye(len(EMOTIONS))[labels]
    noise = rng.normal(0, 1, (len(labels), 2 * len(EMOTIONS)))
    here = np.concatenate([3.0 * mood, 2.5 * mood], 1) + noise
    room = np.zeros(2 * len(EMOTIONS))
    room[:3] = (9.0, -9.0, 9.0)
    there = here + room
    read = there[labels == NEUTRAL][:20]
    return here.astype(np.float32), there.astype(np.float32), labels, read.astype(np.float32)


def test_a_head_that_trusts_by_read_speech_carries_to_the_other_room(rooms):
    here, there, labels, read = rooms
    corpora = ["made"] * len(labels)

    def right(read_speech, x):
        head, mean, deviation = heads.fit_audio(here[:, None], labels, corpora, 0.01, read=read_speech)
        return float((head((x - mean) / deviation).argmax(1) == labels).mean())

    assert right(read, there) > right(None, there) + 0.2
    assert right(read, here) > right(None, here) - 0.05


def test_crossval_trusts_as_the_release_does(rooms):
    here, there, labels, read = rooms
    neutral = labels == NEUTRAL
    plain = crossval.fitted(here[:, None], labels, 0.01, len(EMOTIONS), neutral)
    trusting = crossval.fitted(here[:, None], labels, 0.01, len(EMOTIONS), neutral, crossval.Read(read))
    right = [float((head(there).argmax(1) == labels).mean()) for head in (plain, trusting)]
    assert right[1] > right[0] + 0.2
    head, mean, deviation = heads.fit_audio(here[:, None], labels, ["made"] * len(labels), 0.01, read=read)
    same = (head((there - mean) / deviation).argmax(1) == trusting(there).argmax(1)).mean()
    assert same > 0.97


def test_without_neutral_clips_all_features_are_trusted(rooms):
    here, _, labels, read = rooms
    kept = labels != NEUTRAL
    corpora = ["made"] * int(kept.sum())
    with_read, without = (
        heads.fit_audio(here[kept][:, None], labels[kept], corpora, 0.01, read=r)[0] for r in (read, None)
    )
    assert np.array_equal(with_read.weight, without.weight)

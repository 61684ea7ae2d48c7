"""Features of a corpus: cached and repeatable; the measurement on strangers never looks at the test part."""

import json

import numpy as np
import pytest

from training.corpora.splits import RAVDESS_FOLDS
from training.inputs.features import FeatureTable, load_or_compute_features
from training.scoring import crossval

SOURCES = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")


def table(speakers, sources, shift=0.0, views=1, seed=0):
    """Clips whose features tell the label plainly, plus noise and a shift."""
    rng = np.random.default_rng(seed)
    rows = [(speaker, source) for speaker in speakers for source in sources for _ in range(2)]
    known = {"ps": "surprised", "fear": "fearful"}
    values = rng.normal(0, 0.3, (len(rows), views, 12)).astype(np.float32) + shift
    for row, (_, source) in enumerate(rows):
        values[row, :, SOURCES.index(known.get(source, source))] += 3
    names, labels = zip(*rows, strict=True)
    return FeatureTable(values, np.arange(len(rows)), list(names), list(labels))


@pytest.fixture
def ravdess():
    return table([f"ravdess-{actor:02d}" for fold in RAVDESS_FOLDS for actor in fold], SOURCES, views=2)


@pytest.fixture
def tess():
    return table(["tess-oaf", "tess-yaf"], ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad"), 0.1, seed=1)


def test_results_have_every_part_and_are_plain(ravdess, tess):
    report = crossval.results(ravdess, tess, 0.1, (0.1,))
    found = crossval.summary(json.loads(json.dumps(report)))
    assert set(found) == {
        "ravdess_folds", "ravdess_to_tess", "tess_to_ravdess", "tess_older_to_younger", "tess_younger_to_older"
    }  # fmt: skip
    assert found["ravdess_folds"] > 0.95 and found["ravdess_to_tess"] > 0.95 and found["tess_older_to_younger"] > 0.95
    # "calm" looks like nothing in TESS.
    assert found["tess_to_ravdess"] > 0.8
    # A shift of all features is all that sets these corpora apart, but for "calm".
    assert report["ravdess_to_tess"]["test_mean_known"] > 0.95
    assert "test_mean_known" not in report["tess_older_to_younger"]
    assert report["ravdess_folds"]["together"]["majority"]["accuracy"] == pytest.approx(1 / 8, abs=1e-4)


def test_fold_of_covers_every_actor_once(ravdess):
    folds = crossval.fold_of(ravdess.speakers)
    assert len(set(ravdess.speakers)) == 24 and np.bincount(folds).tolist() == [64] * 6 or set(folds) == set(range(6))


def test_transfer_ignores_the_rest_of_the_test_corpus(ravdess, tess):
    labels = {source: "neutral" for source in SOURCES} | {"angry": "anger", "ps": "surprise", "fear": "fear"}
    whole = crossval.transfer(ravdess, tess, labels, 0.1)
    first = np.array(tess.speakers) == "tess-oaf"
    parts = [crossval.transfer(ravdess, crossval.part(tess, keep), labels, 0.1) for keep in (first, ~first)]
    assert np.array_equal(np.array(whole["confusion"]), sum(np.array(p["confusion"]) for p in parts))


def test_views_do_not_weaken_the_penalty(ravdess):
    once = FeatureTable(ravdess.values[:, :1], ravdess.rows, ravdess.speakers, ravdess.labels)
    labels = np.array([SOURCES.index(label) for label in once.labels])
    single = crossval.fitted(once.values, labels, 0.01, 8)(once.values[:, 0])
    twice = crossval.fitted(np.repeat(once.values, 2, 1), labels, 0.01, 8)(once.values[:, 0])
    assert np.allclose(single, twice, atol=0.03)


class CountingModel:
    """Stands in for a network: no call may reach it when the cache has the answer."""


def test_features_are_made_once(monkeypatch, tmp_path):
    made = []

    class Cache:
        def __init__(self, model, processor, folder, device, progress, half):
            assert half
            self.folder = folder

        def clips(self, audio, keys, views, change, seed, name):
            made.append((len(audio), [len(clip) for clip in audio], views, name, self.folder.name, bool(change.key)))
            return np.zeros((len(audio), views, 4), np.float32)

    class Decoded(list):
        good, lengths = [0, 2], np.array([100, 0, 300])

    import datasets

    rows = {
        "id": ["a", "b", "c"], "corpus": ["own"] * 3, "speaker": ["s", "t", "u"], "source_label": ["x", "y", "z"],
        "audio": [{"bytes": bytes([n]), "path": None} for n in range(3)],
    }  # fmt: skip
    audio = Decoded([np.zeros(100), None, np.zeros(300)])
    monkeypatch.setattr("training.inputs.features.PooledCache", Cache)
    monkeypatch.setattr("training.inputs.features.decoded", lambda *args, **settings: audio)
    found = load_or_compute_features(
        CountingModel(), None, datasets.Dataset.from_dict(rows), 3, tmp_path, half=True, progress=False
    )
    assert made == [(2, [100, 300], 3, "own", "pooled-bf16", True)]
    assert found.values.shape == (2, 3, 4) and found.rows.tolist() == [0, 2]
    assert (found.speakers, found.labels) == (["s", "u"], ["x", "z"])

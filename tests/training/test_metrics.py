"""The metric contract against scikit-learn and jiwer, on random data."""

import json

import numpy as np
import pytest
from sklearn import metrics as sk

from phonolinguistic.labels import EMOTIONS
from training.scoring.asr import is_runaway, normaliser, recognition
from training.scoring.classification import best_thresholds, classification, decide, multilabel


@pytest.fixture(scope="module")
def scores():
    random = np.random.default_rng(0)
    labels = random.choice(7, 600, p=[0.1, 0.02, 0.03, 0.2, 0.45, 0.1, 0.1])
    return random.normal(0, 1, (600, 7)) + 1.5 * np.eye(7)[labels], labels


def test_rates_are_those_of_scikit_learn(scores):
    logits, labels = scores
    answers = logits.argmax(1)
    found = classification(logits, labels, resamples=0)
    assert found.accuracy == pytest.approx(sk.accuracy_score(labels, answers))
    assert found.uar == pytest.approx(sk.balanced_accuracy_score(labels, answers))
    assert found.macro_f1 == pytest.approx(sk.f1_score(labels, answers, average="macro"))
    assert found.weighted_f1 == pytest.approx(sk.f1_score(labels, answers, average="weighted"))
    assert found.confusion == sk.confusion_matrix(labels, answers, labels=range(7)).tolist()
    assert found.intervals == {} and found.interval_unit is None


def test_classes_that_do_not_occur(scores):
    logits, labels = scores
    kept = np.isin(labels, [0, 3, 4])
    answers = logits[kept].argmax(1)
    found = classification(logits[kept], labels[kept], resamples=0)
    recall = sk.recall_score(labels[kept], answers, labels=[0, 3, 4], average="macro")
    assert found.uar == pytest.approx(recall)
    assert found.macro_f1 == pytest.approx(sk.f1_score(labels[kept], answers, average="macro", zero_division=0))


def test_majority_row_and_groups(scores):
    logits, labels = scores
    genders = ["female" if row % 3 else None if row % 2 else "male" for row in range(600)]
    found = classification(logits, labels, groups={"gender": genders}, resamples=0)
    always = np.full(600, 4)
    assert found.majority["label"] == EMOTIONS[4]
    assert found.majority["accuracy"] == pytest.approx((labels == 4).mean())
    assert found.majority["weighted_f1"] == pytest.approx(sk.f1_score(labels, always, average="weighted"))
    rows = found.groups["gender"]
    assert set(rows) == {"female", "male"} and rows["female"]["count"] == 400 and rows["male"]["count"] == 100
    inside = np.array([g == "female" for g in genders])
    assert rows["female"]["accuracy"] == pytest.approx((logits.argmax(1) == labels)[inside].mean())


def test_intervals_are_by_speaker_where_there_are_enough(scores):
    logits, labels = scores
    few = classification(logits, labels, speakers=["a", "b"] * 300)
    many = classification(logits, labels, speakers=[f"s{row // 60}" for row in range(600)])
    assert (few.interval_unit, few.interval_units) == ("clip", 600)
    assert (many.interval_unit, many.interval_units) == ("speaker", 10)
    for found in (few, many):
        low, high = found.intervals["accuracy"]
        assert low < found.accuracy < high
    # Of a share p in n clips the interval is p +- 1.96 sqrt(p (1 - p) / n).
    width = 2 * 1.96 * np.sqrt(few.accuracy * (1 - few.accuracy) / 600)
    assert few.intervals["accuracy"][1] - few.intervals["accuracy"][0] == pytest.approx(width, rel=0.1)
    assert classification(logits, labels).intervals == few.intervals  # seeded


def test_speakers_that_err_together_widen_the_interval():
    labels = np.zeros(200, int)
    answers = np.repeat([0, 1, 0, 0, 1, 0, 0, 0, 1, 0], 20)
    by_speaker = classification(answers, labels, speakers=np.repeat(list("abcdefghij"), 20).tolist())
    by_clip = classification(answers, labels)
    width = [m.intervals["accuracy"][1] - m.intervals["accuracy"][0] for m in (by_speaker, by_clip)]
    assert width[0] > 2 * width[1] and by_speaker.ece is None


def test_temperature_changes_the_ece_and_nothing_else(scores):
    logits, labels = scores
    cold, warm = (classification(logits * 4, labels, temperature=t, resamples=0) for t in (None, 4.0))
    assert cold.accuracy == warm.accuracy and cold.ece == cold.ece_before == warm.ece_before
    assert warm.ece < cold.ece
    assert json.loads(json.dumps(warm.to_dict()))["temperature"] == 4.0


@pytest.mark.parametrize(
    "scores, labels, words",
    [
        (np.zeros((0, 7)), [], "at least one"),
        (np.zeros((2, 7)), [0], "as many"),
        (np.zeros((1, 7)), [-100], "outside"),
        (np.full((1, 7), np.nan), [0], "NaN"),
    ],
)
def test_bad_input_is_named(scores, labels, words):
    with pytest.raises(ValueError, match=words):
        classification(scores, np.array(labels))


# ---- several labels --------------------------------------------------------------------------------------------------


def test_multilabel_is_that_of_scikit_learn():
    random = np.random.default_rng(1)
    targets = random.random((800, 7)) < 0.25
    targets[~targets.any(1), 0] = True
    scores = random.normal(0, 1, (800, 7)) + 1.5 * targets
    thresholds = best_thresholds(scores, targets)
    for column in range(7):
        best = max(sk.f1_score(targets[:, column], scores[:, column] >= t) for t in np.sort(scores[:, column]))
        found = sk.f1_score(targets[:, column], scores[:, column] >= thresholds[column])
        assert found == pytest.approx(best)
    answers = decide(scores, thresholds)
    assert answers.any(1).all()
    found = multilabel(scores, targets, thresholds, resamples=50)
    assert found.macro_f1 == pytest.approx(sk.f1_score(targets, answers, average="macro"))
    assert found.micro_f1 == pytest.approx(sk.f1_score(targets, answers, average="micro"))
    low, high = found.intervals["macro_f1"]
    assert low < found.macro_f1 < high


def test_equal_scores_are_not_parted():
    thresholds = best_thresholds(np.array([[0.5], [0.5], [0.1]]), np.array([[1], [0], [0]]))
    assert 0.1 < thresholds[0] < 0.5


# ---- recognition -----------------------------------------------------------------------------------------------------


def test_error_rates_after_normalising():
    found = recognition(
        ["KIDS ARE TALKING BY THE DOOR", "TWENTY FIVE PEOPLE", "I AM HERE"],
        ["Kids are talking by the door.", "25 people", "I'm there!"],
        speakers=["a", "b", "c"],
    )
    assert (found.words, found.substitutions, found.deletions, found.insertions) == (11, 1, 0, 0)
    assert found.wer == pytest.approx(1 / 11) and found.interval_unit == "clip"
    assert 0 < found.cer < found.wer and found.runaways == found.empty == 0


def test_an_empty_transcript_counts_as_all_words_missing():
    found = recognition(["one of these days", "yes"], ["", "yes"])
    assert found.deletions == 4 and found.empty == 1 and found.wer == pytest.approx(0.8)


def test_spelling_table_of_a_checkpoint(tmp_path):
    (tmp_path / "normalizer.json").write_text(json.dumps({"colour": "color"}))
    assert normaliser(tmp_path)("The colour, um, RED!") == "the color red"
    assert normaliser()("The colour") == "the colour"


def test_runaways_are_found_and_lists_are_not():
    assert is_runaway("I'm going to go. " * 5)
    assert is_runaway("so " * 6) and not is_runaway("no no no")
    assert is_runaway("well " + "and then " * 4)
    assert not is_runaway("Kids are talking by the door. Kids are talking by the door.")
    assert not is_runaway("nine nine nine nine nine nine", reference="NINE NINE NINE NINE NINE NINE")
    assert is_runaway(" ".join(f"word{i}" for i in range(60)), seconds=3.0)
    assert not is_runaway("Kids are talking by the door.", seconds=1.0)


@pytest.mark.parametrize("references, texts, words", [(["a"], [], "as many"), (["..."], ["a"], "no reference")])
def test_bad_references_are_named(references, texts, words):
    with pytest.raises(ValueError, match=words):
        recognition(references, texts)

"""No speaker on two sides."""

from collections import Counter

import datasets
import pytest
from corpus_layouts import LAYOUTS, own_csv

from training.corpora import CorpusError, load_corpus
from training.corpora.splits import (
    RAVDESS_FOLDS,
    assert_speakers_disjoint,
    ravdess_fold,
    release_split,
    select_split,
    split_by_speaker,
    with_split,
)


def test_folds_use_every_actor_once():
    assert sorted(actor for fold in RAVDESS_FOLDS for actor in fold) == list(range(1, 25))


@pytest.mark.parametrize("name", ["ravdess", "savee", "cremad", "iemocap", "speechocean762", "librispeech", "own"])
def test_release_split_keeps_speakers_apart(name, tmp_path):
    dataset = release_split(load_corpus(name, LAYOUTS[name](tmp_path)))
    assert_speakers_disjoint(dataset)
    assert {"train", "validation", "test"} <= set(dataset["split"]) | (
        {"validation", "test"} if name == "ravdess" else set()
    )


def test_ravdess_release_and_folds(tmp_path):
    dataset = load_corpus("ravdess", LAYOUTS["ravdess"](tmp_path))
    released = release_split(dataset)
    assert {row["speaker"]: row["split"] for row in released} == {
        "ravdess-01": "test",
        "ravdess-02": "train",
        "ravdess-04": "validation",
        "ravdess-05": "train",
    }
    train, test = ravdess_fold(dataset, 4)
    assert {dataset[row]["speaker"] for row in test} == {"ravdess-05"}
    assert sorted(train + test) == list(range(32))


def test_tess_tests_the_other_actress_and_validates_on_other_words(tmp_path):
    dataset = release_split(load_corpus("tess", LAYOUTS["tess"](tmp_path)))
    assert_speakers_disjoint(dataset, sides=(("train", "validation"), ("test",)))
    assert set(select_split(dataset, "test")["speaker"]) == {"tess-yaf"}
    words = {split: set(select_split(dataset, split)["text"]) for split in ("train", "validation")}
    assert words["validation"] and not words["train"] & words["validation"]


def test_speechocean_leaves_shared_sentences_out_of_the_test(tmp_path):
    dataset = release_split(load_corpus("speechocean762", LAYOUTS["speechocean762"](tmp_path)))
    assert Counter(dataset["split"]) == {"train": 4, "validation": 2, "test": 2, None: 2}
    assert "WE CALL IT BEAR" not in select_split(dataset, "test")["text"]


def test_split_by_speaker_is_seeded_and_independent_of_order(tmp_path):
    dataset = load_corpus("cremad", LAYOUTS["cremad"](tmp_path))
    sides = {row["speaker"]: row["split"] for row in split_by_speaker(dataset, seed=1)}
    shuffled = split_by_speaker(dataset.shuffle(seed=3), seed=1)
    assert {row["speaker"]: row["split"] for row in shuffled} == sides
    assert any({r["speaker"]: r["split"] for r in split_by_speaker(dataset, seed=s)} != sides for s in range(2, 9))
    halves = split_by_speaker(dataset, {"train": 0.6, "test": 0.4}, seed=0)
    assert Counter({r["speaker"]: r["split"] for r in halves}.values()) == {"train": 2, "test": 1}
    assert shuffled.column_names == dataset.column_names


def test_too_few_or_unknown_speakers(tmp_path):
    dataset = load_corpus("ravdess", LAYOUTS["ravdess"](tmp_path))
    one = dataset.filter(lambda row: row["speaker"] == "ravdess-01")
    with pytest.raises(CorpusError, match="cannot fill 3 splits"):
        split_by_speaker(one)
    with pytest.raises(CorpusError, match="no speaker"):
        split_by_speaker(load_corpus("goemotions", LAYOUTS["goemotions"](tmp_path / "go")))


def test_a_speaker_on_both_sides_fails(tmp_path):
    file = own_csv(tmp_path)
    file.write_text(file.read_text().replace("speaker-test", "speaker-train"))
    dataset = load_corpus("own", file)
    with pytest.raises(CorpusError, match="speaker-train"):
        assert_speakers_disjoint(dataset)
    with pytest.raises(CorpusError, match="more than one side"):
        release_split(dataset)


def test_select_split_names_what_there_is(tmp_path):
    dataset = load_corpus("own", own_csv(tmp_path))
    with pytest.raises(CorpusError, match="has test, train, validation"):
        select_split(dataset, "dev")
    assert len(select_split(with_split(dataset, ["train", None, None, None]), "train")) == 1


@pytest.mark.parametrize(
    ("name", "women", "men", "test", "validation"),
    [
        ("nemo", "eb0 ic0 kd0 mk0", "ks0 mp0 sm0 tp0 wr0", "kd0 ks0", "ic0 sm0"),
        ("emodb", "08 09 13 14 16", "03 10 11 12 15", "08 12", "10 13"),
        ("emovo", "f1 f2 f3", "m1 m2 m3", "f1 m2", "f2 m3"),
    ],
)
def test_release_speakers_of_the_new_corpora(name, women, men, test, validation):
    """The very speakers that test and validate: another draw would make old figures another thing."""
    genders = dict.fromkeys(women.split(), "female") | dict.fromkeys(men.split(), "male")
    rows = [{"corpus": name, "speaker": f"{name}-{who}", "gender": genders[who], "language": "xx"} for who in genders]
    made = datasets.Dataset.from_list(rows).add_column("split", [None] * len(rows), feature=datasets.Value("string"))
    sides = {row["speaker"].removeprefix(f"{name}-"): row["split"] for row in release_split(made)}
    for split, names in (("test", test), ("validation", validation)):
        assert sorted(who for who, side in sides.items() if side == split) == names.split()

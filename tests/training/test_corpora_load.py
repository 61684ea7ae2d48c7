"""Every corpus, from its official layout and from parquet, comes out in the one schema."""

from collections import Counter

import pytest
from corpus_layouts import LAYOUTS, audio_parquet, meld, own_folder

from phonolinguistic.labels import EMOTIONS
from training.corpora import CORPORA, CorpusError, describe, load_corpus
from training.corpora.schema import COLUMNS, features

WORDLESS = ("savee", "emodb", "emovo", "urdu", "ased", "cafe", "subesco", "resd")  # their layouts hold no sentences


def test_a_layout_for_every_corpus():
    assert set(LAYOUTS) == set(CORPORA)


@pytest.mark.parametrize("name", CORPORA)
def test_official_layout_gives_the_schema(name, tmp_path):
    dataset = load_corpus(name, LAYOUTS[name](tmp_path / name))
    assert tuple(dataset.column_names) == COLUMNS
    assert dataset.features == features()
    assert len(set(dataset["id"])) == len(dataset) > 0
    for row in dataset:
        assert row["corpus"] == name
        assert set(row["emotions"]) <= set(EMOTIONS)
        assert row["emotion"] == (row["emotions"][0] if len(row["emotions"]) == 1 else None)
        assert row["split"] in (None, "train", "validation", "test")
        assert row["gender"] in (None, "male", "female")
        if row["audio"] is not None:
            assert row["duration"] == pytest.approx(0.4, abs=0.15)
        assert row["language"] and (row["intensity"] in (None, "normal", "strong"))
        if name not in WORDLESS:
            assert row["text"]
        if name != "goemotions":
            assert row["speaker"]


def test_ravdess_names_and_calm(tmp_path):
    root = LAYOUTS["ravdess"](tmp_path)
    dataset = load_corpus("ravdess", root)
    assert len(dataset) == 32  # the song is not speech
    row = dataset[0]
    assert row["id"] == "ravdess/03-01-01-01-01-01-01"
    assert (row["speaker"], row["gender"], row["text"]) == ("ravdess-01", "male", "Kids are talking by the door.")
    assert Counter(dataset["source_label"])["calm"] == 4
    calm = [row for row in dataset if row["source_label"] == "calm"]
    assert all(row["emotion"] is None and row["emotions"] == [] for row in calm)
    neutral = load_corpus("ravdess", root, calm_as_neutral=True)
    assert Counter(neutral["emotion"])["neutral"] == 8


def test_tess_odd_names_and_second_copies(tmp_path):
    root = LAYOUTS["tess"](tmp_path)
    copy = root / "copy" / "OAF_angry"
    copy.mkdir(parents=True)
    (copy / "OAF_back_angry.wav").write_bytes((root / "OAF_angry" / "OAF_back_angry.wav").read_bytes())
    dataset = load_corpus("tess", root)
    assert len(dataset) == 32
    assert Counter(dataset["speaker"]) == {"tess-oaf": 16, "tess-yaf": 16}
    assert Counter(dataset["emotion"]) == {"anger": 16, "surprise": 16}
    assert "Say the word boat." in dataset["text"]


def test_meld_with_clips_and_without(tmp_path):
    dataset = load_corpus("meld", meld(tmp_path / "raw"))
    assert Counter(dataset["split"]) == {"train": 3, "validation": 3, "test": 3}
    assert dataset[0]["text"] == "You must’ve, had 0."
    with_clip = [row["id"] for row in dataset if row["audio"]]
    assert with_clip == [f"meld/{split}/dia0_utt0" for split in ("train", "validation", "test")]
    text = load_corpus("meld", meld(tmp_path / "text", clips=False))
    assert len(text) == 9
    assert all(row["audio"] is None for row in text)


def test_goemotions_maps_to_ekman(tmp_path):
    dataset = load_corpus("goemotions", LAYOUTS["goemotions"](tmp_path))
    assert dataset[0]["emotions"] == ["joy"]  # gratitude and love are one
    assert dataset[0]["text"] == 'I love "this", thanks'
    assert (dataset[2]["emotions"], dataset[2]["emotion"]) == (["anger", "sadness"], None)
    assert dataset[3]["source_label"] == "curiosity"
    assert Counter(dataset["split"]) == {"train": 8, "validation": 8, "test": 8}


def test_iemocap_turns(tmp_path):
    root = LAYOUTS["iemocap"](tmp_path)
    dataset = load_corpus("iemocap", root)
    assert len(dataset) == 24
    assert Counter(dataset["emotion"]) == {"neutral": 6, "joy": 6, None: 12}
    assert sorted(set(dataset["speaker"])) == [f"iemocap-0{n}{who}" for n in (1, 2, 3) for who in "FM"]
    assert dataset[0]["text"] == "Excuse me, neu."
    assert Counter(load_corpus("iemocap", root, frustration_as_anger=True)["emotion"])["anger"] == 6


def test_librispeech_splits_and_genders(tmp_path):
    dataset = load_corpus("librispeech", LAYOUTS["librispeech"](tmp_path))
    assert {row["speaker"]: row["split"] for row in dataset} == {
        "librispeech-84": "train",
        "librispeech-85": "validation",
        "librispeech-86": "test",
    }
    assert {row["speaker"]: row["gender"] for row in dataset} == {
        "librispeech-84": "female",
        "librispeech-85": "male",
        "librispeech-86": None,
    }


def test_cremad_genders(tmp_path):
    dataset = load_corpus("cremad", LAYOUTS["cremad"](tmp_path))
    assert {row["speaker"]: row["gender"] for row in dataset}["cremad-1002"] == "female"
    assert set(dataset["text"]) == {"Don't forget a jacket."}


def test_own_csv_and_audiofolder(tmp_path):
    dataset = load_corpus("own", LAYOUTS["own"](tmp_path / "csv"))
    assert dataset["emotion"][:] == ["joy", "joy", "sadness", "sadness"]
    assert dataset["split"][:] == ["train", "train", "validation", "test"]
    folder = load_corpus("own", own_folder(tmp_path / "folder"))
    assert Counter(folder["split"]) == {"train": 2, "test": 2}
    assert folder["text"][0].startswith("Words")


@pytest.mark.parametrize("as_file", [True, False])
def test_parquet_file_or_its_folder(as_file, tmp_path):
    rows = [
        {"text": "Kids.", "source_label": "happy", "emotion": "joy", "speaker": "ravdess-01"},
        {"text": "Dogs.", "source_label": "happy", "emotion": "joy", "speaker": "ravdess-02"},
        {"text": "Dogs.", "source_label": "calm", "speaker": "ravdess-02"},
    ]
    file = audio_parquet(tmp_path / "ravdess.parquet", "ravdess", rows)
    dataset = load_corpus("ravdess", file if as_file else tmp_path)
    assert dataset.features == features()
    assert dataset["emotion"][:] == ["joy", "joy", None]
    assert dataset[1]["audio"]["bytes"] and dataset[1]["id"] == "ravdess/clip1"


def test_missing_corpus_says_where_to_get_it(tmp_path):
    for name in CORPORA:
        for path in (tmp_path, tmp_path / "nowhere"):
            with pytest.raises(CorpusError) as caught:
                load_corpus(name, path)
            assert describe(name).source in str(caught.value)
            assert str(path) in str(caught.value)


def test_unknown_names(tmp_path):
    with pytest.raises(CorpusError, match="known: ravdess"):
        load_corpus("nemesis", tmp_path)
    with pytest.raises(CorpusError, match="unknown option 'calm'"):
        load_corpus("ravdess", tmp_path, calm=True)
    with pytest.raises(CorpusError, match="accepted: 'raise', 'skip'"):
        load_corpus("ravdess", tmp_path, on_error="ignore")

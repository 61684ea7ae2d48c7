"""The emotion corpora that teach the voice: labels, speakers, genders, languages of their official layouts."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_layouts import LAYOUTS, audio_parquet, write_clip

from training.corpora import CORPORA, CorpusError, corpus_info, load_corpus
from training.corpora.info import notice
from training.corpora.splits import assert_speakers_disjoint, release_split

# corpus -> (rows, speakers, women, labels outside the seven, language)
EXPECTED = {
    "nemo": (36, 6, 18, 0, "pl"),
    "emodb": (42, 6, 21, 6, "de"),
    "emovo": (42, 6, 21, 0, "it"),
    "urdu": (24, 6, 12, 0, "ur"),
    "ased": (30, 6, 15, 0, "am"),
    "jl": (24, 4, 12, 8, "en-NZ"),
    "emozionalmente": (42, 6, 21, 0, "it"),
    "cafe": (43, 6, 21, 0, "fr-CA"),
    "subesco": (42, 6, 21, 0, "bn"),
    "mesd": (18, 3, 6, 0, "es-MX"),
    "resd": (28, 3, 0, 4, "ru"),
}
NAMES = (*EXPECTED, "esd")


@pytest.mark.parametrize("name", EXPECTED)
def test_counts(name, tmp_path):
    dataset = load_corpus(name, LAYOUTS[name](tmp_path))
    women = sum(gender == "female" for gender in dataset["gender"])
    outside = sum(emotion is None for emotion in dataset["emotion"])
    assert (len(dataset), len(set(dataset["speaker"])), women, outside, dataset[0]["language"]) == EXPECTED[name]
    assert set(dataset["language"]) == {corpus_info(name).language}


@pytest.mark.parametrize(
    ("name", "clip", "source_label", "emotion", "speaker", "gender"),
    [
        ("nemo", "IC0_surprised_1", "surprised", "surprise", "nemo-ic0", "female"),
        ("emodb", "03a01Wa", "anger", "anger", "emodb-03", "male"),
        ("emodb", "13a01La", "boredom", None, "emodb-13", "female"),
        ("emodb", "08a01Aa", "fear", "fear", "emodb-08", "female"),
        ("emodb", "08a01Fa", "happiness", "joy", "emodb-08", "female"),
        ("emovo", "pau-m2-b1", "pau", "fear", "emovo-m2", "male"),
        ("emovo", "gio-f3-b1", "gio", "joy", "emovo-f3", "female"),
        ("urdu", "SF2_F1_A01", "angry", "anger", "urdu-sf2", "female"),
        ("ased", "F2-01-01-02-06", "fearful", "fear", "ased-06", "male"),
        ("jl", "male2_anxious_10a_1", "anxious", None, "jl-male2", "male"),
        ("emozionalmente", "4_neutrality", "neutrality", "neutral", "emozionalmente-4", "male"),
        ("cafe", "02-P-1-1", "fear", "fear", "cafe-02", "female"),
        ("subesco", "M_03_MONIKA_S_1_SAD_5", "sad", "sadness", "subesco-m03", "male"),
        ("mesd", "Happiness_C_A_abajo", "happiness", "joy", "mesd-c", None),
        ("resd", "32_happiness_neutral_train_1", "happiness", "joy", "resd-32", None),
        ("esd", "0011_000351", "happy", "joy", "esd-0011", "male"),
    ],
)
def test_one_clip(name, clip, source_label, emotion, speaker, gender, tmp_path):
    dataset = load_corpus(name, LAYOUTS[name](tmp_path))
    row = dataset[dataset["id"][:].index(f"{name}/{clip}")]
    assert row["source_label"] == source_label and row["emotion"] == emotion
    assert (row["speaker"], row["gender"]) == (speaker, gender)


def test_what_only_some_have(tmp_path):
    jl = LAYOUTS["jl"](tmp_path / "jl")
    assert set(load_corpus("jl", jl)["text"]) == {"Carl leaps into a jeep."}
    assert Counter(load_corpus("jl", jl, excited_as_joy=True)["emotion"])["joy"] == 8
    assert Counter(load_corpus("cafe", LAYOUTS["cafe"](tmp_path / "cafe"))["intensity"]) == {"normal": 42, "strong": 1}
    assert load_corpus("nemo", LAYOUTS["nemo"](tmp_path / "nemo"))[0]["text"] == '"Lubię" czytać przed snem.'
    esd = load_corpus("esd", LAYOUTS["esd"](tmp_path / "esd"))
    said = {row["speaker"]: (row["language"], row["text"][:4]) for row in esd}
    assert said["esd-0001"] == said["esd-0003"] == ("zh", "打远一看")
    assert said["esd-0011"] == said["esd-0012"] == said["esd-0016"] == ("en", "The ")


@pytest.mark.parametrize("name", NAMES)
def test_a_foreign_name_is_one_clear_line(name, tmp_path):
    root = LAYOUTS[name](tmp_path)
    if name == "resd":
        pq.write_table(pa.table({"a": [1]}), root / "data" / "train-00001.parquet")
        message = "resd: train-00001.parquet row 0: no clip for this row"
    elif name in ("nemo", "emozionalmente"):
        table = next(root.rglob("data.tsv" if name == "nemo" else "samples.csv"))
        table.write_text(table.read_text(encoding="utf-8").replace("emotion", "mood"), encoding="utf-8")
        message = f"{name}: {table.name} has no column emotion.*; needed: "
    else:
        write_clip(root / "notes.wav")
        message = f"{name}: notes.wav: not a name of "
    with pytest.raises(CorpusError, match=message) as caught:
        load_corpus(name, root)
    assert "\n" not in str(caught.value)


def test_absent_clips_are_named(tmp_path):
    root = LAYOUTS["nemo"](tmp_path)
    (root / "samples" / "EB0_fear_1.wav").unlink()
    with pytest.raises(CorpusError, match="nemo: data.tsv line 3: no clip at samples/EB0_fear_1.wav"):
        load_corpus("nemo", root)


def test_clip_of_esd_outside_the_emotions(tmp_path):
    root = LAYOUTS["esd"](tmp_path)
    write_clip(root / "0011" / "0011_000999.wav")
    with pytest.raises(CorpusError, match="no folder above it is an emotion"):
        load_corpus("esd", root)


def test_clip_of_resd_that_is_no_sound(tmp_path):
    for number, content in enumerate((b"RIFF not really", None)):
        row = {"name": "1_anger", "path": "", "emotion": "anger", "speech": {"bytes": content, "path": "x"}}
        folder = tmp_path / str(number)
        folder.mkdir()
        pq.write_table(pa.Table.from_pylist([row]), folder / "train-0.parquet")
        with pytest.raises(CorpusError, match="resd: train-0.parquet row 0: corrupt clip: 1_anger is no sound"):
            load_corpus("resd", folder)


def test_samples_without_a_rate_are_refused(tmp_path):
    row = {"name": "1_anger", "path": "", "emotion": "anger", "speech": [0.0, 0.1], "text": "да"}
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "data" / "train-0.parquet")
    with pytest.raises(CorpusError, match="samples without their rate; accepted: the files of Aniemore/resd"):
        load_corpus("resd", tmp_path)


def test_parquet_of_another_corpus(tmp_path):
    file = audio_parquet(tmp_path / "emovo.parquet", "emovo", [{"source_label": "dis", "speaker": "emovo-f1"}] * 2)
    assert load_corpus("emovo", tmp_path)["language"][:] == ["it", "it"]
    with pytest.raises(CorpusError, match="emodb: emovo.parquet row 0 is of corpus 'emovo'"):
        load_corpus("emodb", file)
    with pytest.raises(CorpusError, match="goemotions: x.parquet has no column 'labels'"):
        pq.write_table(pa.table({"text": ["a"]}), tmp_path / "x.parquet")
        load_corpus("goemotions", tmp_path / "x.parquet")


def test_every_corpus_says_what_it_is():
    for name in CORPORA:
        info = corpus_info(name)
        assert info.name == name
        assert all((info.title, info.what, info.licence, info.citation, info.language, info.home))
        assert info.hub is None or info.hub.count("/") == 1
        if name != "own":
            assert info.home.startswith("http") and info.licence in info.source


@pytest.mark.parametrize("name", NAMES)
def test_women_and_men_are_tested_alike(name, tmp_path):
    dataset = load_corpus(name, LAYOUTS[name](tmp_path))
    split = release_split(dataset)
    assert_speakers_disjoint(split)
    sides = {row["speaker"]: (row["split"], row["gender"], row["language"]) for row in split}
    counts = Counter(sides.values())
    assert {side for side, _, _ in counts} == {"train", "validation", "test"}
    if name not in ("jl", "mesd"):  # too few of a gender to have both on every side
        assert set(counts.values()) == {1}
        assert len(counts) == 3 * len({kind[1:] for kind in sides.values()})
    again = release_split(dataset.shuffle(seed=1), seed=0)
    assert {row["speaker"]: row["split"] for row in again} == {name: kind[0] for name, kind in sides.items()}


def test_notice_names_every_corpus_as_its_record_does():
    """NOTICE holds what `info.notice` writes: those of the release first, then the others."""
    text = (Path(__file__).parents[2] / "NOTICE").read_text(encoding="utf-8")
    used, others = text.split("Further corpora that training/ can read")
    listed = [name for name in CORPORA if notice([corpus_info(name)]) in used]
    assert {"ravdess", "tess", "goemotions", "meld", "speechocean762"} <= set(listed)
    for name in CORPORA:
        assert name == "own" or name in listed or notice([corpus_info(name)]) in others, name

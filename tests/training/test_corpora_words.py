"""Speech that is not English teaches the voice only: no recogniser and no text tower ever reads its words."""

import json

import pytest
from corpus_layouts import esd, jl, nemo

from training import transcribe
from training.config import make_settings
from training.corpora import CorpusError, load_corpus, taught_texts, teaches_words
from training.heads.fit import heard_texts
from training.inputs.dataset import load_rows
from training.inputs.release_data import load_clips, load_texts


@pytest.mark.parametrize(
    ("language", "taught"),
    [("en", True), ("en-NZ", True), ("EN", True), ("pl", False), ("enm", False), ("mul", False), (None, False)],
)  # fmt: skip
def test_english_only(language, taught):
    assert teaches_words(language) is taught
    assert taught_texts(["words", None, ""], [language] * 3) == ["words" if taught else "", "", ""]


def rows_of(name, root, tmp_path, task="fusion"):
    ids = list(load_corpus(name, root)["id"])
    heard = tmp_path / f"{name}.jsonl"
    heard.write_text("".join(json.dumps({"id": key, "text": "heard"}) + "\n" for key in ids))
    corpus = {"name": name, "path": str(root), "transcripts": str(heard)}
    data = {"corpora": [corpus], "cache": str(tmp_path / "cache")}
    tower = {"source": "unused"}
    return load_rows(make_settings({"task": task, "text": tower, "speech": tower, "data": data}), progress=False)


@pytest.mark.parametrize("task", ["fusion", "multitask"])
def test_training_rows_of_polish_hold_no_words(task, tmp_path):
    found = rows_of("nemo", nemo(tmp_path / "nemo"), tmp_path, task)
    assert sum(map(len, found.values())) == 36
    for rows in found.values():
        assert set(rows.texts) == set(rows.references) == {""}
        assert all(clip is not None for clip in rows.clips)


def test_training_rows_of_english_hold_what_was_heard(tmp_path):
    found = rows_of("jl", jl(tmp_path / "jl"), tmp_path)
    for rows in found.values():
        assert set(rows.texts) == {"heard"}
        assert set(rows.references) == {"Carl leaps into a jeep."}


def test_a_text_run_has_nothing_to_learn_from_polish(tmp_path):
    with pytest.raises(CorpusError, match="no usable train rows for task text"):
        rows_of("nemo", nemo(tmp_path / "nemo"), tmp_path, "text")


def test_corpus_of_two_languages_teaches_the_words_of_one(tmp_path):
    found = rows_of("esd", esd(tmp_path / "esd"), tmp_path)
    for rows in found.values():
        for name, text, reference in zip(rows.ids, rows.texts, rows.references, strict=True):
            english = name >= "esd/0011"
            assert (bool(text), bool(reference)) == (english, english)
            assert reference.isascii()


def test_release_sets(tmp_path):
    clips = load_clips("nemo", nemo(tmp_path / "nemo"), tmp_path / "cache", progress=False)
    assert len(clips) == 36 and set(clips.references) == {""}
    assert len(load_texts("nemo", tmp_path / "nemo")) == 0
    (tmp_path / "nemo.jsonl").write_text("".join(json.dumps({"id": k, "text": "heard"}) + "\n" for k in clips.ids))
    assert set(heard_texts(clips, tmp_path)) == {""}
    english = load_clips("jl", jl(tmp_path / "jl"), tmp_path / "cache", progress=False)
    assert set(heard_texts(english, None)) == {"Carl leaps into a jeep."}
    assert len(load_texts("jl", tmp_path / "jl")) == 16


class Recogniser:
    name = "test"

    def __call__(self, clips):
        return ["heard"] * len(clips)


def test_no_recogniser_hears_polish(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(transcribe, "load_recogniser", lambda *args, **kwargs: Recogniser())

    def command(name, root):
        out = tmp_path / f"{name}.jsonl"
        options = ["--device", "cpu", "--cache", str(tmp_path / "cache"), "--split", "train"]
        return transcribe.main(["--model", "m", "--corpus", name, "--path", str(root), "--out", str(out), *options])

    assert command("nemo", nemo(tmp_path / "nemo")) == 2
    assert "nemo is not in English: it teaches the voice only" in capsys.readouterr().err
    assert not (tmp_path / "nemo.jsonl").exists()
    assert command("esd", esd(tmp_path / "esd")) == 0
    heard = transcribe.read_transcripts(tmp_path / "esd.jsonl")
    assert len(heard) == 10 and min(heard) >= "esd/0011"

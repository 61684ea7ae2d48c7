"""Rows that cannot be used: the message names the row, or the row is skipped and counted."""

import logging

import numpy as np
import pytest
from corpus_layouts import audio_parquet, meld, own_csv, ravdess, tone, write_clip

from phonolinguistic.model.front_end_phonolinguistic import PAD_SECONDS, FrontEnd
from training.corpora import CorpusError, load_corpus
from training.corpora.cache import decoded

PADS = 2 * round(PAD_SECONDS * 16_000)  # samples around the speech


def table(tmp_path, *lines):
    for n in range(6):
        write_clip(tmp_path / f"{n}.wav", pitch=100 + 50 * n)
    (tmp_path / "mine.csv").write_text("path,text,emotion,speaker\n" + "\n".join(lines) + "\n")
    return tmp_path / "mine.csv"


GOOD = ("0.wav,Hello,joy,a", "1.wav,Hello,joy,b")


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("2.wav,Hello,bored,a", "unknown label", "line 4: unknown label 'bored' \\(1 row\\); accepted: anger"),
        ("2.wav,  ,joy,a", "empty transcript", "line 4: empty transcript"),
        ("2.wav,Hello,fear,a", "rare label", "line 4: label 'fear' has only 1 example"),
        ("bad.wav,Hello,joy,a", "corrupt clip", "line 4: corrupt clip"),
        ("none.wav,Hello,joy,a", "unreadable", "line 4: no clip at none.wav"),
    ],
)
def test_bad_row_is_named_or_skipped(line, kind, message, tmp_path, caplog):
    (tmp_path / "bad.wav").write_bytes(b"RIFF not really")
    file = table(tmp_path, *GOOD, line)
    with pytest.raises(CorpusError, match=message):
        load_corpus("own", file)
    problems = []
    with caplog.at_level(logging.WARNING):
        dataset = load_corpus("own", file, on_error="skip", problems=problems)
    assert len(dataset) == 2
    assert [problem.kind for problem in problems] == [kind]
    assert f"2 rows kept, 1 skipped (1 {kind})" in caplog.text


def test_nothing_usable_is_an_empty_dataset_with_the_schema(tmp_path):
    dataset = load_corpus("own", table(tmp_path, "2.wav,Hello,bored,a"), on_error="skip")
    assert len(dataset) == 0
    assert "emotions" in dataset.column_names


def test_own_without_any_known_column(tmp_path):
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match="needs path or text"):
        load_corpus("own", tmp_path / "mine.csv")


def test_odd_file_name_and_label_code(tmp_path):
    root = ravdess(tmp_path)
    write_clip(root / "Actor_01" / "03-01-09-01-01-01-01.wav")
    write_clip(root / "Actor_01" / "notes.wav")
    with pytest.raises(CorpusError, match="unknown label code 09"):
        load_corpus("ravdess", root)
    problems = []
    assert len(load_corpus("ravdess", root, on_error="skip", problems=problems)) == 32
    assert len(problems) == 2


def test_broken_meld_clip_is_named(tmp_path):
    root = meld(tmp_path)
    (root / "train_splits" / "dia0_utt0.mp4").write_bytes(b"\0" * 100)
    with pytest.raises(CorpusError, match="train_sent_emo.csv line 2: corrupt clip"):
        load_corpus("meld", root)
    assert len(load_corpus("meld", root, on_error="skip", min_examples=1)) == 8
    assert len(load_corpus("meld", root, audio=False)) == 9


def test_unreadable_parquet(tmp_path):
    (tmp_path / "ravdess.parquet").write_bytes(b"not parquet")
    with pytest.raises(CorpusError, match="not a readable parquet file"):
        load_corpus("ravdess", tmp_path)


def test_empty_bytes_in_parquet(tmp_path):
    rows = [{"text": "A", "source_label": "sad", "speaker": "x"}] * 2
    rows.append({"text": "A", "source_label": "sad", "speaker": "x", "audio": {"bytes": b"", "path": "e.wav"}})
    file = audio_parquet(tmp_path / "ravdess.parquet", "ravdess", rows)
    with pytest.raises(CorpusError, match="ravdess.parquet row 2: corrupt clip"):
        load_corpus("ravdess", file)


def test_decoded_once_and_bad_clips_reported(tmp_path, caplog):
    rows = [{"text": "A", "source_label": "sad", "speaker": "x"} for _ in range(3)]
    rows[1]["audio"] = {"bytes": b"RIFF nonsense", "path": "bad.wav"}
    dataset = load_corpus("ravdess", audio_parquet(tmp_path / "d" / "ravdess.parquet", "ravdess", rows))
    with caplog.at_level(logging.WARNING):
        audio = decoded(dataset, tmp_path / "cache", progress=False)
    assert "1 of 3 clips unusable, e.g. ravdess/bad" in caplog.text
    assert audio.good == [0, 2] and list(audio.bad) == [1]
    assert audio[0].dtype == np.float32
    np.testing.assert_allclose(audio[0], FrontEnd()(tone()).speech, atol=1e-4)  # what the networks hear
    assert audio.lengths.tolist() == [len(audio[0]), 0, len(audio[0])]
    with pytest.raises(CorpusError, match="ravdess/bad: corrupt clip"):
        audio[1]
    stored = sorted((tmp_path / "cache").rglob("*.npy"))
    assert len(stored) == 1  # rows 0 and 2 are the same clip
    before = stored[0].stat().st_mtime_ns
    again = decoded(dataset.select([2, 1]), tmp_path / "cache", progress=False)
    assert stored[0].stat().st_mtime_ns == before
    assert list(again.bad) == [1] and len(again[0]) == len(audio[0])


def test_clips_are_resampled_and_follow_the_file(tmp_path):
    file = own_csv(tmp_path)
    write_clip(tmp_path / "clips" / "0.wav", seconds=0.5, rate=44_100)
    audio = decoded(load_corpus("own", file), tmp_path / "cache", progress=False)
    assert abs(len(audio[0]) - PADS - 8000) < 1_000
    write_clip(tmp_path / "clips" / "0.wav", seconds=0.75)
    audio = decoded(load_corpus("own", file), tmp_path / "cache", progress=False)
    assert abs(len(audio[0]) - PADS - 12_000) < 1_000  # edges of a tone are soft

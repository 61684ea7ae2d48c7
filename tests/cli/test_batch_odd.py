"""A batch ends with a table whatever a name or a file holds."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from tiny import tone, write_wav

from phonolinguistic.audio.formats import SUFFIXES
from phonolinguistic.batch import COLUMNS, BatchError, find_clips
from phonolinguistic.batch_table import finished, write_table
from phonolinguistic.labels import EMOTIONS
from phonolinguistic.recognizer import EmotionRecognizer

TABLES = ["results.parquet", "results.csv"]


def read(out: Path) -> pd.DataFrame:
    table = pd.read_parquet(out) if out.suffix == ".parquet" else pd.read_csv(out, keep_default_na=False)
    assert tuple(table.columns) == COLUMNS
    assert {file.name for file in out.parent.iterdir() if out.name in file.name} == {out.name}
    return table.set_index("path")


@pytest.fixture
def clips(tmp_path):
    (tmp_path / "clips").mkdir()
    write_wav(tmp_path / "clips" / "a.wav", tone(1.0))
    return tmp_path / "clips"


@pytest.fixture
def quick(monkeypatch):
    """The first answer of the network for every clip; change(answer) -> what is answered."""
    answers, recognize = [], EmotionRecognizer.recognize
    state = {"change": lambda answer, clip: answer}

    def fast(self, clip, *arguments):
        if not answers:
            answers.append(recognize(self, clip, *arguments))
        os.stat(clip)
        return state["change"](answers[0], Path(clip))

    monkeypatch.setattr(EmotionRecognizer, "recognize", fast)
    return state


@pytest.mark.parametrize("name", TABLES)
def test_names_of_any_bytes(run, clips, tmp_path, name, quick):
    odd = [b"tr\xe8s.wav", b"\xff\xfe.wav", b"two\nlines.wav", b'a,"b";c.wav', "ünï😀.WAV".encode(), b"back\\slash.wav"]
    odd += [b"cr\rhere.wav", b" space .wav", b"NA.wav"]
    for other in odd:
        write_wav(tmp_path / "one.wav", tone(1.0))
        os.rename(tmp_path / "one.wav", os.path.join(os.fsencode(clips), other))
    status, out, err = run("batch", clips, "--out", tmp_path / name)
    assert (status, out) == (0, "") and "10 clips answered, 0 with an error" in err
    table = read(tmp_path / name)
    assert "tr\\udce8s.wav" in table.index and "ünï😀.WAV" in table.index and "two\nlines.wav" in table.index
    assert len(set(table.index)) == 10 and set(table["status"]) == {"ok"}
    assert "0 clips answered, 0 with an error, 10 already there" in run("batch", clips, "--out", tmp_path / name)[2]


def test_what_is_left_out_is_counted_and_named(run, clips, tmp_path, monkeypatch, quick):
    for n in range(5):
        (clips / f"notes{n}.txt").write_text("words")
    (clips / "._a.wav").write_bytes(b"\0")
    (clips / "README").write_text("words")
    os.mkfifo(clips / "pipe.wav")
    os.symlink("gone.wav", clips / "link.wav")
    (clips / "locked").mkdir()
    os.symlink(clips / "locked", clips / "round")
    scandir = os.scandir

    def locked(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    status, _, err = run("batch", clips, "--out", clips / "results.csv")
    assert status == 0 and len(read(clips / "results.csv")) == 1
    lines = err.splitlines()
    assert "left out, folder cannot be read (Permission denied): locked" in lines
    assert "left out, not a sound file by its ending: README, notes0.txt, notes1.txt and 3 more" in lines
    assert "left out, not a plain file, or a link to nothing: link.wav, pipe.wav" in lines
    assert "left out, link to a folder: round" in lines
    assert "left out, a macOS companion file, not sound: ._a.wav" in lines
    assert lines[-1] == "1 clips answered, 0 with an error, 0 already there, 1 in all, 11 left out"
    assert "11 left out" in run("batch", clips, "--out", clips / "results.csv")[2]  # the table itself is not counted
    assert str(tmp_path) not in err


def test_a_folder_that_holds_nothing_says_what_it_holds(run, tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "notes.txt").write_text("words")
    status, _, err = run("batch", tmp_path / "clips", "--out", tmp_path / "results.csv")
    assert (status, err.count("\n")) == (2, 1) and "holds no clips" in err and "ending: notes.txt" in err


def test_endings_are_those_of_the_one_list(tmp_path):
    for suffix in SUFFIXES:
        (tmp_path / f"x{suffix.upper()}").write_bytes(b"")
    assert len(find_clips(tmp_path).clips) == len(SUFFIXES) and find_clips(tmp_path).left_out == ()


@pytest.mark.parametrize("name", TABLES)
def test_files_that_vanish_and_faults_of_any_kind(run, clips, tmp_path, name, quick, caplog):
    for n in range(4):
        write_wav(clips / f"b{n}.wav", tone(1.0))

    def change(answer, clip):
        if clip.name == "a.wav":
            (clips / "b0.wav").unlink()
        if clip.name == "b1.wav":
            raise ValueError("half a \ud83d character\nand a line")
        if clip.name == "b2.wav":
            raise MemoryError
        return replace(answer, transcript="half \ud83d, and \u2028 a line")

    quick["change"] = change
    status, _, err = run("batch", clips, "--out", tmp_path / name)
    assert status == 0 and "2 clips answered, 3 with an error" in err
    table = read(tmp_path / name)
    assert "FileNotFoundError" in table.loc["b0.wav", "error"] and "MemoryError" in table.loc["b2.wav", "error"]
    assert table.loc["b3.wav", "transcript"] == "half \\ud83d, and \u2028 a line"


def test_a_clip_that_vanished_is_a_row(run, clips, tmp_path, monkeypatch):
    listing = find_clips(clips)
    monkeypatch.setattr("phonolinguistic.batch.find_clips", lambda *_, **__: listing)
    (clips / "a.wav").unlink()
    assert run("batch", clips, "--out", tmp_path / "results.csv")[0] == 0
    assert "a.wav: no such file" in read(tmp_path / "results.csv").loc["a.wav", "error"]


def row(name: str, **values) -> dict:
    scores = {f"score_{emotion}": 1 / 7 for emotion in EMOTIONS}
    return dict.fromkeys(COLUMNS) | {"path": name, "mode": "text", "status": "ok", "emotion": "joy"} | scores | values


@pytest.mark.parametrize("name", TABLES)
def test_rows_survive_a_round_trip(tmp_path, name):
    words = [
        "None",
        "NA",
        "nan",
        "null",
        "1",
        "1.50",
        "true",
        "-inf",
        "#N/A",
        'a "b", c\nd',
        None,
        " x ",
        "\ufeffx",
        "cr\rx",
    ]
    rows = {str(n): row(str(n), transcript=text, confidence=0.1 + n, seconds=1e-9) for n, text in enumerate(words)}
    rows["None"] = row("None", model="NA", warnings="one;two")
    write_table(tmp_path / name, list(rows), rows)
    assert finished(tmp_path / name) == rows
    write_table(tmp_path / name, list(rows), finished(tmp_path / name))
    assert finished(tmp_path / name) == rows


@pytest.mark.parametrize("name", TABLES)
def test_warnings_have_a_column(run, clips, tmp_path, name, quick):
    write_wav(clips / "b.wav", tone(1.0))
    quick["change"] = lambda answer, clip: replace(
        answer, warnings=("ends early; 3 s are there", "odd") if clip.name == "a.wav" else ()
    )
    run("batch", clips, "--out", tmp_path / name)
    table = finished(tmp_path / name)
    assert table["a.wav"]["warnings"] == "ends early, 3 s are there;odd" and table["b.wav"]["warnings"] is None


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_earlier_version_is_gone_on_with(run, clips, tmp_path, name, quick):
    write_wav(clips / "b.wav", tone(1.0))
    old = pd.DataFrame([row("a.wav", mode="multitask", transcript="None")]).drop(columns="warnings")
    old.to_parquet(tmp_path / name) if name.endswith("parquet") else old.to_csv(tmp_path / name, index=False)
    journal = {k: v for k, v in row("c.wav", mode="multitask", transcript="NA").items() if k != "warnings"}
    (tmp_path / f"{name}.rank0.jsonl").write_bytes(json.dumps(journal).encode() + b'\n{"path": "b\xc3')
    assert "1 clips answered, 0 with an error, 2 already there" in run("batch", clips, "--out", tmp_path / name)[2]
    table = finished(tmp_path / name)
    assert set(table) == {"a.wav", "b.wav", "c.wav"}
    assert table["a.wav"]["transcript"] == "None" and table["c.wav"]["transcript"] == "NA"


@pytest.mark.parametrize(
    "content",
    [
        "path\na.wav\n".encode("utf-16"),
        b"Path;note\na.wav;caf\xe9\n",
        b"note\tFilename\nx\ta.wav\n",
        b"note, path\nx, a.wav\n",
        b"\xef\xbb\xbfpath\r\n.\\a.wav\r\n",
    ],
)
def test_lists_of_any_program(clips, content):
    (clips / "list.csv").write_bytes(content)
    ((name, file),) = find_clips(clips / "list.csv").clips
    assert name.endswith("a.wav") and file.samefile(clips / "a.wav")


@pytest.mark.parametrize(
    ("source", "out", "said"),
    [
        ("x" * 300, "results.csv", "accepted: a folder"),
        ("clips", "x" * 300 + ".csv", "accepted: at most 220 bytes"),
        ("clips", "folder.csv", "is a folder"),
        ("binary.csv", "results.csv", "is not a CSV"),
        ("open.csv", "results.csv", "is not a CSV"),
        ("empty.csv", "results.csv", "no column `path`"),
    ],
)
def test_more_refusals(run, clips, tmp_path, source, out, said):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "binary.csv").write_bytes(b"path\n\x00\x01")
    (tmp_path / "open.csv").write_text("path\n" + "x" * 200_000)
    (tmp_path / "empty.csv").write_text("")
    status, _, err = run("batch", tmp_path / source, "--out", tmp_path / out)
    assert (status, err.count("\n")) == (2, 1) and said in err and len(err) < 500


def test_no_room_for_the_table_keeps_the_journal(run, clips, tmp_path, monkeypatch, quick):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_csv", full)
        status, _, err = run("batch", clips, "--out", tmp_path / "results.csv")
    assert status == 2 and "No space left on device; the same command goes on" in err
    assert [file.name for file in tmp_path.glob("*results*")] == ["results.csv.rank0.jsonl"]
    assert (
        "0 clips answered, 0 with an error, 1 already there"
        in run("batch", clips, "--out", tmp_path / "results.csv")[2]
    )


def test_names_with_signs_of_patterns(run, clips, tmp_path, quick):
    out = tmp_path / "re[s]*.csv"
    assert run("batch", clips, "--out", out)[0] == 0
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["re[s]*.csv"]


def test_a_home_folder(clips, monkeypatch):
    monkeypatch.setenv("HOME", str(clips.parent))
    assert len(find_clips("~/clips").clips) == 1
    with pytest.raises(BatchError, match="accepted: a folder"):
        find_clips("~/nowhere")

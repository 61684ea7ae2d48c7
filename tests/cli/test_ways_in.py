"""Ways in: standard input, FIFOs, odd names; each clip is read once, and its warnings are shown."""

import io
import json
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tiny import tone, write_wav

import phonolinguistic.audio.decoding as decoding
from phonolinguistic.recognizer import EmotionRecognizer

ODD = "an odd thing about it"


@pytest.fixture
def loads(monkeypatch):
    """Sources that `load_audio` was asked for; every clip gets a warning."""
    asked, load_audio = [], decoding.load_audio

    def watch(source, *arguments, **options):
        asked.append(source)
        return replace(load_audio(source, *arguments, **options), warnings=(ODD,))

    monkeypatch.setattr(decoding, "load_audio", watch)
    monkeypatch.setattr("phonolinguistic.recognizer.load_audio", watch)
    return asked


def feed(fifo: Path, content: bytes) -> threading.Thread:
    writer = threading.Thread(target=fifo.write_bytes, args=(content,), daemon=True)
    writer.start()
    return writer


@pytest.mark.parametrize("command", ["compare", "recognize", "timeline"])
def test_a_fifo_is_read_once(answer, clip, tmp_path, command, loads):
    os.mkfifo(tmp_path / "pipe")
    writer = feed(tmp_path / "pipe", Path(clip).read_bytes())
    document = answer(command, tmp_path / "pipe")
    writer.join(10)
    assert not writer.is_alive() and loads == [str(tmp_path / "pipe")]
    assert document["warnings" if command == "recognize" else "clip"]


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input(answer, clip, name, monkeypatch, loads):
    kept, file = os.dup(0), os.open(clip, os.O_RDONLY)
    os.dup2(file, 0)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: 0))
    try:
        document = answer("compare", name)
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(file)
    assert (document["clip"]["path"], document["clip"]["seconds"], loads) == (name, 2.0, [name])


def test_standard_input_without_a_descriptor(answer, clip, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(Path(clip).read_bytes())))
    assert answer("compare", "-")["clip"]["seconds"] == 2.0


def test_process_substitution(answer, clip):
    """What `<(cat clip)` gives: /dev/fd/N."""
    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb") as pipe:
            pipe.write(Path(clip).read_bytes())

    writer = threading.Thread(target=write)
    writer.start()
    assert answer("recognize", f"/dev/fd/{reading}")["status"] == "ok"
    writer.join(10)
    os.close(reading)


def test_home_folder(answer, clip, monkeypatch):
    monkeypatch.setenv("HOME", str(Path(clip).parent))
    assert answer("compare", f"~/{Path(clip).name}")["clip"]["seconds"] == 2.0


@pytest.mark.parametrize(
    ("clip", "said"),
    [
        ("x" * 300 + ".wav", "name"),
        ("x" * 5000, "name"),
        ("https://example.org/a.wav", "URLs"),
        ("file:///tmp/a.wav", "URLs"),
        ("s3://bucket/a.wav", "URLs"),
        ("two\nlines.wav", "no such file"),
        ("", "empty"),
        (".", "folder"),
        ("gone\udce9.wav", "no such file"),
    ],
)
@pytest.mark.parametrize("command", ["compare", "recognize", "timeline"])
def test_what_is_refused_is_one_line(run, command, clip, said):
    status, out, err = run(command, clip)
    assert (status, out, err.count("\n")) == (2, "", 1) and said in err and len(err) < 400


def test_warnings_are_lines_on_stderr_or_in_the_json(run, answer, clip, loads):
    for command in ("compare", "recognize", "timeline"):
        status, out, err = run(command, clip)
        assert (status, err) == (0, f"warning: {ODD}\n") and ODD not in out
    assert answer("recognize", clip)["warnings"] == [ODD]
    assert answer("timeline", clip)["clip"]["warnings"] == [ODD]
    comparison = answer("compare", clip)
    assert comparison["clip"]["warnings"] == [ODD]
    assert all(mode["warnings"] == [ODD] for mode in comparison["modes"].values())
    assert len(loads) == 6  # each clip once


def test_decoding_is_part_of_the_answers_time(answer, clip, monkeypatch):
    times = iter([100.0, 107.0])
    monkeypatch.setattr("phonolinguistic.cli.time", SimpleNamespace(perf_counter=lambda: next(times)))
    document = answer("recognize", clip)
    assert next(iter(document["stages"])) == "decode_audio" and document["stages"]["decode_audio"] >= 7.0
    assert document["seconds"] == pytest.approx(sum(document["stages"].values()), abs=1e-4)


def test_the_recogniser_gets_the_clip(answer, clip, monkeypatch):
    given, recognize = [], EmotionRecognizer.recognize
    monkeypatch.setattr(EmotionRecognizer, "recognize", lambda self, c, *a: given.append(c) or recognize(self, c, *a))
    answer("recognize", clip)
    assert isinstance(given[0], decoding.Clip) and given[0].samples.dtype == np.float32


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_a_name_that_is_not_utf_8_in_any_terminal(run, tmp_path, monkeypatch, encoding):
    name = os.fsencode(tmp_path) + b"/tr\xe8s.wav"
    write_wav(tmp_path / "x.wav", tone())
    os.rename(os.fsencode(tmp_path / "x.wav"), name)
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    assert run("compare", os.fsdecode(name), "--json")[0] == 0
    document = json.loads(terminal.buffer.getvalue())
    assert os.fsencode(document["clip"]["path"]) == name
    terminal.seek(0)
    terminal.truncate()
    assert run("recognize", os.fsdecode(name))[0] == 0
    assert "anger" in terminal.buffer.getvalue().decode(encoding)

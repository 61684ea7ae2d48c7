"""compare, recognize and timeline: the JSON, the tables, and every refusal in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import tone, write_wav

from phonolinguistic.labels import EMOTIONS, MODES

ROOT = Path(__file__).resolve().parents[2]
RECOGNITION = {
    "mode": str,
    "status": str,
    "emotion": str,
    "confidence": float,
    "scores": dict,
    "transcript": (str, type(None)),
    "stages": dict,
    "seconds": float,
    "parameters": int,
    "model": str,
    "device": str,
    "warnings": list,
}


def check_recognition(document: dict) -> None:
    assert list(document) == list(RECOGNITION)
    for key, kind in RECOGNITION.items():
        assert isinstance(document[key], kind), key
    assert tuple(document["scores"]) == EMOTIONS
    assert document["seconds"] == pytest.approx(sum(document["stages"].values()), abs=1e-4)


def test_compare(answer, clip):
    document = answer("compare", clip)
    assert list(document) == ["clip", "device", "threads", "modes", "saving"]
    assert list(document["clip"]) == ["path", "seconds", "speech_seconds", "warnings"]
    assert (document["clip"]["path"], document["clip"]["seconds"], document["clip"]["warnings"]) == (clip, 2.0, [])
    assert 0.0 <= document["clip"]["speech_seconds"] <= 2.0
    assert (document["device"], document["threads"]) == ("cpu", 1)
    assert tuple(document["modes"]) == MODES
    for mode, recognition in document["modes"].items():
        assert recognition["mode"] == mode
        check_recognition(recognition)
    assert set(document["saving"]) == {"seconds_percent", "parameters_percent"}


@pytest.mark.parametrize("mode", MODES)
def test_recognize(answer, clip, mode):
    document = answer("recognize", clip, "--mode", mode)
    assert document["mode"] == mode
    check_recognition(document)


def test_recognize_takes_the_mode_that_the_model_offers(answer, clip, tiny_models):
    assert answer("recognize", clip)["mode"] == "multitask"
    assert answer("recognize", clip, "--model", tiny_models / "fusion")["mode"] == "fusion"
    models = answer("recognize", clip, "--multitask", tiny_models / "multitask")
    assert models["model"] == str(tiny_models / "multitask")


def test_timeline(answer, tmp_path):
    sound = np.concatenate([tone(2.0), np.zeros(16_000, np.float32), tone(1.5)])
    document = answer("timeline", write_wav(tmp_path / "long.wav", sound), "--mode", "fusion")
    assert list(document) == ["clip", "mode", "device", "threads", "segments", "seconds"]
    assert [(s["start"], round(s["end"], 1)) for s in document["segments"]] == [(0.0, 2.0), (3.0, 4.5)]
    for segment in document["segments"]:
        check_recognition(segment["recognition"])


def test_silence(answer, run, tmp_path):
    quiet = write_wav(tmp_path / "quiet.wav", np.zeros(32_000, np.float32))
    document = answer("recognize", quiet)
    assert (document["status"], document["emotion"], document["confidence"]) == ("no_speech", None, None)
    assert run("timeline", quiet)[1] == "no speech in 2.0 s\n"
    assert "no speech" in run("compare", quiet)[1]


def test_tables(run, clip):
    status, out, _ = run("compare", clip)
    assert status == 0 and [line.split()[0] for line in out.splitlines()[1:5]] == list(MODES)
    assert "multi-task:" in out and "parameters than fusion" in out
    status, out, _ = run("recognize", clip, "--mode", "audio")
    assert status == 0 and all(emotion in out for emotion in EMOTIONS)
    status, out, _ = run("timeline", clip)
    assert status == 0 and "2.00" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "gone.wav"], "no such file"),
        (["recognize", "CLIP", "--mode", "smell"], "choose from"),
        (["recognize", "CLIP", "--mode", "multitask", "--model", "FUSION"], "accepted: audio, text, fusion"),
        (["compare", "CLIP", "--model", "nosuch"], "accepted: a directory, or org/repo"),
        (["compare", "CLIP", "--model", "FUSION", "--fusion", "FUSION"], "--model stands alone"),
        (["compare", "CLIP", "--multitask", "FUSION"], "where a multitask model is expected"),
        (["compare", "CLIP", "--device", "abacus"], "accepted: cpu, cuda"),
        (["compare", "CLIP", "--mod", "FUSION"], "unrecognized arguments"),
        (["compare", "NOISE"], "not audio"),
        (["compare", "SHORT"], "accepted: 0.3 to 30 s"),
        (["compare", "LONG"], "accepted: 0.3 to 30 s"),
        (["compare"], "required"),
        ([], "required"),
        (["batch", "gone", "--out", "x.csv"], "accepted: a folder, or a .csv"),
    ],
)
def test_refusals_are_one_line_and_status_2(run, clip, tmp_path, tiny_models, arguments, said):
    (tmp_path / "noise.wav").write_bytes(b"this is no sound at all" * 50)
    names = {
        "CLIP": clip,
        "FUSION": str(tiny_models / "fusion"),
        "NOISE": str(tmp_path / "noise.wav"),
        "SHORT": str(write_wav(tmp_path / "short.wav", tone(0.1))),
        "LONG": str(write_wav(tmp_path / "long.wav", tone(31.0))),
    }
    status, out, err = run(*[names.get(argument, argument) for argument in arguments])
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert said in err


def test_help(run):
    status, out, _ = run("--help")
    assert status == 0 and all(command in out for command in ("compare", "recognize", "timeline", "batch"))


def test_as_a_program(tiny_models, clip):
    """A process of its own, with the real detector: stdout holds JSON and nothing else."""
    environment = os.environ | {"PHONOLINGUISTIC_MODELS": str(tiny_models), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "phonolinguistic", "compare", clip, "--json"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0 and run.stderr == ""
    assert set(json.loads(run.stdout)["modes"]) == set(MODES)

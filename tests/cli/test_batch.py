"""batch: folder and CSV, bad files, going on after a stop, Ctrl-C, several processes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tiny import tone, write_wav

from phonolinguistic.batch import COLUMNS
from phonolinguistic.labels import EMOTIONS
from phonolinguistic.recognizer import EmotionRecognizer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path):
    """Four clips, one of them silent, one file that is no sound, and one that is none of our business."""
    clips = tmp_path / "clips"
    (clips / "deeper, für später").mkdir(parents=True)
    for i, name in enumerate(("a.wav", "b.wav", "deeper, für später/c.wav")):
        write_wav(clips / name, tone(1.0 + i / 2, 150 + 50 * i))
    write_wav(clips / "silent.wav", tone(1.0, level=0.0))
    (clips / "broken.mp3").write_bytes(b"no sound" * 100)
    (clips / "notes.txt").write_text("not a clip")
    return clips


def read(out: Path) -> pd.DataFrame:
    table = pd.read_parquet(out) if out.suffix == ".parquet" else pd.read_csv(out)
    assert tuple(table.columns) == COLUMNS
    assert not list(out.parent.glob("*.jsonl")) and not list(out.parent.glob("*.partial"))
    return table.set_index("path")


@pytest.fixture
def asked(monkeypatch):
    """Names of the clips that the recogniser was asked about."""
    names, recognize = [], EmotionRecognizer.recognize

    def watch(self, clip, *arguments, **options):
        names.append(Path(clip).name)
        return recognize(self, clip, *arguments, **options)

    monkeypatch.setattr(EmotionRecognizer, "recognize", watch)
    return names


@pytest.mark.parametrize("name", ["results.parquet", "results.csv"])
def test_a_folder(run, folder, tmp_path, name):
    status, out, err = run("batch", folder, "--out", tmp_path / name, "--mode", "fusion")
    assert (status, out) == (0, "") and "4 clips answered, 1 with an error, 0 already there, 5 in all" in err
    table = read(tmp_path / name)
    assert list(table.index) == ["a.wav", "b.wav", "broken.mp3", "deeper, für später/c.wav", "silent.wav"]
    assert "not audio" in table.loc["broken.mp3", "error"] and pd.isna(table.loc["broken.mp3", "emotion"])
    good = table.loc["a.wav"]
    assert good["mode"] == "fusion" and good["status"] == "ok" and good["emotion"] in EMOTIONS
    assert good[[f"score_{emotion}" for emotion in EMOTIONS]].sum() == pytest.approx(1.0, abs=1e-4)
    assert good["transcript"] and good["seconds"] > 0 and pd.isna(good["error"])
    assert table.loc["silent.wav", "status"] == "no_speech" and pd.isna(table.loc["silent.wav", "confidence"])


def test_a_csv(run, folder, tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_text(f"name,path\nx,clips/b.wav\ny,{folder / 'a.wav'}\nz,clips/gone.wav\nx,clips/b.wav\n", "utf-8")
    assert run("batch", listed, "--out", tmp_path / "results.csv")[0] == 0
    table = read(tmp_path / "results.csv")
    assert list(table.index) == ["clips/b.wav", str(folder / "a.wav"), "clips/gone.wav"]
    assert "no such file" in table.loc["clips/gone.wav", "error"]


def test_a_second_run_answers_only_what_is_new(run, folder, tmp_path, asked):
    out = tmp_path / "results.parquet"
    run("batch", folder, "--out", out)
    first = read(out)
    asked.clear()
    write_wav(folder / "new.wav", tone())
    assert "1 clips answered, 0 with an error, 5 already there, 6 in all" in run("batch", folder, "--out", out)[2]
    assert asked == ["new.wav"]
    pd.testing.assert_frame_equal(read(out).drop("new.wav"), first)
    asked.clear()
    run("batch", folder, "--out", out)
    assert asked == []
    write_wav(folder / "broken.mp3", tone())  # somebody mended it
    run("batch", folder, "--out", out, "--retry-errors")
    assert asked == ["broken.mp3"] and read(out)["error"].isna().all()


def test_ctrl_c_keeps_what_is_done(run, folder, tmp_path, monkeypatch):
    out, recognize = tmp_path / "results.csv", EmotionRecognizer.recognize

    def interrupted(self, clip, *arguments, **options):
        if Path(clip).name == "c.wav":
            raise KeyboardInterrupt
        return recognize(self, clip, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(EmotionRecognizer, "recognize", interrupted)
        status, _, err = run("batch", folder, "--out", out)
    assert status == 130 and "goes on from here" in err
    assert list(read(out).index) == ["a.wav", "b.wav", "broken.mp3"]
    assert "3 already there" in run("batch", folder, "--out", out)[2]
    assert len(read(out)) == 5


def test_a_killed_run_goes_on_from_its_journal(run, folder, tmp_path, asked):
    out = tmp_path / "results.csv"
    row = dict.fromkeys(COLUMNS) | {"path": "a.wav", "mode": "multitask", "status": "ok", "emotion": "joy"}
    journal = tmp_path / "results.csv.rank3.jsonl"
    journal.write_text(json.dumps(row) + '\n{"path": "b.w', "utf-8")
    run("batch", folder, "--out", out)
    assert "a.wav" not in asked and "b.wav" in asked
    assert read(out).loc["a.wav", "emotion"] == "joy"


def test_a_fault_of_the_network_is_a_row_too(run, folder, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(EmotionRecognizer, "recognize", fail)
    assert run("batch", folder, "--out", tmp_path / "results.csv")[0] == 0
    assert set(read(tmp_path / "results.csv")["error"]) == {"RuntimeError: out of luck"}


@pytest.mark.parametrize(
    ("source", "out", "said"),
    [
        ("empty", "results.csv", "holds no clips"),
        ("clips", "results.xlsx", "ends in .parquet or .csv"),
        ("clips", "nowhere/results.csv", "there is no folder"),
        ("clips", "other.csv", "not a table of this command"),
        ("clips", "other.parquet", "cannot be read as a table"),
        ("other.csv", "results.csv", "no column `path`"),
    ],
)
def test_refusals(run, folder, tmp_path, source, out, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "other.parquet").write_text("not parquet")
    status, _, err = run("batch", tmp_path / source, "--out", tmp_path / out)
    assert (status, err.count("\n")) == (2, 1) and said in err
    assert (tmp_path / "other.csv").read_text() == "a,b\n1,2\n"


def test_answers_of_two_modes_do_not_mix(run, folder, tmp_path):
    run("batch", folder, "--out", tmp_path / "results.csv", "--mode", "audio")
    write_wav(folder / "new.wav", tone())
    status, _, err = run("batch", folder, "--out", tmp_path / "results.csv", "--mode", "multitask")
    assert status == 2 and "holds answers of mode audio" in err


def test_two_processes_share_the_work(folder, tmp_path, tiny_models):
    """What `accelerate launch` does on several GPUs, here on one CPU."""
    out = tmp_path / "results.parquet"
    environment = os.environ | {"PHONOLINGUISTIC_MODELS": str(tiny_models), "OMP_NUM_THREADS": "1"}
    launch = "torch.distributed.run --standalone --nproc_per_node 2 -m phonolinguistic".split()
    run = subprocess.run(
        [sys.executable, "-m", *launch, "batch", str(folder), "--out", str(out)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    counts = sorted(int(n) for n in re.findall(r"(\d) clips answered", run.stderr))
    assert sum(counts) == 4 and len(counts) == 2 and min(counts) > 0
    assert len(read(out)) == 5

"""A run that is killed, that meets a full disk or a NaN, and what is left of it."""

import json
import logging
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
import train_kit
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from training import train as program
from training.config import ConfigError
from training.engine import checkpoint as saving
from training.engine.checkpoint import Checkpoints, DiskError, recover_model
from training.train import NotFinite, train

RECIPE = "audio_hubert_base"  # layer drop, dropout, SpecAugment: everything random is in it
LONG = (
    "precision=bf16", "max_steps=null", "epochs=6", "save_every=3", "batch_rows=2", "gradient_accumulation_steps=2",
    "patience=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("resume")
    AcceleratorState._reset_state()  # one precision a process, says Accelerate; other tests have another
    yield root, train_kit.make_sources(root / "sources"), train_kit.make_corpus(root / "corpus")
    AcceleratorState._reset_state()


def settings(material, *more):
    return train_kit.settings_of(RECIPE, material[1], material[2], *LONG, *more)


@pytest.fixture(scope="module")
def straight(material):
    """A run that nothing disturbs."""
    out = material[0] / "straight"
    return train(settings(material), out, progress=False), load_file(out / "model" / "model.safetensors")


def same(found, expected):
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


def test_killed_run_ends_with_the_same_weights(material, straight):
    out = material[0] / "killed"
    command = [sys.executable, "-m", "training", "train", str(train_kit.CONFIGS / f"{RECIPE}.yaml"), "--out", str(out)]
    command += train_kit.overrides(RECIPE, *material[1:], *LONG)
    process = subprocess.Popen(command, cwd=train_kit.ROOT, env=train_kit.environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not list((out / "checkpoints").glob("step-*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    step = int(Checkpoints(None, out / "checkpoints", {}).latest().name.removeprefix("step-"))
    assert 0 < step < straight[0]["steps"]
    assert not (out / "training_run.json").exists()
    run = train(settings(material), out, progress=False)
    assert same(load_file(out / "model" / "model.safetensors"), straight[1])
    assert run["epochs"] == straight[0]["epochs"]


def test_full_disk_keeps_the_last_good_checkpoint(material, straight, monkeypatch, caplog):
    out, written = material[0] / "full", []
    real = saving.write_json

    def full(path, value):
        if path.name == saving.PROGRESS:
            written.append(path)
            if len(written) == 2:
                raise OSError(28, "No space left on device")
        real(path, value)

    monkeypatch.setattr(saving, "write_json", full)
    with caplog.at_level(logging.ERROR):
        train(settings(material), out, progress=False)
    assert "No space left" in caplog.text and "last good one: step-00000003" in caplog.text
    assert not list((out / "checkpoints").glob(".new-*"))
    assert same(load_file(out / "model" / "model.safetensors"), straight[1])


def test_full_disk_at_the_model_can_be_resumed(material, straight, monkeypatch):
    out = material[0] / "model_full"
    real = saving.os.replace

    def full(source, target):
        if str(target).endswith("model"):
            raise OSError(28, "No space left on device")
        real(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(saving.os, "replace", full)
        with pytest.raises(DiskError, match="No space left.*goes on from the last checkpoint"):
            train(settings(material), out, progress=False)
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["step-00000003"]
    train(settings(material), out, progress=False)
    assert same(load_file(out / "model" / "model.safetensors"), straight[1])


def test_a_kill_between_two_renames_is_mended(tmp_path):
    (tmp_path / ".old-model").mkdir()
    recover_model(tmp_path / "model")
    assert (tmp_path / "model").is_dir()


def test_checkpoint_of_other_settings_is_refused(material, straight):
    with pytest.raises(ConfigError, match="of another run.*heads_learning_rate"):
        train(settings(material, "heads_learning_rate=0.5"), material[0] / "straight", progress=False)


def test_an_old_run_says_so_in_one_line(material, straight, tmp_path):
    out = tmp_path / "old"
    shutil.copytree(material[0] / "straight", out)
    file = Checkpoints(None, out / "checkpoints", {}).latest() / saving.PROGRESS
    state = json.loads(file.read_text())
    del state["fingerprint"]["format"]
    file.write_text(json.dumps(state))
    with pytest.raises(ConfigError, match="written by an earlier version") as refused:
        train(settings(material), out, progress=False)
    assert "\n" not in str(refused.value)


def test_nan_stops_the_run_and_names_the_batch(material, monkeypatch, capsys):
    real, calls = program.objective, []

    def broken(*arguments, **named):
        loss, parts = real(*arguments, **named)
        calls.append(loss)
        return (loss * float("nan"), parts) if len(calls) == 8 else (loss, parts)

    out = material[0] / "nan"
    with monkeypatch.context() as patched:
        patched.setattr(program, "objective", broken)
        with pytest.raises(NotFinite, match=r"loss is nan in step 3 .*audio.*: batch own/\d+\.wav"):
            train(settings(material), out, progress=False)
    assert Checkpoints(None, out / "checkpoints", {}).latest().name == "step-00000003"


def test_early_stop_writes_its_record_and_the_tracker_its_log(material):
    out = material[0] / "early"
    still = ("patience=1", "heads_learning_rate=0", "speech.learning_rate=0", "tracker=tensorboard", "log_every=2")
    run = train(settings(material, *still), out, progress=False)
    assert run["stopped_early"] and len(run["epochs"]) == 2
    assert json.loads((out / "training_run.json").read_text())["best_macro_f1"] == run["epochs"][0]["macro_f1"]
    assert list((out / "logs").rglob("events.out.tfevents*"))

"""The command line on tiny networks, in this process."""

import json

import pytest
import torch
from listening import LevelFrontEnd
from tiny import tone, write_wav

from phonolinguistic.cli import main


@pytest.fixture(autouse=True)
def tiny_release(tiny_models, monkeypatch):
    """Tiny networks in the place of the embedded release, a detector that hears tones, one thread."""
    monkeypatch.setenv("PHONOLINGUISTIC_MODELS", str(tiny_models))
    for name in ("PHONOLINGUISTIC_FUSION", "PHONOLINGUISTIC_MULTITASK", "PHONOLINGUISTIC_ASR", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("phonolinguistic.recognizer.FrontEnd", LevelFrontEnd)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tiny_models
    torch.set_num_threads(threads)


@pytest.fixture
def clip(tmp_path):
    return str(write_wav(tmp_path / "ein Satz, très fâché.wav", tone()))


@pytest.fixture
def run(capsys):
    """run(*arguments) -> (exit status, what stdout holds, what stderr holds)."""

    def call(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def answer(run):
    """answer(*arguments) -> the JSON document of a run that must succeed."""

    def call(*arguments):
        status, out, err = run(*arguments, "--json")
        assert (status, err) == (0, ""), err
        return json.loads(out)

    return call

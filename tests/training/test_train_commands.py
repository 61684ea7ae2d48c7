"""The one door: what it lists, what it imports, and how it refuses."""

import subprocess
import sys

import pytest
import train_kit

from training.__main__ import COMMANDS, is_user_error, main
from training.config import ConfigError
from training.corpora import CorpusError
from training.hub.package import PublishError


def test_all_commands_are_listed_and_explain_themselves(capsys):
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in COMMANDS)
    for name in COMMANDS:
        with pytest.raises(SystemExit) as left:
            main([name, "--help"])
        assert left.value.code == 0 and "usage:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sing"], "unknown command 'sing'; accepted: train, evaluate"),
        (["train", "none.yaml", "--out", "run"], "train: none.yaml cannot be read"),
        (["publish", "nowhere", "team/model"], "cannot be published: it is no directory"),
        (["card", "nowhere", "--repo", "team/model"], "config.json is missing"),
        (["export", "text", "nowhere", "--out", "out"], "nowhere holds no trained model"),
        (["transcribe", "--model", "m", "--corpus", "own", "--path", "no.csv", "--out", "x.jsonl"], "own"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and "Traceback" not in error


def test_a_place_that_cannot_be_written_is_one_line(capsys, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    command = ["transcribe", "--model", "m", "--corpus", "own", "--path", "p", "--out", "x.jsonl"]

    def write(arguments):
        (tmp_path / "file" / "inside").write_text("")

    monkeypatch.setattr("training.transcribe.main", write)
    assert main(command) == 2
    error = capsys.readouterr().err
    assert error.startswith("transcribe: Not a directory") and error.count("\n") == 1


def test_only_what_a_user_can_put_right_is_shortened():
    assert all(is_user_error(kind("x")) for kind in (ConfigError, CorpusError, PublishError))
    assert not is_user_error(ValueError("x")) and not is_user_error(RuntimeError("x"))


def test_the_list_of_commands_imports_no_network():
    code = "import sys, training.__main__ as t; t.main(['--help']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=train_kit.ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"

"""Damaged files of every format: answered or refused, nothing else."""

import json
import sys

import pytest

from benchmarks import fuzz_audio
from phonolinguistic.audio.decoding import load_audio


def test_originals_are_answered_without_a_word():
    for name, data in fuzz_audio.originals().items():
        clip = load_audio(data)
        assert abs(clip.seconds - 1) < 0.1 and not clip.warnings, name


def test_a_mutant_follows_from_seed_and_number():
    recipes = {fuzz_audio.mutant(3, number) for number in range(40)}
    assert recipes == {fuzz_audio.mutant(3, number) for number in range(40)} and len(recipes) == 40
    assert fuzz_audio.mutant(4, 1) != fuzz_audio.mutant(3, 1)


def test_two_thousand_mutants(tmp_path, monkeypatch):
    out = tmp_path / "fuzz.json"
    monkeypatch.setattr(sys, "argv", ["fuzz_audio", "--mutants", "2000", "--seed", "0", "--out", str(out)])
    status = fuzz_audio.main()
    found = json.loads(out.read_text(encoding="utf-8"))
    assert status == 0 and found["failures"] == []
    assert sum(found["outcomes"].values()) == 2000
    assert min(found["outcomes"][kind] for kind in ("answered", "answered_with_warning", "refused")) > 100


@pytest.mark.parametrize("kind", ["exception", "crash", "hang"])
def test_what_is_looked_for_is_found(kind, monkeypatch):
    """The child is a process of its own, so the fault is put into its work by name."""
    monkeypatch.setattr(fuzz_audio, "_work", FAULTY[kind])
    found = fuzz_audio.run(3, 0, hang_seconds=1.0)
    assert found["outcomes"][kind] == 1 and found["outcomes"]["refused"] == 2
    assert [failure["mutant"] for failure in found["failures"]] == [1]


def _exception(connection, seed, first, last):
    _faulty(connection, first, last, lambda: connection.send(("exception", "KeyError: 1", 0.0)))


def _crash(connection, seed, first, last):
    import os

    _faulty(connection, first, last, os.abort)


def _hang(connection, seed, first, last):
    import time

    _faulty(connection, first, last, lambda: time.sleep(60))


def _faulty(connection, first, last, fault):
    connection.send(("ready", "", 0.0))
    for number in range(first, last):
        fault() if number == 1 else connection.send(("refused", "", 0.0))


FAULTY = {"exception": _exception, "crash": _crash, "hang": _hang}

"""The three commands at the top of training/README.md, as a new user types them: a table of clips, a model, figures,
and what would go to the Hub."""

import csv
import json
import shlex

import numpy as np
import pytest
import torch
import train_kit
from tiny import tone, write_wav

from phonolinguistic.labels import EMOTIONS
from training.__main__ import main


def commands() -> list[list[str]]:
    """Arguments of the first block's `python -m training` lines."""
    text = (train_kit.ROOT / "training" / "README.md").read_text(encoding="utf-8").split("## ")[0]
    lines = [line.strip() for line in text.splitlines() if line.startswith("    python -m training ")]
    return [shlex.split(line)[3:] for line in lines]


@pytest.fixture
def table(tmp_path):
    """Ten speakers, each emotion once; no split column."""
    rows = []
    for number in range(70):
        level = 0.1 + 0.05 * (number % 7)
        samples = tone(0.6, pitch=120 + 45 * (number % 7), level=level)
        samples += 0.003 * np.random.default_rng(number).standard_normal(len(samples)).astype(np.float32)
        row = {"path": write_wav(tmp_path / f"{number}.wav", samples).name, "text": "I say what I say."}
        rows.append(row | {"emotion": EMOTIONS[number % 7], "speaker": f"speaker {number // 7}"})
    with open(tmp_path / "clips.csv", "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path / "clips.csv"


def test_train_evaluate_publish(table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(train_kit.ROOT)  # own.yaml starts from models/fusion
    torch.set_num_threads(2)
    run, own = str(tmp_path / "runs" / "own"), f"own={table}"
    lines = [[{"runs/own": run, "own=clips.csv": own}.get(word, word) for word in words] for words in commands()]
    assert [line[0] for line in lines] == ["train", "evaluate", "publish"]
    lines[0] += ["epochs=3", "precision=fp32", "--cache", str(tmp_path / "cache"), "--no-progress"]
    shown = []
    for line in lines:
        assert main(line) == 0, capsys.readouterr().err
        shown.append(capsys.readouterr().out)
    assert "validation macro-F1" in shown[0]
    assert "| own, fusion | 7 |" in shown[1] and "| own, off-the-shelf recogniser (recognition) | 7 |" in shown[1]
    assert "model.safetensors" in shown[2] and "dry run: nothing was sent" in shown[2]
    metrics = json.loads((tmp_path / "runs" / "own" / "model" / "metrics.json").read_text())
    assert {result["split"] for result in metrics["results"]} == {"test"}
    assert "56 training and 7 validation rows" in metrics["training"]["procedure"]

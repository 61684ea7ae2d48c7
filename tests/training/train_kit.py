"""Tiny random checkpoints of the published classes, a tiny corpus, and how a recipe is pointed at them."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch
import yaml
from tiny import bert_config, bert_tokenizer, ctc_tokenizer, hubert_config, tiny_asr
from tiny_release import write_tiny_model
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTModel,
    BertModel,
    HubertForCTC,
    HubertModel,
    Wav2Vec2FeatureExtractor,
)

from phonolinguistic.labels import EMOTIONS
from training.config import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "training" / "configs"
RECIPES = sorted(
    str(path.relative_to(CONFIGS).with_suffix(""))
    for path in (*CONFIGS.glob("*.yaml"), *CONFIGS.glob("release/*.yaml"))
    if "\ntask: " in path.read_text(encoding="utf-8")
)
SENTENCES = ("I am so happy today", "oh no", "you came and stayed with us", "what a sad day", "I am angry")


def save(folder: Path, *parts) -> Path:
    for part in parts:
        part.save_pretrained(folder)
    return folder


def make_sources(root: Path) -> dict[str, Path]:
    """Hub id -> a directory with a tiny network of the same class; "models/fusion" too."""
    torch.manual_seed(0)
    waveform = Wav2Vec2FeatureExtractor(return_attention_mask=True)
    large, base = hubert_config(), hubert_config()
    base.do_stable_layer_norm, base.feat_extract_norm = False, "group"
    ast = ASTConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, patch_size=8,
                    frequency_stride=8, time_stride=8, max_length=48, num_mel_bins=16)  # fmt: skip
    letters = save(root / "letters", ctc_tokenizer(root / "letters"))
    wav2vec2 = save(letters, large)  # a tokenizer is found through its model's configuration
    whole = save(root / "ctc", HubertForCTC(large), waveform, ctc_tokenizer(root / "ctc"))
    return {
        "facebook/hubert-large-ll60k": save(root / "large", HubertModel(large), waveform),
        "facebook/hubert-base-ls960": save(root / "base", HubertModel(base), waveform),
        "facebook/hubert-large-ls960-ft": whole,
        "facebook/wav2vec2-base-960h": wav2vec2,
        "google-bert/bert-base-uncased": save(root / "bert", BertModel(bert_config()), bert_tokenizer()),
        "MIT/ast-finetuned-audioset-10-10-0.4593": save(
            root / "ast", ASTModel(ast), ASTFeatureExtractor(num_mel_bins=16, max_length=48)
        ),
        "openai/whisper-base.en": tiny_asr(root / "whisper"),
        "sentence-transformers/all-MiniLM-L6-v2": root / "bert",
        "models/fusion": write_tiny_model(root / "fusion", multitask=False, pooled_layers=[1, 2]),
    }


def make_corpus(root: Path, train: int = 14, validation: int = 9, test: int = 0, **first) -> Path:
    """A table of short tones with every emotion; 9 validation rows fill no even number of batches. `first`: cells that
    replace those of the first row."""
    root.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    rows = []
    for number in range(train + validation + test):
        side = "train" if number < train else "validation" if number < train + validation else "test"
        seconds = 0.32 + 0.04 * (number % 5)
        time = np.arange(int(seconds * 16_000)) / 16_000
        wave = 0.2 * np.sin(2 * np.pi * (150 + 40 * (number % 7)) * time) + 0.01 * random.standard_normal(len(time))
        soundfile.write(root / f"{number}.wav", wave.astype(np.float32), 16_000)
        rows.append({"path": f"{number}.wav", "text": SENTENCES[number % len(SENTENCES)],
                     "emotion": EMOTIONS[number % 7], "speaker": f"{side}-{number % 2}", "split": side})  # fmt: skip
    rows[0] |= first
    file = root / "clips.csv"
    with open(file, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return file


def overrides(recipe: str, sources: dict[str, Path], corpus: Path, *more: str) -> list[str]:
    """What points a recipe at local directories and makes it two steps long."""
    values = yaml.safe_load((CONFIGS / f"{recipe}.yaml").read_text(encoding="utf-8"))
    found = [f"{tower}.source={sources[values[tower]['source']]}" for tower in ("speech", "text") if tower in values]
    if "asr_tokenizer" in values:
        found.append(f"asr_tokenizer={sources[values['asr_tokenizer']]}")
    model = values.get("model", {})
    if "pooled_layers" in model:
        found.append("model.pooled_layers=[2]")
    if "head_hidden_size" in model:
        found.append("model.head_hidden_size=8")
    first = values["data"]["corpora"][0]
    labels = first.get("labels", "one")
    found.append(f"data.corpora=[{{name: own, path: {corpus}, labels: {labels}}}]")
    return [*found, f"data.cache={corpus.parent / 'cache'}", "data.workers=0", "batch_rows=4", "max_steps=2",
            "tracker=null", *more]  # fmt: skip


def settings_of(recipe: str, sources: dict[str, Path], corpus: Path, *more: str) -> Settings:
    return load_settings(CONFIGS / f"{recipe}.yaml", overrides(recipe, sources, corpus, *more))


def environment() -> dict[str, str]:
    quiet = {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0", "TOKENIZERS_PARALLELISM": "false"}
    return os.environ | quiet | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}


def launch_two(jobs: list[dict], folder: Path) -> subprocess.CompletedProcess:
    """Run {"recipe", "overrides", "out"} jobs one after the other in two processes under `accelerate launch`."""
    file = folder / "jobs.json"
    file.write_text(json.dumps(jobs), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", str(port)]
    config = ["--config_file", str(CONFIGS / "accelerate" / "cpu2.yaml")]
    command = [*launcher, *config, str(Path(__file__).with_name("train_many.py")), str(file)]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300)

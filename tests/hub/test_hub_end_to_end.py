"""The whole way on the local Hub: train two steps, publish, start the app with the ids, ask it by gradio_client."""

import csv
import json

import numpy as np
import pytest
import yaml
from gradio_client import Client, handle_file
from hub_session import OWNER_TOKEN
from huggingface_hub import HfApi
from listening import LevelFrontEnd
from tiny import bert_config, bert_tokenizer, tiny_asr, tone, write_wav
from tiny_release import METRICS
from transformers import BertModel

import app
from phonolinguistic import EmotionRecognizer
from phonolinguistic.labels import EMOTIONS, MODES
from training import publish, train

TEXTS = ("i am so happy today", "oh no", "what a sad day")


@pytest.fixture
def corpus(tmp_path):
    """Tones with labels, as a table of one's own recordings."""
    rows = []
    for number in range(14):
        path = write_wav(tmp_path / f"{number}.wav", tone(0.5, pitch=150 + 40 * (number % 7)))
        split = "train" if number < 7 else "validation"
        row = {"path": path.name, "text": TEXTS[number % 3], "emotion": EMOTIONS[number % 7]}
        rows.append(row | {"speaker": f"{split}-{number % 2}", "split": split})
    file = tmp_path / "clips.csv"
    with file.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return file


def two_steps(task: str, corpus, sources, out, **model):
    """Train; returns the trained directory with figures beside it, as an evaluation would leave them."""
    settings = {
        "task": task,
        "speech": {"source": str(sources / "asr")},
        "text": {"source": str(sources / "bert")},
        "data": {"corpora": [{"name": "own", "path": str(corpus)}], "cache": str(out / "cache")},
        "model": {"head_hidden_size": 0, "pooled_layers": [2]} | model,
        "max_steps": 2,
        "batch_rows": 4,
        "tracker": None,
    }
    out.mkdir()
    (out / "run.yaml").write_text(yaml.safe_dump(settings))
    assert train.main([str(out / "run.yaml"), "--out", str(out / task)]) == 0
    (out / task / "model" / "metrics.json").write_text(json.dumps(METRICS))
    return out / task / "model"


def test_train_publish_serve_ask(hub, corpus, tmp_path, monkeypatch, repo_id):
    sources = tmp_path / "sources"
    tiny_asr(sources / "asr")
    BertModel(bert_config()).save_pretrained(sources / "bert")
    bert_tokenizer().save_pretrained(sources / "bert")
    trained = {
        "fusion": two_steps("fusion", corpus, sources, tmp_path / "a", asr=f"{repo_id}-asr"),
        "multitask": two_steps("multitask", corpus, sources, tmp_path / "b"),
    }

    monkeypatch.setenv("HF_TOKEN", OWNER_TOKEN)
    HfApi().create_repo(f"{repo_id}-asr")
    HfApi().upload_folder(repo_id=f"{repo_id}-asr", folder_path=sources / "asr")
    bases = ["--base-model", "openai/whisper-tiny.en", "--base-model", "google-bert/bert-base-uncased"]
    for kind, folder in trained.items():
        assert publish.main([str(folder), f"{repo_id}-{kind}", "--tag", "v1", *bases]) == 0
    monkeypatch.delenv("HF_TOKEN")

    monkeypatch.setattr("phonolinguistic.recognizer.FrontEnd", LevelFrontEnd)
    monkeypatch.setenv("PHONOLINGUISTIC_MODELS", str(tmp_path / "nothing embedded"))
    for kind in trained:
        monkeypatch.setenv(f"PHONOLINGUISTIC_{kind.upper()}", f"{repo_id}-{kind}@v1")
    page = app.serve(EmotionRecognizer.from_pretrained(), prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    try:
        client = Client(page.local_url, verbose=False)
        clip = write_wav(tmp_path / "clip.wav", tone(1.5, pitch=300.0))
        answer = client.predict(clip=handle_file(str(clip)), api_name="/compare")
        info = client.predict(api_name="/model_info")
    finally:
        page.close(verbose=False)

    local = EmotionRecognizer.from_pretrained(
        fusion=str(trained["fusion"]), multitask=str(trained["multitask"]), asr=str(sources / "asr")
    ).compare(str(clip))
    assert set(answer["modes"]) == set(MODES)
    for mode in MODES:
        remote, own = answer["modes"][mode], local.modes[mode]
        assert remote["emotion"] == own.emotion and remote["transcript"] == own.transcript
        assert list(remote["scores"].values()) == pytest.approx(list(own.scores.values()), abs=1e-6)
        assert np.isclose(sum(remote["scores"].values()), 1, atol=1e-5)
    assert {model["source"] for model in info["models"]} >= {f"{repo_id}-fusion@v1", f"{repo_id}-multitask@v1"}
    assert OWNER_TOKEN not in json.dumps([answer, info])

"""Exports as plain transformers classes: the same answers, without remote code."""

import numpy as np
import pytest
import torch
from hub_session import OWNER_TOKEN
from tiny import bert_tokenizer
from tiny_release import write_tiny_model
from transformers import AutoModelForSequenceClassification, BertConfig, HubertConfig, pipeline

from phonolinguistic.model.configuration_phonolinguistic import PhonoLinguisticConfig
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from training.hub import export_stock
from training.hub.stock_audio import fit_head, pooled_layers, stock_audio, windowed_whisper
from training.hub.stock_text import StockExportError, stock_text

TEXTS = ["i am so happy", "the door", "kids are talking by the door, are they not?"]


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    """A tiny multi-task model with linear heads, as the release has them."""
    torch.manual_seed(3)
    text = BertConfig(
        vocab_size=len(bert_tokenizer()), hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64,
    )  # fmt: skip
    return write_tiny_model(tmp_path_factory.mktemp("linear"), head_hidden_size=0, text=text)


@pytest.mark.parametrize("pooling", ["mean", "pooler"])
def test_the_text_export_has_the_logits_of_the_text_head(tmp_path, linear, pooling):
    model, processor = export_stock.load(linear)
    model.config.text_pooling = pooling
    model.text_head.weight.data.normal_(std=1.0)
    stock_text(model).save_pretrained(tmp_path)
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert type(stock).__name__ == "BertForSequenceClassification"
    batch = processor(text=TEXTS)
    with torch.no_grad():
        ours = model(**batch).text_logits / model.config.temperatures["text"]
        theirs = stock(input_ids=batch["input_ids"], attention_mask=batch["text_attention_mask"]).logits
    assert ours.abs().max() > 1 and torch.allclose(ours, theirs, rtol=5e-5, atol=1e-4)


def test_the_stock_text_pipeline_gives_our_scores_from_the_hub(hub, linear, tmp_path, repo_id, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", OWNER_TOKEN)
    assert export_stock.main(["text", str(linear), "--out", str(tmp_path / "text"), "--push", repo_id]) == 0
    assert f'model="{repo_id}"' in hub.store.read("model", repo_id, "README.md").decode()
    model, processor = export_stock.load(linear)
    classify = pipeline("text-classification", model=repo_id, top_k=None)
    for text in TEXTS:
        with torch.no_grad():
            logits = model(**processor(text=text)).text_logits[0] / model.config.temperatures["text"]
        expected = dict(zip(model.config.id2label.values(), logits.softmax(0).tolist(), strict=True))
        answer = {entry["label"]: entry["score"] for entry in classify([text])[0]}
        assert answer == pytest.approx(expected, abs=1e-4)


def test_a_hidden_layer_in_the_text_head_is_refused(tiny, tmp_path, capsys):
    assert export_stock.main(["text", str(tiny / "multitask"), "--out", str(tmp_path)]) == 2
    assert "head_hidden_size 0" in capsys.readouterr().err


@pytest.mark.parametrize(("multitask", "layers"), [(False, None), (True, None), (False, [2])])
def test_a_hubert_audio_export_is_exact(multitask, layers):
    torch.manual_seed(0)
    speech = HubertConfig(
        vocab_size=12, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        conv_dim=(16, 16), conv_kernel=(10, 3), conv_stride=(5, 2), num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
    )  # fmt: skip
    text = BertConfig(vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    config = PhonoLinguisticConfig(
        speech, text, multitask=multitask, head_hidden_size=0, pooled_layers=layers, temperatures={"audio": 1.7}
    )
    model = PhonoLinguisticModel(config).eval()
    model.audio_pooling.feature_mean.normal_()
    model.audio_pooling.feature_std.uniform_(0.5, 2)
    if layers is None:
        model.audio_pooling.layer_weights.data.normal_()
    stock, samples = stock_audio(model), torch.randn(1, 4000)
    with torch.no_grad():
        ours = model(input_features=samples).audio_logits / 1.7
        assert torch.allclose(stock(samples).logits, ours, atol=1e-5)


def test_whispers_stock_class_is_refused_in_words(linear, tmp_path, capsys):
    assert export_stock.main(["audio", str(linear), "--out", str(tmp_path)]) == 2
    shown = capsys.readouterr().err
    assert "cannot express this audio head" in shown and "--ravdess" in shown


def test_a_fitted_whisper_head_is_what_the_stock_pipeline_computes(linear, tmp_path):
    model, _ = export_stock.load(linear)
    stock, extractor = windowed_whisper(model, 4)
    random = np.random.default_rng(0)
    clips = [random.normal(0, 0.02 * (1 + i % 2), 24_000).astype(np.float32) for i in range(24)]
    features, targets = pooled_layers(stock, extractor, clips), torch.tensor([i % 2 for i in range(24)])
    fit_head(stock, features, targets, torch.ones(24))
    stock.save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    classify = pipeline("audio-classification", model=str(tmp_path), top_k=None)
    found = [classify(clip)[0]["label"] for clip in clips]
    assert found == ["anger" if i % 2 == 0 else "disgust" for i in range(24)]
    with pytest.raises(StockExportError, match="accepted: 1 to 30"):
        windowed_whisper(model, 31)

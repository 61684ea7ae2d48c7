"""Pruned vocabulary, lessons of the padded original, and the unpadded recogniser's training, on tiny networks."""

import dataclasses

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoTokenizer, BertTokenizerFast, WhisperFeatureExtractor

from phonolinguistic.model.configuration_phonolinguistic import PhonoLinguisticConfig
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor
from training.release.prune_whisper import prune_tokenizer
from training.release.teach import load_lessons, plain_lesson, save_shard, sentence_case
from training.release.train_recognition import Clip, Settings, augment, batches, train

WHISPER = "asr/tokenizer.json"
TOKENS = 400


@pytest.fixture(scope="module")
def tokenizer(release):
    return prune_tokenizer(release / WHISPER, TOKENS)


def test_pruned_tokenizer_writes_any_text_with_the_first_merges(release, tokenizer, tmp_path):
    full = AutoTokenizer.from_pretrained(release / "asr")
    text = " Leave me alone, zygote façade 7!"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert max(ids) < TOKENS and tokenizer.decode(ids) == text and full.decode(ids) == text
    assert tokenizer.convert_ids_to_tokens([TOKENS, TOKENS + 2]) == ["<|endoftext|>", "<|notimestamps|>"]
    tokenizer.save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path)(text, add_special_tokens=False)["input_ids"] == ids
    with pytest.raises(ValueError, match="accepted: 257"):
        prune_tokenizer(release / WHISPER, 10)


def test_sentence_case():
    assert sentence_case("WE CALL IT BEAR") == "We call it bear."
    assert sentence_case("what i'm saying") == "What I'm saying."
    assert sentence_case("Say the word back.") == "Say the word back."


def test_lessons_survive_the_disk(tokenizer, tmp_path):
    lesson = plain_lesson("a", "hello there", tokenizer)
    save_shard([lesson], tmp_path / "000000.pt")
    found = load_lessons(tmp_path)["a"]
    assert found.target == "Hello there." and torch.equal(found.target_ids, lesson.target_ids)
    assert int(found.target_ids[-1]) == TOKENS
    assert torch.equal(found.soft_logprobs.float().softmax(-1)[:, 0], torch.ones(len(found.target_ids)))


def test_augmentation_keeps_speech_and_order():
    rng = np.random.default_rng(0)
    x = (np.sin(np.arange(16_000) / 9) * 8000).astype(np.int16)
    y = augment(x, Settings(silence_share=0.0, noise_share=0.0), rng)
    assert len(y) == len(x) and np.corrcoef(x, y)[0, 1] > 0.99
    longer = augment(x, Settings(silence_share=1.0), rng)
    assert len(x) <= len(longer) <= len(x) + 17_600 and np.isfinite(longer).all()


@pytest.fixture
def parts(tokenizer):
    torch.manual_seed(0)
    size = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    speech = AutoConfig.for_model(
        "whisper", d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=64,
        decoder_attention_heads=2, decoder_ffn_dim=64, vocab_size=TOKENS + 3, pad_token_id=TOKENS, eos_token_id=TOKENS,
        bos_token_id=TOKENS, decoder_start_token_id=TOKENS + 1, begin_suppress_tokens=[TOKENS],
    )  # fmt: skip
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]
    text = AutoConfig.for_model("bert", vocab_size=len(words), **size)
    config = PhonoLinguisticConfig(
        speech, text, multitask=True, pooling="mean_std", pooled_layers=[1, 2], head_hidden_size=0,
        decoder_prompt_ids=[TOKENS + 1, TOKENS + 2],
    )  # fmt: skip
    bert = BertTokenizerFast(vocab={w: i for i, w in enumerate(words)})
    processor = PhonoLinguisticProcessor.build(WhisperFeatureExtractor(), bert, tokenizer)
    rng = np.random.default_rng(0)
    clips = [
        Clip((rng.normal(size=n) * 3000).astype(np.int16), plain_lesson(str(i), "a dog", tokenizer), i % 3)
        for i, n in enumerate(range(6_000, 8_400, 400))
    ]
    return PhonoLinguisticModel(config), processor, clips


def settings(**changes) -> Settings:
    fast = Settings(epochs=2, batch_seconds=6, frozen_layers=1, save_every=1, decoder_rate=1e-2, bf16=False)
    return dataclasses.replace(fast, **changes)


def test_every_clip_is_in_every_epoch_once(parts):
    groups = batches(parts[2], settings(), 0)
    assert sorted(i for group in groups for i in group) == list(range(6)) and len(groups) > 1


def test_training_learns_and_a_killed_run_ends_with_the_same_weights(parts, tmp_path, monkeypatch):
    model, processor, clips = parts
    start = {k: v.clone() for k, v in model.state_dict().items()}
    facts = train(model, processor, clips, clips[:2], settings(), tmp_path / "whole")
    assert facts["epochs"][1]["target"] < facts["epochs"][0]["target"]
    whole = {k: v.clone() for k, v in model.state_dict().items()}
    frozen = "speech.encoder.conv1.weight"
    assert torch.equal(whole[frozen], start[frozen])
    assert not torch.equal(whole["speech.decoder.layer_norm.weight"], start["speech.decoder.layer_norm.weight"])

    from training.release import train_recognition

    saved = train_recognition.save_state

    def killed(path, state):
        saved(path, state)
        if state["step"] == 2:
            raise KeyboardInterrupt

    model.load_state_dict(start)
    monkeypatch.setattr(train_recognition, "save_state", killed)
    with pytest.raises(KeyboardInterrupt):
        train(model, processor, clips, clips[:2], settings(), tmp_path / "cut")
    monkeypatch.setattr(train_recognition, "save_state", saved)
    train(model, processor, clips, clips[:2], settings(), tmp_path / "cut")
    for name, value in model.state_dict().items():
        assert torch.equal(value, whole[name]), name


def test_a_nan_names_its_clips(parts, tmp_path):
    model, processor, clips = parts
    with torch.no_grad():
        model.speech.decoder.layer_norm.weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="its clips: "):
        train(model, processor, clips, clips[:1], settings(), tmp_path)

"""Models with random weights in the format of the embedded release, small enough to build in a second."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertTokenizerFast,
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
)

from phonolinguistic.configuration_phonolinguistic import PhonoLinguisticConfig
from phonolinguistic.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.processing_phonolinguistic import PhonoLinguisticProcessor

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789'.,?!"
WORDS = ("the", "door", "kids", "are", "talking", "by", "so", "happy", "sad", "i", "am", "##ing", "##s", "dogs")
METRICS = {
    "results": [
        {
            "corpus": "ravdess",
            "split": "test",
            "mode": mode,
            "n": 192,
            "metrics": {"uar": {"value": 0.5, "low": 0.4, "high": 0.6}, "accuracy": 0.55},
            "groups": {"gender": {"female": {"uar": 0.52}, "male": {"uar": 0.48}}},
        }
        for mode in ("audio", "text", "multitask")
    ],
    "training": {"seconds": 3600, "threads": 2, "device": "CPU", "commands": ["python -m training.train"]},
}


def bert_tokenizer() -> BertTokenizerFast:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS), *WORDS]
    return BertTokenizerFast(vocab={piece: i for i, piece in enumerate(dict.fromkeys(pieces))}, do_lower_case=True)


def whisper_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes as tokens, then Whisper's three special ones."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ("<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>")
    vocabulary = {token: i for i, token in enumerate([*alphabet, *special])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=special[0], bos_token=special[0], additional_special_tokens=special[1:]
    )


def write_tiny_model(folder: Path, multitask: bool = True, seed: int = 0, trained: bool = True, **settings) -> Path:
    """Config, weights, processor and metrics of a tiny Whisper + BERT model; returns the folder.

    Args:
        trained: False leaves out what marks the heads as trained.
        settings: further `PhonoLinguisticConfig` arguments; `text`: another BERT configuration.
    """
    torch.manual_seed(seed)
    words, sounds = bert_tokenizer(), whisper_tokenizer()
    start, end = 257, 256
    speech = WhisperConfig(
        vocab_size=len(sounds), d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_target_positions=64,
        decoder_start_token_id=start, eos_token_id=end, bos_token_id=end, pad_token_id=end,
        begin_suppress_tokens=[end], suppress_tokens=None,
    )  # fmt: skip
    text = settings.pop("text", None) or BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=128,
    )  # fmt: skip
    heads = ["audio", "text", "fusion"] + ["recognition"] * multitask
    release = {
        "version": "0.0.1",
        "base_models": ["openai/whisper-tiny.en", "sentence-transformers/all-MiniLM-L6-v2"],
        "corpora": ["ravdess", "tess", "goemotions", "meld"],
    }
    config = PhonoLinguisticConfig(
        speech,
        text,
        multitask=multitask,
        asr=None if multitask else "openai/whisper-tiny.en",
        head_hidden_size=settings.pop("head_hidden_size", 12),
        decoder_prompt_ids=[start, 258],
        temperatures={"audio": 1.5, "text": 0.8, "multitask": 1.2, "fusion": 1.1},
        release=release | ({"trained_heads": heads} if trained else {}),
        **settings,
    )
    model = PhonoLinguisticModel(config).eval()
    with torch.no_grad():
        for head in (model.audio_head, model.text_head, model.fusion_head[-1]):
            head.weight.normal_(std=1.0)  # so that the scores differ by clip
    model.save_pretrained(folder)
    features = WhisperFeatureExtractor(feature_size=80, return_attention_mask=True)
    PhonoLinguisticProcessor.build(features, words, sounds if multitask else None).save_pretrained(folder)
    (folder / "metrics.json").write_text(json.dumps(METRICS), encoding="utf-8")
    return folder

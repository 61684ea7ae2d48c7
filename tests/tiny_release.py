"""Directories as training leaves them: tiny random models with the facts and figures that publishing wants."""

import json
from pathlib import Path

import torch
from tiny import bert_config, bert_tokenizer, whisper_config, whisper_tokenizer
from transformers import WhisperFeatureExtractor

from phonolinguistic.model.configuration_phonolinguistic import PhonoLinguisticConfig
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor

METRICS = {
    "results": [
        {
            "corpus": "ravdess",
            "split": "test",
            "mode": mode,
            "n": 192,
            "metrics": {"uar": {"value": 0.5, "low": 0.4, "high": 0.6}, "accuracy": {"value": 0.55}},
            "groups": {"gender": {"female": {"count": 96, "uar": 0.52}, "male": {"count": 96, "uar": 0.48}}},
        }
        for mode in ("audio", "text", "multitask")
    ],
    "training": {"seconds": 3600, "threads": 2, "device": "CPU", "commands": ["python -m training.train"]},
}
RELEASE = {
    "version": "0.0.1",
    "base_models": ["openai/whisper-tiny.en", "sentence-transformers/all-MiniLM-L6-v2"],
    "corpora": ["ravdess", "tess", "goemotions", "meld"],
}


def write_tiny_model(folder: Path, multitask: bool = True, seed: int = 0, text=None, **settings) -> Path:
    """Config, weights, processor and metrics of a tiny Whisper + BERT model; returns the folder.

    Args:
        text: another BERT configuration for `tiny.bert_tokenizer`.
        settings: further `PhonoLinguisticConfig` arguments.
    """
    torch.manual_seed(seed)
    speech, sounds = whisper_config(), whisper_tokenizer()
    heads = ["audio", "text", "fusion"] + ["recognition"] * multitask
    config = PhonoLinguisticConfig(
        speech,
        text or bert_config(),
        multitask=multitask,
        asr=None if multitask else "openai/whisper-tiny.en",
        decoder_prompt_ids=sounds.convert_tokens_to_ids(["<|startoftranscript|>", "<|notimestamps|>"]),
        temperatures={"audio": 1.5, "text": 0.8, "multitask": 1.2, "fusion": 1.1},
        release=RELEASE | {"trained_heads": heads},
        **{"head_hidden_size": 12} | settings,
    )
    model = PhonoLinguisticModel(config).eval()
    with torch.no_grad():
        for head in (model.audio_head, model.text_head, model.fusion_head[-1]):
            head.weight.normal_(std=1.0)  # so that the scores differ by clip
    model.save_pretrained(folder)
    extractor = WhisperFeatureExtractor(return_attention_mask=True)
    processor = PhonoLinguisticProcessor.build(extractor, bert_tokenizer(), sounds if multitask else None)
    processor.save_pretrained(folder)
    (folder / "metrics.json").write_text(json.dumps(METRICS), encoding="utf-8")
    return folder

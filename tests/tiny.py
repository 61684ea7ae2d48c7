"""Tiny networks of random weights in the layout of a release, for tests in which the answers do not matter.

    folder = tiny_release(tmp_path)          # asr/, fusion/, multitask/ as in models/
    tiny_multitask(tmp_path / "ctc", "ctc")  # a CTC network as the shared one

All of them write words of `WORDS`, never nothing, so that every stage has something to do.
"""

import json
import wave
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    BertConfig,
    HubertConfig,
    PreTrainedTokenizerFast,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from phonolinguistic.model.configuration_phonolinguistic import PhonoLinguisticConfig
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor

RATE = 16_000
WORDS = "i am so happy sad angry that you came and stayed with us today oh no what a day".split()
BERT_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ASR_SPECIALS = ["<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"]
LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'"]


def bert_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate([*BERT_SPECIALS, *WORDS])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, mask_token="[MASK]", **names)


def whisper_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words in place of Whisper's byte pairs; the special tokens are Whisper's."""
    vocabulary = {word: i for i, word in enumerate([*WORDS, "er", *ASR_SPECIALS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="er"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.decoder = decoders.WordPiece(prefix="##")
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=ASR_SPECIALS[0], eos_token=ASR_SPECIALS[0],
        pad_token=ASR_SPECIALS[0], additional_special_tokens=ASR_SPECIALS[1:],
    )  # fmt: skip


def ctc_tokenizer(folder: Path) -> Wav2Vec2CTCTokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "letters.json"
    file.write_text(json.dumps({letter: i for i, letter in enumerate(LETTERS)}))
    tokenizer = Wav2Vec2CTCTokenizer(str(file), pad_token="<pad>", word_delimiter_token="|")
    file.unlink()
    return tokenizer


def whisper_config() -> WhisperConfig:
    end, start, _ = range(len(WORDS) + 1, len(WORDS) + 4)
    return WhisperConfig(
        vocab_size=len(WORDS) + 1 + len(ASR_SPECIALS), d_model=16, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
        bos_token_id=end, eos_token_id=end, pad_token_id=end, decoder_start_token_id=start,
        begin_suppress_tokens=[end], suppress_tokens=None,
    )  # fmt: skip


def hubert_config() -> HubertConfig:
    return HubertConfig(
        vocab_size=len(LETTERS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        conv_dim=[8] * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, pad_token_id=0,
        feat_extract_norm="layer", do_stable_layer_norm=True,
    )  # fmt: skip


def bert_config() -> BertConfig:
    return BertConfig(
        vocab_size=len(BERT_SPECIALS) + len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=300,
    )  # fmt: skip


def _louder(model: torch.nn.Module, seed: int) -> None:
    """Random heads far enough from zero that different clips get different answers."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** 0.5)


def _talkative(decoder: torch.nn.Module) -> None:
    """No transcript of special tokens alone."""
    with torch.no_grad():
        decoder.embed_tokens.weight[len(WORDS) + 1 :] = 0.0


def tiny_asr(folder: Path, seed: int = 0) -> Path:
    """Whisper, as a recogniser of its own."""
    torch.manual_seed(seed)
    config = whisper_config()
    model = WhisperForConditionalGeneration(config)
    _louder(model, seed)
    _talkative(model.model.decoder)
    settings = model.generation_config
    settings.decoder_start_token_id, settings.no_timestamps_token_id = config.decoder_start_token_id, len(WORDS) + 3
    settings.begin_suppress_tokens = [config.eos_token_id]
    model.save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    whisper_tokenizer().save_pretrained(folder)
    return folder


def _save(folder: Path, model: PhonoLinguisticModel, processor: PhonoLinguisticProcessor) -> Path:
    model.half().save_pretrained(folder)
    processor.save_pretrained(folder)
    metrics = {"results": [{"corpus": "ravdess", "split": "test", "mode": "audio", "n": 1, "metrics": {}}]}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def _release(heads: list[str]) -> dict:
    return {"version": "0.0.0", "trained_heads": heads, "base_models": ["tiny/tiny"], "corpora": ["ravdess"]}


def tiny_fusion(folder: Path, asr: str = "../asr", seed: int = 1, speech_config: AutoConfig | None = None) -> Path:
    """Whisper's encoder (or another speech network), BERT, heads."""
    torch.manual_seed(seed)
    speech = speech_config or whisper_config()
    settings = {"asr": asr, "release": _release(["audio", "text", "fusion"]), "temperatures": {"audio": 2.0}}
    model = PhonoLinguisticModel(PhonoLinguisticConfig(speech, bert_config(), head_hidden_size=8, **settings))
    _louder(model, seed)
    extractor = WhisperFeatureExtractor() if speech.model_type == "whisper" else Wav2Vec2FeatureExtractor()
    return _save(folder, model, PhonoLinguisticProcessor.build(extractor, bert_tokenizer()))


def tiny_multitask(folder: Path, kind: str = "whisper", seed: int = 2) -> Path:
    """One whole recogniser under the heads: `kind` "whisper" or "ctc"."""
    torch.manual_seed(seed)
    whisper = kind == "whisper"
    speech = whisper_config() if whisper else hubert_config()
    settings = {"release": _release(["audio", "text", "fusion", "recognition"])}
    if whisper:
        settings["decoder_prompt_ids"] = [speech.decoder_start_token_id, len(WORDS) + 3]
    config = PhonoLinguisticConfig(speech, bert_config(), multitask=True, head_hidden_size=8, **settings)
    model = PhonoLinguisticModel(config)
    _louder(model, seed)
    if whisper:
        _talkative(model.speech.decoder)
    else:
        with torch.no_grad():
            model.speech.lm_head.bias[:5] = -10.0  # letters, not blanks
    extractor = WhisperFeatureExtractor() if whisper else Wav2Vec2FeatureExtractor(return_attention_mask=True)
    tokenizer = whisper_tokenizer() if whisper else ctc_tokenizer(Path(folder))
    return _save(Path(folder), model, PhonoLinguisticProcessor.build(extractor, bert_tokenizer(), tokenizer))


def tiny_release(folder: Path) -> Path:
    """What models/ holds, tiny; point PHONOLINGUISTIC_MODELS at it."""
    tiny_asr(Path(folder) / "asr")
    tiny_fusion(Path(folder) / "fusion")
    tiny_multitask(Path(folder) / "multitask")
    return Path(folder)


def write_wav(file: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    """Mono, 16 bits."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return file


def tone(seconds: float = 2.0, pitch: float = 220.0, level: float = 0.3) -> np.ndarray:
    """(n,) float32 at 16 kHz: a hum with harmonics that swells and fades, which no detector takes for silence."""
    time = np.arange(round(seconds * RATE)) / RATE
    hum = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6))
    return (level * hum / 2 * (1 + np.sin(2 * np.pi * 3 * time)) / 2).astype(np.float32)

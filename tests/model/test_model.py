"""The model with every kind of speech network, tiny: one forward, padding, saving, precision, recognition."""

import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    ASTFeatureExtractor,
    AutoConfig,
    AutoModel,
    AutoProcessor,
    BertTokenizerFast,
    PreTrainedTokenizerFast,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)

from phonolinguistic.model.configuration_phonolinguistic import PhonoLinguisticConfig
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel, classification_loss
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "there", "i", "am", "sad", "you", "##s"]
TEXTS = ["hello there", "", "i am sad"]
KINDS = ["whisper", "whisper-multitask"] + [
    f"{kind}{end}" for kind in ("hubert", "wav2vec2", "wavlm") for end in ("", "-multitask")
]


def whisper_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level, no merges; ids 256 to 258 are end, start, no timestamps."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|endoftext|>")


def make(kind: str, folder, **settings) -> tuple[PhonoLinguisticModel, PhonoLinguisticProcessor]:
    name, _, multitask = kind.partition("-")
    size = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    text = AutoConfig.for_model("bert", vocab_size=len(WORDS), **size)
    bert = BertTokenizerFast(vocab={w: i for i, w in enumerate(WORDS)})
    recogniser = None
    if name == "whisper":
        speech = AutoConfig.for_model(
            "whisper", d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, vocab_size=259, pad_token_id=256,
            eos_token_id=256, bos_token_id=256, decoder_start_token_id=257, begin_suppress_tokens=[256], init_std=0.3,
        )  # fmt: skip
        extractor, recogniser = WhisperFeatureExtractor(), whisper_tokenizer() if multitask else None
        settings = {"decoder_prompt_ids": [257, 258], "spectrum_statistics": True, "pooling": "mean_std"} | settings
    elif name == "ast":
        speech = AutoConfig.for_model("audio-spectrogram-transformer", max_length=128, num_mel_bins=32, **size)
        extractor = ASTFeatureExtractor(max_length=128, num_mel_bins=32)
    else:
        # Layer normalisation, as in the large models: a group-normalised waveform model sees its batch's padding.
        speech = AutoConfig.for_model(
            name, vocab_size=32, conv_dim=[16] * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
            feat_extract_norm="layer", do_stable_layer_norm=True, initializer_range=0.2, **size,
        )  # fmt: skip
        extractor = Wav2Vec2FeatureExtractor(return_attention_mask=True)
        if multitask:
            letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'"]
            (folder / "vocab.json").write_text(json.dumps({c: i for i, c in enumerate(letters)}))
            recogniser = Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    torch.manual_seed(0)
    config = PhonoLinguisticConfig(speech, text, multitask=bool(multitask), **settings)
    return PhonoLinguisticModel(config).eval(), PhonoLinguisticProcessor.build(extractor, bert, recogniser)


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=n).astype(np.float32) * 0.1 for n in (16_000, 29_999, 5_333)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_in_a_padded_batch_gives_what_it_gives_alone(kind, clips, tmp_path):
    model, processor = make(kind, tmp_path)
    with torch.no_grad():
        together = model(**processor(audio=clips, text=TEXTS))
        for row, (clip, text) in enumerate(zip(clips, TEXTS, strict=True)):
            alone = model(**processor(audio=clip, text=text))
            for name in ("audio_logits", "text_logits", "fusion_logits"):
                torch.testing.assert_close(together[name][row], alone[name][0], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_gives_identical_logits_and_transcripts(kind, clips, tmp_path):
    model, processor = make(kind, tmp_path)
    model.save_pretrained(tmp_path / "m")
    processor.save_pretrained(tmp_path / "m")
    loaded, reader = AutoModel.from_pretrained(tmp_path / "m").eval(), AutoProcessor.from_pretrained(tmp_path / "m")
    with torch.no_grad():
        before, after = model(**processor(audio=clips, text=TEXTS)), loaded(**reader(audio=clips, text=TEXTS))
    assert torch.equal(before.fusion_logits, after.fusion_logits)
    assert torch.equal(before.audio_logits, after.audio_logits)
    if model.config.multitask:
        batch = reader(audio=clips)
        ids = loaded.transcribe(loaded.encode_speech(batch["input_features"], batch["attention_mask"]))
        alone = reader(audio=clips[2])
        assert ids[2] == loaded.transcribe(loaded.encode_speech(alone["input_features"], alone["attention_mask"]))[0]
        assert all(isinstance(t, str) for t in reader.decode_transcripts(ids))


@pytest.mark.parametrize("kind", ["whisper-multitask", "hubert-multitask", "wavlm"])
def test_bfloat16_is_close_to_float32(kind, clips, tmp_path):
    model, processor = make(kind, tmp_path)
    batch = processor(audio=clips, text=TEXTS)
    with torch.no_grad():
        exact = model(**batch).audio_logits.softmax(-1)
        rounded = model.to(torch.bfloat16)(**batch).audio_logits.float().softmax(-1)
    assert (exact - rounded).abs().max() < 0.1


def test_spectrogram_transformer_is_audio_only(clips, tmp_path):
    model, processor = make("ast", tmp_path)
    with torch.no_grad():
        output = model(**processor(audio=clips))
    assert output.audio_logits.shape == (3, 7) and output.text_logits is None
    with pytest.raises(ValueError, match="multitask must be False"):
        PhonoLinguisticConfig(model.config.speech_config, model.config.text_config, multitask=True)


def test_an_absent_modality_is_masked(clips, tmp_path):
    model, processor = make("whisper", tmp_path)
    with torch.no_grad():
        only_text = model(**processor(text=["hello there"]))
        silent_row = model(**processor(audio=clips[:2], text=["hello there", ""]))
        only_audio = model(**processor(audio=clips[1]))
    assert only_text.audio_logits is None and only_text.fusion_logits.shape == (1, 7)
    torch.testing.assert_close(silent_row.fusion_logits[1], only_audio.fusion_logits[0], atol=2e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="neither"):
        model()


@pytest.mark.parametrize("kind", ["whisper-multitask", "hubert-multitask"])
def test_every_loss_reaches_the_encoder(kind, clips, tmp_path):
    model, processor = make(kind, tmp_path)
    model.train()
    batch = processor(audio=clips, text=TEXTS, transcripts=["HELLO", "A", "I AM"])
    output = model(**batch, labels=torch.tensor([1, 2, -100]))
    for name in ("audio_loss", "text_loss", "fusion_loss", "recognition_loss"):
        assert torch.isfinite(output[name]), name
    output.loss.backward()
    assert all(p.grad is not None for n, p in model.named_parameters() if "audio_head" in n or "text_head" in n)
    fusion, _ = make(kind.split("-")[0], tmp_path)
    with pytest.raises(ValueError, match="no recogniser"):
        fusion(**batch)


def test_cached_vectors_skip_the_encoders(clips, tmp_path):
    model, processor = make("whisper", tmp_path)
    batch = processor(audio=clips, text=TEXTS)
    with torch.no_grad():
        whole = model(**batch)
        cached = model(audio_pooled=whole.audio_pooled, text_pooled=whole.text_pooled)
    assert torch.equal(whole.fusion_logits, cached.fusion_logits)


def test_unlabelled_rows_do_not_count():
    logits = torch.randn(3, 7)
    labels = torch.tensor([2, -100, 4])
    kept = torch.nn.functional.cross_entropy(logits[[0, 2]], labels[[0, 2]])
    torch.testing.assert_close(classification_loss(logits, labels), kept)
    assert classification_loss(logits, torch.full((3,), -100)) is None


def test_processor_refuses_what_it_cannot_read(clips, tmp_path):
    _, processor = make("whisper", tmp_path)
    with pytest.raises(ValueError, match="16000 Hz"):
        processor(audio=clips[0], sampling_rate=44_100)
    with pytest.raises(ValueError, match="recogniser"):
        processor(transcripts=["hello"])
    with pytest.raises(ValueError, match="Give audio"):
        processor()

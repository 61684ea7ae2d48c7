"""Kept silence: tiny.en on the clip alone stops where it should, a batch gives what single clips give."""

import copy
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import bert_config, tone
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoTokenizer,
    GenerationConfig,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

from phonolinguistic.audio.decoding import load_audio
from phonolinguistic.model import silence_phonolinguistic as silence
from phonolinguistic.model.configuration_phonolinguistic import PhonoLinguisticConfig
from phonolinguistic.model.decoding_phonolinguistic import (
    decoder_settings,
    language_token,
    whisper_decoder,
    whisper_defaults,
)
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.speech_phonolinguistic import WhisperGreedyDecoder, encode_whisper, token_limit
from phonolinguistic.networks import SpeechToText
from phonolinguistic.releases import Release
from phonolinguistic.stages import StageTimer

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LANGUAGES = {"en": 101, "zh": 102, "de": 103}


def small_whisper(seed: int = 0, **settings) -> WhisperForConditionalGeneration:
    """Random, with 2 s of positions; what it writes means nothing."""
    torch.manual_seed(seed)
    sizes = dict(d_model=32, encoder_layers=2, decoder_layers=3, encoder_attention_heads=2, decoder_attention_heads=4,
                 encoder_ffn_dim=64, decoder_ffn_dim=64, vocab_size=120, max_source_positions=100, init_std=0.2,
                 pad_token_id=0, bos_token_id=1, eos_token_id=0, decoder_start_token_id=1,
                 begin_suppress_tokens=[0])  # fmt: skip
    return WhisperForConditionalGeneration(WhisperConfig(**sizes | settings)).eval()


@pytest.fixture(scope="module")
def network():
    return small_whisper()


def mel(frames: int, seed: int = 0, bins: int = 80) -> torch.Tensor:
    """(1, bins, frames) that look like log-mel: within 2 of their loudest."""
    return torch.rand(1, bins, frames, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def batch_of(*clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(clip.shape[2] for clip in clips)
    mask = torch.zeros(len(clips), longest, dtype=torch.long)
    values = torch.full((len(clips), clips[0].shape[1], longest), 0.7)  # what lies behind a clip must not matter
    for row, clip in enumerate(clips):
        mask[row, : clip.shape[2]], values[row, :, : clip.shape[2]] = 1, clip[0]
    return values, mask


# ---- the states ------------------------------------------------------------------------------------------------------


def test_a_clip_in_a_batch_has_the_states_and_the_words_that_it_has_alone(network):
    # Odd and even lengths, of different levels, one that leaves no room for silence, one that leaves little.
    clips = [mel(61), mel(120, 1) * 0.4, mel(200, 2), mel(173, 3) - 0.5]
    values, mask = batch_of(*clips)
    cache, decoder = silence.SilenceCache(), whisper_decoder(network, FakeTokenizer({}))
    encoder = network.model.encoder
    with torch.no_grad():
        together = silence.encode_with_silence(encoder, values, mask, cache)
        words = decoder(together.last_hidden_state, together.mask, 9, together.heard)
        assert len(set(together.heard.levels)) > 1
        for row, clip in enumerate(clips):
            alone = silence.encode_with_silence(encoder, clip, None, silence.SilenceCache())
            assert int(together.mask[row].sum()) == alone.mask.shape[1] == (clip.shape[2] + 1) // 2
            for ours, theirs in zip(together.hidden_states, alone.hidden_states, strict=True):
                torch.testing.assert_close(ours[row][together.mask[row]], theirs[0], atol=2e-5, rtol=1e-4)
            assert decoder(alone.last_hidden_state, alone.mask, 9, alone.heard) == [words[row]]


def test_states_come_close_to_those_of_the_padded_clip_and_equal_them_at_full_length(network):
    encoder, cache = network.model.encoder, silence.SilenceCache()
    clip = mel(90)
    level = float(silence.silence_level(clip))
    padded = torch.nn.functional.pad(clip, (0, 110), value=level)
    with torch.no_grad():
        wanted = encode_whisper(encoder, padded)[0][-1][:, :45]
        found = silence.encode_with_silence(encoder, clip, None, cache).last_hidden_state
        bare = encode_whisper(encoder, clip)[0][-1]
        assert (found - wanted).abs().mean() < (bare - wanted).abs().mean() / 2
        full = mel(200, 5)
        states = silence.encode_with_silence(encoder, full, None, cache).last_hidden_state
        torch.testing.assert_close(states, encode_whisper(encoder, full)[0][-1])


def test_one_block_for_each_position_is_the_exact_mass_of_what_lies_behind():
    bias = silence.silence_bias(torch.tensor([0, 12, 100]), 100, torch.float32).exp()
    blocks = 100 // silence.BLOCK_STATES
    torch.testing.assert_close(bias[0], torch.full((blocks,), float(silence.BLOCK_STATES)))
    assert bias[1].sum() == pytest.approx(88) and bias[2].sum() == 0
    uneven = silence.silence_bias(torch.tensor([0, 7]), 23, torch.float32).exp()
    assert uneven.sum(1).tolist() == pytest.approx([23, 16])


def test_a_layer_in_training_computes_what_the_kept_keys_give(network):
    encoder, cache = small_whisper().model.encoder, silence.SilenceCache()
    values, mask = batch_of(mel(61), mel(120, 1) * 0.4)
    with torch.no_grad():
        kept = silence.encode_with_silence(encoder, values, mask, cache)
        trained = silence.encode_with_silence(encoder.train(), values, mask, cache)
    torch.testing.assert_close(trained.last_hidden_state, kept.last_hidden_state, atol=1e-5, rtol=1e-4)
    trained = silence.encode_with_silence(encoder, values, mask, cache)
    trained.last_hidden_state.sum().backward()
    assert encoder.layers[0].self_attn.k_proj.weight.grad.abs().sum() > 0


def test_more_than_thirty_seconds_are_refused(network):
    with pytest.raises(ValueError, match="201 log-mel frames; this speech encoder accepts at most 200"):
        silence.encode_with_silence(network.model.encoder, mel(201), None, silence.SilenceCache())


def test_level_of_silence_is_what_the_feature_extractor_writes_there(release):
    extractor = AutoFeatureExtractor.from_pretrained(release / "asr")
    for loud in (0.5, 1e-3, 1e-6, 0.0):
        padded = extractor(tone(1.0) * loud, sampling_rate=16_000, return_tensors="pt").input_features
        assert float(silence.silence_level(padded[:, :, :100])) == pytest.approx(float(padded[0, 0, -1]), abs=1e-5)


# ---- the cache -------------------------------------------------------------------------------------------------------


def test_kept_keys_and_values_are_those_computed_again(network):
    cache, decoder, encoder = silence.SilenceCache(), network.model.decoder, network.model.encoder
    kept = cache.encoder(encoder, -1.0)
    assert cache.encoder(encoder, -1.0) is kept
    middle = slice(silence.BLOCK_STATES // 2, None, silence.BLOCK_STATES)
    with torch.no_grad():
        states = encode_whisper(encoder, torch.full((1, 80, 200), -1.0))[0]
        for given, state in zip((*kept.inputs, kept.states), states, strict=True):
            torch.testing.assert_close(given, state[:, middle], atol=1e-5, rtol=0)
        for layer, (keys, values) in zip(decoder.layers, cache.decoder(encoder, decoder, -1.0), strict=True):
            for project, part in ((layer.encoder_attn.k_proj, keys), (layer.encoder_attn.v_proj, values)):
                again = project(states[-1][:, middle]).view(1, -1, 4, 8).transpose(1, 2)
                torch.testing.assert_close(part, again, atol=1e-5, rtol=0)


def test_changed_or_moved_weights_are_computed_again(network):
    changed, cache = copy.deepcopy(network).model, silence.SilenceCache()
    before = cache.encoder(changed.encoder, -1.0)
    read = cache.decoder(changed.encoder, changed.decoder, -1.0)
    with torch.no_grad():
        changed.encoder.layers[0].fc1.weight.mul_(1.1)
    after = cache.encoder(changed.encoder, -1.0)
    assert not torch.equal(before.states, after.states)
    assert not torch.equal(read[0][0], cache.decoder(changed.encoder, changed.decoder, -1.0)[0][0])
    changed.to(torch.bfloat16)
    assert cache.encoder(changed.encoder, -1.0).states.dtype == torch.bfloat16
    assert cache.decoder(changed.encoder, changed.decoder, -1.0)[0][0].dtype == torch.bfloat16


def test_threads_that_ask_at_once_get_one_entry(network, monkeypatch):
    made, cache, real = [], silence.SilenceCache(), silence.encode_silence
    monkeypatch.setattr(silence, "encode_silence", lambda *given: made.append(given) or real(*given))
    asking = [threading.Thread(target=cache.encoder, args=(network.model.encoder, -1.0)) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(made) == 1


def test_entries_are_bounded_and_usable_in_training(network):
    cache = silence.SilenceCache()
    with torch.inference_mode():
        for step in range(3 * silence.KEPT_LEVELS):
            entry = cache.encoder(network.model.encoder, step / 4)
    assert len(cache._made) <= 2 * silence.KEPT_LEVELS
    assert not entry.states.is_inference() and not entry.states.requires_grad


# ---- the model -------------------------------------------------------------------------------------------------------


def model_of(network, multitask: bool, **settings) -> PhonoLinguisticModel:
    config = PhonoLinguisticConfig(network.config, bert_config(), multitask=multitask, head_hidden_size=0,
                                   pooled_layers=[1, 2], pooling_options={"active_db": 30.0}, **settings)  # fmt: skip
    model = PhonoLinguisticModel(config).eval()
    model.speech = network.model if multitask else network.model.encoder
    return model


def test_voice_features_of_fusion_and_multitask_are_the_same_numbers(network):
    values, mask = batch_of(mel(61), mel(120, 1), mel(150, 2))
    mask[2] = 0  # a row without a clip
    with torch.no_grad():
        fusion, multitask = (model_of(network, kind, silence=True) for kind in (False, True))
        ours, theirs = (m.pool_speech(m.encode_speech(values, mask)) for m in (fusion, multitask))
        bare = model_of(network, True)
        without = bare.pool_speech(bare.encode_speech(values, mask))
        alone = fusion.pool_speech(fusion.encode_speech(mel(61)))
    assert torch.equal(ours, theirs) and not ours[2].any()
    assert not torch.allclose(ours[:2], without[:2], atol=1e-3), "silence was not heard"
    torch.testing.assert_close(ours[0], alone[0], atol=2e-5, rtol=1e-4)


def test_a_copied_or_saved_model_makes_its_silence_again(network, tmp_path):
    model = model_of(network, True, silence=True, decoder_prompt_ids=[1, 2])
    states = model.encode_speech(mel(90))
    words = model.transcribe(states, 6)
    assert copy.deepcopy(model).transcribe(states, 6) == words
    model.save_pretrained(tmp_path)
    loaded = PhonoLinguisticModel.from_pretrained(tmp_path).eval()
    assert loaded.config.silence and loaded.transcribe(loaded.encode_speech(mel(90)), 6) == words


def test_recognition_loss_reads_what_decoding_reads(network):
    model = model_of(network, True, silence=True, decoder_prompt_ids=[1, 2], decoder_begin_suppress_ids=[])
    clip = mel(90)
    with torch.no_grad():
        words = model.transcribe(model.encode_speech(clip), 5)[0]
        output = model(input_features=clip, transcript_labels=torch.tensor([words]))
    assert output.recognition_logits.argmax(-1)[0].tolist() == words and torch.isfinite(output.recognition_loss)


def test_silence_is_for_whisper_alone():
    with pytest.raises(ValueError, match="silence needs a log-mel speech encoder"):
        PhonoLinguisticConfig(AutoConfig.for_model("hubert"), bert_config(), silence=True)


# ---- tiny.en ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny_en(release):
    network = WhisperForConditionalGeneration.from_pretrained(release / "asr", dtype=torch.float32).eval()
    extractor = AutoFeatureExtractor.from_pretrained(release / "asr")
    return network, extractor, AutoTokenizer.from_pretrained(release / "asr")


def example(name: str) -> np.ndarray:
    return load_audio(EXAMPLES / name).samples


def test_tiny_en_on_the_clip_alone_writes_the_words_and_stops(tiny_en):
    network, extractor, tokenizer = tiny_en
    decoder, cache = whisper_decoder(network, tokenizer), silence.SilenceCache()
    expected = json.loads((EXAMPLES / "transcripts.json").read_text(encoding="utf-8"))
    stopped = []
    for name in ("angry_words_flat_voice.flac", "plain_words_calm_voice.flac"):
        samples = example(name)
        log_mel = extractor(samples, sampling_rate=16_000, padding="longest", truncation=False, return_tensors="pt")
        values, limit = log_mel.input_features, token_limit(len(samples) / 16_000)
        with torch.no_grad():
            states = silence.encode_with_silence(network.model.encoder, values, None, cache)
            bare = encode_whisper(network.model.encoder, values)[0][-1]
        rows = decoder(states.last_hidden_state, states.mask, limit, states.heard)
        heard = tokenizer.decode(rows[0]).strip()
        assert plain(heard) == plain(expected[name]), heard
        # Without what it hears behind the clip, it does not find the end.
        words = len(tokenizer(" " + expected[name], add_special_tokens=False).input_ids)
        stopped.append(len(decoder(bare, None, limit)[0]) <= 2 * words)
    assert not any(stopped), "the clip alone needs no silence: is this test's network still tiny.en?"


def plain(text: str) -> list[str]:
    return "".join(c for c in text.lower() if c.isalnum() or c == " ").split()


def test_the_separate_recogniser_can_hear_the_clip_alone_too(release):
    source = Release(path=release / "asr", source="tiny.en", revision=None)
    samples = example("happy_words_lively_voice.flac")
    padded, alone = (SpeechToText(source, torch.device("cpu"), torch.float32, alone=a) for a in (False, True))
    timer = StageTimer(torch.device("cpu"))
    assert alone.transcribe(samples, timer) == padded.transcribe(samples, timer)
    assert alone.parameters == padded.parameters


def test_what_tiny_en_starts_with_and_bars(release):
    vocabulary = AutoTokenizer.from_pretrained(release / "asr").get_vocab()
    settings = whisper_defaults(str(release / "asr"), vocabulary)
    assert settings["silence"] and settings["decoder_language_ids"] is None
    assert settings["decoder_prompt_ids"] == [50_257, 50_362]
    assert settings["decoder_begin_suppress_ids"] == [220, 50_256]
    assert whisper_defaults(str(release / "asr"), None) == {"silence": True}


# ---- other Whispers --------------------------------------------------------------------------------------------------


class FakeTokenizer:
    def __init__(self, vocabulary):
        self.vocabulary = vocabulary

    def get_vocab(self):
        return self.vocabulary


SPECIALS = {"<|endoftext|>": 0, "<|startoftranscript|>": 1, "<|transcribe|>": 104, "<|translate|>": 105,
            "<|notimestamps|>": 106, **{f"<|{code}|>": token for code, token in LANGUAGES.items()}}  # fmt: skip


def generation(**given) -> GenerationConfig:
    settings = GenerationConfig()
    for name, value in given.items():
        setattr(settings, name, value)
    return settings


def test_prompt_by_kind_of_checkpoint():
    english = decoder_settings(small_whisper().config, generation(is_multilingual=False), SPECIALS)
    assert (english.prompt_ids, english.language_ids) == ([1, 106], {})
    several = decoder_settings(small_whisper().config, generation(is_multilingual=True, suppress_tokens=[5]), SPECIALS)
    assert (several.prompt_ids, several.language_ids) == ([1, 101, 104, 106], LANGUAGES)
    assert several.suppress_ids == [5] and several.begin_suppress_ids == [0]
    # A checkpoint that does not say: the vocabulary's size does.
    rows = {51_864: [1, 106], 51_865: [1, 101, 104, 106], 51_866: [1, 101, 104, 106]}
    for size, prompt in rows.items():
        config = WhisperConfig(vocab_size=size, decoder_start_token_id=1)
        assert decoder_settings(config, None, SPECIALS).prompt_ids == prompt


def test_language_is_told_or_detected_in_each_clip():
    network = small_whisper(3)
    network.generation_config.is_multilingual = True
    network.generation_config.begin_suppress_tokens = [0]
    decoder = whisper_decoder(network, FakeTokenizer(SPECIALS), None)
    states = torch.randn(6, 40, 32, generator=torch.Generator().manual_seed(1)) * 3
    found = decoder.detect_language(states)
    with torch.no_grad():
        start = torch.tensor([[1]] * 6)
        logits = network.proj_out(network.model.decoder(start, encoder_hidden_states=states).last_hidden_state)[:, 0]
    ids = torch.tensor([101, 102, 103])
    assert found == ids[logits[:, ids].argmax(-1)].tolist() and len(set(found)) > 1
    rows = decoder(states, max_new_tokens=5)
    told = {
        code: whisper_decoder(network, FakeTokenizer(SPECIALS), code)(states, max_new_tokens=5) for code in LANGUAGES
    }
    names = {token: code for code, token in LANGUAGES.items()}
    assert rows == [told[names[token]][row] for row, token in enumerate(found)]
    assert told["de"] != told["en"] and decoder(states, max_new_tokens=5, language_id=103) == told["de"]


def test_an_unknown_language_is_refused_with_what_is_known():
    with pytest.raises(ValueError, match="Language 'xx'; this recogniser knows en, zh, de"):
        whisper_decoder(multilingual(), FakeTokenizer(SPECIALS), "xx")
    with pytest.raises(ValueError, match="Language 'de'; this recogniser knows en"):
        language_token("de", {})
    with pytest.raises(ValueError, match="accepted: en, zh, de"):
        model_of(small_whisper(), True, decoder_language_ids=LANGUAGES, language="fr")
    with pytest.raises(ValueError, match="knows one language"):
        WhisperGreedyDecoder(small_whisper().model.decoder, [1], 0).detect_language(torch.zeros(1, 4, 32))


def multilingual(**settings) -> WhisperForConditionalGeneration:
    network = small_whisper(3, **settings)
    network.generation_config.is_multilingual = True
    return network


@pytest.mark.parametrize(("bins", "layers"), [(80, (2, 3)), (80, (3, 1)), (128, (2, 2))])
def test_shapes_of_bigger_whispers_work_by_configuration(bins, layers):
    network = multilingual(num_mel_bins=bins, encoder_layers=layers[0], decoder_layers=layers[1])
    settings = decoder_settings(network.config, network.generation_config, SPECIALS).for_config()
    model = model_of(network, True, silence=True, **settings)
    values, mask = batch_of(mel(61, bins=bins), mel(120, 1, bins=bins))
    states = model.encode_speech(values, mask)
    assert model.pool_speech(states).shape == (2, 64)
    german, detected = (model.transcribe(states, 5, language=code) for code in ("de", None))
    assert len(german) == len(detected) == 2
    model.config.language = "de"
    assert model.transcribe(states, 5) == german
    with pytest.raises(ValueError, match="knows en, zh, de"):
        model.transcribe(states, 5, language="fr")


def test_barred_tokens_never_come(network):
    states = torch.randn(4, 40, 32, generator=torch.Generator().manual_seed(2)) * 3
    free = WhisperGreedyDecoder(network.model.decoder, [1, 2], 0, [0])(states, max_new_tokens=6)
    barred = sorted({row[0] for row in free} | {row[-1] for row in free})
    rows = WhisperGreedyDecoder(network.model.decoder, [1, 2], 0, [0], barred)(states, max_new_tokens=6)
    assert not set(barred) & {token for row in rows for token in row}


def test_layers_whose_weights_are_sharded_are_called_whole(network):
    encoder = copy.deepcopy(network).model.encoder
    values, mask = batch_of(mel(61), mel(120, 1) * 0.4)
    with torch.no_grad():
        wanted = silence.encode_with_silence(encoder, values, mask, silence.SilenceCache()).last_hidden_state
        for layer in encoder.layers:
            layer.self_attn.k_proj.weight.device_mesh = "as FSDP's have one"
        entry = silence.SilenceCache().encoder(encoder, -1.0)
        found = silence.encode_with_silence(encoder, values, mask, silence.SilenceCache()).last_hidden_state
    assert entry.encoder == [] and len(entry.inputs) == len(encoder.layers)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)

"""The recogniser on tiny random networks: which networks run, what the stages add up to, and who may call at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from listening import LevelFrontEnd
from tiny import hubert_config, tiny_asr, tiny_fusion, tiny_multitask, tone, write_wav

from phonolinguistic.audio.decoding import AudioError, load_audio
from phonolinguistic.labels import EMOTIONS, MODES
from phonolinguistic.loading import share_equal_weights
from phonolinguistic.model.front_end_phonolinguistic import FrontEnd
from phonolinguistic.recognizer import EmotionRecognizer
from phonolinguistic.releases import ReleaseError

RATE = 16_000
FRONT = ["decode_audio", "voice_activity"]
RECOGNISER = ["asr_features", "asr_encoder", "asr_decoder"]
VOICE = ["features", "speech_encoder"]
STAGES = {
    "audio": [*FRONT, *VOICE, "heads"],
    "text": [*FRONT, *RECOGNISER, "text_encoder", "heads"],
    "fusion": [*FRONT, *RECOGNISER, *VOICE, "text_encoder", "heads"],
    "multitask": [*FRONT, *VOICE, "speech_decoder", "text_encoder", "heads"],
}


def silence(seconds: float = 2.0) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_answers_with_its_own_stages(recognizer, mode):
    answer = recognizer.recognize(tone(), mode, RATE)
    assert answer.mode == mode and answer.status == "ok"
    assert tuple(answer.scores) == EMOTIONS
    assert sum(answer.scores.values()) == pytest.approx(1.0, abs=1e-5)
    assert answer.confidence == max(answer.scores.values()) == answer.scores[answer.emotion]
    assert (answer.transcript is None) == (mode == "audio")
    assert list(answer.stages) == STAGES[mode]
    assert answer.seconds == pytest.approx(sum(answer.stages.values()))


def test_compare_answers_as_each_mode_alone_does(recognizer):
    comparison = recognizer.compare(tone(), RATE)
    assert tuple(comparison.modes) == recognizer.modes == MODES
    for mode, answer in comparison.modes.items():
        alone = recognizer.recognize(tone(), mode, RATE)
        assert answer.scores == pytest.approx(alone.scores, abs=1e-6)
        assert answer.transcript == alone.transcript
        assert list(answer.stages) == STAGES[mode]
        assert answer.seconds == pytest.approx(sum(answer.stages.values()))
        assert answer.parameters == alone.parameters
    assert comparison.saving is not None
    assert comparison.clip.seconds == pytest.approx(2.0)


def test_compare_runs_each_network_once(recognizer):
    loaded, calls = recognizer._loaded, {}
    watched = {
        "recogniser's encoder": loaded.asr.model.model.encoder.conv1,
        "voice": loaded.fusion.model.speech.conv1,
        "words": loaded.fusion.model.text,
        "shared voice": loaded.multitask.model.speech.encoder.conv1,
        "words after the shared voice": loaded.multitask.model.text,
    }

    def count(name):
        return lambda *_: calls.__setitem__(name, calls.get(name, 0) + 1)

    hooks = [module.register_forward_hook(count(name)) for name, module in watched.items()]
    try:
        recognizer.compare(tone(), RATE)
        assert calls == dict.fromkeys(watched, 1)
        calls.clear()
        recognizer.recognize(tone(), "multitask", RATE)
        assert set(calls) == {"shared voice", "words after the shared voice"}
    finally:
        for hook in hooks:
            hook.remove()


def test_modes_count_the_parameters_that_they_run(recognizer):
    sizes = {mode: answer.parameters for mode, answer in recognizer.compare(tone(), RATE).modes.items()}
    asr, fusion = recognizer._loaded.asr.parameters, recognizer._loaded.fusion.parameters
    assert sizes["fusion"] == asr + fusion
    assert sizes["multitask"] == recognizer._loaded.multitask.parameters
    assert sizes["audio"] < fusion and sizes["text"] < sizes["fusion"]


def test_silence_is_no_speech_in_every_mode(recognizer):
    for mode, answer in recognizer.compare(silence(), RATE).modes.items():
        assert (answer.status, answer.emotion, answer.confidence, answer.scores) == ("no_speech", None, None, {})
        assert list(answer.stages) == FRONT
        assert recognizer.recognize(silence(), mode, RATE).status == "no_speech"


def test_the_real_detector_hears_nothing_in_silence_and_noise():
    front_end = FrontEnd()
    noise = np.random.default_rng(0).normal(0, 0.01, 2 * RATE).astype(np.float32)
    assert front_end(silence()).spans == () and front_end(noise).spans == ()


def test_no_words_leave_text_without_an_answer_and_fusion_with_the_voice(recognizer, monkeypatch):
    monkeypatch.setattr(recognizer._loaded.asr, "transcribe", lambda samples, timer: "")
    modes = recognizer.compare(tone(), RATE).modes
    assert modes["text"].status == "no_speech" and modes["text"].transcript == ""
    assert modes["fusion"].status == "ok" and len(modes["fusion"].scores) == 7
    assert "text_encoder" not in modes["fusion"].stages


def test_little_confidence_is_uncertain(recognizer, monkeypatch):
    monkeypatch.setattr(recognizer._loaded.multitask.config, "uncertain_threshold", 0.99)
    answer = recognizer.recognize(tone(), "multitask", RATE)
    assert answer.status == "uncertain" and answer.emotion in EMOTIONS


def test_each_mode_has_its_own_temperature(recognizer, monkeypatch):
    before = recognizer.recognize(tone(), "audio", RATE)
    monkeypatch.setitem(recognizer._loaded.fusion.config.temperatures, "audio", 1e6)
    after = recognizer.recognize(tone(), "audio", RATE)
    assert after.confidence == pytest.approx(1 / 7, abs=1e-3)
    assert after.confidence < before.confidence


def test_eight_callers_at_once_get_what_one_gets(recognizer):
    clips = [tone(1.0 + 0.25 * i, 150 + 30 * i) for i in range(8)]
    alone = [recognizer.compare(clip, RATE) for clip in clips]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda clip: recognizer.compare(clip, RATE), clips * 2))
        texts = list(pool.map(recognizer.recognize_text, ["i am so happy", "oh no what a day"] * 8))
    for expected, found in zip(alone * 2, together, strict=True):
        for mode in MODES:
            assert found.modes[mode].transcript == expected.modes[mode].transcript
            assert found.modes[mode].scores == pytest.approx(expected.modes[mode].scores, abs=1e-5)
    assert len({tuple(answer.scores.values()) for answer in texts}) == 2


def test_a_file_with_spaces_and_accents_in_its_name(recognizer, tmp_path):
    file = write_wav(tmp_path / "ça va bien — très fâché.wav", tone())
    answer = recognizer.compare(str(file))
    assert answer.clip.path == str(file)
    assert answer.modes["audio"].status == "ok"


def test_a_decoded_clip_is_taken_too(recognizer, tmp_path):
    clip = load_audio(write_wav(tmp_path / "a.wav", tone()))
    assert recognizer.recognize(clip, "audio").emotion == recognizer.recognize(clip.path, "audio").emotion


def test_what_is_refused(recognizer, tmp_path):
    with pytest.raises(AudioError, match="no such file"):
        recognizer.recognize(tmp_path / "gone.wav")
    with pytest.raises(AudioError):
        recognizer.compare(tone(31.0), RATE)
    with pytest.raises(ValueError, match="accepted here: audio, text, fusion, multitask"):
        recognizer.recognize(tone(), "smell", RATE)


def test_thirty_seconds_are_answered(recognizer):
    assert recognizer.recognize(tone(30.0), "multitask", RATE).status == "ok"


def test_timeline_answers_each_stretch(recognizer, tmp_path):
    sound = np.concatenate([tone(2.0), silence(1.0), tone(3.0, 330.0), silence(1.5), tone(20.0, 120.0)])
    seen = []
    timeline = recognizer.timeline(write_wav(tmp_path / "long.wav", sound), progress=lambda *at: seen.append(at))
    assert timeline.mode == "multitask" and timeline.clip.seconds == pytest.approx(27.5)
    assert [round(s.start) for s in timeline.segments] == [0, 3, 8, 18]
    assert all(s.end - s.start <= 15 and s.recognition.transcript for s in timeline.segments)
    assert seen == [(i, 4) for i in range(5)]
    assert timeline.seconds >= sum(s.recognition.seconds for s in timeline.segments)
    assert recognizer.timeline(write_wav(tmp_path / "silent.wav", silence(40.0))).segments == []


def test_typed_words(recognizer):
    answer = recognizer.recognize_text("  i am so happy ")
    assert answer.mode == "text" and answer.transcript == "i am so happy"
    assert list(answer.stages) == ["text_encoder", "heads"]
    assert answer.parameters < recognizer.recognize(tone(), "text", RATE).parameters
    assert recognizer.recognize_text("  ").status == "no_speech"


def test_words_are_explained_by_leaving_each_out(recognizer):
    explained = recognizer.explain_text("i am so happy")
    whole = recognizer.recognize_text("i am so happy")
    assert explained.emotion == whole.emotion
    assert [word.word for word in explained.words] == ["i", "am", "so", "happy"]
    without = recognizer.recognize_text("i am so").scores[whole.emotion]
    assert explained.words[3].influence == pytest.approx(whole.confidence - without, abs=1e-5)
    assert len(recognizer.explain_text("happy " * 300).words) == 300
    assert len(recognizer.explain_text("happy").words) == 1
    with pytest.raises(ValueError, match="no words"):
        recognizer.explain_text(" ")


@pytest.mark.parametrize("kind", ["whisper", "ctc"])
def test_a_multitask_model_alone(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("phonolinguistic.recognizer.FrontEnd", LevelFrontEnd)
    alone = EmotionRecognizer.from_pretrained(str(tiny_multitask(tmp_path / kind, kind)))
    assert alone.modes == ("audio", "text", "multitask")
    comparison = alone.compare(tone(), RATE)
    assert comparison.saving is None
    assert list(comparison.modes["text"].stages) == STAGES["multitask"]
    assert comparison.modes["text"].transcript == comparison.modes["multitask"].transcript != ""
    assert [info.kind for info in alone.models] == ["multitask"]


def test_a_fusion_model_alone_over_waveforms(tmp_path, monkeypatch):
    monkeypatch.setattr("phonolinguistic.recognizer.FrontEnd", LevelFrontEnd)
    tiny_asr(tmp_path / "asr")
    folder = tiny_fusion(tmp_path / "fusion", speech_config=hubert_config())
    alone = EmotionRecognizer.from_pretrained(str(folder))
    assert alone.modes == ("audio", "text", "fusion")
    assert alone.compare(tone(), RATE).modes["fusion"].status == "ok"
    assert [info.path for info in alone.models] == [str(folder), str(tmp_path / "asr")]


def test_a_head_that_was_not_trained_is_not_shown(tmp_path, monkeypatch):
    folder = tiny_multitask(tmp_path / "multitask")
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"recognition"\n', '"nothing"\n'))
    assert EmotionRecognizer.from_pretrained(str(folder), warm_up=False).modes == ("audio",)


def test_weights_are_float32_from_half_precision_files(recognizer, embedded_models):
    from safetensors import safe_open

    with safe_open(embedded_models / "multitask" / "model.safetensors", "pt") as file:
        assert file.get_tensor("audio_head.weight").dtype == torch.float16
    model = recognizer._loaded.multitask.model
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not model.training and not any(p.requires_grad for p in model.parameters())


def test_equal_weights_lie_in_memory_once():
    one, other, third = (torch.nn.Linear(200, 100) for _ in range(3))
    other.load_state_dict(one.state_dict())
    expected = [layer(torch.ones(200)) for layer in (one, other, third)]
    share_equal_weights(one, other, third)
    assert one.weight.data_ptr() == other.weight.data_ptr() != third.weight.data_ptr()
    for layer, before in zip((one, other, third), expected, strict=True):
        assert torch.equal(layer(torch.ones(200)), before)


def test_a_file_without_a_head_is_refused(tmp_path, embedded_models):
    from safetensors.torch import load_file, save_file

    folder = tiny_multitask(tmp_path / "multitask")
    weights = load_file(folder / "model.safetensors")
    weights.pop("fusion_head.1.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ReleaseError, match="lacks 1 of its weights"):
        EmotionRecognizer.from_pretrained(str(folder))
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(ReleaseError, match="cannot be loaded"):
        EmotionRecognizer.from_pretrained(str(folder))


def test_reduced_precision(embedded_models, monkeypatch):
    monkeypatch.setattr("phonolinguistic.recognizer.FrontEnd", LevelFrontEnd)
    half = EmotionRecognizer.from_pretrained(dtype="bfloat16")
    assert set(half.compare(tone(), RATE).modes) == set(MODES)

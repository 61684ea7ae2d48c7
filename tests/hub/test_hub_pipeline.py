"""The pipeline that travels with a model, here and in a process with neither our package nor an audio library."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import wave

import numpy as np
import pytest
import torch
from hub_session import CLIENT_ENVIRONMENT, OWNER_TOKEN
from huggingface_hub import ModelCard
from tiny import ctc_tokenizer, hubert_config, tiny_asr, tiny_fusion
from transformers import HubertForCTC, Wav2Vec2FeatureExtractor, pipeline

from phonolinguistic import EmotionRecognizer
from phonolinguistic.model.front_end_phonolinguistic import FrontEnd
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.pipeline_phonolinguistic import TASK, PhonoLinguisticPipeline, read_clip, resample
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor
from phonolinguistic.stages import StageTimer
from training import publish

TONE = (np.sin(np.arange(24000) * 0.05) * 0.3).astype(np.float32)

# Runs first in the bare process: what is on this list cannot be found, as if it were not installed.
BARE = """
import importlib.machinery, sys
ABSENT = {"phonolinguistic", "training", "webui", "gradio", "av", "datasets", "soundfile", "torchaudio", "librosa",
          "scipy", "sklearn", "pandas", "accelerate"}
class Bare(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in ABSENT else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Bare
"""


def wave_bytes(samples: np.ndarray, rate: int = 16_000) -> bytes:
    """16-bit mono WAV."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes((samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


@pytest.fixture
def published(hub, tiny, repo_id, monkeypatch) -> str:
    monkeypatch.setenv("HF_TOKEN", OWNER_TOKEN)
    assert publish.main([str(tiny / "multitask"), repo_id]) == 0
    monkeypatch.delenv("HF_TOKEN")
    return repo_id


@pytest.fixture(scope="module")
def local(tiny) -> PhonoLinguisticPipeline:
    folder = tiny / "multitask"
    return PhonoLinguisticPipeline(
        PhonoLinguisticModel.from_pretrained(folder), processor=PhonoLinguisticProcessor.from_pretrained(folder)
    )


def test_from_the_hub_by_its_task(published, local):
    classify = pipeline(TASK, model=published, trust_remote_code=True)
    answer = classify(TONE)
    assert set(answer["scores"]) == {"anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"}
    assert sum(answer["scores"].values()) == pytest.approx(1) and isinstance(answer["transcript"], str)
    assert answer == local(TONE)


def test_its_scores_are_the_models_own(local):
    model, processor = local.model, local.processor
    with torch.no_grad():
        inputs = processor(audio=FrontEnd()(TONE).speech)
        words = processor.decode_transcripts(model.transcribe(model.encode_speech(*inputs.values())))[0]
        out = model(**inputs, **processor(text=words))
    for mode, logits in (("audio", out.audio_logits), ("text", out.text_logits), ("multitask", out.fusion_logits)):
        expected = torch.softmax(logits[0] / model.config.temperatures[mode], 0)
        assert list(local(TONE, mode=mode)["scores"].values()) == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize("kind", ["whisper", "ctc"])
def test_a_fusion_model_reads_the_recogniser_beside_it(tmp_path, kind):
    tiny_asr(tmp_path / "asr")
    if kind == "ctc":
        letters = ctc_tokenizer(tmp_path / "letters")
        shutil.rmtree(tmp_path / "asr")
        network = HubertForCTC(hubert_config())
        for part in (network, letters, Wav2Vec2FeatureExtractor()):
            part.save_pretrained(tmp_path / "asr")
    folder = tiny_fusion(tmp_path / "fusion")
    classify = PhonoLinguisticPipeline(
        PhonoLinguisticModel.from_pretrained(folder), processor=PhonoLinguisticProcessor.from_pretrained(folder)
    )
    answer = classify(TONE)
    recognizer = EmotionRecognizer.from_pretrained(fusion=str(folder), multitask=None, warm_up=False, device="cpu")
    own = recognizer._loaded.asr.transcribe(FrontEnd()(TONE).speech, StageTimer())
    assert answer["transcript"] == own and classify.model.dtype == torch.float32
    assert set(classify(TONE, mode="audio")["scores"]) == set(answer["scores"])


def test_known_words_replace_the_recogniser(local):
    answer = local(TONE, mode="text", text="I am so happy")
    assert answer["transcript"] == "I am so happy" and answer["scores"]
    assert local(TONE, mode="text", text=" ")["scores"] == {}


def test_everything_that_is_a_clip(local, tmp_path):
    path = tmp_path / "clip.wav"
    path.write_bytes(wave_bytes(TONE))
    expected = local(str(path))["scores"]
    integers = np.frombuffer(wave_bytes(TONE)[44:], "<i2")
    clips = [
        path.read_bytes(),
        path,
        (16_000, integers),
        {"array": integers / 32768, "sampling_rate": 16_000},
        {"raw": torch.from_numpy(integers / 32768), "sampling_rate": 16_000},
        np.stack([integers, integers]),
        np.stack([integers, integers], 1),
    ]
    for clip in clips:
        assert list(local(clip)["scores"].values()) == pytest.approx(list(expected.values()), abs=1e-5)
    assert [a["scores"] for a in local([str(path), str(path)])] == [expected, expected]


@pytest.mark.parametrize(
    ("clip", "words"),
    [
        (np.zeros(100, np.float32), "accepted: 0.3 to 30 s"),
        (np.zeros(31 * 16_000, np.float32), "accepted: 0.3 to 30 s"),
        (b"no sound at all", "cannot be decoded"),
        (np.full(16_000, np.nan, np.float32), "not finite"),
        (np.zeros((2, 3, 4)), "accepted: \\(n,\\)"),
        (7, "accepted: path"),
    ],
)
def test_what_is_no_clip_is_refused_in_words(local, clip, words):
    with pytest.raises(ValueError, match=words):
        local(clip)


def test_unknown_mode_and_argument(local):
    with pytest.raises(ValueError, match="this model has audio, text, multitask"):
        local(TONE, mode="fusion")
    with pytest.raises(TypeError, match="accepted: mode"):
        local(TONE, moed="audio")


def test_silence_has_no_scores(local):
    assert local(np.zeros(16_000, np.float32))["emotion"] is None


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_resampling_keeps_a_tone_and_drops_what_16_khz_cannot_hold(rate):
    times = np.arange(rate) / rate
    kept = resample(np.sin(2 * np.pi * 440 * times).astype(np.float32), rate, 16_000)
    assert len(kept) == 16_000
    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    assert np.abs(kept - expected)[800:-800].max() < 1e-4
    if rate > 20_000:
        gone = resample(np.sin(2 * np.pi * 9_500 * times).astype(np.float32), rate, 16_000)
        assert np.abs(gone[800:-800]).max() < 1e-3


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_plain_wav_of_every_width(width):
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(width)
        writer.setframerate(16_000)
        if width == 1:
            data = (TONE * 127 + 128).astype(np.uint8).tobytes()
        else:
            data = (TONE.astype(np.float64) * (2**31 - 1)).astype("<i4").view(np.uint8).reshape(-1, 4)[:, 4 - width :]
            data = data.tobytes()
        writer.writeframes(b"".join(data[i : i + width] * 2 for i in range(0, len(data), width)))
    assert np.abs(read_clip(file.getvalue()) - TONE).max() < 2 ** (2 - 8 * width) + 1e-6


def test_the_cards_snippets_run_with_torch_transformers_and_silero_vad_alone(published, local, tmp_path, hub):
    (tmp_path / "clip.wav").write_bytes(wave_bytes(TONE))
    card = ModelCard(hub.store.read("model", published, "README.md").decode())
    snippets = re.findall(r"```python\n(.*?)```", card.text, re.DOTALL)[:2]  # the third needs the package
    print_scores = "import json\nprint('SCORES', json.dumps(answer))\n"
    script = tmp_path / "bare.py"
    script.write_text(BARE + snippets[0] + print_scores + snippets[1])
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= CLIENT_ENVIRONMENT | {"HF_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(re.search("^SCORES (.*)$", done.stdout, re.MULTILINE).group(1))
    assert len(answer["scores"]) == 7
    expected = local(wave_bytes(TONE))["scores"]
    assert list(answer["scores"].values()) == pytest.approx(list(expected.values()), abs=1e-6)

"""Towers that never learn: run once, kept, and worth the same as if they had run in every step."""

import dataclasses

import numpy as np
import pytest
import torch
import train_kit
from safetensors.torch import load_file

from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from training.engine import frozen
from training.engine.build import build
from training.inputs.dataset import load_rows
from training.train import train

PLAIN = ("precision=fp32", "max_steps=4", "data.text_noise=0")


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("frozen")
    return root, train_kit.make_sources(root / "sources"), train_kit.make_corpus(root / "corpus")


def settings(material, *more):
    return train_kit.settings_of("own", *material[1:], *PLAIN, *more)


def test_heads_learn_from_the_cache_what_they_learn_from_the_towers(material, monkeypatch):
    root, calls = material[0], []
    encode = PhonoLinguisticModel.encode_speech

    def counted(self, *arguments):
        calls.append(1)
        return encode(self, *arguments)

    monkeypatch.setattr(PhonoLinguisticModel, "encode_speech", counted)
    cached = train(settings(material), root / "cached", progress=False)
    once = len(calls)
    train(settings(material), root / "again", progress=False)
    assert 0 < once == len(calls)  # the second run finds everything on disk
    with monkeypatch.context() as patched:
        patched.setattr(frozen, "runs_once", lambda settings, model: {"speech": False, "text": False})
        running = train(settings(material), root / "running", progress=False)
    assert len(calls) > once
    left, right = (load_file(root / name / "model" / "model.safetensors") for name in ("cached", "running"))
    assert all(torch.allclose(left[name], right[name], atol=2e-5) for name in left)
    assert cached["epochs"][-1]["fusion"] == running["epochs"][-1]["fusion"]
    assert cached["epochs"][-1]["loss"] == pytest.approx(running["epochs"][-1]["loss"], abs=2e-4)


def test_a_row_has_versions_and_validation_has_none(material):
    wanted = settings(material, "data.augment=gentle", "data.text_noise=0.9", "data.views=2")
    rows = load_rows(wanted, progress=False)
    rows["train"] = dataclasses.replace(rows["train"], clips=[None, *rows["train"].clips[1:]])
    model, processor = build(wanted)
    model.audio_pooling.feature_mean.fill_(0.3)
    model.audio_pooling.feature_std.fill_(2.0)
    found = frozen.run_once(wanted, rows, model, processor, "cpu", progress=False)
    voices, words = found["train"].audio_pooled, found["train"].text_pooled
    assert voices.shape[:2] == words.shape[:2] == (14, 3)
    assert not voices[0].any() and voices[1:].any(2).all()
    assert not np.allclose(voices[1, 0], voices[1, 1]) and not np.allclose(voices[1, 1], voices[1, 2])
    assert found["validation"].audio_pooled.shape[:2] == (9, 1)
    batch = processor(audio=[rows["train"].audio()[1]], text=[rows["train"].texts[1]])
    with torch.inference_mode():
        running = model.eval()(**batch)
    assert np.allclose(voices[1, 0], running.audio_pooled[0], atol=1e-4)
    assert np.allclose(words[1, 0], running.text_pooled[0], atol=1e-4)


@pytest.mark.parametrize(
    ("change", "speech", "text"),
    [
        ("seed=0", True, True),
        ("data.spec_augment={time_masks: 1}", False, True),
        ("text.frozen=front", True, False),
        ("speech.frozen=1", False, True),
    ],
)
def test_what_changes_in_every_step_runs_in_every_step(material, change, speech, text):
    wanted = settings(material, change)
    assert frozen.runs_once(wanted, build(wanted)[0]) == {"speech": speech, "text": text}


def test_a_learned_sum_over_layers_is_not_frozen(material):
    wanted = train_kit.settings_of("audio_hubert_base", *material[1:], "speech.frozen=all", "data.spec_augment={}")
    model, _ = build(wanted)
    assert not frozen.runs_once(wanted, model)["speech"]

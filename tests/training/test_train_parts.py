"""The parts of a training run: settings, batches, masks, losses, rates, frozen layers, bad rows."""

import logging
import math

import numpy as np
import pytest
import torch
import train_kit
import yaml
from accelerate.commands.config import load_config_from_file
from accelerate.data_loader import BatchSamplerShard
from tiny import bert_config, hubert_config, whisper_config
from torch.nn import functional as F
from transformers import ASTConfig, ASTModel, BertModel, HubertForCTC, HubertModel, WhisperModel

from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticOutput
from training.__main__ import main
from training.config import ConfigError, SpecAugment, load_settings, make_settings
from training.corpora import CorpusError
from training.engine.build import encoder_layers, freeze, set_layer_drop
from training.engine.losses import Targets, balanced_weights, emotion_loss, objective
from training.engine.optimiser import make_optimiser
from training.inputs.batching import PlannedBatches, make_plan
from training.inputs.collate import spelled
from training.inputs.dataset import load_rows
from training.inputs.spec_augment import mask_spectrum, mask_waveform
from training.options import read_corpora

LIMITS = (8.0, 1000, 6)


@pytest.fixture(scope="module")
def lengths():
    random = np.random.default_rng(0)
    return random.uniform(0.5, 4, 101), random.integers(1, 30, 101)


def test_every_row_once_an_epoch_within_the_limits(lengths):
    seconds, words = lengths
    plan = make_plan(seconds, words, LIMITS, epochs=2, per_step=3, seed=1)
    for epoch in (0, 1):
        batches = [b for s in plan if s.epoch == epoch for b, share in zip(s.batches, s.shares, strict=True) if share]
        assert sorted(row for batch in batches for row in batch) == list(range(101))
        assert all(len(b) <= 6 and seconds[b].max() * len(b) <= 8.0 for b in batches)
    assert all(len(step.batches) == 3 for step in plan)
    assert all(math.isclose(sum(step.shares), 3) for step in plan)
    padded = sum(seconds[b].max() * len(b) for s in plan for b in s.batches)
    assert sum(seconds[b].sum() for s in plan for b in s.batches) / padded > 0.85  # like lengths together
    assert make_plan(seconds, words, LIMITS, 2, 3, seed=1) == plan
    assert make_plan(seconds, words, LIMITS, 2, 3, seed=2) != plan


def test_accelerate_deals_out_every_step(lengths):
    plan = make_plan(*lengths, LIMITS, epochs=1, per_step=4, seed=0)
    sampler = PlannedBatches(plan, 2)
    shares = [list(BatchSamplerShard(sampler, 2, process, even_batches=False)) for process in (0, 1)]
    assert len(sampler) == 4 * (len(plan) - 2) and [len(share) for share in shares] == [2 * (len(plan) - 2)] * 2
    step = plan[2]
    mixed = [batch for pair in zip(*(share[:2] for share in shares), strict=True) for batch in pair]
    assert mixed == [[(0, row) for row in batch] for batch in step.batches]


def test_repeats_and_a_cap_on_steps(lengths):
    plan = make_plan(*lengths, LIMITS, 1, 1, 0, repeats=[3] + [1] * 100)
    assert sum(batch.count(0) for step in plan for batch in step.batches) == 3
    assert len(make_plan(*lengths, LIMITS, 9, 1, 0, max_steps=7)) == 7


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tasks=audio", "unknown key 'tasks'"),
        ("speech.rte=1", "unknown key 'speech.rte'"),
        ("task=singing", "task is 'singing'; accepted: audio, text, fusion, multitask"),
        ("epochs=many", "epochs is 'many'; accepted: a whole number"),
        ("data.on_error=ignore", "data.on_error is 'ignore'; accepted: raise, skip"),
        ("text.frozen=most", "text.frozen is 'most'; accepted"),
        ("data.corpora.5.path=x", "'5' is no place in a list of 1"),
        ("data.corpora=[]", "data.corpora is empty"),
        ("speech=null", "needs speech.source"),
        ("epochs", "no override"),
    ],
)
def test_wrong_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        load_settings(train_kit.CONFIGS / "own.yaml", [override])


def test_settings_survive_their_record():
    settings = load_settings(train_kit.CONFIGS / "own.yaml", ["speech.learning_rate=1e-5", "data.corpora.0.path=x.csv"])
    assert settings.speech.learning_rate == 1e-5 and settings.data.corpora[0].path == "x.csv"
    assert make_settings(yaml.safe_load(yaml.safe_dump(settings.model_dump()))) == settings


@pytest.mark.parametrize("file", sorted((train_kit.CONFIGS / "accelerate").glob("*.yaml")), ids=lambda file: file.stem)
def test_accelerate_configs_are_read_by_accelerate(file):
    assert load_config_from_file(str(file)).num_processes >= 1


def test_masks_hide_only_what_they_may():
    settings = SpecAugment(time_masks=2, time_share=0.2, frequency_masks=1, frequency_share=0.3)
    random = np.random.default_rng(0)
    spectrum = torch.randn(2, 80, 60)
    before = spectrum.clone()
    mask_spectrum(spectrum, [60, 40], settings, [None, random])
    assert torch.equal(spectrum[0], before[0]) and torch.equal(spectrum[1, :, 40:], before[1, :, 40:])
    changed = (spectrum[1, :, :40] != before[1, :, :40]).float()
    assert 0 < changed.mean() <= 0.2 * 2 + 0.3
    wave = np.random.default_rng(1).standard_normal(8000).astype(np.float32)
    hidden = mask_waveform(wave, settings, random)
    assert hidden.shape == wave.shape and hidden.dtype == np.float32 and (hidden == 0).mean() <= 0.4
    assert not np.array_equal(hidden, wave)
    assert mask_waveform(wave, SpecAugment(), random) is wave


def test_losses_against_their_definitions():
    logits, targets = torch.randn(5, 7), torch.eye(7)[[0, 1, 2, 3, 3]]
    rows = torch.tensor([True, True, True, True, False])
    plain = torch.nn.functional.cross_entropy(logits[:4], targets[:4].argmax(1))
    assert torch.allclose(emotion_loss(logits, targets, rows, None, 0.0), plain)
    weights = torch.rand(7) + 0.1
    weighted = torch.nn.functional.cross_entropy(logits[:4], targets[:4].argmax(1), weight=weights)
    assert torch.allclose(emotion_loss(logits, targets, rows, weights, 0.0), weighted)
    right = logits.softmax(1)[range(4), targets[:4].argmax(1)]
    assert torch.allclose(emotion_loss(logits, targets, rows, None, 2.0), (-((1 - right) ** 2) * right.log()).mean())
    assert emotion_loss(logits, torch.zeros(5, 7), rows, None, 0.0) is None
    counts = np.eye(7, dtype=np.float32)[[0, 0, 0, 1]]
    found = balanced_weights(counts, np.ones(4))
    assert np.allclose(found[:2], [4 / 6, 2]) and not found[2:].any()


def targets_of(emotions, one=True, several=False, taught=True):
    count = len(emotions)
    flags = (torch.full((count,), side) for side in (one, several))
    return Targets(emotions, *flags, torch.full((count, 4), taught))


def output_of(logits, pooled=None, recognition=None):
    pooled = torch.ones(len(logits), 3) if pooled is None else pooled
    return PhonoLinguisticOutput(
        audio_logits=logits, text_logits=logits * 2, fusion_logits=logits * 3, audio_pooled=pooled, text_pooled=pooled,
        recognition_loss=recognition,
    )  # fmt: skip


def test_several_labels_under_one_head():
    logits, emotions = torch.randn(4, 7), torch.zeros(4, 7)
    emotions[range(4), [0, 1, 2, 3]] = 1
    emotions[0, :2] = 0.5
    holds = emotions.gt(0).float()
    sigmoids = F.binary_cross_entropy_with_logits(logits * 2, holds, reduction="none").sum(1)
    softmax = F.cross_entropy(logits * 2, emotions, reduction="none")
    weights = {"text": 1.0}
    for one, several, expected in ((True, False, softmax), (False, True, sigmoids), (True, True, softmax + sigmoids)):
        loss, parts = objective(output_of(logits), targets_of(emotions, one, several), "text", weights, None)
        assert torch.allclose(loss, expected.mean()) and set(parts) == {"text"}
    mixed = targets_of(emotions)._replace(one=torch.tensor([True] * 3 + [False]), several=torch.tensor([True] * 4))
    loss, _ = objective(output_of(logits), mixed, "text", weights, None)
    assert torch.allclose(loss, (sigmoids.sum() + softmax[:3].sum()) / 4)


def test_every_part_has_its_weight_and_a_row_only_the_losses_of_its_corpus():
    logits, emotions = torch.randn(3, 7), torch.eye(7)[[0, 1, 2]]
    weights = {"audio": 1.0, "text": 2.0, "fusion": 3.0, "recognition": 0.1}
    total, parts = objective(output_of(logits, recognition=torch.tensor(5.0)), targets_of(emotions), "multitask",
                             weights, None)  # fmt: skip
    each = {name: F.cross_entropy(logits * n, emotions) for n, name in enumerate(("audio", "text", "fusion"), 1)}
    assert all(torch.allclose(parts[name], value) for name, value in each.items())
    assert torch.allclose(total, each["audio"] + 2 * each["text"] + 3 * each["fusion"] + 0.5)
    taught = torch.ones(3, 4, dtype=torch.bool)
    taught[1:, 0] = False  # only row 0 teaches the voice
    taught[:, 1] = False  # nothing teaches the words
    _, parts = objective(output_of(logits), targets_of(emotions)._replace(taught=taught), "fusion", weights, None)
    assert set(parts) == {"audio", "fusion"}
    assert torch.allclose(parts["audio"], F.cross_entropy(logits[:1], emotions[:1]))
    nothing, parts = objective(output_of(logits), targets_of(emotions * 0), "fusion", weights, None)
    assert float(nothing) == 0 and not parts
    absent = torch.tensor([[0.0] * 3, [1.0] * 3, [1.0] * 3])
    _, parts = objective(output_of(logits, absent), targets_of(emotions), "audio", weights, None)
    assert torch.allclose(parts["audio"], F.cross_entropy(logits[1:], emotions[1:]))


def test_learning_rates_rise_and_fall():
    settings = load_settings(train_kit.CONFIGS / "text_bert.yaml", ["speech={source: none, learning_rate: 0.25}"])
    model = torch.nn.ModuleDict({name: torch.nn.Linear(2, 2) for name in ("speech", "text", "text_head")})
    optimizer, schedule = make_optimiser(model, settings, 100)
    peaks = {settings.text.learning_rate, 0.25, settings.heads_learning_rate}
    rates = []
    for _ in range(100):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    assert set(np.max(rates, 0)) == peaks and [group["weight_decay"] for group in optimizer.param_groups].count(0) == 3
    first = [rate[0] for rate in rates]
    assert first.index(max(first)) == 10 and first[:11] == sorted(first[:11])
    assert first[10:] == sorted(first[10:], reverse=True) and first[99] < 0.02 * max(first)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("heads_rate=1", "heads_learning_rate"),
        ("speech.rate=1", "speech.learning_rate"),
        ("accumulation=2", "gradient_accumulation_steps"),
        ("clip_norm=1", "max_grad_norm"),
        ("warmup=0.1", "warmup_ratio"),
        ("decay=cosine", "lr_schedule"),
    ],
)
def test_an_earlier_key_is_refused_with_its_new_name(old, new):
    with pytest.raises(ConfigError, match=f"{old.partition('=')[0]} is called {new} now"):
        load_settings(train_kit.CONFIGS / "own.yaml", [old])


def test_corpora_are_named_or_listed(tmp_path):
    file = tmp_path / "corpora.yaml"
    file.write_text("- {name: ravdess, path: data/R, fold: 2}\n- {name: own, path: a.csv}\n")
    found = read_corpora([str(file), "tess=data/T"])
    assert [corpus.name for corpus in found] == ["ravdess", "own", "tess"] and found[0].fold == 2
    assert read_corpora([str(train_kit.CONFIGS / "own.yaml")])[0].path == "clips.csv"
    file.write_text("- {name: ravdess}\n")
    for value, message in (
        ("clips.csv", "accepted: NAME=PATH, or a YAML file"), (str(file), "'corpora.yaml: 0.path' is missing"),
        (str(tmp_path / "none.yaml"), "cannot be read"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=message):
            read_corpora([value])


def networks():
    ast = ASTConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, max_length=48,
                    num_mel_bins=16)  # fmt: skip
    return [HubertModel(hubert_config()), HubertForCTC(hubert_config()), BertModel(bert_config()), ASTModel(ast),
            WhisperModel(whisper_config()), WhisperModel(whisper_config()).encoder]  # fmt: skip


@pytest.mark.parametrize("network", networks(), ids=lambda network: type(network).__name__)
def test_freezing_and_layer_drop_of_every_class(network):
    freeze(network, 1)
    layers = encoder_layers(network)
    assert len(layers) == 2
    assert not any(p.requires_grad for p in layers[0].parameters())
    assert all(p.requires_grad for p in layers[1].parameters())
    front = ("embeddings", "conv1", "conv_layers", "feature_projection")
    assert not any(p.requires_grad for name, p in network.named_parameters() if any(part in name for part in front))
    with pytest.raises(ConfigError, match="has 2 layers"):
        freeze(network, 3)
    freeze(network, "all")
    assert not any(p.requires_grad for p in network.parameters())
    set_layer_drop(network, 1.0)
    states = torch.randn(1, 3, 16)  # layer normalisation makes nothing of a constant
    layers.train()
    assert torch.equal(layers[0](states, None), states)
    layers.eval()
    assert not torch.equal(layers[0](states, None), states)


def test_a_skipped_layer_still_leaves_its_state():
    network = HubertModel(hubert_config())
    set_layer_drop(network, 1.0)
    states = network.train()(torch.randn(1, 8000), output_hidden_states=True).hidden_states
    assert len(states) == 3


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return train_kit.make_sources(tmp_path_factory.mktemp("sources"))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"emotion": "jolly"}, "unknown label 'jolly'"),
        ({"path": "notes.wav"}, "no clip at notes.wav"),
        ({"text": ""}, "empty transcript"),
    ],
)
def test_bad_rows_are_named_or_left_out(cells, message, tmp_path, sources, caplog):
    corpus = train_kit.make_corpus(tmp_path, **cells)
    settings = train_kit.settings_of("fusion_hubert_base", sources, corpus, "data.on_error=raise")
    with pytest.raises(CorpusError, match=message):
        load_rows(settings, progress=False)
    settings = train_kit.settings_of("fusion_hubert_base", sources, corpus)
    with caplog.at_level(logging.WARNING):
        assert len(load_rows(settings, progress=False)["train"]) == 13
    assert "1 skipped" in caplog.text


def test_corrupt_clip_is_left_out(tmp_path, sources, caplog):
    corpus = train_kit.make_corpus(tmp_path)
    (tmp_path / "3.wav").write_bytes(b"RIFF" + bytes(60))
    with caplog.at_level(logging.WARNING):
        rows = load_rows(train_kit.settings_of("audio_hubert_base", sources, corpus), progress=False)
    assert len(rows["train"]) == 13 and "own/3.wav" not in rows["train"].ids and "corrupt clip" in caplog.text


def test_command_line_says_what_is_wrong_in_one_line(tmp_path, sources, capsys):
    corpus = train_kit.make_corpus(tmp_path)
    config = str(train_kit.CONFIGS / "audio_hubert_base.yaml")
    given = train_kit.overrides("audio_hubert_base", sources, corpus, f"speech.source={tmp_path / 'nothing'}")
    assert main(["train", config, "--out", str(tmp_path / "out"), *given, "precision=fp32"]) == 2
    error = capsys.readouterr().err
    assert "speech network cannot be loaded" in error and "Traceback" not in error
    command = ["train", config, "--out", str(tmp_path / "out")]
    assert main([*command, f"data.corpora.0.path={tmp_path}/meld", "precision=fp32"]) == 2
    assert "Get it from" in capsys.readouterr().err


def test_transcripts_are_spelled_in_the_letters_of_the_recogniser(sources):
    class Processor:
        feature_extractor = object()

        class asr_tokenizer:  # noqa: N801
            @staticmethod
            def get_vocab():
                return {letter: 0 for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ'|"}

    assert spelled("It’s a “tree”, no?", Processor) == "IT'S A TREE NO"

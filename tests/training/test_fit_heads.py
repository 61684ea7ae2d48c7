"""Heads fitted over frozen tiny encoders: what is stored answers exactly as what was fitted."""

import json

import numpy as np
import pytest
import torch
from made_sets import SPLITS, clips, texts
from tiny_release import write_tiny_model

from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor
from training.heads import fit as fit_heads
from training.heads import linear as heads
from training.inputs.feature_cache import PooledCache
from training.inputs.pairs import Clips, Mixture, PairDataset, Words

SETTINGS = fit_heads.Settings(c=0.1, pairs=600, checked=300, epochs=3)


def load(folder, hidden=0, **settings):
    write_tiny_model(
        folder, head_hidden_size=hidden, pooling="mean_std", pooled_layers=[1, 2], spectrum_statistics=True, **settings
    )
    model = PhonoLinguisticModel.from_pretrained(folder)
    model.config.release = {"version": "0.0.1"}  # nothing is trained yet
    return model.float(), PhonoLinguisticProcessor.from_pretrained(folder)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    model, processor = load(folder / "model", multitask=True)
    sets = [clips(), clips("tess", ("train", "test"), takes=3)], [texts(), texts("meld", several=False)]
    (folder / "transcripts").mkdir()
    lines = [json.dumps({"id": name, "text": "i am so sad"}) for name in sets[0][0].ids]
    (folder / "transcripts" / "ravdess.jsonl").write_text("\n".join(lines) + "\n")
    read = clips("speechocean762", ("train",) * 3, takes=1)
    report = fit_heads.fit(
        model, processor, *sets, SETTINGS, folder / "cache", folder / "transcripts", progress=False, read=read
    )
    (folder / "model" / "training.json").write_text('{"text": {"seconds": 1.0}}')
    fit_heads.save(model, processor, folder / "out", report, folder / "model")
    return folder, model, sets, report


def test_heads_hear_and_read(fitted):
    _, model, _, report = fitted
    found = report["validation"]
    assert found["audio"]["uar"] > 0.9  # pitch is the label
    assert found["text"]["uar"] > 0.5 and report["text_head"] == "fitted"
    assert set(model.config.temperatures) == {"audio", "text", "multitask"}
    assert model.config.release["trained_heads"] == ["audio", "fusion", "text"]
    kinds = found["pairs_by_kind"]
    assert set(kinds) == {"real", "matched", "voice_only", "words_only", "no_words", "no_voice"}
    assert kinds["no_words"]["fusion"] > 0.8 and 0 <= model.config.uncertain_threshold < 1


def test_what_is_saved_answers_like_what_was_fitted(fitted):
    folder, model, sets, _ = fitted
    again = PhonoLinguisticModel.from_pretrained(folder / "out", dtype=torch.float32)
    assert again.config.temperatures == model.config.temperatures
    some = sets[0][0].select(range(6))
    processor = PhonoLinguisticProcessor.from_pretrained(folder / "out")
    batch = processor(audio=list(some.audio), text=["i am so sad", "", "happy", "door", "what", "oh"])
    with torch.inference_mode():
        one, other = model.eval()(**batch), again.eval()(**batch)
    for name in ("audio_logits", "text_logits", "fusion_logits"):
        assert torch.allclose(one[name], other[name], atol=0.15), name
        assert (one[name].argmax(1) == other[name].argmax(1)).float().mean() > 0.8
    record = json.loads((folder / "out" / "training.json").read_text())
    assert record["heads"]["clips"] == {"ravdess": 70, "tess": 21}
    assert record["heads"]["read_speech"] == {"corpus": "speechocean762", "clips": 21}
    assert record["text"] == {"seconds": 1.0}, "what made the encoders is carried on"


def test_the_stack_is_one_linear_layer_exactly(tmp_path):
    model, _ = load(tmp_path / "m", multitask=False)
    random = np.random.default_rng(0)
    sizes = model.audio_head.in_features, model.text_head.in_features
    audio, text = (
        heads.Linear(random.normal(size=(7, n)).astype("f"), random.normal(size=7).astype("f")) for n in sizes
    )
    stack = heads.FusionStack(model.fusion_head[1].out_features).eval()
    heads.install(
        model, audio=audio, mean=np.zeros(sizes[0], "f"), deviation=np.ones(sizes[0], "f"), text=text, stack=stack,
        temperatures=(1.7, 0.6),
    )  # fmt: skip
    x, y = (torch.from_numpy(random.normal(size=(9, n)).astype("f")) for n in sizes)
    x[3], y[5] = 0, 0  # absent
    model.eval()
    with torch.inference_mode():
        _, _, fused = model.classify(x, y)
        scaled = [
            torch.from_numpy(h(v.numpy()) / t) * v.ne(0).any(1, True) for h, v, t in ((audio, x, 1.7), (text, y, 0.6))
        ]
        assert torch.allclose(fused, stack(*scaled), atol=1e-4)
        _, _, alone = model.classify(x, None)
        assert torch.allclose(alone, stack(scaled[0], torch.zeros(9, 7)), atol=1e-4)


def test_hidden_layers_are_refused(tmp_path):
    model, _ = load(tmp_path / "m", hidden=8)
    empty = heads.Linear(np.zeros((7, 1), "f"), np.zeros(7, "f"))
    with pytest.raises(ValueError, match="head_hidden_size is 8"):
        heads.install(model, audio=empty, mean=None, deviation=None, text=None, stack=None, temperatures=(1, 1))


def test_features_are_those_of_the_model_and_are_kept(tmp_path):
    model, processor = load(tmp_path / "m")
    model.audio_pooling.feature_mean.fill_(0.3)
    some = clips(splits=("train",), takes=1)
    cache = PooledCache(model, processor, tmp_path / "cache", progress=False)
    found = cache.clips(some.audio, some.keys)
    batch = processor(audio=[some.audio[4]])
    with torch.inference_mode():
        alone = model.pool_speech(model.encode_speech(batch["input_features"], batch["attention_mask"]))
    assert found.shape == (7, 1, alone.shape[1])
    assert np.allclose(found[4, 0] - 0.3, alone[0].numpy(), atol=1e-4)
    # The standardiser is not part of the key; weights, clips and views are.
    model.audio_pooling.feature_mean.fill_(0.5)
    assert PooledCache(model, processor, tmp_path / "cache", progress=False).speech_key == cache.speech_key
    assert np.array_equal(cache.clips([None] * 7, some.keys), found)  # read from disk: the clips are not looked at
    louder = cache.clips(some.audio, some.keys, views=2, change=lambda x, random: x * random.uniform(0.1, 0.5))
    assert louder.shape[1] == 2 and np.array_equal(louder[:, :1], found) and not np.allclose(louder[:, 1], found[:, 0])
    with torch.no_grad():
        next(model.speech.parameters()).add_(1)
    assert PooledCache(model, processor, tmp_path / "cache", progress=False).speech_key != cache.speech_key
    read = cache.texts(["happy", "", "happy"])
    assert np.array_equal(read[0], read[2]) and not read[1].any()


def test_another_pooling_keeps_the_encoders(tmp_path):
    model, processor = load(tmp_path / "m")
    other = fit_heads.with_pooling(model, [0, 1, 2], active_db=20.0)
    assert fit_heads.with_pooling(model) is model
    assert other.config.pooling_options == {"active_db": 20.0} and other.audio_pooling.active_db == 20.0
    assert other.audio_head.in_features == model.audio_head.in_features + 2 * 16
    batch = processor(audio=[clips(splits=("train",), takes=1).audio[0]], text=["i am happy"])
    with torch.inference_mode():
        one, two = model.eval()(**batch), other(**batch)
        states = [m.encode_speech(batch["input_features"], batch["attention_mask"]) for m in (model, other)]
    assert torch.allclose(one.text_logits, two.text_logits, atol=1e-4)
    assert torch.allclose(states[0].last_hidden_state, states[1].last_hidden_state, atol=1e-4)


def test_nobody_is_judged_by_a_head_that_heard_them():
    folds = heads.speaker_folds(["a", "b", "c", "d", "e", "t"], ["r"] * 5 + ["tess"])
    assert folds.tolist() == [0, 1, 2, 3, 0, 4]
    made = clips(splits=("train",) * 4)
    random = np.random.default_rng(0)
    # Features that tell the speaker and nothing else: labels follow the speaker, so only a leak could find them.
    speakers = np.array([int(s[-1]) for s in made.speakers])
    x = np.eye(4)[speakers][:, None] + 0.01 * random.normal(size=(len(made), 1, 4))
    logits = heads.out_of_fold(x.astype("f"), speakers, ["r"] * len(made), made.speakers, c=1.0)
    assert (logits[:, 0].argmax(1) == speakers).mean() == 0
    with pytest.raises(ValueError, match="one speaker"):
        heads.out_of_fold(x[:14].astype("f"), made.labels[:14], ["r"] * 14, made.speakers[:14], c=1.0)


def test_weights_balance_labels_and_corpora():
    labels, corpora = np.array([0, 0, 0, 1, 0, 1]), ["a"] * 4 + ["b"] * 2
    weights = heads.balanced_weights(labels, corpora, {"a": 1.0, "b": 0.5})
    assert weights.mean() == pytest.approx(1)
    assert weights[:3].sum() == pytest.approx(weights[3]) and weights[4] == pytest.approx(weights[5])
    assert weights[:4].sum() == pytest.approx(2 * weights[4:].sum())


def test_a_label_that_never_comes_is_never_answered():
    random = np.random.default_rng(0)
    x, labels = random.normal(size=(60, 3)), np.repeat([0, 2], 30)
    x[labels == 2] += 3
    head = heads.fit_linear(x, labels, np.ones(60), 1.0)
    answers = head(x).argmax(1)
    assert set(answers) == {0, 2} and (answers == labels).mean() > 0.95


def test_the_stack_learns_to_trust_the_sure_one():
    random = np.random.default_rng(0)
    labels = np.arange(140) % 7
    sure = 6 * np.eye(7)[labels][:, None] + random.normal(size=(140, 1, 7))
    vague = random.normal(size=(140, 1, 7))
    speakers = [f"s{row // 14}" for row in range(140)]
    pairs = [
        PairDataset(Clips(sure, labels, speakers, ["r"] * 140), Words(vague, labels, ["g"] * 140), mixture, rows, seed)
        for mixture, rows, seed in ((Mixture(), 1500, 0), (Mixture(0, 1, 0, 0, 0, 0, 0), 300, 1))
    ]
    run = heads.fit_stack(*pairs, hidden=32, epochs=30)
    batch = pairs[1].batch(range(300))
    answers = heads.predict(run.stack, batch).argmax(1)
    assert (answers == batch["labels"].argmax(1)).float().mean() > 0.9
    assert run.losses[run.epoch - 1] == min(run.losses)


def test_command_names_what_is_missing(tmp_path, capsys):
    write_tiny_model(tmp_path / "m", head_hidden_size=0)
    paths = [arg for name in ("ravdess", "tess", "goemotions", "meld") for arg in (f"--{name}", str(tmp_path / "none"))]
    code = fit_heads.main(
        ["--model", str(tmp_path / "m"), *paths, "--cache", str(tmp_path), "--out", str(tmp_path / "o")]
    )
    assert code == 2 and "ravdess: nothing to load" in capsys.readouterr().err
    assert SPLITS.count("validation") == 2

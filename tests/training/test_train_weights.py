"""What makes the weights: rows, labels, losses, one step by hand, the epoch that is kept, its temperature."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import train_kit
from sklearn.metrics import f1_score
from tiny import bert_config, bert_tokenizer
from torch.nn import functional as F
from transformers import BertModel

from phonolinguistic.calibration import choose_uncertain_threshold, fit_temperature, softmax
from phonolinguistic.labels import EMOTIONS
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor
from training.config import load_settings
from training.engine.build import build
from training.engine.validation import Validator
from training.inputs.batching import make_plan
from training.inputs.collate import Collate, TrainingRows
from training.inputs.dataset import load_rows
from training.train import train

SAID = dict(zip(EMOTIONS, ("angry", "stayed", "oh", "happy", "what", "sad", "day"), strict=True))
AROUND = ("i am so", "that you", "and i", "with us today")


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("weights")
    return root, train_kit.make_sources(root / "sources"), train_kit.make_corpus(root / "corpus", test=7)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """(BERT without dropout, a table of texts: each emotion has its own word; anger is commoner)."""
    root = tmp_path_factory.mktemp("words")
    torch.manual_seed(0)
    config = bert_config()
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    BertModel(config).save_pretrained(root / "bert")
    bert_tokenizer().save_pretrained(root / "bert")
    with open(root / "texts.csv", "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(("text", "emotion", "speaker", "split"))
        for split in ("train", "train", "validation", "test"):
            for emotion, word in SAID.items():
                for number, more in enumerate(AROUND * (2 if emotion == "anger" else 1)):
                    writer.writerow((f"{more} {word}", emotion, f"{split} {number}", split))
    return root / "bert", root / "texts.csv"


def text_settings(words, *more):
    given = [f"text.source={words[0]}", f"data.corpora=[{{name: own, path: {words[1]}}}]", "data.text_noise=0",
             "model.text_pooling=mean", "model.head_hidden_size=0", "model.head_dropout=0", "precision=fp32",
             "tracker=null", "data.workers=0"]  # fmt: skip
    return load_settings(train_kit.CONFIGS / "text_bert.yaml", [*given, *more])


def test_rows_have_the_labels_splits_and_words_of_their_table(material, tmp_path):
    table = list(csv.DictReader(open(material[2], encoding="utf-8")))
    heard = tmp_path / "heard.jsonl"
    heard.write_text(json.dumps({"id": "own/0.wav", "text": "oh what", "model": "m", "error": None}) + "\n")
    corpora = f"data.corpora=[{{name: own, path: {material[2]}, transcripts: {heard}, repeats: 3, losses: [audio]}}]"
    rows = load_rows(train_kit.settings_of("fusion_hubert_base", *material[1:], corpora), progress=False)
    for split, part in rows.items():
        expected = [row for row in table if row["split"] == split]
        assert part.ids == [f"own/{row['path']}" for row in expected]
        assert [EMOTIONS[place] for place in part.targets.argmax(1)] == [row["emotion"] for row in expected]
        assert (part.targets.sum(1) == 1).all() and (part.repeats == 3).all()
        assert part.references == [row["text"] for row in expected]
        assert part.speakers == [row["speaker"] for row in expected]
    assert rows["train"].texts == ["oh what", *rows["train"].references[1:]]
    assert rows["train"].taught.tolist() == [[True, False, False, False]] * len(rows["train"])


def test_the_model_learns_which_word_is_which_emotion(words, tmp_path):
    run = train(text_settings(words, "epochs=12", "text.learning_rate=0.005", "heads_learning_rate=0.05"), tmp_path,
                progress=False)  # fmt: skip
    assert run["best_macro_f1"] > 0.95
    model = PhonoLinguisticModel.from_pretrained(tmp_path / "model").eval()
    processor = PhonoLinguisticProcessor.from_pretrained(tmp_path / "model")
    with torch.inference_mode():
        answers = model(**processor(text=[f"i am so {word}" for word in SAID.values()])).text_logits.argmax(1)
    assert [model.config.id2label[int(place)] for place in answers] == list(SAID)


def test_one_step_by_hand(words, tmp_path):
    """Two accumulated batches of unlike size, class weights, focal loss, clipped gradient, a rate for each part."""
    limits = ("batch_rows=3", "gradient_accumulation_steps=2", "max_steps=1", "epochs=1")
    settings = text_settings(words, *limits, "class_weights=balanced", "focal_gamma=1.5", "max_grad_norm=0.05",
                             "weight_decay=0.1", "text.learning_rate=0.001", "heads_learning_rate=0.02",
                             "model.loss_weights={text: 0.7}", "batch_words=9")  # fmt: skip
    rows = load_rows(settings, progress=False)["train"]
    step = make_plan(rows.seconds, rows.words, (64.0, 9, 3), 1, 2, 0, rows.repeats, 1)[0]
    torch.manual_seed(settings.seed)
    model, processor = build(settings)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    counts = rows.targets.sum(0)
    weights = torch.tensor(counts.sum() / (7 * counts))
    model.train()
    total = sum(len(batch) for batch in step.batches)
    for batch in step.batches:
        texts, labels = [rows.texts[row] for row in batch], torch.tensor(rows.targets[batch].argmax(1))
        logs = F.log_softmax(model(**processor(text=texts)).text_logits, 1)[range(len(batch)), labels]
        own = weights[labels]
        loss = -(own * (1 - logs.exp()) ** 1.5 * logs).sum() / own.sum()
        (0.7 * loss * len(batch) / total).backward()
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert float(torch.nn.utils.clip_grad_norm_(learning.values(), 0.05)) > 0.05
    for name, parameter in learning.items():
        if parameter.grad is not None:
            rate = 0.001 if name.startswith("text.") else 0.02
            decay = 0.1 if parameter.dim() > 1 else 0.0
            # The first step of AdamW (Loshchilov and Hutter 2019): mean and root of the square are the gradient itself.
            moved = parameter.grad / (parameter.grad.abs() + 1e-8)
            parameter.data = parameter.data * (1 - rate * decay) - rate * moved
    train(settings, tmp_path, progress=False)
    after = PhonoLinguisticModel.from_pretrained(tmp_path / "model").state_dict()
    assert not torch.equal(after["text_head.weight"], before["text_head.weight"])
    for name, value in model.state_dict().items():
        # Where a gradient is as small as AdamW's epsilon, rounding decides.
        assert torch.allclose(after[name], value, atol=2e-4), name
        if name == "text_head.weight":
            assert torch.allclose(after[name], value, atol=1e-6)


def test_the_best_epoch_is_kept_with_its_own_temperature(words, tmp_path, monkeypatch):
    settings = text_settings(words, "epochs=4", "text.learning_rate=0.01", "heads_learning_rate=0.5", "batch_rows=8",
                             "patience=2")  # fmt: skip
    real, weights, pretended = Validator.__call__, [], [0.2, 0.9, 0.5, 0.9]

    def spied(self, model):
        found = real(self, model)
        logits = found.logits["text"]
        assert found.figures["macro_f1"] == pytest.approx(
            f1_score(self.rows.targets.argmax(1), logits.argmax(1), average="macro"), abs=1e-5
        )
        weights.append(model.text_head.weight.detach().clone())
        return replace(found, figures=found.figures | {"macro_f1": pretended[len(weights) - 1]})

    monkeypatch.setattr(Validator, "__call__", spied)
    run = train(settings, tmp_path, progress=False)
    assert run["best_macro_f1"] == 0.9 and [epoch["epoch"] for epoch in run["epochs"]] == [1, 2, 3, 4]
    assert run["stopped_early"]  # an epoch that is only as good is no better
    model = PhonoLinguisticModel.from_pretrained(tmp_path / "model").eval()
    assert torch.equal(model.text_head.weight, weights[1])
    processor = PhonoLinguisticProcessor.from_pretrained(tmp_path / "model")
    held = load_rows(settings, progress=False)["validation"]
    with torch.inference_mode():
        logits = model(**processor(text=held.texts)).text_logits.numpy()
    truth = held.targets.argmax(1)
    temperature = float(fit_temperature(logits, truth))
    assert model.config.temperatures == {"text": pytest.approx(temperature, rel=1e-3)} and temperature != 1
    threshold = choose_uncertain_threshold(softmax(logits, temperature), truth)
    assert model.config.uncertain_threshold == pytest.approx(threshold, abs=1e-3)


@pytest.mark.parametrize("recipe", ["fusion_hubert_base", "own"])
@pytest.mark.parametrize(
    ("more", "spoken", "written"),
    [("data.drop_audio=1", False, True), ("data.drop_text=1", True, False), ("seed=0", True, True)],
)
def test_modality_dropout(material, recipe, more, spoken, written):
    settings = train_kit.settings_of(recipe, *material[1:], "data.drop_audio=0", "data.drop_text=0", more)
    rows = TrainingRows(load_rows(settings, progress=False)["train"], settings, "waveform")
    for row in range(5):
        item, plain = rows[(0, row)], rows[row]
        assert (item["spoken"], item["written"], bool(item["text"])) == (spoken, written, written)
        assert plain["spoken"] and plain["written"]


def test_what_is_drawn_differs_by_epoch_and_never_touches_validation(material):
    more = ("data.augment=microphone", "data.text_noise=1", "data.drop_audio=0", "data.drop_text=0")
    settings = train_kit.settings_of("fusion_hubert_base", *material[1:], *more)
    table = load_rows(settings, progress=False)["train"]
    rows = TrainingRows(table, settings, "waveform")
    first, again, next_epoch, plain = rows[(0, 1)], rows[(0, 1)], rows[(1, 1)], rows[1]
    assert np.array_equal(first["samples"], again["samples"]) and first["text"] == again["text"]
    assert not np.array_equal(first["samples"], next_epoch["samples"])
    assert np.array_equal(plain["samples"], table.audio()[1]) and plain["text"] == table.texts[1]
    assert len({rows[(epoch, 2)]["text"] for epoch in range(8)}) > 1


def test_spectrum_is_masked_in_training_alone(material):
    settings = train_kit.settings_of("multitask_whisper_base", *material[1:], "data.drop_audio=0", "data.drop_text=0",
                                     "data.spec_augment={time_masks: 2, time_share: 0.5}")  # fmt: skip
    model, processor = build(settings)
    rows = TrainingRows(load_rows(settings, progress=False)["train"], settings, "log_mel")
    collate = Collate(processor, settings, "log_mel")
    plain, masked = (collate([item])["inputs"]["input_features"] for item in (rows[1], rows[(0, 1)]))
    assert plain.shape == masked.shape and not torch.equal(plain, masked)
    assert torch.equal(collate([rows[1]])["inputs"]["input_features"], processor(audio=[rows[1]["samples"]])[
        "input_features"])  # fmt: skip


@pytest.mark.parametrize("recipe", ["multitask_whisper_base", "multitask_hubert_large"])
def test_the_recogniser_learns_the_corpus_words_of_rows_that_teach_it(material, recipe, tmp_path):
    corpora = f"data.corpora=[{{name: own, path: {material[2]}}}]"
    settings = train_kit.settings_of(recipe, *material[1:], corpora, "data.drop_audio=0")
    model, processor = build(settings)
    rows = TrainingRows(load_rows(settings, progress=False)["train"], settings, model.config.speech_kind)
    items = [rows[1], rows[0] | {"taught": np.array([True, True, True, False])}]
    batch = Collate(processor, settings, model.config.speech_kind)(items)
    labels = batch["inputs"]["transcript_labels"]
    assert (labels[1] == -100).all()
    ids = [int(token) for token in labels[0] if token >= 0]
    assert processor.decode_transcripts([ids])[0].lower() == rows.rows.references[1].lower()
    if recipe == "multitask_whisper_base":
        tokenizer = processor.asr_tokenizer
        start = [tokenizer.convert_tokens_to_ids(name) for name in ("<|startoftranscript|>", "<|notimestamps|>")]
        assert model.config.decoder_prompt_ids == start and ids[-1] == tokenizer.eos_token_id
    output = model(**batch["inputs"])
    assert output.recognition_loss.item() > 0


def test_a_frozen_part_stays_and_the_rest_learns(material, tmp_path):
    settings = train_kit.settings_of("fusion_hubert_base", *material[1:], "precision=fp32", "speech.frozen=1",
                                     "text.frozen=all", "max_steps=3", "warmup_ratio=0")  # fmt: skip
    torch.manual_seed(settings.seed)
    before = build(settings)[0].state_dict()
    train(settings, tmp_path, progress=False)
    after = PhonoLinguisticModel.from_pretrained(tmp_path / "model").state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert not [name for name in moved if name.startswith(("text.", "speech.feature", "speech.encoder.layers.0."))]
    assert {"speech.encoder.layers.1.attention.q_proj.weight", "text_head.weight", "audio_head.weight"} <= moved
    assert any(name.startswith("fusion_head") for name in moved)

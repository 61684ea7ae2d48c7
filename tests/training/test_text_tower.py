"""The release's text tower: a smaller vocabulary, and its training on two corpora of text."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import train_kit
from tiny import bert_config, bert_tokenizer, tiny_asr
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, BertTokenizerFast

from phonolinguistic.labels import EMOTIONS
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from training.config import load_settings
from training.release.assemble import POOLING, assemble
from training.release.prune_vocabulary import SPECIAL, choose_pieces, prune
from training.train import train

TEXTS = ("i am so happy today", "oh no what a day", "i am sad", "that day you came and stayed", "angry with you")


@pytest.fixture
def encoder(tmp_path):
    """A BERT directory with letters, words, and pieces that no text needs."""
    torch.manual_seed(0)
    letters = [f"{mark}{c}" for mark in ("", "##") for c in "abcdefghijklmnopqrstuvwxyz0123456789.,!?'"]
    pieces = [*SPECIAL[:1], "[unused0]", *SPECIAL[1:], *letters, "the", "happy", "rare", "##ly", "день"]
    tokenizer = BertTokenizerFast(vocab={piece: place for place, piece in enumerate(pieces)}, do_lower_case=True)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=len(pieces), **sizes)).save_pretrained(tmp_path / "bert")
    tokenizer.save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def test_pieces_that_occur_come_before_the_others(encoder):
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    must = [p for p in tokenizer.get_vocab() if len(p.removeprefix("##")) == 1 or p in SPECIAL]
    kept = choose_pieces(tokenizer, ["happy"], len(must) + 2)
    assert set(kept) == {*must, "happy", "the"}
    assert kept == sorted(kept, key=tokenizer.get_vocab().get)
    assert not {"[unused0]", "день"} & set(choose_pieces(tokenizer, [""], 10_000))


def test_pruned_encoder_says_the_same_where_its_pieces_are_kept(encoder, tmp_path):
    full = AutoTokenizer.from_pretrained(encoder)
    before, after = prune(encoder, ["the happy"], len(full) - 4, tmp_path / "small")
    assert before == after == 2
    small = AutoTokenizer.from_pretrained(tmp_path / "small")
    networks = [AutoModel.from_pretrained(folder).eval() for folder in (encoder, tmp_path / "small")]
    assert networks[1].config.vocab_size == len(small) == len(full) - 4
    with torch.inference_mode():
        kept = [n(**t("The happy!", return_tensors="pt"))[0] for n, t in zip(networks, (full, small), strict=True)]
    assert torch.allclose(*kept)
    # A piece that is gone is spelled, not unknown.
    assert "".join(small.tokenize("rarely")).replace("##", "") == "rarely" and "[UNK]" not in small.tokenize("rarely")


def corpora(folder):
    """The two corpora as parquet files: 28 training texts, 7 for validation and 7 for the test in each."""
    places = range(42)
    shared = {
        "text": [TEXTS[place % len(TEXTS)] for place in places],
        "split": ["train" if place < 28 else "validation" if place < 35 else "test" for place in places],
    }
    labels = [[EMOTIONS[place % 7], EMOTIONS[(place + 1) % 7]][: 2 if place % 5 == 0 else 1] for place in places]
    pq.write_table(
        pa.table(shared | {"labels": labels, "id": [f"g{p}" for p in places]}), folder / "goemotions.parquet"
    )
    more = {"emotion": [names[0] for names in labels], "speaker": ["Ann"] * 42, "dialogue_id": places}
    pq.write_table(pa.table(shared | more | {"utterance_id": places}), folder / "meld.parquet")
    return [f"data.corpora.0.path={folder / 'goemotions.parquet'}", f"data.corpora.1.path={folder / 'meld.parquet'}"]


def test_two_corpora_under_one_head(tmp_path):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    BertModel(bert_config()).save_pretrained(tmp_path / "bert")
    bert_tokenizer().save_pretrained(tmp_path / "bert")
    given = [f"text.source={tmp_path / 'bert'}", *corpora(tmp_path), "precision=fp32", "epochs=8", "batch_rows=8"]
    given += ["text.learning_rate=0.003", "heads_learning_rate=0.03", "data.text_noise=0"]
    run = train(load_settings(train_kit.CONFIGS / "release" / "text.yaml", given), tmp_path / "run", progress=False)
    assert run["rows"] == {"train": 56, "validation": 14, "test": 14}
    first, last = run["epochs"][0], run["epochs"][-1]
    assert last["loss"] < first["loss"]
    assert last["text_several"]["rows"] == 14 and last["text"]["rows"] < 14  # rows with two labels are in the one alone
    assert 0 <= last["text_several"]["macro_f1"] <= 1

    model, _ = assemble(
        str(tiny_asr(tmp_path / "asr")),
        str(tmp_path / "run" / "model"),
        multitask=False,
        pooling=POOLING | {"pooled_layers": [2]},
    )
    tower = PhonoLinguisticModel.from_pretrained(tmp_path / "run" / "model")
    assert torch.equal(model.text_head.weight, tower.text_head.weight) and model.config.release["trained_heads"] == [
        "text"
    ]
    assert all(torch.equal(*pair) for pair in zip(model.text.parameters(), tower.text.parameters(), strict=True))

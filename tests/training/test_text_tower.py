"""The release's text tower: a smaller vocabulary, and its training on two corpora of text."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tiny import bert_config, bert_tokenizer
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, BertTokenizerFast

from phonolinguistic.labels import EMOTIONS
from training.release import train_text
from training.release.prune_vocabulary import SPECIAL, choose_pieces, prune

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


def test_loss_is_least_at_the_labels():
    labels = torch.tensor([[1.0, 0, 0, 0, 0, 0, 1]])
    right, wrong = (torch.full((1, 7), -3.0).index_fill(1, torch.tensor(places), 3.0) for places in ([0, 6], [1, 2]))
    assert train_text.text_loss(right, labels) < train_text.text_loss(wrong, labels)


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
    return ["--goemotions", str(folder / "goemotions.parquet"), "--meld", str(folder / "meld.parquet")]


def test_a_killed_run_ends_with_the_same_weights(tmp_path, monkeypatch):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    BertModel(bert_config()).save_pretrained(tmp_path / "bert")
    bert_tokenizer().save_pretrained(tmp_path / "bert")
    command = ["train_text", "--text", str(tmp_path / "bert"), "--epochs", "2", *corpora(tmp_path)]

    def run(name):
        monkeypatch.setattr("sys.argv", [*command, "--out", str(tmp_path / name)])
        train_text.main()
        return torch.load(tmp_path / name / "state.pt", weights_only=False)["model"]

    whole, save = run("whole"), train_text.save_state

    def killed(path, state):
        save(path, state)
        raise KeyboardInterrupt

    monkeypatch.setattr(train_text, "save_state", killed)
    with pytest.raises(KeyboardInterrupt):
        run("killed")
    monkeypatch.setattr(train_text, "save_state", save)
    resumed = run("killed")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    record = json.loads((tmp_path / "killed" / "training_run.json").read_text())
    assert [row["epoch"] for row in record["epochs"]] == [1, 2]
    assert 0 <= record["test"]["meld_weighted_f1"] <= 1 and 0 <= record["test"]["goemotions_macro_f1"] <= 1
    assert AutoModel.from_pretrained(tmp_path / "killed" / "model").config.vocab_size == len(bert_tokenizer())
    assert (tmp_path / "killed" / "model" / "text_head.pt").is_file()

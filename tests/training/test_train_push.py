"""Runs that end on the (local) Hub, with one process and with two; what stands against it is found first."""

import json

import pytest
import torch
import train_kit
from hub_session import HUB, OWNER_TOKEN, READER_TOKEN
from huggingface_hub import HfApi, hf_hub_download
from transformers import AutoModel

from training.__main__ import main

BASES = "hub.base_models=[openai/whisper-tiny.en, google-bert/bert-base-uncased]"
FAST = ("precision=fp32", "data.text_noise=0")


@pytest.fixture
def hub(monkeypatch):
    HUB.clear()
    HUB.store.users.clear()
    HUB.add_user("owner", OWNER_TOKEN, organisations=("team",))
    HUB.add_user("reader", READER_TOKEN, can_write=False, organisations=("team",))
    monkeypatch.setenv("HF_TOKEN", OWNER_TOKEN)
    return HUB


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("push")
    return root, train_kit.make_sources(root / "sources"), train_kit.make_corpus(root / "corpus", test=7)


def command(material, out, repo, *more, recipe="own"):
    config = str(train_kit.CONFIGS / f"{recipe}.yaml")
    given = train_kit.overrides(recipe, *material[1:], *FAST, *more)
    return ["train", config, *given, "--out", str(out), "--push-to-hub", repo, "--private", "--no-progress"]


def content(repo: str, name: str):
    return json.loads(open(hf_hub_download(repo, name), encoding="utf-8").read())


def test_a_run_is_on_the_hub_with_its_own_figures(hub, material, tmp_path, capsys):
    out, repo = tmp_path / "run", "team/alone"
    assert main(command(material, out, repo, BASES)) == 0
    assert f"published: {hub.url}/{repo}" in capsys.readouterr().out
    info = HfApi().model_info(repo)
    files = {file.rfilename for file in info.siblings}
    assert info.private and {"README.md", "config.json", "metrics.json", "training.json", "model.safetensors"} <= files
    results = content(repo, "metrics.json")["results"]
    assert {(r["corpus"], r["split"], r["mode"]) for r in results} >= {("own", "test", m) for m in ("audio", "fusion")}
    assert {r["n"] for r in results if r.get("note") != "recognition"} == {7}  # the test rows; 9 validate
    record = content(repo, "training.json")["train"]
    assert record["settings"]["heads_learning_rate"] == 3e-4 and record["steps"] == 2
    assert str(material[0]) not in json.dumps(record) + json.dumps(content(repo, "metrics.json"))
    card = open(hf_hub_download(repo, "README.md"), encoding="utf-8").read()
    shown = next(r for r in results if r["mode"] == "fusion")["metrics"]["accuracy"]["value"] * 100
    assert f"{shown:.1f}" in card and "14 training and 9 validation rows" in card and str(tmp_path) not in card
    assert AutoModel.from_pretrained(repo, trust_remote_code=True).config.release["corpora"] == ["own"]


def test_what_is_on_the_hub_can_be_evaluated(hub, material, tmp_path, capsys):
    assert main(command(material, tmp_path / "run", "team/pulled", BASES)) == 0
    asked = ["evaluate", "team/pulled", "--corpora", f"own={material[2]}", "--cache", str(tmp_path / "cache")]
    assert main(asked) == 2 and "name one with --out DIR" in capsys.readouterr().err
    assert main([*asked, "--out", str(tmp_path / "figures"), "--no-progress"]) == 0
    found = json.loads((tmp_path / "figures" / "metrics.json").read_text())
    assert found["results"] == content("team/pulled", "metrics.json")["results"]
    assert main(["evaluate", "team/nothing", *asked[2:]]) == 2
    assert "team/nothing does not exist" in capsys.readouterr().err


def test_two_processes_push_once_what_one_would(hub, material, tmp_path):
    alone = command(material, tmp_path / "one", "team/one", BASES, "gradient_accumulation_steps=2")
    assert main(alone) == 0
    given = train_kit.overrides("own", *material[1:], *FAST, "hub.repo=team/two", BASES)
    job = {"config": str(train_kit.CONFIGS / "own.yaml"), "overrides": given, "out": str(tmp_path / "two")}
    done = train_kit.launch_two([job], tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = (content(f"team/{name}", "metrics.json") for name in ("one", "two"))
    assert one["results"] == two["results"]
    assert content("team/two", "training.json")["train"]["processes"] == 2
    assert len(HfApi().list_repo_commits("team/two")) == 2  # the repository's own, and one


@pytest.mark.parametrize(
    ("token", "recipe", "more", "message"),
    [
        ("", "own", (BASES,), "hf auth login"),
        ("hf_wrongwrongwrong", "own", (BASES,), "does not accept the token"),
        (READER_TOKEN, "own", (BASES,), "may not write"),
        (OWNER_TOKEN, "fusion_hubert_base", (), "no Hub id"),
        (OWNER_TOKEN, "audio_hubert_base", (BASES,), "untrained heads: text, fusion"),
    ],
)
def test_what_stands_against_it_is_said_before_the_first_epoch(
    hub, material, tmp_path, monkeypatch, capsys, token, recipe, more, message
):
    if token != READER_TOKEN:
        monkeypatch.setenv("HF_TOKEN", token)
    else:
        HfApi().create_repo("team/refused")
        monkeypatch.setenv("HF_TOKEN", token)
    out = tmp_path / "run"
    assert main(command(material, out, "team/refused", *more, recipe=recipe)) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (token and token in error)
    assert not out.exists()


def test_a_push_that_fails_is_made_up_for_by_the_same_command(hub, material, tmp_path, capsys):
    out = tmp_path / "run"
    hub.faults.add("POST /api/models/team/late/commit", status=503, times=20)
    assert main(command(material, out, "team/late", BASES)) == 2
    assert "run the same command again" in capsys.readouterr().err
    hub.faults.clear()
    before = (out / "model" / "model.safetensors").stat().st_mtime_ns
    assert main(command(material, out, "team/late", BASES)) == 0
    assert (out / "model" / "model.safetensors").stat().st_mtime_ns == before  # nothing was trained again
    assert "model.safetensors" in HfApi().list_repo_files("team/late")

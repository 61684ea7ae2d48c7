"""Publishing to the local Hub: what is sent, what is refused, what a cut connection leaves behind."""

import json
import logging
import shutil

import numpy as np
import pytest
import torch
from hub_session import OWNER_TOKEN, READER_TOKEN
from huggingface_hub import HfApi, get_safetensors_metadata
from transformers import AutoModel, AutoProcessor

from training import publish
from training.hub.package import CODE_FILES, PublishError, collect

SAMPLES = (np.sin(np.arange(24000) * 0.05) * 0.3).astype(np.float32)


def pulled_logits(repo_id: str, revision: str | None = None) -> list[torch.Tensor]:
    """Logits of a fixed input by the model as it is on the Hub (or in a directory)."""
    model = AutoModel.from_pretrained(repo_id, revision=revision, trust_remote_code=True).eval()
    processor = AutoProcessor.from_pretrained(repo_id, revision=revision, trust_remote_code=True)
    with torch.no_grad():
        out = model(**processor(audio=SAMPLES, text="i am so happy"))
    return [out.audio_logits, out.text_logits, out.fusion_logits]


def same(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def copy(tiny, tmp_path, name="multitask"):
    return shutil.copytree(tiny / name, tmp_path / name)


def change_config(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    config.update(values)
    (folder / "config.json").write_text(json.dumps(config))


def test_push_then_pull_gives_identical_logits(hub, logged_in, tiny, repo_id):
    assert publish.main([str(tiny / "multitask"), repo_id]) == 0
    assert same(pulled_logits(repo_id), pulled_logits(str(tiny / "multitask")))
    files = set(HfApi().list_repo_files(repo_id))
    assert {"README.md", "config.json", "metrics.json", "model.safetensors", *CODE_FILES} <= files
    assert {"asr_tokenizer/tokenizer.json", "asr_tokenizer/tokenizer_config.json"} <= files


def test_two_pushes_are_two_revisions_and_the_older_one_stays(hub, logged_in, tiny, repo_id):
    assert publish.main([str(tiny / "multitask"), repo_id, "--tag", "v1"]) == 0
    assert publish.main([str(tiny / "second"), repo_id, "--tag", "v2", "--message", "Better"]) == 0
    first, second = pulled_logits(repo_id, "v1"), pulled_logits(repo_id, "v2")
    assert same(first, pulled_logits(str(tiny / "multitask"))) and same(second, pulled_logits(str(tiny / "second")))
    assert not same(first, second)
    assert [c.title for c in HfApi().list_repo_commits(repo_id)][:2] == ["Better", "Publish multitask model"]


def test_pushing_the_same_again_makes_no_commit_and_sends_no_large_file(hub, logged_in, tiny, repo_id, capsys):
    publish.main([str(tiny / "multitask"), repo_id, "--tag", "v1"])
    commits = len(HfApi().list_repo_commits(repo_id))
    hub.seen.clear()
    assert publish.main([str(tiny / "multitask"), repo_id, "--tag", "v1"]) == 0
    assert len(HfApi().list_repo_commits(repo_id)) == commits
    assert not [seen for seen in hub.seen if seen.path.startswith("/lfs/upload")]
    assert "was there already" in capsys.readouterr().out


def test_a_tag_that_names_another_commit_is_not_moved(hub, logged_in, tiny, repo_id, capsys):
    publish.main([str(tiny / "multitask"), repo_id, "--tag", "v1"])
    assert publish.main([str(tiny / "second"), repo_id, "--tag", "v1"]) == 2
    assert "choose another tag" in capsys.readouterr().err
    assert same(pulled_logits(repo_id, "v1"), pulled_logits(str(tiny / "multitask")))


def test_dry_run_lists_files_with_sizes_and_sends_nothing(hub, tiny, repo_id, capsys):
    hub.seen.clear()
    assert publish.main([str(tiny / "multitask"), repo_id, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "kB  model.safetensors" in shown and "nothing was sent" in shown
    assert not hub.seen


def test_branch_private_and_shards(hub, logged_in, tiny, repo_id):
    arguments = [str(tiny / "multitask"), repo_id, "--private", "--revision", "trial", "--max-shard-size", "0.0001"]
    assert publish.main(arguments) == 0
    info = HfApi().model_info(repo_id, revision="trial")
    names = [s.rfilename for s in info.siblings]
    assert info.private and "model.safetensors.index.json" in names and "model.safetensors" not in names
    assert len(get_safetensors_metadata(repo_id, revision="trial").files_metadata) > 1
    # Tensors lie elsewhere in memory than in one file, so sums may be taken in another order: the last bit may differ.
    pairs = zip(pulled_logits(repo_id, "trial"), pulled_logits(str(tiny / "multitask")), strict=True)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)
    # Back to one file: the shards of before must not stay beside it.
    assert publish.main([str(tiny / "multitask"), repo_id, "--revision", "trial"]) == 0
    stored = [f for f in HfApi().list_repo_files(repo_id, revision="trial") if "safetensors" in f]
    assert stored == ["model.safetensors"]


def test_all_publishes_both_kinds_and_a_collection(hub, logged_in, tiny, capsys):
    arguments = ["--all", "team", "--models", str(tiny), "--collection", "Emotion from speech"]
    assert publish.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "PHONOLINGUISTIC_FUSION=team/phonolinguistic-fusion@" in shown
    assert "PHONOLINGUISTIC_MULTITASK=team/phonolinguistic-multitask@" in shown
    slug = shown.split("collection: ")[1].strip()
    assert [i.item_id for i in HfApi().get_collection(slug).items] == [
        "team/phonolinguistic-fusion",
        "team/phonolinguistic-multitask",
    ]
    assert publish.main(arguments) == 0  # again: nothing is doubled


@pytest.mark.parametrize(
    ("path", "parts"),
    [("PUT /lfs/upload/", None), ("PUT /lfs/part/.*/2", 64_000), ("POST /lfs/complete", 64_000)],
    ids=["single", "second part", "completion"],
)
def test_a_push_cut_half_way_leaves_nothing_half_and_is_repeated(hub, logged_in, tiny, repo_id, path, parts, capsys):
    hub.store.multipart_bytes = parts or 10**9
    fault = hub.faults.add(path, kind="drop", after=1000)
    assert publish.main([str(tiny / "multitask"), repo_id]) == 2
    assert "run the same command again" in capsys.readouterr().err and fault.hits > 1
    assert HfApi().list_repo_files(repo_id) == [".gitattributes"]
    hub.faults.clear()
    assert publish.main([str(tiny / "multitask"), repo_id]) == 0
    assert same(pulled_logits(repo_id), pulled_logits(str(tiny / "multitask")))


def test_large_files_that_arrived_before_the_cut_are_not_sent_again(hub, logged_in, tiny, repo_id):
    hub.store.multipart_bytes = 10**9
    hub.faults.add(r"POST /api/models/.*/commit/", kind="drop")
    assert publish.main([str(tiny / "multitask"), repo_id]) == 2
    hub.faults.clear()
    hub.seen.clear()
    assert publish.main([str(tiny / "multitask"), repo_id]) == 0
    assert not [seen for seen in hub.seen if seen.path.startswith("/lfs/upload")]


def test_a_short_outage_is_bridged(hub, logged_in, tiny, repo_id):
    hub.store.multipart_bytes = 10**9
    fault = hub.faults.add("PUT /lfs/upload/", status=503, times=2)
    assert publish.main([str(tiny / "multitask"), repo_id]) == 0
    assert fault.hits == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"path": "whoami", "status": 401}, "does not accept the token (401)"),
        ({"path": "repos/create", "status": 403}, "may not write to"),
        ({"path": "preupload", "status": 404, "headers": {"X-Error-Code": "RepoNotFound"}}, "does not exist"),
        ({"path": "whoami", "status": 429, "headers": {"Retry-After": "17"}}, "wait 17 s (429"),
        ({"path": "/commit/", "status": 500}, "problem of its own (500)"),
    ],
    ids=["401", "403", "404", "429", "500"],
)
def test_refusals_are_one_clear_line_without_the_token(hub, logged_in, tiny, repo_id, capsys, caplog, fault, words):
    caplog.set_level(logging.INFO)
    # A server that sends the token back is the worst case.
    hub.faults.add(message=f"bad request by Bearer {OWNER_TOKEN}", **fault)
    assert publish.main([str(tiny / "multitask"), repo_id]) == 2
    shown = capsys.readouterr()
    assert words in shown.err and shown.err.count("\n") == 1
    assert OWNER_TOKEN not in shown.out + shown.err + caplog.text


def test_a_token_is_in_no_log_even_at_debug_level(hub, logged_in, tiny, repo_id, capsys, caplog):
    caplog.set_level(logging.DEBUG)
    hub.faults.add("/commit/", status=403)
    assert publish.main([str(tiny / "multitask"), repo_id]) == 2
    hub.faults.clear()
    assert publish.main([str(tiny / "multitask"), repo_id, "--tag", "v1"]) == 0
    shown = capsys.readouterr()
    assert "HTTP Request" in caplog.text and OWNER_TOKEN not in shown.out + shown.err + caplog.text


def test_a_refusal_does_not_carry_the_clients_exception(hub, logged_in, tiny, repo_id):
    hub.faults.add("/commit/", status=400, message=f"no: {OWNER_TOKEN}")
    bundle = collect(tiny / "multitask", repo_id)
    with pytest.raises(PublishError) as caught:
        publish.push(bundle, repo_id)
    assert caught.value.__cause__ is None and OWNER_TOKEN not in str(caught.value)


def test_without_a_token_and_with_one_that_may_only_read(hub, tiny, repo_id, monkeypatch, capsys):
    assert publish.main([str(tiny / "multitask"), repo_id]) == 2
    assert "hf auth login" in capsys.readouterr().err
    monkeypatch.setenv("HF_TOKEN", READER_TOKEN)
    assert publish.main([str(tiny / "multitask"), repo_id]) == 2
    assert "may not write" in capsys.readouterr().err


def test_untrained_heads_are_refused(hub, logged_in, tiny, tmp_path, repo_id, capsys):
    folder = copy(tiny, tmp_path)
    release = json.loads((folder / "config.json").read_text())["release"]
    change_config(folder, release=release | {"trained_heads": ["audio", "text"]})
    assert publish.main([str(folder), repo_id]) == 2
    assert "untrained heads: fusion, recognition" in capsys.readouterr().err
    assert not hub.store.repos


def test_weights_that_lack_a_head_are_refused(tiny, tmp_path, repo_id):
    from safetensors.torch import load_file, save_file

    folder = copy(tiny, tmp_path)
    tensors = load_file(folder / "model.safetensors")
    del tensors["fusion_head.1.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PublishError, match="1 tensors are missing .*fusion_head.1.weight"):
        collect(folder, repo_id)


@pytest.mark.parametrize("name", ["metrics.json", "model.safetensors", "processor_config.json", "tokenizer.json"])
def test_a_missing_file_is_named(tiny, tmp_path, repo_id, name):
    folder = copy(tiny, tmp_path)
    (folder / name).unlink()
    named = "preprocessor_config.json" if name.startswith("processor") else name
    with pytest.raises(PublishError, match=f"{named} is missing"):
        collect(folder, repo_id)


def test_a_recogniser_on_this_machine_is_replaced_by_its_hub_id(tiny, tmp_path, repo_id):
    folder = copy(tiny, tmp_path, "fusion")
    config = json.loads((folder / "config.json").read_text())
    parts = {part: config[part] | {"_name_or_path": "/somewhere/private"} for part in ("speech_config", "text_config")}
    change_config(folder, asr="../asr", _name_or_path="/somewhere/private", **parts)
    bundle = collect(folder, repo_id, asr="openai/whisper-tiny.en")
    config = json.loads(next(f for f in bundle.files if f.path == "config.json").source)
    assert config["asr"] == "openai/whisper-tiny.en" and "/somewhere/private" not in json.dumps(config)


def test_a_base_model_on_this_machine_is_refused_until_its_origin_is_named(tiny, tmp_path, repo_id):
    folder = copy(tiny, tmp_path)
    release = json.loads((folder / "config.json").read_text())["release"]
    change_config(folder, release=release | {"base_models": ["/somewhere/private/whisper"]})
    with pytest.raises(PublishError, match="--base-model"):
        collect(folder, repo_id)
    bundle = collect(folder, repo_id, base_models=["openai/whisper-tiny.en"])
    text = b"".join(f.source for f in bundle.files if isinstance(f.source, bytes)).decode()
    assert "openai/whisper-tiny.en" in text and "/somewhere/private" not in text


def test_training_leftovers_stay_at_home(tiny, tmp_path, repo_id):
    folder = copy(tiny, tmp_path)
    (folder / "optimizer.pt").write_bytes(b"0" * 10)
    (folder / ".env").write_text("HF_TOKEN=hf_private")
    (folder / "plots").mkdir()
    (folder / "plots" / "confusion.svg").write_text("<svg/>")
    paths = [f.path for f in collect(folder, repo_id).files]
    assert "plots/confusion.svg" in paths and not {"optimizer.pt", ".env"} & set(paths)


def test_a_run_that_was_not_evaluated_is_published_with_its_validation_figures(tiny, tmp_path, repo_id):
    folder = shutil.copytree(tiny / "multitask", tmp_path / "run" / "model")
    (folder / "metrics.json").unlink()
    rates = {"rows": 9, "accuracy": 0.5, "uar": 0.4, "macro_f1": 0.3, "weighted_f1": 0.45}
    epochs = [
        {"epoch": 1, "audio": rates, "fusion": rates, "macro_f1": 0.3, "wer": 0.25},
        {"epoch": 2, "audio": rates | {"uar": 0.1}, "fusion": rates, "macro_f1": 0.2, "wer": 0.2},
    ]
    run = {"task": "multitask", "epochs": epochs, "training": {"seconds": 60}, "rows": {"validation": 9}}
    run["settings"] = {"data": {"corpora": [{"name": "own", "path": "clips.csv"}]}}
    (tmp_path / "run" / "training_run.json").write_text(json.dumps(run))
    files = {f.path: f.source for f in collect(tmp_path / "run", repo_id).files}
    metrics, text = json.loads(files["metrics.json"]), files["README.md"].decode()
    assert metrics["results"][0]["metrics"]["uar"] == {"value": 0.4} and metrics["results"][-1]["metrics"]["wer"]
    assert "| own recordings (validation) | `audio` | 9 | 40.0 |" in text and "by which the epoch was chosen" in text


def test_what_a_local_start_started_from_is_named_instead(tiny, tmp_path, repo_id, monkeypatch):
    folder = copy(tiny, tmp_path)
    release = json.loads((folder / "config.json").read_text())["release"]
    change_config(folder, release=release | {"base_models": ["models/fusion"]})
    shutil.copytree(tiny / "fusion", tmp_path / "models" / "fusion")
    monkeypatch.chdir(tmp_path)
    config = json.loads(next(f for f in collect(folder, repo_id).files if f.path == "config.json").source)
    assert config["release"]["base_models"] == release["base_models"]


def test_written_to_a_folder_it_is_a_model_with_its_own_code(hub, tiny, tmp_path, repo_id, capsys):
    folder = copy(tiny, tmp_path)
    hub.seen.clear()
    assert publish.main([str(folder), repo_id, "--to", str(folder)]) == 0  # in place, too
    assert not hub.seen and "nothing was sent" in capsys.readouterr().out
    assert {p.name for p in folder.iterdir()} >= {"README.md", *CODE_FILES}
    assert same(pulled_logits(str(folder)), pulled_logits(str(tiny / "multitask")))

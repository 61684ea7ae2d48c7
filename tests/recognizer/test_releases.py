"""Where models come from: directories, a local Hub with its faults, and what is said when one cannot be had."""

import hashlib
import json
import shutil
import time

import pytest
from hub_session import HUB
from tiny import tiny_multitask

from phonolinguistic.loading import load
from phonolinguistic.releases import ReleaseError, embedded, resolve

TOKEN = "hf_" + "secretsecretsecret"
REPO = "someone/shared-voice"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_multitask(tmp_path_factory.mktemp("hub") / "multitask")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """A new download cache, and none of the environment's names."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("PHONOLINGUISTIC_FUSION", "PHONOLINGUISTIC_MULTITASK", "PHONOLINGUISTIC_ASR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hub(folder):
    """The local Hub with one public model."""
    HUB.clear()
    HUB.store.users.clear()
    HUB.add_user("someone", TOKEN)
    add(REPO, folder)
    yield HUB
    HUB.clear()
    HUB.store.users.clear()


def add(name: str, folder, **settings):
    repo = HUB.store.create("model", name, settings.pop("private", False))
    for key, value in settings.items():
        setattr(repo, key, value)
    files = {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    files["weights.bin"] = b"a pickle that nobody should fetch"
    return repo.add_commit("main", stored(files), "release")


def stored(files: dict[str, bytes]) -> dict:
    """Weights as large files, as on the real Hub."""
    entries = {}
    for path, content in files.items():
        if HUB.store.is_large(path, len(content)):
            digest = hashlib.sha256(content).hexdigest()
            HUB.store.large[digest] = content
            entries[path] = HUB.store.pointer(digest)
        else:
            entries[path] = HUB.store.keep(content)
    return entries


def refused(spec=REPO, **options) -> ReleaseError:
    with pytest.raises(ReleaseError) as caught:
        resolve(spec, **options)
    assert "\n" not in str(caught.value) and TOKEN not in str(caught.value)
    return caught.value


def test_a_directory(folder):
    release = resolve(folder, "multitask")
    assert (release.path, release.revision, release.embedded, release.notice) == (folder, None, False, None)
    assert release.metrics()["results"]


def test_a_repository_is_downloaded_and_loads(hub, embedded_models):
    release = resolve(REPO, "multitask")
    assert release.revision == hub.store.repos["model", REPO].branches["main"]
    assert not (release.path / "weights.bin").exists()
    assert (release.path / "asr_tokenizer" / "tokenizer.json").is_file()
    import torch

    loaded = load(REPO, device=torch.device("cpu"), dtype=torch.float32)
    (info,) = loaded.infos()
    assert (info.name, info.kind, info.source, info.revision) == ("shared-voice", "multitask", REPO, release.revision)


def test_a_revision_is_pinned(hub, folder, tmp_path):
    first = hub.store.repos["model", REPO].branches["main"]
    changed = shutil.copytree(folder, tmp_path / "changed")
    (changed / "metrics.json").write_text("{}")
    files = {f.relative_to(changed).as_posix(): f.read_bytes() for f in changed.rglob("*") if f.is_file()}
    repo = hub.store.repos["model", REPO]
    repo.add_commit("main", stored(files), "second")
    assert resolve(f"{REPO}@{first}").metrics()["results"]
    assert resolve(REPO, revision=first).revision == first
    assert resolve(REPO).metrics() == {}
    assert refused(f"{REPO}@nosuch").reason == "revision"


def test_names_that_name_nothing(hub):
    assert refused("nosuch").reason == "missing"
    assert refused("./no/such/folder").reason == "missing"
    assert refused("../etc/passwd").reason == "missing"
    assert refused("someone/nothing").reason == "not_found"
    assert refused("a--b/c..d").reason in ("name", "missing")


def test_private_and_gated(hub, folder):
    add("someone/private", folder, private=True)
    add("other/gated", folder, gated="manual")
    assert refused("someone/private").reason == "not_found"
    assert resolve("someone/private", token=TOKEN).revision
    error = refused("other/gated", token=TOKEN)
    assert error.reason == "gated" and "ask for access" in str(error)


def test_a_wrong_token(hub):
    assert refused(token="hf_" + "wrong").reason in ("token", "not_found")


@pytest.mark.parametrize(("status", "reason"), [(429, "rate_limit"), (500, "server"), (503, "server")])
def test_a_hub_in_trouble_is_told_at_once(hub, status, reason):
    hub.faults.add("/api/models/", status=status, message="trouble")
    start = time.perf_counter()
    error = refused()
    assert error.reason == reason and str(status) in str(error)
    assert time.perf_counter() - start < 6


@pytest.mark.parametrize("kind", ["corrupt", "short"])
def test_a_damaged_download_is_noticed_and_deleted(hub, kind):
    hub.faults.add("GET /cdn/", kind=kind, after=100, times=8)
    assert refused().reason == "damaged"
    hub.faults.clear()
    assert resolve(REPO, "multitask").revision


def test_an_unreachable_hub(hub, monkeypatch, embedded_models):
    monkeypatch.setattr("phonolinguistic.releases.TIMEOUT", 1.0)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    start = time.perf_counter()
    assert refused().reason == "offline"
    instead = resolve(REPO, "multitask", fallback=True)
    assert time.perf_counter() - start < 10
    assert instead.embedded and REPO in instead.notice and "embedded release is in use" in instead.notice


def test_an_unreachable_hub_leaves_the_copy_in_the_cache(hub, monkeypatch):
    there = resolve(REPO, "multitask")
    hub.faults.add("/api/models/", kind="drop")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    again = resolve(REPO, "multitask")
    assert again.path == there.path and again.revision == there.revision
    assert "cannot be reached" in again.notice


def test_the_environment_falls_back_and_an_argument_does_not(hub, monkeypatch, embedded_models):
    import torch

    options = {"device": torch.device("cpu"), "dtype": torch.float32}
    monkeypatch.setenv("PHONOLINGUISTIC_MULTITASK", "someone/nothing")
    loaded = load(**options)
    notices = {info.kind: info.notice for info in loaded.infos()}
    assert "someone/nothing is not on the Hub" in notices["multitask"] and notices["fusion"] is None
    with pytest.raises(ReleaseError, match="someone/nothing"):
        load(multitask="someone/nothing", **options)
    monkeypatch.setenv("PHONOLINGUISTIC_MULTITASK", REPO)
    assert {info.kind: info.source for info in load(**options).infos()}["multitask"] == REPO


def test_the_wrong_kind(folder, embedded_models, tmp_path):
    assert refused(folder, kind="fusion").reason == "kind"
    assert refused(folder, kind="asr").reason == "kind"
    assert refused(embedded_models / "asr", kind="multitask").reason == "kind"
    assert refused(tmp_path, kind="fusion").reason == "missing"
    (tmp_path / "config.json").write_text("{ broken")
    assert refused(tmp_path, kind="fusion").reason == "damaged"


def test_nothing_at_all(tmp_path, monkeypatch):
    import torch

    monkeypatch.setenv("PHONOLINGUISTIC_MODELS", str(tmp_path))
    assert embedded("fusion") is None
    with pytest.raises(ReleaseError, match="There is no model"):
        load(device=torch.device("cpu"), dtype=torch.float32)


def test_what_is_embedded(embedded_models):
    release = embedded("fusion")
    assert release.label == "embedded/fusion" and json.loads((release.path / "config.json").read_text())["asr"]

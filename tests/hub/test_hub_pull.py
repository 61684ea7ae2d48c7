"""Pulling for the app: what is said when the Hub refuses or is away, and what runs instead."""

import logging

import numpy as np
import pytest
from hub_session import HUB, OWNER_TOKEN, READER_TOKEN, STRANGER_TOKEN

from phonolinguistic import EmotionRecognizer, ReleaseError
from phonolinguistic.model.front_end_phonolinguistic import Heard, SpeechSpan
from phonolinguistic.releases import resolve
from training import publish

SAMPLES = (np.sin(np.arange(24000) * 0.05) * 0.3).astype(np.float32)
DOWN = "http://127.0.0.1:9"  # nothing listens there


@pytest.fixture
def published(hub, tiny, repo_id, monkeypatch) -> str:
    """The tiny multi-task model on the Hub; the embedded release is the other tiny models."""
    monkeypatch.setenv("HF_TOKEN", OWNER_TOKEN)
    assert publish.main([str(tiny / "multitask"), repo_id, "--tag", "v1"]) == 0
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("PHONOLINGUISTIC_MODELS", str(tiny))
    hub.seen.clear()
    return repo_id


def scores(recognizer: EmotionRecognizer, mode: str = "multitask") -> dict[str, float]:
    return recognizer.recognize(SAMPLES, mode=mode, sampling_rate=16_000).scores


@pytest.fixture
def all_is_speech(monkeypatch):
    """The clips here are tones: let them pass the voice detector."""

    class Everything:
        def __call__(self, samples):
            return Heard(samples, (SpeechSpan(0.0, len(samples) / 16_000),))

    monkeypatch.setattr("phonolinguistic.recognizer.FrontEnd", Everything)


def test_the_recogniser_from_the_hub_answers_as_the_local_one(published, tiny, all_is_speech):
    remote = EmotionRecognizer.from_pretrained(published, revision="v1", device="cpu")
    local = EmotionRecognizer.from_pretrained(str(tiny / "multitask"), device="cpu")
    for mode in ("audio", "multitask"):
        assert scores(remote, mode) == scores(local, mode)
    info = remote.models[0]
    assert not info.embedded and info.revision == HUB.store.repos["model", published].tags["v1"]


def test_a_revision_in_the_name(published):
    assert resolve(f"{published}@v1").revision == HUB.store.repos["model", published].tags["v1"]
    with pytest.raises(ReleaseError, match="no revision 'v7'"):
        resolve(f"{published}@v7")


REFUSALS = {
    "401": ({"status": 401, "message": "Invalid credentials in Authorization header"}, "refuses the token"),
    "403": ({"status": 403, "message": "Forbidden"}, "refuses the token"),
    "404": ({"status": 404, "headers": {"X-Error-Code": "RepoNotFound"}}, "not on the Hub, or it is private"),
    "429": ({"status": 429, "headers": {"Retry-After": "1"}}, "too many requests"),
    "500": ({"status": 500}, "answers 500"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(hub, published, name):
    fault, words = REFUSALS[name]
    hub.faults.add("/api/models/", **fault)
    with pytest.raises(ReleaseError, match=words):
        resolve(published, "multitask")
    release = resolve(published, "multitask", fallback=True)
    assert release.embedded and words in release.notice and "embedded release is in use" in release.notice


def test_a_download_that_is_always_cut(hub, published):
    hub.faults.add("GET /cdn/", kind="cut", after=0)
    with pytest.raises(ReleaseError, match=f"{published}"):
        resolve(published, "multitask")
    assert resolve(published, "multitask", fallback=True).embedded


def test_a_download_that_is_too_short(hub, published):
    hub.faults.add("GET /cdn/", kind="short", after=1000)
    with pytest.raises(ReleaseError, match="broke off"):
        resolve(published, "multitask")


def test_a_wrong_checksum_is_found_and_the_next_try_is_clean(hub, published, tiny):
    hub.faults.add("GET /cdn/", kind="corrupt")
    with pytest.raises(ReleaseError, match="damaged on the way .checksum"):
        resolve(published, "multitask")
    release = resolve(published, "multitask", fallback=True)
    assert release.embedded and "checksum" in release.notice
    hub.faults.clear()
    release = resolve(published, "multitask")
    assert (release.path / "model.safetensors").read_bytes() == (tiny / "multitask/model.safetensors").read_bytes()


def test_a_cut_download_goes_on_where_it_was(hub, published, tiny):
    fault = hub.faults.add("GET /cdn/", kind="cut", after=100_000, times=2)
    release = resolve(published, "multitask")
    assert fault.hits == 2
    assert (release.path / "model.safetensors").read_bytes() == (tiny / "multitask/model.safetensors").read_bytes()


def test_private_with_and_without_a_token(hub, published, monkeypatch):
    hub.store.repos["model", published].private = True
    for token in (None, STRANGER_TOKEN):
        with pytest.raises(ReleaseError, match="it is private"):
            resolve(published, token=token)
    assert resolve(published, token=READER_TOKEN).revision
    monkeypatch.setenv("HF_TOKEN", READER_TOKEN)
    assert resolve(published).revision


def test_gated_with_and_without_access(hub, published):
    hub.store.repos["model", published].gated = "manual"
    for token in (None, STRANGER_TOKEN):
        with pytest.raises(ReleaseError, match="gated: ask for access"):
            resolve(published, token=token)
    hub.store.repos["model", published].granted.add("stranger")
    assert resolve(published, token=STRANGER_TOKEN).revision


def test_a_hub_that_is_away(published, monkeypatch):
    import huggingface_hub.constants

    resolve(published)  # now in the cache
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", DOWN)
    monkeypatch.setattr(
        huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", DOWN + "/{repo_id}/resolve/{revision}/{filename}"
    )
    kept = resolve(published)
    assert not kept.embedded and "copy downloaded before" in kept.notice
    with pytest.raises(ReleaseError, match="cannot be reached"):
        resolve("team/never-seen", "multitask")
    assert "cannot be reached" in resolve("team/never-seen", "multitask", fallback=True).notice


def test_a_hub_with_a_problem_leaves_the_copy_downloaded_before(hub, published):
    resolve(published)
    hub.faults.add("/api/models/", status=503)
    kept = resolve(published)
    assert not kept.embedded and "copy downloaded before" in kept.notice


def test_the_app_falls_back_and_says_so(hub, published, monkeypatch, all_is_speech):
    monkeypatch.setenv("PHONOLINGUISTIC_MULTITASK", published)
    monkeypatch.delenv("PHONOLINGUISTIC_FUSION", raising=False)
    hub.faults.add("/api/models/", status=500)
    with pytest.raises(ReleaseError):
        EmotionRecognizer.from_pretrained(multitask="team/never-seen-either", device="cpu")
    # The embedded fusion model would fetch its recogniser: leave it out.
    monkeypatch.setattr("phonolinguistic.loading.embedded", lambda kind, notice=None: None)
    recognizer = EmotionRecognizer.from_pretrained(device="cpu")
    info = recognizer.models[0]
    assert info.embedded and "answers 500" in info.notice and "embedded release" in info.notice
    assert len(scores(recognizer)) == 7


def test_tokens_stay_out_of_logs_and_errors(hub, published, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    hub.store.repos["model", published].private = True
    said = []
    for token in (STRANGER_TOKEN, "hf_NotEvenValid0123456789"):
        with pytest.raises(ReleaseError) as caught:
            resolve(published, token=token)
        said.append(f"{caught.value} {caught.value.reason}")
    resolve(published, token=READER_TOKEN)
    shown = " ".join([*said, caplog.text, *capsys.readouterr()])
    assert not any(token in shown for token in (STRANGER_TOKEN, READER_TOKEN, "hf_NotEvenValid"))

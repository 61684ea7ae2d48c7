"""The local Hub with its users, and tiny models to send to it."""

import itertools
import types
from pathlib import Path

import huggingface_hub
import huggingface_hub.file_download
import huggingface_hub.utils._http
import pytest
from hub_server import LocalHub
from hub_session import HUB, OWNER_TOKEN, READER_TOKEN, STRANGER_TOKEN
from tiny_release import write_tiny_model

_numbers = itertools.count(1)


@pytest.fixture
def hub(monkeypatch) -> LocalHub:
    """An empty Hub with users owner (in team), reader (in team, read token) and stranger; nobody is logged in."""
    hub = HUB
    hub.clear()
    hub.store.users.clear()
    hub.add_user("owner", OWNER_TOKEN, organisations=("team",))
    hub.add_user("reader", READER_TOKEN, can_write=False, organisations=("team",))
    hub.add_user("stranger", STRANGER_TOKEN)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    # The client waits between its tries, up to half a minute; the tries stay, the waits go.
    quick = types.SimpleNamespace(sleep=lambda seconds: None)
    monkeypatch.setattr(huggingface_hub.utils._http, "time", quick)
    monkeypatch.setattr(huggingface_hub.file_download, "time", quick)
    return hub


@pytest.fixture
def logged_in(monkeypatch) -> str:
    """The owner's token in HF_TOKEN."""
    monkeypatch.setenv("HF_TOKEN", OWNER_TOKEN)
    return OWNER_TOKEN


@pytest.fixture
def repo_id() -> str:
    """A name that no other test uses: the client's cache outlives a test."""
    return f"team/model-{next(_numbers)}"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A folder like models/: fusion/ and multitask/, tiny, and a second multi-task model in second/."""
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_model(folder / "multitask")
    write_tiny_model(folder / "second", seed=1)
    write_tiny_model(folder / "fusion", multitask=False)
    return folder

"""Shared by all tests: no test reaches the real Hub, and where the embedded release lies."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
for folder in (ROOT, ROOT / "tests"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import hub_session  # noqa: E402, F401  (starts the local Hub and points the client at it, before any test imports it)


@pytest.fixture(scope="session")
def release() -> Path:
    """The embedded release: a folder with asr/, fusion/ and multitask/."""
    folder = ROOT / "models"
    assert (folder / "multitask" / "config.json").is_file(), "models/ is missing: it is part of the repository"
    return folder


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory) -> Path:
    """asr/, fusion/ and multitask/ of tiny random networks; do not write into it."""
    from tiny import tiny_release

    return tiny_release(tmp_path_factory.mktemp("models"))

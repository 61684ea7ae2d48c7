"""Shared by all tests: no test reaches the real Hub, and where the embedded release lies."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
for folder in (ROOT, ROOT / "tests"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from hub_server import LocalHub  # noqa: E402  (needs the path above)

# huggingface_hub reads these once, when it is imported: so they are set before any test imports it. The local Hub
# speaks Git LFS, not Xet.
HUB = LocalHub().start()
os.environ["HF_ENDPOINT"] = HUB.url
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="phonolinguistic-tests-")
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "HUGGING_FACE_HUB_TOKEN"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def release() -> Path:
    """The embedded release: a folder with asr/, fusion/ and multitask/."""
    folder = ROOT / "models"
    assert (folder / "multitask" / "config.json").is_file(), "models/ is missing: it is part of the repository"
    return folder

"""The one local Hub of a test session. Import this before huggingface_hub, which reads its environment once."""

import os
import tempfile

from hub_server import LocalHub

OWNER_TOKEN = "hf_OwnerMayWrite0123456789"
READER_TOKEN = "hf_ReaderMayOnlyRead0123456"
STRANGER_TOKEN = "hf_StrangerFromElsewhere012"

HUB = LocalHub().start()
CLIENT_ENVIRONMENT = {
    "HF_ENDPOINT": HUB.url,
    "HF_HOME": tempfile.mkdtemp(prefix="phonolinguistic-tests-"),
    "HF_HUB_DISABLE_XET": "1",  # the local Hub speaks Git LFS
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
os.environ.update(CLIENT_ENVIRONMENT)
for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE"):
    os.environ.pop(name, None)

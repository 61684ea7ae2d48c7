"""One recogniser of tiny networks for all tests of this folder."""

import pytest
import torch
from listening import LevelFrontEnd

from phonolinguistic.recognizer import EmotionRecognizer


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def embedded_models(tiny_models, monkeypatch):
    """The tiny networks in the place of the embedded release, and nothing else named."""
    monkeypatch.setenv("PHONOLINGUISTIC_MODELS", str(tiny_models))
    for name in ("PHONOLINGUISTIC_FUSION", "PHONOLINGUISTIC_MULTITASK", "PHONOLINGUISTIC_ASR"):
        monkeypatch.delenv(name, raising=False)
    return tiny_models


@pytest.fixture(scope="session")
def recognizer(tiny_models):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHONOLINGUISTIC_MODELS", str(tiny_models))
        patch.setattr("phonolinguistic.recognizer.FrontEnd", LevelFrontEnd)
        yield EmotionRecognizer.from_pretrained(warm_up=False)

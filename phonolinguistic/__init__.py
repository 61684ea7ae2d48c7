"""Emotion from speech, four ways side by side: voice, words, both fused, and one shared multi-task network.

Importing the package is light: torch and transformers are imported when one of the names below is first used.
"""

from importlib import import_module

from .labels import EMOTIONS, MODES

__version__ = "0.2.0"

_HOMES = {
    "AudioError": "audio.decoding",
    "Clip": "audio.decoding",
    "load_audio": "audio.decoding",
    "EmotionRecognizer": "recognizer",
    "ReleaseError": "releases",
    "ClipInfo": "results",
    "Comparison": "results",
    "ModelInfo": "results",
    "Recognition": "results",
    "Saving": "results",
    "TextExplanation": "results",
    "Timeline": "results",
    "TimelineSegment": "results",
    "WordInfluence": "results",
    # These three modules register themselves with AutoConfig, AutoModel and AutoProcessor when they are imported.
    "PhonoLinguisticConfig": "model.configuration_phonolinguistic",
    "PhonoLinguisticModel": "model.modeling_phonolinguistic",
    "PhonoLinguisticProcessor": "model.processing_phonolinguistic",
}

__all__ = ["EMOTIONS", "MODES", "__version__", *_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

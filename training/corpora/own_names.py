"""The names that people and corpora give to the columns, emotions and splits of a table, and what they mean here.

Names are compared without case, spaces, hyphens and underscores: `File Name` is `file_name`. What is not in these
lists has no meaning here and is refused or reported by name; nothing is guessed.
"""

from __future__ import annotations

import re
import unicodedata

from phonolinguistic.labels import EMOTIONS

HEADINGS = {
    "path": ("path", "file", "file_name", "file_path", "audio", "audio_path", "audio_file", "wav", "wav_path", "clip"),
    "text": ("text", "transcript", "transcription", "sentence", "utterance"),
    "emotion": ("emotion", "emotion_label", "label", "class"),
    "speaker": ("speaker", "speaker_id", "spk", "spk_id", "actor", "actor_id"),
    "gender": ("gender", "sex"),
    "split": ("split", "subset", "partition"),
}
SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "development", "eval", "evaluation"),
    "test": ("test", "testing"),
}
# Adjectives, and the codes of IEMOCAP and CREMA-D. Excitement counts as joy, as in most work on IEMOCAP; TESS's
# pleasant surprise is surprise. Frustration, boredom, contempt and their like are none of the seven and not here.
NAMES_OF_EMOTIONS = {
    "anger": ("anger", "angry", "ang", "mad", "furious"),
    "disgust": ("disgust", "disgusted", "dis"),
    "fear": ("fear", "fearful", "fea", "scared", "afraid", "frightened"),
    "joy": ("joy", "joyful", "happy", "happiness", "hap", "excited", "excitement", "exc"),
    "neutral": ("neutral", "neu"),
    "sadness": ("sadness", "sad"),
    "surprise": ("surprise", "surprised", "sur", "pleasant_surprise", "pleasant_surprised", "ps"),
}
LABELS: dict[str, str | None] = {
    **{name: emotion for emotion, names in NAMES_OF_EMOTIONS.items() for name in names},
    "calm": None,  # RAVDESS has it; the row keeps its words and voice without an emotion
}
ACCEPTED_SPLITS = ", ".join(name for names in SPLITS.values() for name in names)
ACCEPTED_LABELS = f"{', '.join(EMOTIONS)} and their usual forms (angry, ang, happy, exc, sad, scared, surprised, ...)"


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", unicodedata.normalize("NFKC", name)).casefold()


def _reversed(names: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {_plain(name): meaning for meaning, all_names in names.items() for name in all_names}


_HEADINGS, _SPLITS = _reversed(HEADINGS), _reversed(SPLITS)
_LABELS = {_plain(name): emotion for name, emotion in LABELS.items()}


def meaning_of(heading: str) -> str | None:
    """A key of HEADINGS ("path", "text", ...); None for a heading that is not known."""
    return _HEADINGS.get(_plain(heading))


def split_of(name: str) -> str | None:
    """A key of SPLITS ("train", "validation" or "test"); None for a name that is not known."""
    return _SPLITS.get(_plain(name))


def is_label(label: str) -> bool:
    """Whether `emotion_of` knows this label."""
    return _plain(label) in _LABELS


def emotion_of(label: str) -> str | None:
    """One of the seven emotions, or None for a known label outside them (calm). KeyError for an unknown one."""
    return _LABELS[_plain(label)]

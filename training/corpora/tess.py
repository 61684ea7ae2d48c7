"""TESS: two actresses (OAF older, YAF younger) say "Say the word X." in seven emotions; 200 words each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .schema import Corpus, clip, plain_files

LABELS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "joy",
    "neutral": "neutral",
    "ps": "surprise",  # "pleasant surprise"
    "sad": "sadness",
}
SPEAKERS = {"OAF": "tess-oaf", "OA": "tess-oaf", "YAF": "tess-yaf"}  # one official file is named OA_bite_neutral.wav


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Files SPEAKER_word_emotion.wav, in whatever folders; a second copy of a name is passed over."""
    seen: set[str] = set()
    for path in plain_files(root, ".wav", ".flac", ".ogg"):
        where = str(path.relative_to(root))
        parts = path.stem.split("_")
        if len(parts) < 3 or parts[0].upper() not in SPEAKERS:
            yield {"where": where, "problem": "not a TESS file name (OAF_word_emotion.wav)"}
            continue
        if path.stem in seen:
            continue
        seen.add(path.stem)
        word = " ".join(parts[1:-1])
        yield {
            "where": where,
            "id": f"tess/{path.stem}",
            "audio": clip(path),
            "text": f"Say the word {word}.",
            "source_label": parts[-1].lower(),
            "speaker": SPEAKERS[parts[0].upper()],
            "gender": "female",
        }


CORPUS = Corpus(
    name="tess",
    source="https://doi.org/10.5683/SP2/E8H2MF (CC BY-NC-ND 4.0)",
    layout="folders like OAF_angry with files OAF_word_emotion.wav",
    labels=LABELS,
    rows=rows,
    parquet_name="tess.parquet",
)

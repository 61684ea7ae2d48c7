"""TESS: two actresses (OAF older, YAF younger) say "Say the word X." in seven emotions; 200 words each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, clip, plain_files

INFO = CorpusInfo(
    name="tess",
    title="TESS",
    what='two actresses (26 and 64 years), 7 acted emotions, "Say the word ..."',
    licence="CC BY-NC-ND 4.0",
    citation="Pichora-Fuller and Dupuis 2020, Scholars Portal Dataverse",
    language="en",
    home="https://doi.org/10.5683/SP2/E8H2MF",
    archives=("Toronto emotional speech set*",),
)
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


CORPUS = Corpus.of(
    INFO,
    layout="folders like OAF_angry with files OAF_word_emotion.wav",
    labels=LABELS,
    rows=rows,
    parquet_name="tess.parquet",
)

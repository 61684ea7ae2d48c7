"""RAVDESS speech: 24 actors, 8 emotions, 2 sentences. File names carry everything: 03-01-EM-IN-ST-RP-AC.wav."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, clip, plain_files

INFO = CorpusInfo(
    name="ravdess",
    title="RAVDESS",
    what="24 actors (12 women, 12 men; North American English), 8 acted emotions, 2 fixed sentences",
    licence="CC BY-NC-SA 4.0",
    citation="Livingstone and Russo 2018, PLoS ONE 13(5): e0196391",
    language="en",
    home="https://doi.org/10.5281/zenodo.1188976",
    files="Audio_Speech_Actors_01-24.zip",
    hub="narad/ravdess",
    archives=("Audio_Speech_Actors_01-24*",),
)
CODES = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
SENTENCES = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
LABELS = {
    "neutral": "neutral",
    "calm": None,
    "happy": "joy",
    "sad": "sadness",
    "angry": "anger",
    "fearful": "fear",
    "disgust": "disgust",
    "surprised": "surprise",
}


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Audio-only speech (03-01-*); the songs and videos of the same release are passed over."""
    seen: set[str] = set()
    for path in plain_files(root, ".wav", ".flac", ".ogg"):
        parts = path.stem.split("-")
        where = str(path.relative_to(root))
        if len(parts) != 7 or not all(part.isdigit() for part in parts):
            yield {"where": where, "problem": "not a RAVDESS file name (03-01-EM-IN-ST-RP-AC.wav)"}
            continue
        if parts[:2] != ["03", "01"] or path.stem in seen:
            continue
        seen.add(path.stem)  # the whole release repeats the folders of the single downloads
        emotion, sentence, actor = int(parts[2]), parts[4], parts[6]
        if not 1 <= emotion <= len(CODES) or sentence not in SENTENCES:
            yield {"where": where, "problem": f"unknown label code {parts[2]} or sentence code {sentence}"}
            continue
        yield {
            "where": where,
            "id": f"ravdess/{path.stem}",
            "audio": clip(path),
            "text": SENTENCES[sentence],
            "source_label": CODES[emotion - 1],
            "speaker": f"ravdess-{actor}",
            "gender": "male" if int(actor) % 2 else "female",
            "intensity": "strong" if parts[3] == "02" else "normal",
        }


def relabel(options: dict[str, Any]) -> dict[str, str | None]:
    """`calm` is none of the seven; calm_as_neutral=True counts it as neutral."""
    return {**LABELS, "calm": "neutral"} if options.get("calm_as_neutral") else LABELS


CORPUS = Corpus.of(
    INFO,
    layout="folders Actor_01 ... Actor_24 with files 03-01-EM-IN-ST-RP-AC.wav",
    labels=LABELS,
    rows=rows,
    parquet_name="ravdess.parquet",
    options=("calm_as_neutral",),
    relabel=relabel,
)

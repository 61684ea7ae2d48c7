"""SUBESCO: twenty actors, ten sentences in Bangla, seven emotions, 7,000 clips.

Layout: files F_02_MONIKA_S_1_NEUTRAL_5.wav: gender, number and name of the speaker, sentence, emotion, take. Sultana,
Rahman, Selim, Iqbal 2021, "SUST Bangla Emotional Speech Corpus (SUBESCO)", PLoS ONE 16(4): e0250173.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, named_clips

INFO = CorpusInfo(
    name="subesco",
    title="SUBESCO",
    what="twenty actors (10 women, 10 men; Bangla), 7 acted emotions, 10 sentences; voice only",
    licence="CC BY 4.0",
    citation="Sultana et al. 2021, PLoS ONE 16(4): e0250173",
    language="bn",
    home="https://doi.org/10.5281/zenodo.4526477",
    files="SUBESCO.zip",
    hub="sustcsenlp/bn_emotion_speech_corpus",
)
LABELS: dict[str, str | None] = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "joy",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}
NAME = re.compile(r"([MF])_(\d+)_([A-Z]+)_S_(\d+)_([A-Z]+)_(\d)", re.IGNORECASE)


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every clip under root whose name follows the scheme."""
    for row, match in named_clips(INFO, root, NAME, "F_02_MONIKA_S_1_NEUTRAL_5.wav"):
        if match is not None:
            row["source_label"] = match[5].lower()
            row["speaker"] = f"subesco-{match[1].lower()}{match[2]}"
            row["gender"] = "female" if match[1].upper() == "F" else "male"
        yield row


CORPUS = Corpus.of(
    INFO,
    layout="files F_02_MONIKA_S_1_NEUTRAL_5.wav",
    labels=LABELS,
    rows=rows,
    parquet_name="subesco.parquet",
    needs_text=False,
)

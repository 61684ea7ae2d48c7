"""MESD: single words in Mexican Spanish by women, men and children, six emotions, 862 clips.

Layout: files Anger_F_A_abajo.wav: emotion, voice (F women, M men, C children), list of words, word. The names do not
say which of the 11 speakers it is: the three voices stand for speakers, so that no split parts one person's clips.
Duville, Alonso-Valerdi, Ibarra-Zarate 2021, "Mexican Emotional Speech Database Based on Semantic, Frequency,
Familiarity, Concreteness, and Cultural Shaping of Affective Prosody", Data 6(12): 130.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, named_clips

INFO = CorpusInfo(
    name="mesd",
    title="MESD",
    what="3 women, 2 men and 6 children (Mexican Spanish), 6 acted emotions, single words; voice only",
    licence="CC BY 4.0",
    citation="Duville et al. 2021, Data 6(12): 130",
    language="es-MX",
    home="https://doi.org/10.17632/cy34mh68j9.5",
    archives=("Mexican Emotional Speech*", "cy34mh68j9*"),
)
LABELS: dict[str, str | None] = {
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "joy",
    "neutral": "neutral",
    "sadness": "sadness",
}
VOICES = {"F": "female", "M": "male", "C": None}
NAME = re.compile(r"([A-Za-z]+)_([FMC])_([AB])_(.+)")


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every clip under root whose name follows the scheme."""
    for row, match in named_clips(INFO, root, NAME, "Anger_F_A_abajo.wav"):
        if match is not None:
            row["text"] = match[4].replace("_", " ")
            row["source_label"] = match[1].lower()
            row["speaker"] = f"mesd-{match[2].lower()}"
            row["gender"] = VOICES[match[2]]
        yield row


CORPUS = Corpus.of(
    INFO,
    layout="files Anger_F_A_abajo.wav",
    labels=LABELS,
    rows=rows,
    parquet_name="mesd.parquet",
    needs_text=False,
)

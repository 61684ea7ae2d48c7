"""URDU: utterances from Urdu talk shows, four emotions, 400 clips; not acted.

Layout: Angry/SM1_F10_A010.wav: speaker (SM a man, SF a woman), file, first letter of the emotion and number. Latif,
Qayyum, Usman, Qadir 2018, "Cross Lingual Speech Emotion Recognition: Urdu vs. Western Languages", FIT.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, named_clips

INFO = CorpusInfo(
    name="urdu",
    title="URDU",
    what="guests of Urdu talk shows, 4 emotions as annotated; voice only",
    licence="no licence stated; published for research",
    citation="Latif et al. 2018, International Conference on Frontiers of Information Technology",
    language="ur",
    home="https://github.com/siddiquelatif/URDU-Dataset",
    files="the repository",
)
LABELS: dict[str, str | None] = {"angry": "anger", "happy": "joy", "neutral": "neutral", "sad": "sadness"}
CODES = {label[0].upper(): label for label in LABELS}
NAME = re.compile(r"(S[MF]\d+)_F?\d+_([AHNS])\d+", re.IGNORECASE)


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every clip under root whose name follows the scheme."""
    for row, match in named_clips(INFO, root, NAME, "SM1_F10_A010.wav"):
        if match is not None:
            row["source_label"] = CODES[match[2].upper()]
            row["speaker"] = f"urdu-{match[1].lower()}"
            row["gender"] = "female" if match[1][1].upper() == "F" else "male"
        yield row


CORPUS = Corpus.of(
    INFO,
    layout="folders Angry, Happy, Neutral, Sad with files SM1_F10_A010.wav",
    labels=LABELS,
    rows=rows,
    parquet_name="urdu.parquet",
    needs_text=False,
)

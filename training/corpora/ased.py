"""ASED: 65 speakers of Amharic, five emotions, 2,474 clips.

Layout: 01Neutral/n1-01-01-01-01.wav: first letter of the emotion and number of its folder, sentence, repetition, gender
(01 a woman, 02 a man), speaker. Retta et al. 2023, "A New Amharic Speech Emotion Dataset and Classification Benchmark",
ACM Transactions on Asian and Low-Resource Language Information Processing 22(1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, named_clips

INFO = CorpusInfo(
    name="ased",
    title="ASED",
    what="65 speakers of Amharic in four dialects, 5 acted emotions; voice only",
    licence="free to download (no licence stated)",
    citation="Retta et al. 2023, ACM Transactions on Asian and Low-Resource Language Information Processing 22(1)",
    language="am",
    home="https://github.com/Ethio2021/ASED_V1",
    files="the repository",
)
LABELS: dict[str, str | None] = {
    "neutral": "neutral",
    "fearful": "fear",
    "happy": "joy",
    "sad": "sadness",
    "angry": "anger",
}
CODES = {label[0]: label for label in LABELS}
NAME = re.compile(r"([nfhsa])\d-(\d\d)-(\d\d)-(0[12])-(\d\d)", re.IGNORECASE)


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every clip under root whose name follows the scheme."""
    for row, match in named_clips(INFO, root, NAME, "n1-01-01-01-01.wav"):
        if match is not None:
            row["source_label"] = CODES[match[1].lower()]
            row["speaker"] = f"ased-{match[5]}"
            row["gender"] = "female" if match[4] == "01" else "male"
        yield row


CORPUS = Corpus.of(
    INFO,
    layout="folders like 01Neutral with files n1-01-01-01-01.wav",
    labels=LABELS,
    rows=rows,
    parquet_name="ased.parquet",
    needs_text=False,
)

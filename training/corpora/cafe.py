"""CaFE: twelve actors from Quebec, six sentences, seven emotions at two intensities, 936 clips.

Layout: Colère/Faible/01-C-1-1.wav (or .aiff): actor (odd numbers are men), first letter of the French word for the
emotion, intensity (1 low, 2 high), sentence. Gournay, Lahaie, Lefebvre 2018, "A Canadian French Emotional Speech
Dataset", ACM Multimedia Systems Conference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, named_clips

INFO = CorpusInfo(
    name="cafe",
    title="CaFE",
    what="twelve actors (6 women, 6 men; Canadian French), 7 acted emotions, 6 sentences; voice only",
    licence="CC BY-NC-SA 4.0",
    citation="Gournay et al. 2018, ACM Multimedia Systems Conference",
    language="fr-CA",
    home="https://doi.org/10.5281/zenodo.1478765",
    files="CaFE_48k.zip",
)
CODES = {
    "C": "anger", "D": "disgust", "J": "happiness", "N": "neutral", "P": "fear", "S": "surprise", "T": "sadness",
}  # fmt: skip
LABELS: dict[str, str | None] = {
    **{name: name for name in ("anger", "disgust", "neutral", "fear", "surprise", "sadness")},
    "happiness": "joy",
}
NAME = re.compile(rf"(\d\d)-([{''.join(CODES)}])-([12])-([1-6])")


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every clip under root whose name follows the scheme."""
    for row, match in named_clips(INFO, root, NAME, "01-C-1-1.wav"):
        if match is not None:
            row["source_label"] = CODES[match[2]]
            row["speaker"] = f"cafe-{match[1]}"
            row["gender"] = "male" if int(match[1]) % 2 else "female"
            row["intensity"] = "strong" if match[3] == "2" else "normal"
        yield row


CORPUS = Corpus.of(
    INFO,
    layout="folders like Colère/Faible with files 01-C-1-1.wav",
    labels=LABELS,
    rows=rows,
    parquet_name="cafe.parquet",
    needs_text=False,
)

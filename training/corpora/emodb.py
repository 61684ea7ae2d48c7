"""EmoDB: ten German actors, ten sentences, seven states, 535 clips.

Layout: wav/03a01Fa.wav: speaker, sentence, first letter of the German word for the emotion, version. `boredom`
(Langeweile) is none of the seven emotions. Burkhardt, Paeschke, Rolfes, Sendlmeier, Weiss 2005, "A Database of German
Emotional Speech", Interspeech.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, named_clips

INFO = CorpusInfo(
    name="emodb",
    title="EmoDB",
    what="ten German actors (5 women, 5 men), 6 acted emotions and boredom, 10 sentences; voice only",
    licence="published for free use by its authors (no licence stated)",
    citation="Burkhardt et al. 2005, Interspeech",
    language="de",
    home="http://emodb.bilderbar.info/",
    files="download.zip",
    archives=("Berlin*emotional*", "emo-db*"),
)
CODES = {
    "W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness", "T": "sadness", "N": "neutral",
}  # fmt: skip
LABELS: dict[str, str | None] = {
    "anger": "anger",
    "boredom": None,
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "joy",
    "neutral": "neutral",
    "sadness": "sadness",
}
MEN = ("03", "10", "11", "12", "15")
WOMEN = ("08", "09", "13", "14", "16")
NAME = re.compile(rf"({'|'.join(MEN + WOMEN)})([ab]\d\d)([{''.join(CODES)}])([a-z]?)")


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every clip under root whose name follows the scheme."""
    for row, match in named_clips(INFO, root, NAME, "03a01Fa.wav"):
        if match is not None:
            row["source_label"] = CODES[match[3]]
            row["speaker"] = f"emodb-{match[1]}"
            row["gender"] = "male" if match[1] in MEN else "female"
        yield row


CORPUS = Corpus.of(
    INFO,
    layout="the folder wav with files 03a01Fa.wav",
    labels=LABELS,
    rows=rows,
    parquet_name="emodb.parquet",
    needs_text=False,
)

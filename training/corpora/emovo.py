"""EMOVO: six Italian actors, 14 sentences, seven emotions, 588 clips.

Layout: f1/dis-f1-b1.wav: emotion, speaker, sentence. Costantini, Iaderola, Paoloni, Todisco 2014, "EMOVO Corpus: an
Italian Emotional Speech Database", LREC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, named_clips

INFO = CorpusInfo(
    name="emovo",
    title="EMOVO",
    what="six Italian actors (3 women, 3 men), 7 acted emotions, 14 sentences; voice only",
    licence="free for research (own terms)",
    citation="Costantini et al. 2014, LREC",
    language="it",
    home="http://voice.fub.it/activities/corpora/emovo/index.html",
    files="emovo.zip",
)
LABELS: dict[str, str | None] = {
    "dis": "disgust",
    "gio": "joy",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}
NAME = re.compile(rf"({'|'.join(LABELS)})-([fm][123])-([a-z]+\d+)")


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every clip under root whose name follows the scheme."""
    for row, match in named_clips(INFO, root, NAME, "dis-f1-b1.wav"):
        if match is not None:
            row["source_label"] = match[1]
            row["speaker"] = f"emovo-{match[2]}"
            row["gender"] = "female" if match[2][0] == "f" else "male"
        yield row


CORPUS = Corpus.of(
    INFO,
    layout="folders f1, f2, f3, m1, m2, m3 with files dis-f1-b1.wav",
    labels=LABELS,
    rows=rows,
    parquet_name="emovo.parquet",
    needs_text=False,
)

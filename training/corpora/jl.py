"""JL corpus: four actors from New Zealand, 2,400 clips in English; five primary and five secondary emotions.

Layout: Raw JL corpus (unchecked and unannotated)/JL(wav+txt)/female1_angry_10a_1.wav: speaker, emotion, sentence and
its half, take; the sentence in a .txt of the same name. The secondary emotions are none of the seven; neither is
`excited`, unless excited_as_joy=True, as most work on IEMOCAP counts it. James, Tian, Watson 2018, "An Open Source
Emotional Speech Corpus for Human Robot Interaction Applications", Interspeech.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, named_clips

INFO = CorpusInfo(
    name="jl",
    title="JL corpus",
    what="four actors (2 women, 2 men; New Zealand English), 10 acted emotions of which 4 are used, with transcripts",
    licence="CC0 1.0",
    citation="James et al. 2018, Interspeech",
    language="en-NZ",
    home="https://www.kaggle.com/datasets/tli725/jl-corpus",
    archives=("Raw JL*", "jl-corpus*"),
)
LABELS: dict[str, str | None] = {
    **{"angry": "anger", "happy": "joy", "neutral": "neutral", "sad": "sadness", "excited": None},
    **dict.fromkeys(("anxious", "apologetic", "assertive", "concerned", "encouraging")),
}
NAME = re.compile(r"((fe)?male[12])_([a-z]+)_(\d+[ab])_([12])")


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every clip under root whose name follows the scheme, with the text beside it where there is one."""
    for row, match in named_clips(INFO, root, NAME, "female1_angry_10a_1.wav"):
        if match is not None:
            text = Path(row["audio"]["path"]).with_suffix(".txt")
            row["text"] = text.read_text(encoding="utf-8", errors="replace") if text.is_file() else None
            row["source_label"] = match[3]
            row["speaker"] = f"jl-{match[1]}"
            row["gender"] = "female" if match[2] else "male"
        yield row


def relabel(options: dict[str, Any]) -> dict[str, str | None]:
    """excited_as_joy=True counts `excited` as joy; by default it is none of the seven."""
    return {**LABELS, "excited": "joy"} if options.get("excited_as_joy") else LABELS


CORPUS = Corpus.of(
    INFO,
    layout="the folder JL(wav+txt) with files female1_angry_10a_1.wav and .txt",
    labels=LABELS,
    rows=rows,
    parquet_name="jl.parquet",
    needs_text=False,
    options=("excited_as_joy",),
    relabel=relabel,
)

"""SAVEE: four British men, 480 clips, seven emotions. The sentences are not in the file names: `text` stays empty."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, clip, plain_files

INFO = CorpusInfo(
    name="savee",
    title="SAVEE",
    what="four men, 7 acted emotions",
    licence="research use on registration",
    citation="Haq and Jackson 2009",
    language="en",
    home="http://kahlan.eps.surrey.ac.uk/savee/",
    files="by request",
    archives=("AudioData*",),
)
LABELS = {"a": "anger", "d": "disgust", "f": "fear", "h": "joy", "n": "neutral", "sa": "sadness", "su": "surprise"}
SPEAKERS = ("DC", "JE", "JK", "KL")
NAME = re.compile(r"^(?:(DC|JE|JK|KL)_)?([a-z]{1,2})(\d{2})$")


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """AudioData/DC/a01.wav, or the flat DC_a01.wav."""
    for path in plain_files(root, ".wav", ".flac", ".ogg"):
        where = str(path.relative_to(root))
        match = NAME.match(path.stem)
        speaker = (match[1] or path.parent.name) if match else None
        if speaker not in SPEAKERS:
            yield {"where": where, "problem": "not a SAVEE file name (DC/a01.wav or DC_a01.wav)"}
            continue
        yield {
            "where": where,
            "id": f"savee/{speaker}_{match[2]}{match[3]}",
            "audio": clip(path),
            "source_label": match[2],
            "speaker": f"savee-{speaker.lower()}",
            "gender": "male",
        }


CORPUS = Corpus.of(
    INFO,
    layout="folders AudioData/DC, JE, JK, KL with files a01.wav, or files DC_a01.wav",
    labels=LABELS,
    rows=rows,
    parquet_name="savee.parquet",
    needs_text=False,
)

"""RESD: Russian emotional speech dialogues, seven states, 1,396 clips.

Layout: the parquet files of its Hub repository, data/train-*.parquet and data/test-*.parquet, with the columns name,
path, emotion and speech (the encoded clip). A name begins with the number of its dialogue
(32_happiness_enthusiasm_h_120); which of the two actors speaks is not said, so a dialogue stands for a speaker. The
official split parts clips of the same dialogue and is not taken. `enthusiasm` is none of the seven emotions. Amentes,
Lubenets, Davidchuk 2022.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import soundfile

from .info import CorpusInfo
from .schema import Corpus, CorpusError, parquet_rows

INFO = CorpusInfo(
    name="resd",
    title="RESD",
    what="Russian actors in dialogue, 6 acted emotions and enthusiasm; voice only",
    licence="MIT",
    citation="Amentes, Lubenets and Davidchuk 2022, Aniemore",
    language="ru",
    home="https://huggingface.co/datasets/Aniemore/resd",
    files="the folder data",
    hub="Aniemore/resd",
)
LABELS: dict[str, str | None] = {
    "anger": "anger",
    "disgust": "disgust",
    "enthusiasm": None,
    "fear": "fear",
    "happiness": "joy",
    "neutral": "neutral",
    "sadness": "sadness",
}


def parquet_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of this project's parquet layout, or of the official one."""
    if "speech" not in row:
        return row
    if not isinstance(row["speech"], dict):
        raise CorpusError("resd: column speech holds samples without their rate; accepted: the files of Aniemore/resd")
    content = row["speech"]["bytes"]
    try:
        seconds = soundfile.info(io.BytesIO(content)).duration
    except (soundfile.LibsndfileError, TypeError):  # TypeError: None, where only a path was stored
        return {"problem": f"corrupt clip: {row['name']} is no sound"}
    return {
        "id": f"resd/{row['name']}",
        "audio": {"bytes": content, "path": f"{row['name']}.wav"},
        "duration": seconds,
        "text": row.get("text"),
        "source_label": row["emotion"],
        "speaker": f"resd-{row['name'].split('_')[0]}",
    }


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of every parquet file under root."""
    for file in sorted(root.rglob("*.parquet")):
        yield from parquet_rows(file, CORPUS)


CORPUS = Corpus.of(
    INFO,
    layout="the folder data with train-*.parquet and test-*.parquet",
    labels=LABELS,
    rows=rows,
    parquet_row=parquet_row,
    parquet_name="resd.parquet",
    needs_text=False,
)

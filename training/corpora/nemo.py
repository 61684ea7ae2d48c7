"""nEMO: nine Polish actors, 90 sentences, six emotions (no disgust), spoken in a room, 4,481 clips.

Layout: data.tsv (file_id, emotion, raw_text, normalized_text, speaker_id, gender, age) beside samples/EB0_anger_1.wav.
Christop 2024, "nEMO: Dataset of Emotional Speech in Polish", LREC-COLING.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, clip, table_lines

INFO = CorpusInfo(
    name="nemo",
    title="nEMO",
    what="nine Polish actors (4 women, 5 men), 6 acted emotions, 90 sentences; voice only",
    licence="CC BY-NC-SA 4.0",
    citation="Christop 2024, LREC-COLING",
    language="pl",
    home="https://github.com/amu-cai/nEMO",
    files="the repository",
    hub="amu-cai/nEMO",
)
LABELS: dict[str, str | None] = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "joy",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}
TABLE = "data.tsv"


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of data.tsv (anywhere under root), clips in samples/ beside it."""
    needed = ("file_id", "emotion", "raw_text", "speaker_id", "gender")
    for file, where, line in table_lines(INFO, root, TABLE, needed, delimiter="\t", quoting=csv.QUOTE_NONE):
        name = Path(line["file_id"]).name
        path = file.parent / "samples" / (name if name.endswith(".wav") else f"{name}.wav")
        row = {"where": where, "id": f"nemo/{path.stem}"}
        if not path.is_file():
            yield row | {"problem": f"no clip at samples/{path.name}"}
            continue
        yield row | {
            "audio": clip(path),
            "text": line["raw_text"],
            "source_label": line["emotion"],
            "speaker": f"nemo-{line['speaker_id'].lower()}",
            "gender": line["gender"] if line["gender"] in ("male", "female") else None,
        }


CORPUS = Corpus.of(
    INFO,
    layout="data.tsv beside the folder samples with files EB0_anger_1.wav",
    labels=LABELS,
    rows=rows,
    parquet_name="nemo.parquet",
    needs_text=False,
)

"""Emozionalmente: 431 Italian amateurs recorded themselves, 18 sentences, seven emotions, 6,902 clips.

Layout: emozionalmente_dataset/ with metadata/samples.csv (file_name, actor, emotion_expressed, sentence),
metadata/users.csv (username, gender, ...) and audio/. Catania, Wilke, Garzotto 2025, "Emozionalmente: A Crowdsourced
Corpus of Simulated Emotional Speech in Italian", IEEE Transactions on Audio, Speech and Language Processing 33.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, clip, table_lines

INFO = CorpusInfo(
    name="emozionalmente",
    title="Emozionalmente",
    what="431 Italian amateurs at their own microphones, 7 acted emotions, 18 sentences; voice only",
    licence="CC BY 4.0",
    citation="Catania et al. 2025, IEEE Transactions on Audio, Speech and Language Processing 33",
    language="it",
    home="https://doi.org/10.5281/zenodo.6569824",
    files="emozionalmente.zip",
)
LABELS: dict[str, str | None] = {
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "joy",
    "neutrality": "neutral",
    "sadness": "sadness",
    "surprise": "surprise",
}
GENDERS = {"m": "male", "f": "female"}  # by the first letter; anything else is not told


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of metadata/samples.csv (anywhere under root), clips in audio/ beside metadata/."""
    users = table_lines(INFO, root, "users.csv", ("username", "gender"))
    genders = {line["username"]: GENDERS.get(line["gender"].lower()[:1]) for _, _, line in users}
    for file, where, line in table_lines(INFO, root, "samples.csv", ("file_name", "actor", "emotion_expressed")):
        path = file.parent.parent / "audio" / Path(line["file_name"]).name
        row = {"where": where, "id": f"emozionalmente/{path.stem}"}
        if not path.is_file():
            yield row | {"problem": f"no clip at audio/{path.name}"}
            continue
        yield row | {
            "audio": clip(path),
            "text": line.get("sentence"),
            "source_label": line["emotion_expressed"],
            "speaker": f"emozionalmente-{line['actor']}",
            "gender": genders.get(line["actor"]),
        }


CORPUS = Corpus.of(
    INFO,
    layout="metadata/samples.csv and metadata/users.csv beside the folder audio",
    labels=LABELS,
    rows=rows,
    parquet_name="emozionalmente.parquet",
    needs_text=False,
)

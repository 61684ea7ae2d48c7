"""CREMA-D: 91 actors, 12 sentences, six emotions. Files ACTOR_SENTENCE_EMOTION_LEVEL.wav."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, clip, plain_files

INFO = CorpusInfo(
    name="cremad",
    title="CREMA-D",
    what="91 actors, 6 acted emotions, 12 fixed sentences",
    licence="Open Database License 1.0",
    citation="Cao et al. 2014, IEEE Transactions on Affective Computing",
    language="en",
    home="https://github.com/CheyneyComputerScience/CREMA-D",
    archives=("CREMA-D*",),
)
LABELS = {"ang": "anger", "dis": "disgust", "fea": "fear", "hap": "joy", "neu": "neutral", "sad": "sadness"}
SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}


def _genders(root: Path) -> dict[str, str]:
    """Actor -> gender from VideoDemographics.csv, where it lies beside the clips."""
    file = next(iter(sorted(root.rglob("VideoDemographics.csv"))), None)
    if file is None:
        return {}
    with open(file, newline="", encoding="utf-8") as handle:
        return {line["ActorID"]: line["Sex"].strip().lower() for line in csv.DictReader(handle)}


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """AudioWAV/1001_DFA_ANG_XX.wav."""
    genders = _genders(root)
    seen: set[str] = set()
    for path in plain_files(root, ".wav", ".flac", ".ogg", ".mp3"):
        parts = path.stem.split("_")
        where = str(path.relative_to(root))
        if path.stem in seen:  # AudioMP3 repeats AudioWAV
            continue
        seen.add(path.stem)
        if len(parts) != 4 or not parts[0].isdigit() or parts[1] not in SENTENCES:
            yield {"where": where, "problem": "not a CREMA-D file name (1001_DFA_ANG_XX.wav)"}
            continue
        yield {
            "where": where,
            "id": f"cremad/{path.stem}",
            "audio": clip(path),
            "text": SENTENCES[parts[1]],
            "source_label": parts[2].lower(),
            "speaker": f"cremad-{parts[0]}",
            "gender": genders.get(parts[0]),
        }


CORPUS = Corpus.of(
    INFO,
    layout="AudioWAV/1001_DFA_ANG_XX.wav (and VideoDemographics.csv for the genders)",
    labels=LABELS,
    rows=rows,
    parquet_name="cremad.parquet",
)

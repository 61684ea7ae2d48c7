"""GoEmotions: Reddit comments with 28 labels (several may hold), mapped to the seven by the authors' Ekman table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets

from .info import CorpusInfo
from .schema import Corpus

INFO = CorpusInfo(
    name="goemotions",
    title="GoEmotions",
    what="Reddit comments, 27 labels mapped to seven; text only",
    licence="Apache-2.0",
    citation="Demszky et al. 2020, ACL",
    language="en",
    home="https://github.com/google-research/google-research/tree/master/goemotions",
    files="the folder data",
    hub="google-research-datasets/go_emotions",
)
# The order of the label ids in the official files (emotions.txt).
FINE = (
    "admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion", "curiosity", "desire",
    "disappointment", "disapproval", "disgust", "embarrassment", "excitement", "fear", "gratitude", "grief", "joy",
    "love", "nervousness", "optimism", "pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral",
)  # fmt: skip
EKMAN = {
    "anger": ("anger", "annoyance", "disapproval"),
    "disgust": ("disgust",),
    "fear": ("fear", "nervousness"),
    "joy": (
        "joy",
        "amusement",
        "approval",
        "excitement",
        "gratitude",
        "love",
        "optimism",
        "relief",
        "pride",
        "admiration",
        "desire",
        "caring",
    ),  # fmt: skip
    "neutral": ("neutral",),
    "sadness": ("sadness", "disappointment", "embarrassment", "grief", "remorse"),
    "surprise": ("surprise", "realization", "confusion", "curiosity"),
}
LABELS: dict[str, str | None] = {fine: emotion for emotion, group in EKMAN.items() for fine in group}
FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """train.tsv, dev.tsv and test.tsv: text, comma-separated label ids, comment id."""
    for split, name in FILES.items():
        file = next(iter(sorted(root.rglob(name))), None)
        if file is None:
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            where = f"{name} line {number}"
            parts = line.rsplit("\t", 2)
            try:
                text, ids, comment = parts
                fine = [FINE[int(number)] for number in ids.split(",")]
            except (ValueError, IndexError):
                yield {"where": where, "problem": "unknown label or not a GoEmotions row (text, label ids, comment id)"}
                continue
            yield {
                "where": where,
                "id": f"goemotions/{comment}",
                "text": text,
                "emotions": sorted({LABELS[label] for label in fine}),
                "source_label": ",".join(fine),
                "split": split,
            }


def parquet_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of goemotions_ekman.parquet (id, text, labels, split), whose labels are mapped already."""
    emotions = sorted(row["labels"])
    return {
        "id": f"goemotions/{row['id']}",
        "text": row["text"],
        "emotions": emotions,
        "source_label": ",".join(emotions),
        "split": row["split"],
    }


def to_parquet(row: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `parquet_row`."""
    return {
        "id": row["id"].removeprefix("goemotions/"),
        "text": row["text"],
        "labels": row["emotions"],
        "split": row["split"],
    }


TEXT = datasets.Value("string")
CORPUS = Corpus.of(
    INFO,
    layout="train.tsv, dev.tsv and test.tsv",
    labels=LABELS,
    rows=rows,
    parquet_row=parquet_row,
    parquet_name="goemotions_ekman.parquet",
    needs_audio=False,
    to_parquet=(
        datasets.Features({"id": TEXT, "text": TEXT, "labels": datasets.List(TEXT), "split": TEXT}),
        to_parquet,
    ),
)

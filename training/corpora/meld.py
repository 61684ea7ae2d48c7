"""MELD: utterances of Friends with seven emotions and official splits; clips (mp4) only where you have MELD.Raw."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets

from phonolinguistic.labels import EMOTIONS

from .info import CorpusInfo
from .schema import SAMPLE_RATE, Corpus, clip, plain_files

INFO = CorpusInfo(
    name="meld",
    title="MELD",
    what="utterances of a television series, seven labels; text only",
    licence="GPL-3.0 (repository)",
    citation="Poria et al. 2019, ACL",
    language="en",
    home="https://affective-meld.github.io/",
    files="MELD.Raw.tar.gz; text: github.com/declare-lab/MELD, data/MELD",
    hub="declare-lab/MELD",
)
LABELS: dict[str, str | None] = {emotion: emotion for emotion in EMOTIONS}
FILES = {"train": "train_sent_emo.csv", "validation": "dev_sent_emo.csv", "test": "test_sent_emo.csv"}
# MELD.Raw unpacks to train_splits, dev_splits_complete and output_repeated_splits_test.
FOLDERS = {"train": "train", "dev": "validation", "test": "test"}
CLIP = re.compile(r"^(?:final_videos_test)?dia(\d+)_utt(\d+)$")
# The CSV files were saved once through Windows-1252.
MOJIBAKE = str.maketrans({"\x91": "‘", "\x92": "’", "\x93": "“", "\x94": "”", "\x96": "–", "\x97": "—", "\x85": "…"})


def _clips(root: Path) -> dict[tuple[str, int, int], Path]:
    """(split, dialogue, utterance) -> clip. The split is the folder whose name holds train, dev or test."""
    found: dict[tuple[str, int, int], Path] = {}
    for path in plain_files(root, ".mp4", ".wav", ".flac", ".m4a"):
        match = CLIP.match(path.stem)
        if not match:
            continue
        for part in reversed(path.relative_to(root).parts[:-1]):
            split = next((name for word, name in FOLDERS.items() if word in part.lower()), None)
            if split:
                found.setdefault((split, int(match[1]), int(match[2])), path)
                break
    return found


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The three CSV files (anywhere under root) joined with the clips that are there."""
    tables = {split: next(iter(sorted(root.rglob(name))), None) for split, name in FILES.items()}
    clips = _clips(root) if any(tables.values()) and options.get("audio", True) else {}
    for split, file in tables.items():
        if file is None:
            continue
        with open(file, newline="", encoding="utf-8", errors="replace") as handle:
            for number, line in enumerate(csv.DictReader(handle), start=2):
                where = f"{file.name} line {number}"
                try:
                    dialogue, utterance = int(line["Dialogue_ID"]), int(line["Utterance_ID"])
                    text, label, speaker = line["Utterance"], line["Emotion"], line["Speaker"]
                except (KeyError, TypeError, ValueError) as error:
                    yield {"where": where, "problem": f"not a MELD row ({error})"}
                    continue
                path = clips.get((split, dialogue, utterance))
                yield {
                    "where": where,
                    "id": f"meld/{split}/dia{dialogue}_utt{utterance}",
                    "audio": clip(path) if path else None,
                    "text": text.translate(MOJIBAKE),
                    "source_label": label,
                    "speaker": f"meld-{speaker.translate(MOJIBAKE)}",
                    "split": split,
                }


def parquet_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of meld_text.parquet, or of meld.parquet, which has the clips, too."""
    return {
        "id": f"meld/{row['split']}/dia{row['dialogue_id']}_utt{row['utterance_id']}",
        "text": row["text"],
        "source_label": row["emotion"],
        "speaker": f"meld-{row['speaker']}",
        "split": row["split"],
        "audio": row.get("audio"),
        "duration": row.get("duration"),
    }


def to_parquet(row: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `parquet_row`."""
    dialogue, utterance = CLIP.match(row["id"].rsplit("/", 1)[-1]).groups()
    return {
        "dialogue_id": int(dialogue),
        "utterance_id": int(utterance),
        "text": row["text"],
        "emotion": row["source_label"],
        "speaker": row["speaker"].removeprefix("meld-"),
        "split": row["split"],
        "audio": row["audio"],
        "duration": row["duration"],
    }


PARQUET = datasets.Features(
    {
        **dict.fromkeys(("dialogue_id", "utterance_id"), datasets.Value("int64")),
        **dict.fromkeys(("text", "emotion", "speaker", "split"), datasets.Value("string")),
        "audio": datasets.Audio(sampling_rate=SAMPLE_RATE),
        "duration": datasets.Value("float32"),
    }
)
CORPUS = Corpus.of(
    INFO,
    layout="train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv, and any folders of dia0_utt0.mp4 clips",
    labels=LABELS,
    rows=rows,
    parquet_row=parquet_row,
    parquet_name="meld_text.parquet",
    needs_audio=False,
    options=("audio",),
    to_parquet=(PARQUET, to_parquet),
)

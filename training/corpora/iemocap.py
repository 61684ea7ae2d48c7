"""IEMOCAP (your own copy): five sessions of two actors each, with transcripts and one consensus label per turn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, clip, plain_files

INFO = CorpusInfo(
    name="iemocap",
    title="IEMOCAP",
    what="ten actors in dialogue, scripted and improvised",
    licence="research use on application",
    citation="Busso et al. 2008, Language Resources and Evaluation",
    language="en",
    home="https://sail.usc.edu/iemocap/",
    files="by request",
)
LABELS: dict[str, str | None] = {
    "ang": "anger",
    "dis": "disgust",
    "exc": "joy",  # excited is counted as happy, as most work on IEMOCAP does
    "fea": "fear",
    "fru": None,
    "hap": "joy",
    "neu": "neutral",
    "oth": None,
    "sad": "sadness",
    "sur": "surprise",
    "xxx": None,  # the annotators did not agree
}
TURN = re.compile(r"^\[[\d.]+ - [\d.]+\]\t(\S+)\t(\w+)\t")
LINE = re.compile(r"^(Ses\d\d[FM]\w*_[FM]\w+) \[[\d.]+-[\d.]+\]: ?(.*)$")
GENDERS = {"F": "female", "M": "male"}


def _tables(root: Path) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """(turn -> (label, file and line), turn -> text) from dialog/EmoEvaluation and dialog/transcriptions."""
    labels: dict[str, tuple[str, str]] = {}
    texts: dict[str, str] = {}
    for file in plain_files(root, ".txt"):
        pattern = {"EmoEvaluation": TURN, "transcriptions": LINE}.get(file.parent.name)
        if pattern is None:
            continue
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, start=1):
            match = pattern.match(line)
            if match and pattern is TURN:
                labels[match[1]] = (match[2], f"{file.name} line {number}")
            elif match:
                texts[match[1]] = match[2].strip()
    return labels, texts


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Session1..5 with sentences/wav/DIALOGUE/TURN.wav and dialog/{EmoEvaluation,transcriptions}/DIALOGUE.txt."""
    labels, texts = _tables(root)
    clips = {path.stem: path for path in plain_files(root, ".wav", ".flac") if "sentences" in path.parts}
    for turn, (label, where) in sorted(labels.items()):
        session, speaker = turn[3:5], turn.rsplit("_", 1)[-1][0]
        yield {
            "where": f"{where} ({turn})",
            "id": f"iemocap/{turn}",
            "audio": clip(clips[turn]) if turn in clips else None,
            "text": texts.get(turn),
            "source_label": label,
            "speaker": f"iemocap-{session}{speaker}",
            "gender": GENDERS.get(speaker),
        }


def relabel(options: dict[str, Any]) -> dict[str, str | None]:
    """frustration_as_anger=True counts `fru` as anger; by default it is none of the seven."""
    return {**LABELS, "fru": "anger"} if options.get("frustration_as_anger") else LABELS


CORPUS = Corpus.of(
    INFO,
    layout="the folder IEMOCAP_full_release with Session1 ... Session5",
    labels=LABELS,
    rows=rows,
    parquet_name="iemocap.parquet",
    options=("frustration_as_anger",),
    relabel=relabel,
)

"""LibriSpeech-like folders: SPEAKER-CHAPTER.trans.txt beside SPEAKER-CHAPTER-0000.flac. Transcripts, no emotion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, clip

INFO = CorpusInfo(
    name="librispeech",
    title="LibriSpeech",
    what="read audio books, with transcripts and without emotions; for recognition",
    licence="CC BY 4.0",
    citation="Panayotov et al. 2015, ICASSP",
    language="en",
    home="https://www.openslr.org/12/",
    hub="openslr/librispeech_asr",
    archives=("train-clean-*", "train-other-*", "dev-clean*", "dev-other*", "test-clean*", "test-other*"),
)
SUFFIXES = (".flac", ".wav", ".ogg", ".opus", ".mp3")
SPLITS = {"train": "train", "dev": "validation", "test": "test"}
GENDERS = {"F": "female", "M": "male"}


def _genders(root: Path) -> dict[str, str | None]:
    """Speaker -> gender from SPEAKERS.TXT (`84 | F | dev-clean | ...`), at root or one folder above."""
    file = next((f for f in (root / "SPEAKERS.TXT", root.parent / "SPEAKERS.TXT") if f.is_file()), None)
    if file is None:
        return {}
    cells = (line.split("|") for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith(";"))
    return {cell[0].strip(): GENDERS.get(cell[1].strip()) for cell in cells if len(cell) > 1}


def _split(folders: tuple[str, ...]) -> str | None:
    """train-clean-100 -> train, dev-other -> validation; None where no folder says."""
    return next((SPLITS[head] for name in folders if (head := name.lower().split("-")[0]) in SPLITS), None)


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every *.trans.txt under root; a line is `UTTERANCE WORDS`, the clip lies beside it."""
    genders = _genders(root)
    for file in sorted(root.rglob("*.trans.txt")):
        split = _split((root.name, *file.relative_to(root).parts[:-1]))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip():
                continue
            key, _, text = line.partition(" ")
            path = next((p for suffix in SUFFIXES if (p := file.parent / (key + suffix)).is_file()), None)
            speaker = key.split("-")[0]
            yield {
                "where": f"{file.relative_to(root)} line {number}",
                "id": f"librispeech/{key}",
                "audio": clip(path) if path else None,
                "text": text,
                "speaker": f"librispeech-{speaker}",
                "gender": genders.get(speaker),
                "split": split,
            }


CORPUS = Corpus.of(
    INFO,
    layout="folders (train-clean-100/SPEAKER/CHAPTER) with SPEAKER-CHAPTER.trans.txt beside the clips",
    labels={},
    rows=rows,
    parquet_name="librispeech.parquet",
)

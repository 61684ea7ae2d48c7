"""ESD: ten speakers of Mandarin and ten of English read the same 350 sentences in five emotions, 35,000 clips.

Layout: 0011/Angry/train/0011_000351.wav (the folders train, evaluation and test may be absent), the sentences in
0011/0011.txt (name, sentence, emotion, parted by tabs; encodings differ). Speakers 0001 to 0010 speak Mandarin. The
official split parts sentences, not speakers, and is not taken. Zhou, Sisman, Liu, Li 2021, "Seen and Unseen Emotional
Style Transfer for Voice Conversion with a New Emotional Speech Dataset", ICASSP.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, named_clips

INFO = CorpusInfo(
    name="esd",
    title="ESD",
    what="ten speakers of Mandarin and ten of English, 5 acted emotions, 350 sentences in each language",
    licence="research use only",
    citation="Zhou et al. 2021, ICASSP",
    language="mul",
    home="https://hltsingapore.github.io/ESD/",
    files="Emotional Speech Dataset (ESD).zip",
    archives=("Emotion* Speech Dataset*",),
)
LABELS: dict[str, str | None] = {
    "angry": "anger",
    "happy": "joy",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}
MEN = (4, 5, 6, 8, 10, 11, 12, 13, 14, 20)  # ReadMe.txt
FIRST_ENGLISH = 11
NAME = re.compile(r"(00(?:0[1-9]|1\d|20))_(\d{6})")


def _decoded(raw: bytes, language: str) -> str:
    """The text of a list of sentences: UTF-16 where it says so, UTF-8, or what Chinese and western systems wrote."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("gb18030" if language == "zh" else "cp1252", errors="replace")


def _sentences(file: Path, language: str) -> dict[str, str]:
    """Clip -> sentence."""
    if not file.is_file():
        return {}
    lines = (line.split("\t") for line in _decoded(file.read_bytes(), language).splitlines())
    return {cells[0].strip(): cells[1].strip() for cells in lines if len(cells) > 1}


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every clip under root whose name follows the scheme and whose folders say its emotion."""
    texts: dict[Path, dict[str, str]] = {}
    for row, match in named_clips(INFO, root, NAME, "0011_000351.wav"):
        if match is None:
            yield row
            continue
        path, speaker = Path(row["audio"]["path"]), match[1]
        folder = next((part for part in path.parents if part.name.lower() in LABELS), None)
        if folder is None:
            yield row | {"problem": f"no folder above it is an emotion ({', '.join(LABELS)})"}
            continue
        language = "en" if int(speaker) >= FIRST_ENGLISH else "zh"
        file = folder.parent / f"{speaker}.txt"
        if file not in texts:
            texts[file] = _sentences(file, language)
        yield row | {
            "text": texts[file].get(path.stem),
            "source_label": folder.name.lower(),
            "speaker": f"esd-{speaker}",
            "gender": "male" if int(speaker) in MEN else "female",
            "language": language,
        }


CORPUS = Corpus.of(
    INFO,
    layout="folders 0001 ... 0020 with Angry/train/0011_000351.wav and 0011.txt",
    labels=LABELS,
    rows=rows,
    parquet_name="esd.parquet",
    needs_text=False,
)

"""speechocean762: read English by Mandarin speakers, with transcripts and official splits; no emotion labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .info import CorpusInfo
from .schema import Corpus, clip

INFO = CorpusInfo(
    name="speechocean762",
    title="speechocean762",
    what=(
        "English read by Mandarin speakers, with transcripts and without emotions; for recognition, and for "
        "how far calm voices in another room differ"
    ),
    licence="free for commercial and non-commercial use",
    citation="Zhang et al. 2021, Interspeech (OpenSLR 101)",
    language="en",
    home="https://www.openslr.org/101/",
    files="speechocean762.tar.gz",
    hub="mispeech/speechocean762",
)
GENDERS = {"m": "male", "f": "female"}


def _table(file: Path) -> dict[str, str]:
    """A kaldi table: key, white space, value."""
    if not file.is_file():
        return {}
    pairs = (line.split(maxsplit=1) for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    return {pair[0]: pair[1].strip() if len(pair) > 1 else "" for pair in pairs}


def rows(root: Path, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The kaldi folders train/ and test/ (wav.scp, text, utt2spk, spk2gender) with clips under WAVE/."""
    for split in ("train", "test"):
        folder = root / split
        clips, texts = _table(folder / "wav.scp"), _table(folder / "text")
        speakers, genders = _table(folder / "utt2spk"), _table(folder / "spk2gender")
        for key, name in clips.items():
            path = root / name
            speaker = speakers.get(key)
            yield {
                "where": f"{split}/wav.scp {key}",
                "id": f"speechocean762/{key}",
                "audio": clip(path) if path.is_file() else None,
                "text": texts.get(key),
                "speaker": f"so-{speaker}" if speaker else None,
                "gender": GENDERS.get(genders.get(speaker or "", "").lower()),
                "split": split,
            }


CORPUS = Corpus.of(
    INFO,
    layout="WAVE/ and the folders train/ and test/ with wav.scp, text, utt2spk",
    labels={},
    rows=rows,
    parquet_name="speechocean762.parquet",
)

"""What the networks hear of each clip, on disk: decoded and cut to the speech once, and read back without copying.

The front end is the one of use (`model/front_end_phonolinguistic.py`). A corpus says that somebody speaks in its clips:
where the detector finds nobody, the whole clip is taken. It is stored as 16-bit samples at 16 kHz under a hash of its
encoded bytes, so the same clip is found again from another subset, another corpus file or another process, and a
changed clip is decoded anew. Corrupt clips are remembered with their message; they do not stop the run.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from tqdm.auto import tqdm

from phonolinguistic.audio.decoding import SAMPLE_RATE, AudioError, load_audio
from phonolinguistic.model.front_end_phonolinguistic import FrontEnd

from ..whole_files import write_whole
from .schema import CorpusError

MAX_CLIP_SECONDS = 60.0  # longer "clips" in a corpus are mistakes
VERSION = "2"  # change it when decoding or the front end changes: the old files are then not found
FULL_SCALE = 32767.0

logger = logging.getLogger(__name__)


@functools.cache
def _front_end() -> FrontEnd:
    return FrontEnd()


def clip_key(audio: dict[str, Any]) -> str:
    """Hash of the encoded clip. OSError if its file cannot be read."""
    content = audio["bytes"]
    if content is None:
        content = Path(audio["path"]).read_bytes()
    return hashlib.blake2b(content, digest_size=16, person=f"pl{SAMPLE_RATE}v{VERSION}".encode()).hexdigest()


def _decode(audio: dict[str, Any] | None, folder: Path) -> tuple[Path | None, str | None]:
    """(file of the samples, None) or (None, what is wrong)."""
    if audio is None:
        return None, "no clip"
    try:
        key = clip_key(audio)
    except OSError as error:
        return None, f"cannot be read: {error.strerror or error}"
    path = folder / key[:2] / f"{key}.npy"
    bad = path.with_suffix(".bad")
    if path.exists():
        return path, None
    if bad.exists():
        return None, bad.read_text(encoding="utf-8")
    try:
        source = audio["bytes"] if audio["bytes"] is not None else audio["path"]
        heard = _front_end()(load_audio(source, max_seconds=MAX_CLIP_SECONDS).samples)
        samples = heard.speech if heard.spans else heard.samples
    except AudioError as error:
        message = f"corrupt clip: {error}"
        write_whole(bad, lambda file: file.write(message.encode()))
        return None, message
    whole = np.round(np.clip(samples, -1.0, 1.0) * FULL_SCALE).astype(np.int16)
    write_whole(path, lambda file: np.save(file, whole))
    return path, None


class DecodedAudio(Sequence):
    """Clips of a dataset as float32 arrays, 16 kHz mono, in [-1, 1]; index i is row i.

    bad: row -> message, for the rows that have no usable clip; reading one raises CorpusError.
    good: the other rows, ascending.
    """

    def __init__(self, files: Sequence[Path | None], bad: dict[int, str], names: Sequence[str]):
        self._files, self._names = list(files), list(names)
        self.bad = bad
        self.good = [row for row, file in enumerate(self._files) if file is not None]
        self._lengths: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, row: int) -> np.ndarray:
        return self.stored(row).astype(np.float32) / FULL_SCALE

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def stored(self, row: int) -> np.ndarray:
        """The memory-mapped int16 samples of a row."""
        file = self._files[row]
        if file is None:
            raise CorpusError(f"{self._names[row]}: {self.bad[row if row >= 0 else row + len(self)]}")
        return np.load(file, mmap_mode="r")

    @property
    def lengths(self) -> np.ndarray:
        """(rows,) samples per clip, 0 for a bad one; for buckets of like length."""
        if self._lengths is None:
            sizes = [0 if file is None else self.stored(row).shape[0] for row, file in enumerate(self._files)]
            self._lengths = np.array(sizes, dtype=np.int64)
        return self._lengths


def decoded(
    dataset: datasets.Dataset, cache_dir: str | Path, *, workers: int | None = None, progress: bool = True
) -> DecodedAudio:
    """Decode all clips of `dataset` that `cache_dir` lacks, and give access to all.

    Args:
        dataset: columns `audio` ({"bytes", "path"} or None) and `id`.
        workers: threads that decode (the decoders run outside Python's lock); None: one per core.
        progress: show a bar.

    Returns:
        DecodedAudio. What could not be decoded is in its `.bad` and counted in the log.
    """
    folder = Path(cache_dir)
    names = list(dataset["id"])
    files: list[Path | None] = []
    bad: dict[int, str] = {}
    cells = (row["audio"] for row in dataset.select_columns("audio"))
    label = dataset[0]["corpus"] if len(dataset) else "audio"
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        results = pool.map(lambda cell: _decode(cell, folder), cells)
        for row, (file, message) in enumerate(
            tqdm(results, total=len(names), desc=f"decode {label}", unit="clip", disable=not progress)
        ):
            files.append(file)
            if message is not None:
                bad[row] = message
    if bad:
        row, message = next(iter(bad.items()))
        logger.warning("%s: %d of %d clips unusable, e.g. %s: %s", label, len(bad), len(names), names[row], message)
    return DecodedAudio(files, bad, names)

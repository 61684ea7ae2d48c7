"""The corpora of the embedded release as plain arrays, in the release split: for fitting heads and for evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from phonolinguistic.labels import EMOTIONS

from ..corpora import load_corpus, taught_texts
from ..corpora.cache import clip_key, decoded
from ..corpora.splits import release_split
from ..heads.domain_shift import some_of_each

UNLABELLED = -100
OPTIONS = {"ravdess": {"calm_as_neutral": True}, "meld": {"audio": False}}


@dataclass(frozen=True)
class ClipSet:
    """Usable clips of one corpus, the same row in each field.

    labels: (clips,) class index, -100 where there is none. keys: hash of each clip's content.
    audio: indexable, float32 at 16 kHz. references: what was said, by the corpus; "" where that is not English, so that
    no recogniser and no text tower reads it.
    """

    corpus: str
    ids: list[str]
    labels: np.ndarray
    speakers: list[str]
    genders: list[str | None]
    splits: list[str | None]
    references: list[str]
    seconds: np.ndarray
    keys: list[str]
    audio: Sequence[np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: Sequence[int]) -> ClipSet:
        """These rows only."""
        rows = [int(row) for row in rows]
        lists = ("ids", "speakers", "genders", "splits", "references", "keys")
        chosen = {name: [getattr(self, name)[row] for row in rows] for name in lists}
        audio = _Rows(self.audio, rows)
        return replace(self, labels=self.labels[rows], seconds=self.seconds[rows], audio=audio, **chosen)

    def split(self, *names: str) -> ClipSet:
        """Rows of these splits."""
        return self.select([row for row, split in enumerate(self.splits) if split in names])


class _Rows(Sequence):
    """Rows of something indexable, read when asked for."""

    def __init__(self, source: Sequence, rows: Sequence[int]):
        self.source, self.rows = source, list(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int):
        return self.source[self.rows[row]]


@dataclass(frozen=True)
class TextSet:
    """Utterances of one corpus; targets: (texts, classes) of 0 and 1, labels: index, or -100 where several hold."""

    corpus: str
    ids: list[str]
    texts: list[str]
    targets: np.ndarray
    labels: np.ndarray
    splits: list[str | None]

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: Sequence[int]) -> TextSet:
        """These rows only."""
        chosen = {name: [getattr(self, name)[row] for row in rows] for name in ("ids", "texts", "splits")}
        return replace(self, targets=self.targets[list(rows)], labels=self.labels[list(rows)], **chosen)

    def split(self, *names: str) -> TextSet:
        """Rows of these splits."""
        return self.select([row for row, split in enumerate(self.splits) if split in names])

    def single(self) -> TextSet:
        """Rows with exactly one label."""
        return self.select(np.flatnonzero(self.labels >= 0).tolist())


def _some(rows: int, limit: int | None) -> list[int]:
    """At most `limit` rows, spread evenly over all."""
    if limit is None or rows <= limit:
        return list(range(rows))
    return np.linspace(0, rows - 1, limit).astype(int).tolist()


def load_clips(
    name: str, path: str | Path, cache: str | Path, *, limit: int | None = None, progress: bool = True
) -> ClipSet:
    """Clips of a corpus in the release split (RAVDESS "calm" counts as neutral); corrupt ones are left out, logged.

    limit: at most so many clips, spread over the corpus.
    """
    dataset = release_split(load_corpus(name, path, on_error="skip", min_examples=1, **OPTIONS.get(name, {})))
    dataset = dataset.select(_some(len(dataset), limit))
    audio = decoded(dataset, Path(cache) / "audio", progress=progress)
    index = {emotion: row for row, emotion in enumerate(EMOTIONS)}
    labels = np.array([index.get(emotion, UNLABELLED) for emotion in dataset["emotion"]], dtype=np.int64)
    clips = ClipSet(
        corpus=name,
        ids=list(dataset["id"]),
        labels=labels,
        speakers=list(dataset["speaker"]),
        genders=list(dataset["gender"]),
        splits=list(dataset["split"]),
        references=taught_texts(dataset["text"], dataset["language"]),
        seconds=audio.lengths / 16_000,
        keys=["" if row in audio.bad else clip_key(cell) for row, cell in enumerate(dataset["audio"])],
        audio=audio,
    )
    return clips if len(audio.good) == len(clips) else clips.select(audio.good)


def load_read_speech(path: str | Path, cache: Path) -> ClipSet:
    """A few clips of each training speaker of speechocean762: read speech, no emotion."""
    clips = load_clips("speechocean762", path, cache).split("train")
    return clips.select(some_of_each(clips.speakers, clips.keys))


def load_texts(name: str, path: str | Path, *, limit: int | None = None) -> TextSet:
    """English utterances of a corpus with at least one label, in its official split.

    limit: at most so many in each split.
    """
    dataset = release_split(load_corpus(name, path, on_error="skip", min_examples=1, **OPTIONS.get(name, {})))
    targets = np.zeros((len(dataset), len(EMOTIONS)), np.float32)
    for row, emotions in enumerate(dataset["emotions"]):
        targets[row, [EMOTIONS.index(emotion) for emotion in emotions]] = 1
    counts = targets.sum(1)
    texts = TextSet(
        corpus=name,
        ids=list(dataset["id"]),
        texts=taught_texts(dataset["text"], dataset["language"]),
        targets=targets,
        labels=np.where(counts == 1, targets.argmax(1), UNLABELLED),
        splits=list(dataset["split"]),
    )
    kept = []
    for split in sorted({str(split) for split in texts.splits}):
        rows = [row for row, own in enumerate(texts.splits) if str(own) == split and counts[row] and texts.texts[row]]
        kept += [rows[place] for place in _some(len(rows), limit)]
    return texts.select(sorted(kept))

"""Rows of the corpora as a training run reads them (batches of them: collate.py)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import datasets
import numpy as np

from phonolinguistic.labels import EMOTIONS

from ..config import Corpus, Data, Settings
from ..corpora import CorpusError, load_corpus, taught_texts, taught_transcripts
from ..corpora.cache import DecodedAudio, clip_key, decoded
from ..corpora.splits import RAVDESS_FOLDS, ravdess_speakers, release_split, with_split
from ..engine.losses import HEADS, LOSSES
from ..transcribe import read_transcripts

SAMPLE_RATE = 16_000

logger = logging.getLogger(__name__)


class Samples(Sequence):
    """float32 arrays at 16 kHz of rows that have a clip."""

    def __init__(self, clips: Sequence[tuple[DecodedAudio, int]]):
        self.clips = list(clips)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, row: int) -> np.ndarray:
        audio, place = self.clips[row]
        return audio[place]


@dataclass(frozen=True)
class Rows:
    """Rows of one split over all corpora, the same row in each field.

    texts: what the text encoder reads. references: what was said, for the recogniser. heard: whether a text is a
    recogniser's. targets: (rows, classes) label probabilities (uniform over several labels), zeros where there is none.
    one, several, taught: as in `engine.losses.Targets`. clips: (decoded corpus, row there) or None; keys: hash of the
    clip's content, "" for none. seconds: (rows,) of the clips, 0 for none. repeats: times an epoch sees the row.
    audio_pooled, text_pooled: (rows, versions, size) of a frozen tower, version 0 the row as it is; None: not computed.
    """

    ids: list[str]
    corpora: list[str]
    speakers: list[str | None]
    genders: list[str | None]
    texts: list[str]
    references: list[str]
    heard: np.ndarray
    targets: np.ndarray
    one: np.ndarray
    several: np.ndarray
    taught: np.ndarray
    clips: list[tuple[DecodedAudio, int] | None]
    keys: list[str]
    seconds: np.ndarray
    repeats: np.ndarray
    audio_pooled: np.ndarray | None = None
    text_pooled: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def words(self) -> np.ndarray:
        return np.array([len(text.split()) for text in self.texts], dtype=np.int64)

    def audio(self) -> Samples:
        """Samples of the rows, which all have a clip, read when asked for."""
        return Samples(self.clips)

    def select(self, rows: np.ndarray) -> Rows:
        """These rows only."""
        rows = [int(row) for row in rows]
        return replace(self, **{name: _picked(getattr(self, name), rows) for name in vars(self)})


def _picked(column, rows: list[int]):
    """Rows of a list or an array; None stays."""
    if isinstance(column, list):
        return [column[row] for row in rows]
    return None if column is None else column[rows]


def load_rows(settings: Settings, progress: bool = True) -> dict[str, Rows]:
    """Split -> rows of all corpora; train and validation are never empty.

    Raises:
        CorpusError: a corpus or transcripts are missing, a row is bad (on_error "raise"), or a split is empty.
    """
    found = load_splits(settings.data.corpora, settings, progress)
    rows = found["train"]
    short = (rows.seconds > 0) & (rows.seconds < settings.data.min_seconds)
    found["train"] = rows.select(np.flatnonzero(~short & (rows.seconds <= settings.data.max_seconds)))
    for split in ("train", "validation"):
        if not len(found[split]):
            raise CorpusError(f"no usable {split} rows for task {settings.task} in the corpora of this run.")
    labelled = found["validation"].targets.sum(1) > 0
    if not labelled.any():
        raise CorpusError("no validation row has an emotion: early stopping has nothing to measure.")
    return found


def load_splits(corpora: Sequence[Corpus], settings: Settings, progress: bool = True) -> dict[str, Rows]:
    """Split -> rows of these corpora that `settings.task` can use, as they are."""
    parts = [_corpus_rows(corpus, settings, progress) for corpus in corpora]
    return {
        split: _joined([rows.select(np.flatnonzero(splits == split)) for rows, splits in parts])
        for split in ("train", "validation", "test")
    }


def _corpus_rows(corpus: Corpus, settings: Settings, progress: bool) -> tuple[Rows, np.ndarray]:
    """(rows that the task can use, their splits)."""
    data = settings.data
    options = dict(corpus.options)
    if corpus.name == "meld" and settings.task == "text":
        options.setdefault("audio", False)
    dataset = load_corpus(corpus.name, corpus.path, on_error=data.on_error, **options)
    dataset = _with_fold(dataset, corpus) if corpus.fold else release_split(dataset, seed=settings.seed)
    splits = np.array([split or "" for split in dataset["split"]])
    if corpus.limit:
        kept = []
        for split in sorted(set(splits)):
            places = np.flatnonzero(splits == split)
            kept += places[np.linspace(0, len(places) - 1, min(corpus.limit, len(places))).astype(int)].tolist()
        dataset, splits = dataset.select(sorted(kept)), splits[sorted(kept)]
    # Speech that is not English teaches the voice only: neither its text nor what was heard in it is read.
    texts = taught_texts(dataset["text"], dataset["language"])
    heard = read_transcripts(corpus.transcripts) if corpus.transcripts else {}
    heard = taught_transcripts(heard, dataset["id"], dataset["language"])
    targets = np.zeros((len(dataset), len(EMOTIONS)), np.float32)
    for row, emotions in enumerate(dataset["emotions"]):
        for emotion in emotions:
            targets[row, EMOTIONS.index(emotion)] = 1 / len(emotions)
    clips = [None] * len(dataset) if settings.task == "text" else _clips(dataset, data, progress)
    count, taught = len(dataset), [corpus.losses is None or name in corpus.losses for name in LOSSES]
    rows = Rows(
        ids=list(dataset["id"]),
        corpora=[corpus.name] * count,
        speakers=list(dataset["speaker"]),
        genders=list(dataset["gender"]),
        texts=[heard.get(name, text) for name, text in zip(dataset["id"], texts, strict=True)],
        references=texts,
        heard=np.array([name in heard for name in dataset["id"]], dtype=bool),
        targets=targets,
        one=np.full(count, corpus.labels != "several"),
        several=np.full(count, corpus.labels != "one"),
        taught=np.tile(np.array(taught, dtype=bool), (count, 1)),
        clips=clips,
        keys=["" if clip is None else clip_key(cell) for clip, cell in zip(clips, dataset["audio"], strict=True)],
        seconds=np.array([0.0 if clip is None else clip[0].lengths[clip[1]] / SAMPLE_RATE for clip in clips]),
        repeats=np.full(count, corpus.repeats, dtype=np.int64),
    )
    usable = _usable(rows, settings.task)
    if not usable.all():
        count = int((~usable).sum())
        logger.warning("%s: %d of %d rows are of no use for task %s", corpus.name, count, len(rows), settings.task)
    return rows.select(np.flatnonzero(usable)), splits[usable]


def _usable(rows: Rows, task: str) -> np.ndarray:
    """(rows,) bool: a loss of the task has what it needs."""
    spoken = np.array([clip is not None for clip in rows.clips], dtype=bool)
    written = np.array([bool(text.strip()) for text in rows.texts], dtype=bool)
    said = np.array([bool(text.strip()) for text in rows.references], dtype=bool)
    labelled = rows.targets.sum(1) > 0
    fed = {"audio": spoken, "text": written, "fusion": spoken | written}
    usable = np.zeros(len(rows), dtype=bool)
    for head in HEADS[task]:
        usable |= fed[head] & labelled & rows.taught[:, LOSSES.index(head)]
    if task == "multitask":
        usable |= spoken & said & rows.taught[:, LOSSES.index("recognition")]
    return usable


def _with_fold(dataset: datasets.Dataset, corpus: Corpus) -> datasets.Dataset:
    if corpus.name != "ravdess" or corpus.fold not in range(1, len(RAVDESS_FOLDS) + 1):
        raise CorpusError(f"{corpus.name}: fold is {corpus.fold}; only ravdess has folds, 1 to {len(RAVDESS_FOLDS)}.")
    test = set(ravdess_speakers(corpus.fold))
    validation = set(ravdess_speakers(corpus.fold % len(RAVDESS_FOLDS) + 1))
    names = ["test" if s in test else "validation" if s in validation else "train" for s in dataset["speaker"]]
    return with_split(dataset, names)


def _clips(dataset: datasets.Dataset, data: Data, progress: bool) -> list[tuple[DecodedAudio, int] | None]:
    there = [row for row, cell in enumerate(dataset["audio"]) if cell is not None]
    if not there:
        return [None] * len(dataset)
    audio = decoded(dataset.select(there), Path(data.cache).expanduser(), progress=progress)
    if audio.bad and data.on_error == "raise":
        place, message = next(iter(audio.bad.items()))
        raise CorpusError(f"{dataset[there[place]]['id']}: {message} (on_error='skip' leaves such rows out)")
    clips: list[tuple[DecodedAudio, int] | None] = [None] * len(dataset)
    for place in audio.good:
        clips[there[place]] = (audio, place)
    return clips


def _joined(parts: list[Rows]) -> Rows:
    joined = {}
    for name in (field.name for field in fields(Rows)):
        columns = [getattr(part, name) for part in parts]
        if isinstance(columns[0], list):
            joined[name] = [value for column in columns for value in column]
        else:
            joined[name] = None if columns[0] is None else np.concatenate(columns)
    return Rows(**joined)

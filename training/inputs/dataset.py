"""Rows of the corpora as a training run reads them, and batches of them as the model's `forward` takes them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from torch.utils.data import Dataset

from phonolinguistic.labels import EMOTIONS

from ..config import Corpus, Data, Settings
from ..corpora import CorpusError, load_corpus, taught_texts, taught_transcripts
from ..corpora.cache import DecodedAudio, decoded
from ..corpora.splits import RAVDESS_FOLDS, ravdess_speakers, release_split, with_split
from ..transcribe import read_transcripts
from .augment import Augmenter
from .spec_augment import mask_spectrum, mask_waveform
from .text_noise import TextNoise

SAMPLE_RATE = 16_000
IGNORED = -100
SILENCE = np.zeros(SAMPLE_RATE * 3 // 10, np.float32)  # stands for an absent clip; its mask is all zeros

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rows:
    """Rows of one split over all corpora, the same row in each field.

    texts: what the text encoder reads. references: what was said, for the recogniser. targets: (rows, classes) label
    probabilities (uniform over several labels), zeros where there is none. clips: (decoded corpus, row there) or None.
    seconds: (rows,) of the clips, 0 for none. repeats: times an epoch sees the row.
    """

    ids: list[str]
    texts: list[str]
    references: list[str]
    targets: np.ndarray
    clips: list[tuple[DecodedAudio, int] | None]
    seconds: np.ndarray
    repeats: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def words(self) -> np.ndarray:
        return np.array([len(text.split()) for text in self.texts], dtype=np.int64)

    def select(self, rows: np.ndarray) -> Rows:
        """These rows only."""
        rows = [int(row) for row in rows]
        lists = {name: [getattr(self, name)[row] for row in rows] for name in ("ids", "texts", "references", "clips")}
        arrays = {name: getattr(self, name)[rows] for name in ("targets", "seconds", "repeats")}
        return replace(self, **lists, **arrays)


def load_rows(settings: Settings, progress: bool = True) -> dict[str, Rows]:
    """Split -> rows of all corpora; train and validation are never empty.

    Raises:
        CorpusError: a corpus or transcripts are missing, a row is bad (on_error "raise"), or a split is empty.
    """
    parts = [_corpus_rows(corpus, settings, progress) for corpus in settings.data.corpora]
    found = {}
    for split in ("train", "validation", "test"):
        chosen = [rows.select(np.flatnonzero(splits == split)) for rows, splits in parts]
        rows = _joined(chosen)
        if split == "train":
            short = (rows.seconds > 0) & (rows.seconds < settings.data.min_seconds)
            rows = rows.select(np.flatnonzero(~short & (rows.seconds <= settings.data.max_seconds)))
        if not len(rows) and split != "test":
            raise CorpusError(f"no usable {split} rows for task {settings.task} in the corpora of this run.")
        found[split] = rows
    labelled = found["validation"].targets.sum(1) > 0
    if not labelled.any():
        raise CorpusError("no validation row has an emotion: early stopping has nothing to measure.")
    return found


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
    rows = Rows(
        ids=list(dataset["id"]),
        texts=[heard.get(name, text) for name, text in zip(dataset["id"], texts, strict=True)],
        references=texts,
        targets=targets,
        clips=clips,
        seconds=np.array([0.0 if clip is None else clip[0].lengths[clip[1]] / SAMPLE_RATE for clip in clips]),
        repeats=np.full(len(dataset), corpus.repeats, dtype=np.int64),
    )
    usable = _usable(rows, settings.task)
    if not usable.all():
        count = int((~usable).sum())
        logger.warning("%s: %d of %d rows are of no use for task %s", corpus.name, count, len(rows), settings.task)
    return rows.select(np.flatnonzero(usable)), splits[usable]


def _usable(rows: Rows, task: str) -> np.ndarray:
    spoken = np.array([clip is not None for clip in rows.clips], dtype=bool)
    written = np.array([bool(text.strip()) for text in rows.texts], dtype=bool)
    labelled = rows.targets.sum(1) > 0
    if task == "audio":
        return spoken & labelled
    if task == "text":
        return written & labelled
    if task == "fusion":
        return (spoken | written) & labelled
    recognisable = spoken & np.array([bool(text.strip()) for text in rows.references], dtype=bool)
    return ((spoken | written) & labelled) | recognisable


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
    lists = {n: [v for part in parts for v in getattr(part, n)] for n in ("ids", "texts", "references", "clips")}
    arrays = {n: np.concatenate([getattr(part, n) for part in parts]) for n in ("targets", "seconds", "repeats")}
    return Rows(**lists, **arrays)


class TrainingRows(Dataset):
    """Rows as items; index (epoch, row) draws that epoch's augmentation, a plain row none."""

    def __init__(self, rows: Rows, settings: Settings, speech_kind: str):
        self.rows, self.settings, self.speech_kind = rows, settings, speech_kind
        self.noise = TextNoise(seed=settings.seed)
        self.augment = Augmenter(settings.data.augment) if settings.data.augment else None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int | tuple[int, int]) -> dict[str, Any]:
        epoch, row = index if isinstance(index, tuple) else (None, index)
        rows, data = self.rows, self.settings.data
        clip, text, random = rows.clips[row], rows.texts[row], None
        samples = None if clip is None else clip[0][clip[1]]
        if epoch is not None:
            random = np.random.default_rng([self.settings.seed, epoch, row])
            if text and random.random() < data.text_noise:
                text = self.noise(text, (epoch, row)) or text
            if samples is not None and self.augment is not None:
                samples = self.augment(samples, random)
            if samples is not None and self.speech_kind == "waveform":
                samples = mask_waveform(samples, data.spec_augment, random)
            if samples is not None and text and self.settings.task in ("fusion", "multitask"):
                draw = random.random()
                if draw < data.drop_audio:
                    samples = None
                elif draw < data.drop_audio + data.drop_text:
                    text = ""
        item = {"row": row, "id": rows.ids[row], "samples": samples, "text": text, "target": rows.targets[row]}
        return item | {"reference": rows.references[row], "random": random}


class Collate:
    """Items -> {"inputs": tensors for `forward`, "targets": (batch, classes), "rows": (batch,), "ids"}."""

    def __init__(self, processor, settings: Settings, speech_kind: str):
        self.processor, self.settings, self.speech_kind = processor, settings, speech_kind

    def __call__(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        task = self.settings.task
        inputs: dict[str, torch.Tensor] = {}
        spoken = [item["samples"] is not None for item in items]
        if task != "text" and any(spoken):
            audio = [SILENCE if item["samples"] is None else item["samples"] for item in items]
            batch = self.processor(audio=audio)
            values, mask = batch["input_features"], batch["attention_mask"]
            if self.speech_kind != "waveform":
                mask_spectrum(
                    values if self.speech_kind == "log_mel" else values.transpose(1, 2),
                    mask.sum(1).tolist(), self.settings.data.spec_augment, [item["random"] for item in items],
                )  # fmt: skip
            mask[~torch.tensor(spoken)] = 0
            inputs |= {"input_features": values, "attention_mask": mask}
        if task != "audio" and any(item["text"] for item in items):
            inputs |= dict(self.processor(text=[item["text"] for item in items]))
        if task == "multitask":
            labels = self._recognition_labels(items, spoken)
            if labels is not None:
                inputs["transcript_labels"] = labels
        return {
            "inputs": inputs,
            "targets": torch.from_numpy(np.stack([item["target"] for item in items])),
            "rows": torch.tensor([item["row"] for item in items]),
            "ids": [item["id"] for item in items],
        }

    def _recognition_labels(self, items: list[dict[str, Any]], spoken: list[bool]) -> torch.Tensor | None:
        """(batch, tokens), -100 where nothing is to be recognised; None when that is the whole batch."""
        texts = [spelled(item["reference"], self.processor) if s else "" for item, s in zip(items, spoken, strict=True)]
        if not any(texts):
            return None
        labels = self.processor(transcripts=texts)["transcript_labels"]
        labels[torch.tensor([not text for text in texts])] = IGNORED
        return labels


def spelled(text: str, processor) -> str:
    """`text` in what a CTC vocabulary can write (its case, its characters); Whisper writes everything."""
    if type(processor.feature_extractor).__name__ == "WhisperFeatureExtractor":
        return text.strip()
    vocabulary = processor.asr_tokenizer.get_vocab()
    text = (text.upper() if "A" in vocabulary else text.lower()).replace("’", "'")
    return " ".join("".join(letter if letter in vocabulary else " " for letter in text).split())

"""What a model is evaluated on: the clips and texts of any corpora, as `Evaluator` takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..config import Corpus, Data, Settings, Tower
from ..corpora import CorpusError
from ..inputs.dataset import Rows, load_splits
from ..inputs.release_data import OPTIONS, UNLABELLED, ClipSet, TextSet

SPLITS = ("train", "validation", "test")


@dataclass
class TestSets:
    """clips, texts: corpus -> its rows (clips of one split, texts of all, since thresholds come from validation).
    given: clip id -> what a recogniser heard, where the corpora bring transcripts along."""

    __test__ = False  # no tests in it, whatever its name

    split: str = "test"
    clips: dict[str, ClipSet] = field(default_factory=dict)
    texts: dict[str, TextSet] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)


def load_test_sets(
    corpora: Sequence[Corpus], heads: Sequence[str], audio_cache: Path, *, split: str = "test", seed: int = 0,
    limit: int | None = None, progress: bool = True,
) -> TestSets:  # fmt: skip
    """Rows of these corpora that a model with these trained heads ("audio", "text", "fusion") can be asked about.

    A corpus with clips gives clips (unless the model reads words alone), another one texts.

    Raises:
        CorpusError: a corpus is missing, or none of them has a row in the split.
    """
    heads = set(heads)
    task = "multitask" if {"audio", "text"} <= heads else "text" if "text" in heads else "audio"
    unused = Tower(source="")
    found = TestSets(split)
    for name in dict.fromkeys(corpus.name for corpus in corpora):
        own = [c.model_copy(update={"options": _options(c), "losses": None}) for c in corpora if c.name == name]
        data = Data(corpora=own, cache=str(audio_cache))
        settings = Settings(task=task, text=unused, speech=unused, data=data, seed=seed)
        parts = load_splits(own, settings, progress)
        rows = parts[split]
        spoken = [row for row, clip in enumerate(rows.clips) if clip is not None]
        if spoken:
            clips = _clips(name, rows.select(_some(spoken, limit)), split)
            found.clips[name] = clips
            found.given |= {i: text for i, text, own in zip(rows.ids, rows.texts, rows.heard, strict=True) if own}
        elif len(rows):
            found.texts[name] = _texts(name, parts, limit)
    if not found.clips and not found.texts:
        raise CorpusError(f"no {split} rows in {', '.join(dict.fromkeys(corpus.name for corpus in corpora))}.")
    return found


def _options(corpus: Corpus) -> dict:
    """Where nothing is said, a corpus is read as it was for the release."""
    return {k: v for k, v in OPTIONS.get(corpus.name, {}).items() if k != "audio"} | corpus.options


def _some(rows: list[int], limit: int | None) -> list[int]:
    if limit is None or len(rows) <= limit:
        return rows
    return [rows[place] for place in np.linspace(0, len(rows) - 1, limit).astype(int)]


def _labels(targets: np.ndarray) -> np.ndarray:
    """(rows,) class index, -100 where there is no label or there are several."""
    return np.where(targets.max(1) == 1, targets.argmax(1), UNLABELLED)


def _clips(name: str, rows: Rows, split: str) -> ClipSet:
    return ClipSet(
        corpus=name, ids=rows.ids, labels=_labels(rows.targets), speakers=rows.speakers, genders=rows.genders,
        splits=[split] * len(rows), references=rows.references, seconds=rows.seconds, keys=rows.keys,
        audio=rows.audio(),
    )  # fmt: skip


def _texts(name: str, parts: dict[str, Rows], limit: int | None) -> TextSet:
    """Labelled texts of all splits; their targets are 0 and 1."""
    kept = {}
    for split in SPLITS:
        labelled = np.flatnonzero(parts[split].targets.sum(1) > 0).tolist()
        kept[split] = parts[split].select(_some(labelled, limit))
    targets = np.concatenate([rows.targets for rows in kept.values()])
    return TextSet(
        corpus=name,
        ids=[i for rows in kept.values() for i in rows.ids],
        texts=[text for rows in kept.values() for text in rows.texts],
        targets=(targets > 0).astype(np.float32),
        labels=_labels(targets),
        splits=[split for split, rows in kept.items() for _ in range(len(rows))],
    )

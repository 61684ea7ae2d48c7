"""Pairs of a clip and words that the fusion head is trained and tested on.

No corpus here pairs natural emotional speech with informative words, so most pairs are constructed. Each kind of pair
answers one question that a user's clip can ask; a row's label is a vector of target probabilities over the classes:

kind        voice                           words                                               label
real        emotional clip                  what the recogniser heard in that very clip         the voice's
matched     emotional clip                  an utterance of the same label                      the shared one
voice_only  emotional clip (not neutral)    a neutral utterance                                 the voice's
words_only  neutral clip                    an emotional utterance                              the words'
conflict    emotional clip                  an utterance of another emotion (neither neutral)   half each
no_words    emotional clip                  absent                                              the voice's
no_voice    absent                          an utterance                                        the words'

The two absent kinds are modality dropout: whole vectors of zeros, which the model takes for an absent modality. A
conflict teaches the head not to be sure: half the probability on either label; it is never in a test set, because it
has no right answer.

Sampling: a kind is drawn by its share in `Mixture`, then a label uniformly (so classes are balanced, however rare),
then a clip uniformly over the corpora that have that label, over its speakers, over its clips and their augmented
views, and an utterance uniformly over the corpora and their utterances with exactly that one label. `matched`,
`voice_only` and `words_only` cross any corpus with any other. Training pairs are drawn anew in every epoch from
(seed, epoch, row); validation and test pairs are drawn once from the seed alone, from the speakers and utterances of
their own split only. Vectors are the cached outputs of frozen encoders, so an epoch costs no encoder run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch.utils.data import Dataset

from phonolinguistic.labels import EMOTIONS

KINDS = ("real", "matched", "voice_only", "words_only", "conflict", "no_words", "no_voice")
NEUTRAL = EMOTIONS.index("neutral")


@dataclass(frozen=True)
class Mixture:
    """Shares of the kinds of pairs in training; they are normalised. A kind that the data lack is left out."""

    real: float = 0.20
    matched: float = 0.35
    voice_only: float = 0.12
    words_only: float = 0.12
    conflict: float = 0.05
    no_words: float = 0.08
    no_voice: float = 0.08

    def shares(self, possible: Sequence[str] = KINDS) -> dict[str, float]:
        """Kind -> share, over the possible kinds, summing to 1. ValueError if nothing is left or a share is < 0."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if min(values.values()) < 0:
            raise ValueError(f"shares of pairs are {values}; accepted: 0 or more.")
        values = {kind: share for kind, share in values.items() if kind in possible and share > 0}
        total = sum(values.values())
        if not total:
            raise ValueError(f"no kind of pair can be made: the shares are {self}, the data allow {list(possible)}.")
        return {kind: share / total for kind, share in values.items()}


TEST_MIXTURE = Mixture(real=0.0, matched=0.6, voice_only=0.2, words_only=0.2, conflict=0.0, no_words=0.0, no_voice=0.0)
VALIDATION_MIXTURE = Mixture(conflict=0.0)


@dataclass(frozen=True)
class Clips:
    """Voices: pooled features of clips, the same row in each field.

    pooled: (clips, views, size), view 0 is the clip as it is. labels: (clips,) class indices.
    heard: (clips, text size), the pooled words of the recogniser's own transcript; a row of zeros where there is none.
    """

    pooled: np.ndarray
    labels: np.ndarray
    speakers: list[str]
    corpora: list[str]
    heard: np.ndarray | None = None


@dataclass(frozen=True)
class Words:
    """Utterances with one label each: pooled (utterances, versions, size); a version is a rendering of the same text
    (as written, with recogniser-like noise)."""

    pooled: np.ndarray
    labels: np.ndarray
    corpora: list[str]


@dataclass(frozen=True)
class Pair:
    """Indices of what is put together; -1: absent. words: row of `Words`, or of the clip's transcript when real."""

    kind: str
    clip: int
    view: int
    words: int
    version: int
    label: int
    other: int  # the second label of a conflict, else -1


class PairDataset(Dataset):
    """Rows of {"audio_pooled": (Da,), "text_pooled": (Dt,), "labels": (classes,)}, the names of the model's forward.

    Args:
        clips, words: material of one split only.
        mixture: shares of the kinds.
        rows: pairs an epoch.
        resample: draw anew in every epoch (`set_epoch`); False: always the same pairs.

    Raises:
        ValueError: the mixture asks only for what the data cannot give.
    """

    def __init__(
        self,
        clips: Clips,
        words: Words,
        mixture: Mixture | None = None,
        rows: int = 20_000,
        seed: int = 0,
        resample: bool = True,
        classes: int = len(EMOTIONS),
    ):
        self.clips, self.words, self.rows, self.seed, self.resample = clips, words, rows, seed, resample
        self.classes, self.epoch = classes, 0
        self._voices = _tree(clips.labels, clips.corpora, clips.speakers)
        self._utterances = _tree(words.labels, words.corpora, [""] * len(words.labels))
        self._heard = {}
        if clips.heard is not None:
            real = np.flatnonzero(np.any(clips.heard != 0, axis=1))
            pick = [int(row) for row in real]
            self._heard = _tree(clips.labels, clips.corpora, clips.speakers, pick)
        labels = self._labels()
        self.shares = (mixture or Mixture()).shares([kind for kind in KINDS if labels[kind]])
        self._choices = labels
        self.pairs = self._draw()

    def _labels(self) -> dict[str, list]:
        """Kind -> the labels (for a conflict: voice and words) that it can have with these data."""
        voices, words, heard = set(self._voices), set(self._utterances), set(self._heard)
        return {
            "real": sorted(heard),
            "matched": sorted(voices & words),
            "voice_only": sorted(voices - {NEUTRAL}) if NEUTRAL in words else [],
            "words_only": sorted(words - {NEUTRAL}) if NEUTRAL in voices else [],
            "conflict": [(a, b) for a in sorted(voices) for b in sorted(words) if a != b and NEUTRAL not in (a, b)],
            "no_words": sorted(voices),
            "no_voice": sorted(words),
        }

    def _draw(self) -> list[Pair]:
        random = np.random.default_rng([self.seed, self.epoch if self.resample else 0])
        kinds = random.choice(len(self.shares), size=self.rows, p=list(self.shares.values()))
        names = list(self.shares)
        return [self._pair(names[kind], random) for kind in kinds]

    def _pair(self, kind: str, random: np.random.Generator) -> Pair:
        choices = self._choices[kind]
        label = choices[random.integers(len(choices))]
        label, other = label if kind == "conflict" else (label, -1)
        voice = {"words_only": NEUTRAL, "no_voice": None}.get(kind, label)
        said = {"voice_only": NEUTRAL, "conflict": other, "no_words": None, "real": None}.get(kind, label)
        clip = -1 if voice is None else _leaf((self._heard if kind == "real" else self._voices)[voice], random)
        view = 0 if clip < 0 or not self.resample else int(random.integers(self.clips.pooled.shape[1]))
        words = -1 if said is None else _leaf(self._utterances[said], random)
        version = 0 if words < 0 else int(random.integers(self.words.pooled.shape[1]))
        return Pair(kind, clip, view, clip if kind == "real" else words, version, label, other)

    def set_epoch(self, epoch: int) -> None:
        """Draw the pairs of an epoch (nothing happens when they are fixed)."""
        if self.resample and epoch != self.epoch:
            self.epoch = epoch
            self.pairs = self._draw()

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        return {name: value[0] for name, value in self.batch([row]).items()}

    def batch(self, rows: Sequence[int]) -> dict[str, torch.Tensor]:
        """The rows stacked, each (rows, size), float32."""
        pairs = [self.pairs[row] for row in rows]
        audio = np.zeros((len(pairs), self.clips.pooled.shape[2]), np.float32)
        text = np.zeros((len(pairs), self.words.pooled.shape[2]), np.float32)
        labels = np.zeros((len(pairs), self.classes), np.float32)
        for place, pair in enumerate(pairs):
            if pair.clip >= 0:
                audio[place] = self.clips.pooled[pair.clip, pair.view]
            if pair.kind == "real":
                text[place] = self.clips.heard[pair.words]
            elif pair.words >= 0:
                text[place] = self.words.pooled[pair.words, pair.version]
            labels[place, pair.label] += 1.0 if pair.other < 0 else 0.5
            if pair.other >= 0:
                labels[place, pair.other] += 0.5
        return {
            "audio_pooled": torch.from_numpy(audio),
            "text_pooled": torch.from_numpy(text),
            "labels": torch.from_numpy(labels),
        }

    def kinds(self) -> list[str]:
        """Kind of each row, in order."""
        return [pair.kind for pair in self.pairs]


def _tree(labels: np.ndarray, corpora: Sequence[str], speakers: Sequence[str], rows: Sequence[int] | None = None):
    """label -> corpus -> speaker -> rows, as nested lists to draw from; rows with a label of -100 are left out."""
    found: dict[int, dict[str, dict[str, list[int]]]] = {}
    for row in range(len(labels)) if rows is None else rows:
        if labels[row] >= 0:
            found.setdefault(int(labels[row]), {}).setdefault(corpora[row], {}).setdefault(speakers[row], []).append(
                row
            )
    return {
        label: [[speakers[name] for name in sorted(speakers)] for _, speakers in sorted(found[label].items())]
        for label in sorted(found)
    }


def _leaf(node, random: np.random.Generator) -> int:
    """Walk down nested lists, each time uniformly."""
    while isinstance(node, list):
        node = node[random.integers(len(node))]
    return node

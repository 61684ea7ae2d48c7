"""Clips and utterances made for a test: a hum whose pitch is its label, and words that go with theirs."""

import numpy as np

from phonolinguistic.labels import EMOTIONS
from training.inputs.release_data import ClipSet, TextSet

WORDS = ("angry no", "stayed with", "am so", "happy", "that you", "sad oh", "what day")  # known to tiny.py's tokenizer
SPLITS = ("train", "train", "train", "train", "train", "validation", "validation", "test", "test")


def clip(label: int, speaker: int, take: int, seconds: float = 0.35) -> np.ndarray:
    """(n,) float32 at 16 kHz."""
    random = np.random.default_rng([label, speaker, take])
    time = np.arange(int((seconds + 0.02 * take) * 16_000)) / 16_000
    pitch = 150 * 1.35**label * (1 + 0.03 * speaker)
    hum = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in (1, 2, 3))
    return (0.2 * hum + 0.005 * random.standard_normal(len(time))).astype(np.float32)


def clips(corpus: str = "ravdess", splits=SPLITS, takes: int = 2) -> ClipSet:
    """A speaker for each entry of `splits`, each label `takes` times."""
    rows = [(s, label, take) for s in range(len(splits)) for label in range(7) for take in range(takes)]
    audio = [clip(label, s, take) for s, label, take in rows]
    return ClipSet(
        corpus=corpus,
        ids=[f"{corpus}/{s}-{label}-{take}" for s, label, take in rows],
        labels=np.array([label for _, label, _ in rows]),
        speakers=[f"{corpus}-{s}" for s, _, _ in rows],
        genders=["male" if s % 2 else "female" for s, _, _ in rows],
        splits=[splits[s] for s, _, _ in rows],
        references=["the kids are talking by the door"] * len(rows),
        seconds=np.array([len(x) / 16_000 for x in audio]),
        keys=[f"{corpus}/{s}-{label}-{take}" for s, label, take in rows],
        audio=audio,
    )


def texts(corpus: str = "goemotions", several: bool = True, each: int = 12) -> TextSet:
    """`each` utterances of a label and split; with `several`, some have two labels."""
    rows = [(split, label, n) for split in ("train", "validation", "test") for label in range(7) for n in range(each)]
    targets = np.eye(len(EMOTIONS), dtype=np.float32)[[label for _, label, _ in rows]]
    words = [f"{WORDS[label]} {'i ' * (n % 3)}{n}" for _, label, n in rows]
    if several:
        for row in range(0, len(rows), 6):
            targets[row, (rows[row][1] + 1) % 7] = 1
    single = targets.sum(1) == 1
    return TextSet(
        corpus=corpus,
        ids=[f"{corpus}/{split}-{label}-{n}" for split, label, n in rows],
        texts=words,
        targets=targets,
        labels=np.where(single, targets.argmax(1), -100),
        splits=[split for split, _, _ in rows],
    )

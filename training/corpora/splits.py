"""Who is trained on and who is tested: splits by speaker, the RAVDESS folds, and the split of the embedded release."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import datasets
import numpy as np

from .schema import CorpusError

SPLITS = ("train", "validation", "test")
# Test actors of the six speaker-independent folds of EmoBox.
RAVDESS_FOLDS: tuple[tuple[int, ...], ...] = (
    (1, 11, 20, 21),
    (4, 10, 12, 14),
    (8, 9, 19, 23),
    (3, 5, 7, 24),
    (2, 15, 16, 18),
    (6, 13, 17, 22),
)
TESS_VALIDATION_WORDS = 0.15
SPEECHOCEAN_VALIDATION_SPEAKERS = 0.05
# Of each gender (and language) so many of the speakers test, and as many validate; at least one.
BALANCED_SHARE = 0.15
BALANCED = (
    "nemo", "emodb", "emovo", "emozionalmente", "cafe", "mesd", "resd", "subesco", "urdu", "ased", "esd", "jl",
)  # fmt: skip


def ravdess_speakers(fold: int) -> tuple[str, ...]:
    """Speaker names of the test actors of fold 1..6."""
    return tuple(f"ravdess-{actor:02d}" for actor in RAVDESS_FOLDS[fold - 1])


def ravdess_fold(dataset: datasets.Dataset, fold: int) -> tuple[list[int], list[int]]:
    """(training rows, test rows) of fold 1..6."""
    test = set(ravdess_speakers(fold))
    inside = [speaker in test for speaker in dataset["speaker"]]
    rows = range(len(inside))
    return [row for row in rows if not inside[row]], [row for row in rows if inside[row]]


def with_split(dataset: datasets.Dataset, names: Sequence[str | None]) -> datasets.Dataset:
    """The dataset with its `split` column replaced; None: the row belongs to no split."""
    features = dataset.features.copy()
    dataset = dataset.remove_columns("split").add_column("split", list(names), feature=datasets.Value("string"))
    return dataset.select_columns(list(features))


def select_split(dataset: datasets.Dataset, split: str) -> datasets.Dataset:
    """Rows of one split. CorpusError if there are none."""
    rows = [row for row, name in enumerate(dataset["split"]) if name == split]
    if not rows:
        names = sorted({str(name) for name in dataset["split"]})
        raise CorpusError(f"no rows in split {split!r}; this dataset has {', '.join(names)}")
    return dataset.select(rows)


def split_by_speaker(
    dataset: datasets.Dataset, fractions: Mapping[str, float] | Sequence[float] = (0.8, 0.1, 0.1), seed: int = 0
) -> datasets.Dataset:
    """Give every speaker to one split, so that each split gets about its fraction of the speakers.

    Args:
        fractions: {"train": 0.8, ...}, or numbers for train, validation, test. They are normalised.
        seed: another seed, another draw; the draw depends on the speakers' names only, not on the order of rows.

    Raises:
        CorpusError: a row has no speaker, or there are fewer speakers than splits.
    """
    if not isinstance(fractions, Mapping):
        fractions = dict(zip(SPLITS, fractions, strict=False))
    chosen = {name: share for name, share in fractions.items() if share > 0}
    column = _speakers(dataset)
    speakers = sorted(set(column))
    if len(speakers) < len(chosen):
        raise CorpusError(f"{len(speakers)} speaker(s) cannot fill {len(chosen)} splits ({', '.join(chosen)})")
    order = np.random.default_rng(seed).permutation(len(speakers))
    shares = np.array(list(chosen.values()), dtype=float)
    # Every split gets one speaker first, the rest go where the shortfall is largest.
    counts = np.ones(len(chosen), dtype=int)
    target = shares / shares.sum() * len(speakers)
    for _ in range(len(speakers) - len(chosen)):
        counts[int(np.argmax(target - counts))] += 1
    side = {}
    bounds = np.cumsum(counts)
    for place, index in enumerate(order):
        side[speakers[index]] = list(chosen)[int(np.searchsorted(bounds, place, side="right"))]
    return with_split(dataset, [side[speaker] for speaker in column])


def _speakers(dataset: datasets.Dataset) -> list[str]:
    """The speaker of every row. CorpusError for a row without one."""
    column = list(dataset["speaker"])
    for row, speaker in enumerate(column):
        if not speaker:
            raise CorpusError(f"row {row} has no speaker: a split by speaker needs one for every row")
    return column


def split_balanced(dataset: datasets.Dataset, share: float = BALANCED_SHARE, seed: int = 0) -> datasets.Dataset:
    """A split by speaker in which women and men (and the languages of a corpus of several) are tested alike.

    Speakers of one gender and language are put in the order of a hash of their names; the first `share` of them (at
    least one) test, as many after them validate, the others train. Where a group has fewer than three, the genders
    cannot be had on every side, and `split_by_speaker` draws from `seed`.

    Raises:
        CorpusError: a row has no speaker, or there are fewer than three speakers.
    """
    column = _speakers(dataset)
    kinds = {}  # a speaker is of the gender and language that their first row says
    for speaker, gender, language in zip(column, dataset["gender"], dataset["language"], strict=True):
        kinds.setdefault(speaker, (gender or "", language or ""))
    groups = defaultdict(list)
    for speaker in sorted(kinds, key=_share):
        groups[kinds[speaker]].append(speaker)
    if min(map(len, groups.values()), default=0) < len(SPLITS):
        return split_by_speaker(dataset, seed=seed)
    side = dict.fromkeys(kinds, "train")
    for speakers in groups.values():
        count = max(1, round(share * len(speakers)))
        side |= dict.fromkeys(speakers[:count], "test") | dict.fromkeys(speakers[count : 2 * count], "validation")
    return with_split(dataset, [side[speaker] for speaker in column])


def _share(name: str, seed: int = 0) -> float:
    """A number in [0, 1) that depends on the name alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big") / 2**64


def _lowest(names: Iterable[str], fraction: float) -> set[str]:
    """About `fraction` of the names (at least one), chosen by hash."""
    ordered = sorted(set(names), key=_share)
    return set(ordered[: max(1, round(fraction * len(ordered)))]) if ordered else set()


def sentence_key(text: str | None) -> str:
    """A sentence without case and punctuation, to find the same sentence twice."""
    return " ".join("".join(c for c in (text or "").lower() if c.isalnum() or c in " '").split())


def _release_ravdess(dataset: datasets.Dataset) -> list[str | None]:
    test, validation = set(ravdess_speakers(1)), set(ravdess_speakers(2))
    return ["test" if s in test else "validation" if s in validation else "train" for s in dataset["speaker"]]


def _release_tess(dataset: datasets.Dataset) -> list[str | None]:
    held_out = _lowest(dataset["text"], TESS_VALIDATION_WORDS)
    return [
        "test" if speaker == "tess-yaf" else "validation" if text in held_out else "train"
        for speaker, text in zip(dataset["speaker"], dataset["text"], strict=True)
    ]


def _release_speechocean(dataset: datasets.Dataset) -> list[str | None]:
    official, speakers = dataset["split"], dataset["speaker"]
    sentences = [sentence_key(text) for text in dataset["text"]]
    train = [side == "train" for side in official]
    learners = (speaker for speaker, inside in zip(speakers, train, strict=True) if inside)
    held_out = _lowest(learners, SPEECHOCEAN_VALIDATION_SPEAKERS)
    known = {sentence for sentence, inside in zip(sentences, train, strict=True) if inside}
    names: list[str | None] = []
    for inside, speaker, sentence in zip(train, speakers, sentences, strict=True):
        if inside:
            names.append("validation" if speaker in held_out else "train")
        else:
            names.append(None if sentence in known else "test")  # a sentence read in training is no test of recognition
    return names


_RELEASE = {"ravdess": _release_ravdess, "tess": _release_tess, "speechocean762": _release_speechocean}


def release_split(dataset: datasets.Dataset, seed: int = 0) -> datasets.Dataset:
    """The split of the embedded release for one corpus, in its `split` column.

    ravdess: fold 1 tests, fold 2 validates. tess: the older actress trains (15 % of her words validate), the younger
    tests. speechocean762: official train (5 % of its speakers validate), official test without sentences that train
    holds (those rows get None). Corpora of `BALANCED`: by speaker, women and men alike (`split_balanced`). Others: the
    official split; where there is none, by speaker 80/10/10.

    Raises:
        CorpusError: more than one corpus, no speakers to split by, or an own split with a speaker on two sides.
    """
    corpora = set(dataset["corpus"])
    if len(corpora) != 1:
        raise CorpusError(f"release_split takes one corpus at a time, got {', '.join(sorted(corpora)) or 'no rows'}")
    corpus = corpora.pop()
    if corpus in _RELEASE:
        return with_split(dataset, _RELEASE[corpus](dataset))
    if corpus in BALANCED:
        return split_balanced(dataset, seed=seed)
    if any(dataset["split"]):
        if corpus == "own":
            assert_speakers_disjoint(dataset)
        return dataset
    return split_by_speaker(dataset, seed=seed)


def assert_speakers_disjoint(
    dataset: datasets.Dataset, sides: Sequence[Sequence[str]] = (("train",), ("validation",), ("test",))
) -> None:
    """CorpusError if a speaker is on two sides. Rows without a speaker or a split are not looked at.

    sides: groups of splits that must not share a speaker; for TESS, which has two speakers in all, pass
    (("train", "validation"), ("test",)).
    """
    group = {split: number for number, side in enumerate(sides) for split in side}
    found: dict[str, set[int]] = defaultdict(set)
    for speaker, split in zip(dataset["speaker"], dataset["split"], strict=True):
        if speaker and split in group:
            found[speaker].add(group[split])
    shared = sorted(speaker for speaker, numbers in found.items() if len(numbers) > 1)
    if shared:
        raise CorpusError(f"{len(shared)} speaker(s) are on more than one side: {', '.join(shared[:5])}")

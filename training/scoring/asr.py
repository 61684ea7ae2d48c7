"""Figures of recognisers: word and character error rates, and transcripts that ran away.

Both texts pass Whisper's English normaliser first (Radford et al. 2023, appendix C): lower case, no punctuation,
numbers as digits, contractions written out, fillers ("um") dropped. The British-to-American spelling table of the
original is applied where it is given, since it is a file of the checkpoint, not of the library. The normaliser has its
quirks ("0351" loses its zero, "ZERO THREE FIVE ONE" keeps it); they are left in, so that figures compare with others'.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

MIN_REPEATS = 4  # as many as the decoder's own bound: phonolinguistic.model.speech_phonolinguistic.MAX_REPEATS
MIN_LOOP_WORDS = 6
MAX_WORDS_PER_SECOND = 7.0  # nobody speaks faster: fast English speech is about 5
SPARE_WORDS = 5


def normaliser(model: str | Path | None = None):
    """text -> normalised text; `model`: a checkpoint folder whose normalizer.json holds the spelling table."""
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    file = Path(model, "normalizer.json") if model else None
    return EnglishTextNormalizer(json.loads(file.read_text(encoding="utf-8")) if file and file.is_file() else {})


@dataclass(frozen=True)
class RecognitionMetrics:
    """wer, cer: errors over words (characters) of the references, after normalising.

    wer_interval: 95 % bootstrap by speaker where there are at least five, else by clip.
    runaways: transcripts that repeat themselves or are longer than speech can be (`is_runaway`).
    """

    clips: int
    words: int
    wer: float
    cer: float
    substitutions: int
    deletions: int
    insertions: int
    empty: int
    runaways: int
    wer_interval: list[float]
    interval_unit: str

    def to_dict(self) -> dict[str, Any]:
        """Plain types, rates rounded to five digits."""
        from .classification import _rounded

        return _rounded(asdict(self))


def _longest_loop(words: list[str]) -> int:
    """Words in the longest stretch that repeats one phrase at least MIN_REPEATS times in a row; 0 if there is none."""
    longest = 0
    for period in range(1, len(words) // MIN_REPEATS + 1):
        run = 0
        for place in range(period, len(words)):
            run = run + 1 if words[place] == words[place - period] else 0
            if run + period >= max(period * MIN_REPEATS, MIN_LOOP_WORDS):
                longest = max(longest, run + period)
    return longest


def is_runaway(text: str, seconds: float | None = None, reference: str | None = None) -> bool:
    """Whether a transcript ran away: it repeats a phrase at least four times in a row (six words or more) though the
    reference does not, or it has more words than fit into the clip's length."""
    words = text.lower().split()
    if seconds is not None and len(words) > math.ceil(MAX_WORDS_PER_SECOND * seconds) + SPARE_WORDS:
        return True
    loop = _longest_loop([word.strip(".,!?;:\"'") for word in words])
    return loop > 0 and (reference is None or _longest_loop(reference.lower().split()) < loop)


def recognition(
    references: Sequence[str],
    transcripts: Sequence[str],
    *,
    seconds: Sequence[float] | None = None,
    speakers: Sequence[str | None] | None = None,
    normalise=None,
    resamples: int = 1000,
    seed: int = 0,
) -> RecognitionMetrics:
    """Error rates of transcripts against references, over the whole set (not a mean over clips).

    Raises:
        ValueError: different lengths, or references without a single word.
    """
    import jiwer

    if len(references) != len(transcripts):
        raise ValueError(f"{len(transcripts)} transcripts for {len(references)} references; accepted: as many.")
    normalise = normalise or normaliser()
    rows = zip(references, transcripts, strict=True)
    pairs = [(normalise(reference or ""), normalise(text or "")) for reference, text in rows]
    kept = [row for row, pair in enumerate(pairs) if any(c.isalnum() for c in pair[0])]
    if not kept:
        raise ValueError("no reference has a word in it.")
    truth, heard = [pairs[row][0] for row in kept], [pairs[row][1] for row in kept]
    words, letters = jiwer.process_words(truth, heard), jiwer.process_characters(truth, heard)
    errors, lengths = [], []
    for reference, chunks in zip(words.references, words.alignments, strict=True):
        lengths.append(len(reference))
        errors.append(
            sum(
                max(c.ref_end_idx - c.ref_start_idx, c.hyp_end_idx - c.hyp_start_idx)
                for c in chunks
                if c.type != "equal"
            )
        )
    interval, unit = _interval(errors, lengths, [speakers[row] for row in kept] if speakers else None, resamples, seed)
    runaways = sum(
        is_runaway(text or "", seconds[row] if seconds is not None else None, references[row])
        for row, text in enumerate(transcripts)
    )
    return RecognitionMetrics(
        clips=len(kept),
        words=sum(lengths),
        wer=float(words.wer),
        cer=float(letters.cer),
        substitutions=words.substitutions,
        deletions=words.deletions,
        insertions=words.insertions,
        empty=sum(not text for text in heard),
        runaways=runaways,
        wer_interval=interval,
        interval_unit=unit,
    )


def _interval(errors, lengths, speakers, resamples: int, seed: int) -> tuple[list[float], str]:
    from .classification import MIN_SPEAKERS

    errors, lengths, unit = np.array(errors, dtype=float), np.array(lengths, dtype=float), "clip"
    if speakers and None not in speakers and len(set(speakers)) >= MIN_SPEAKERS:
        _, place = np.unique(speakers, return_inverse=True)
        errors, lengths, unit = np.bincount(place, errors), np.bincount(place, lengths), "speaker"
    if not resamples:
        return [], unit
    drawn = np.random.default_rng(seed).integers(len(errors), size=(resamples, len(errors)))
    rates = errors[drawn].sum(1) / np.maximum(1, lengths[drawn].sum(1))
    return [float(x) for x in np.percentile(rates, [2.5, 97.5])], unit

"""Every figure of one model directory on the test sets at hand; `training.evaluate` is the command around it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from phonolinguistic.calibration import softmax
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor

from ..inputs.feature_cache import PooledCache
from ..inputs.pairs import TEST_MIXTURE, Clips, PairDataset, Words
from ..inputs.release_data import ClipSet, TextSet
from ..release.recognisers import load_recogniser
from ..transcribe import hear, read_records
from .asr import RecognitionMetrics, is_runaway, recognition
from .classification import Metrics, best_thresholds, classification, multilabel

HEADS = ("audio", "text", "fusion")
PAIRS = 3000
PAIR_SEED = 2026
SAY_NOTHING = ("ravdess", "tess")  # sentences that are the same for every emotion
ROWS = 4096

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """One mode on one test set. corpus, split, note: as the card shows them. probabilities, labels: for the plots;
    answers: for comparing two models on the same rows."""

    corpus: str
    split: str
    mode: str
    figures: Metrics | RecognitionMetrics | dict[str, Any]
    note: str | None = None
    probabilities: np.ndarray | None = None
    labels: np.ndarray | None = None

    def to_dict(self) -> dict[str, Any]:
        """As it stands in metrics.json: rates as {"value", "low", "high"}, everything else beside them."""
        found = dict(self.figures if isinstance(self.figures, dict) else self.figures.to_dict())
        intervals = found.pop("intervals", {})
        if found.get("wer_interval"):
            intervals = {"wer": found.pop("wer_interval")}
        names = ("accuracy", "uar", "macro_f1", "weighted_f1", "micro_f1", "ece", "ece_before", "wer", "cer")
        rates = {}
        for name in names:
            value = found.pop(name, None)
            if value is not None:
                low, high = intervals.get(name) or (None, None)
                rates[name] = {"value": value} | ({"low": low, "high": high} if low is not None else {})
        head = {"corpus": self.corpus, "split": self.split, "mode": self.mode, "n": found.pop("count", None)}
        head["n"] = head["n"] or found.pop("clips", 0)
        return head | ({"note": self.note} if self.note else {}) | {"metrics": rates} | found


@dataclass
class Evaluated:
    """All results of one directory, and the transcripts that were read on the way (clip id -> text)."""

    kind: str
    results: list[Result] = field(default_factory=list)
    heard: dict[str, str] = field(default_factory=dict)
    runaways: dict[str, Any] = field(default_factory=dict)

    def find(self, corpus: str, mode: str, note: str | None = None) -> Result | None:
        """The first result of a mode on a corpus (with this note, if given)."""
        for result in self.results:
            if (result.corpus, result.mode) == (corpus, mode) and note in (None, result.note):
                return result
        return None


def file_key(folder: str | Path) -> str:
    """Hash of a directory's weights, or of a Hub id's name."""
    digest = hashlib.blake2b(digest_size=8)
    files = sorted(Path(folder).glob("*.safetensors")) if Path(folder).is_dir() else []
    for file in files:
        with open(file, "rb") as handle:
            while block := handle.read(1 << 22):
                digest.update(block)
    digest.update(b"" if files else str(folder).encode())
    return digest.hexdigest()


def transcripts(
    model: str | Path,
    clips: ClipSet,
    cache: Path,
    given: Mapping[str, str] | None = None,
    batch_size: int = 8,
    progress: bool = True,
    device: str = "cpu",
) -> list[str]:
    """What the recogniser in `model` hears in every clip; kept on disk by the hash of its weights, clip by clip.

    given: clip id -> transcript by the same recogniser, looked into first.
    """
    found: dict[str, str] = {}
    file = cache / "transcripts" / file_key(model) / f"{clips.corpus}.jsonl"
    found |= given or {}
    found |= {record["id"]: record["text"] for record in read_records(file)}
    todo = sorted((row for row in range(len(clips)) if clips.ids[row] not in found), key=lambda r: -clips.seconds[r])
    if todo:
        recogniser = load_recogniser(str(model), device)
        file.parent.mkdir(parents=True, exist_ok=True)
        bar = tqdm(total=len(todo), desc=f"hear {clips.corpus}", unit="clip", disable=not progress)
        with open(file, "a", encoding="utf-8") as handle, bar:
            if handle.tell():
                handle.write("\n")  # closes a line that a killed run left open
            for start in range(0, len(todo), batch_size):
                rows = todo[start : start + batch_size]
                for row, text in zip(rows, hear(recogniser, [clips.audio[r] for r in rows]), strict=True):
                    found[clips.ids[row]] = text
                    handle.write(json.dumps({"id": clips.ids[row], "text": text}, ensure_ascii=False) + "\n")
                handle.flush()
                bar.update(len(rows))
    return [found[name] for name in clips.ids]


class Evaluator:
    """One model directory with its cache of pooled features.

    Args:
        folder: the directory.
        asr: directory of the recogniser that a fusion model reads; unused for multi-task. None: the words as the
            corpus has them.
        cache: folder for features and transcripts, safe to share between models.
        given: clip id -> what this recogniser heard, as far as it is known.
        heard: at most so many clips of a corpus are transcribed, spread over it; None: all.
    """

    def __init__(
        self, folder: str | Path, cache: Path, asr: str | Path | None = None,
        given: Mapping[str, str] | None = None,
        device: str = "cpu", progress: bool = True, heard: int | None = None,
    ):  # fmt: skip
        self.model = PhonoLinguisticModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.processor = PhonoLinguisticProcessor.from_pretrained(folder)
        self.pooled = PooledCache(self.model, self.processor, cache / "pooled", device, progress)
        self.mode = "multitask" if self.model.config.multitask else "fusion"
        self.recogniser = folder if self.model.config.multitask else asr
        self.cache, self.given, self.progress, self.heard = cache, dict(given or {}), progress, heard
        self.device = device
        trained = self.model.config.release.get("trained_heads") or HEADS
        self.modes = [self.mode if head == "fusion" else head for head in HEADS if head in trained]
        self.temperatures = self.model.config.temperatures

    # What the model says

    def clip_vectors(self, clips: ClipSet) -> np.ndarray:
        """(clips, size) standardised pooled features."""
        pooling = self.model.audio_pooling
        raw = self.pooled.clips(clips.audio, clips.keys, name=clips.corpus)[:, 0]
        return (raw - pooling.feature_mean.float().cpu().numpy()) / pooling.feature_std.float().cpu().numpy()

    @torch.inference_mode()
    def logits(self, audio: np.ndarray | None, text: np.ndarray | None) -> dict[str, np.ndarray]:
        """mode -> (rows, classes) of pooled vectors; a modality that is None has no row in it."""
        rows = len(audio if audio is not None else text)
        found: dict[str, list] = {"audio": [], "text": [], self.mode: []}
        for start in range(0, rows, ROWS):
            parts = [None if x is None else torch.from_numpy(x[start : start + ROWS]).float() for x in (audio, text)]
            answers = self.model.to("cpu").classify(*parts)
            for name, values in zip(found, answers, strict=True):
                if values is not None:
                    found[name].append(values.float().numpy())
        return {name: np.concatenate(values) for name, values in found.items() if values}

    def reads_transcripts(self, clips: ClipSet) -> bool:
        """Whether the words of these clips are a recogniser's; else they are the corpus's own."""
        return self.recogniser is not None or all(name in self.given for name in clips.ids)

    def hear(self, clips: ClipSet) -> list[str]:
        """The words that this model reads: a recogniser's, or the corpus's own where there is none."""
        if not self.reads_transcripts(clips):
            return [self.given.get(name, text) for name, text in zip(clips.ids, clips.references, strict=True)]
        return transcripts(
            self.recogniser, clips, self.cache, self.given, progress=self.progress, device=str(self.device)
        )

    # Figures

    def single(self, logits, labels, mode: str, corpus: str, *, note=None, split="test", **options) -> Result:
        """Figures of one mode's logits."""
        temperature = self.temperatures.get(mode, 1.0)
        figures = classification(logits, labels, temperature=temperature, **options)
        return Result(corpus, split, mode, figures, note, softmax(logits, temperature), np.asarray(labels))

    def on_clips(self, clips: ClipSet, evaluated: Evaluated, split: str = "test") -> None:
        """Voice, words and both on real clips, with the words that the model reads there."""
        vectors, rows = self.clip_vectors(clips), self.read_rows(clips)
        part, answers = clips.select(rows), {}
        notes: dict[str, str | None] = {}
        if self.mode in self.modes or "text" in self.modes:
            heard = self.hear(part)
            answers = self.logits(vectors[rows], self.pooled.texts(heard, f"heard-{clips.corpus}"))
            if self.reads_transcripts(part):
                evaluated.heard |= dict(zip(part.ids, heard, strict=True))
                notes[self.mode] = "real pairs of clip and transcript"
                if clips.corpus in SAY_NOTHING:
                    notes["text"] = "what was heard says nothing about the emotion"
            else:
                notes = dict.fromkeys(("text", self.mode), "words as the corpus has them")
        if "audio" in self.modes:
            answers["audio"] = self.logits(vectors, None)["audio"]
        for mode in self.modes:
            used = clips if mode == "audio" else part
            evaluated.results.append(
                self.single(
                    answers[mode],
                    used.labels,
                    mode,
                    used.corpus,
                    note=notes.get(mode),
                    split=split,
                    speakers=used.speakers,
                    groups={"gender": used.genders},
                )  # fmt: skip
            )

    def read_rows(self, clips: ClipSet) -> list[int]:
        """Rows that a recogniser reads: all, or `heard` of them spread over the corpus."""
        count = len(clips) if self.heard is None else min(self.heard, len(clips))
        return np.linspace(0, len(clips) - 1, count).astype(int).tolist()

    def on_texts(self, texts: TextSet, evaluated: Evaluated, split: str = "test") -> None:
        """Words alone, as written: single-label rows, and all rows where several labels may hold (their thresholds
        come from validation)."""
        test, validation = texts.split(split), texts.split("validation")
        logits = self.logits(None, self.pooled.texts(test.texts, f"{texts.corpus}-{split}"))["text"]
        several = bool((texts.labels < 0).any()) and len(validation) > 0
        if several:
            tuning = self.logits(None, self.pooled.texts(validation.texts, f"{texts.corpus}-validation"))["text"]
            evaluated.results.append(
                Result(texts.corpus, split, "text", self._several(tuning, validation, logits, test), "several labels")
            )
        rows = np.flatnonzero(test.labels >= 0)
        note = "texts with one label" if several else None
        if len(rows):
            one = self.single(logits[rows], test.labels[rows], "text", texts.corpus, note=note, split=split)
            evaluated.results.append(one)

    def _several(self, tuning, validation: TextSet, logits, test: TextSet) -> dict[str, Any]:
        """Multi-label figures; whether to threshold logits or softmax is chosen on validation, as thresholds are."""
        best, chosen = -1.0, None
        for kind, score in (("logit", lambda x: x), ("probability", softmax)):
            thresholds = best_thresholds(score(tuning), validation.targets)
            own = multilabel(score(tuning), validation.targets, thresholds, resamples=0).macro_f1
            if own > best:
                best, chosen = own, (kind, score(logits), thresholds)
        kind, scores, thresholds = chosen
        figures = multilabel(scores, test.targets, thresholds).to_dict()
        return figures | {"score": kind, "validation_macro_f1": round(best, 5)}

    def on_pairs(
        self, clips: Sequence[ClipSet], texts: Sequence[TextSet], evaluated: Evaluated, split: str = "test"
    ) -> None:
        """Constructed pairs of the split's speakers and utterances, the same for every model."""
        said = [t.split(split).single() for t in texts]
        words = Words(
            np.concatenate([self.pooled.texts(t.texts, f"{t.corpus}-pairs") for t in said])[:, None],
            np.concatenate([t.labels for t in said]),
            [t.corpus for t in said for _ in range(len(t))],
        )
        voices = Clips(
            np.concatenate([self.clip_vectors(c) for c in clips])[:, None],
            np.concatenate([c.labels for c in clips]),
            [s for c in clips for s in c.speakers],
            [c.corpus for c in clips for _ in range(len(c))],
        )
        pairs = PairDataset(voices, words, TEST_MIXTURE, PAIRS, PAIR_SEED, resample=False)
        batch = pairs.batch(range(len(pairs)))
        answers = self.logits(batch["audio_pooled"].numpy(), batch["text_pooled"].numpy())
        labels, kinds = batch["labels"].argmax(1).numpy(), pairs.kinds()
        speakers = [voices.speakers[pair.clip] for pair in pairs.pairs]
        for mode in self.modes:
            evaluated.results.append(
                self.single(
                    answers[mode],
                    labels,
                    mode,
                    "constructed pairs",
                    split=split,
                    speakers=speakers,
                    groups={"kind": kinds},
                )  # fmt: skip
            )

    def on_recognition(self, clips: ClipSet, evaluated: Evaluated, normalise, name: str, split: str = "test") -> None:
        """Error rates of the recogniser that this model reads; `name`: the mode's name in the result."""
        clips = clips.select(self.read_rows(clips))
        clips = clips.select([row for row, text in enumerate(clips.references) if text])
        heard = self.hear(clips)
        evaluated.heard |= dict(zip(clips.ids, heard, strict=True))
        figures = recognition(
            clips.references, heard, seconds=clips.seconds.tolist(), speakers=clips.speakers, normalise=normalise
        )
        evaluated.results.append(Result(clips.corpus, split, name, figures, "recognition"))

    def count_runaways(self, sets: Sequence[ClipSet], evaluated: Evaluated) -> None:
        """How many of all transcripts read ran away, with their ids."""
        ids = []
        for clips in sets:
            for name, seconds, reference in zip(clips.ids, clips.seconds, clips.references, strict=True):
                text = evaluated.heard.get(name)
                if text is not None and is_runaway(text, float(seconds), reference):
                    ids.append(name)
        evaluated.runaways = {"clips": len(evaluated.heard), "runaways": len(ids), "ids": ids[:20]}


def difference(one: Result, other: Result, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Accuracy of `one` minus that of `other` on the same rows, in points, with a paired 95 % bootstrap interval."""
    if not np.array_equal(one.labels, other.labels):
        raise ValueError("the two models were not evaluated on the same rows.")
    right = [r.probabilities.argmax(1) == r.labels for r in (one, other)]
    gap = (right[0].astype(float) - right[1]) * 100
    drawn = np.random.default_rng(seed).integers(len(gap), size=(resamples, len(gap)))
    low, high = np.percentile(gap[drawn].mean(1), [2.5, 97.5])
    return {
        "count": len(gap),
        one.mode: round(float(right[0].mean() * 100), 3),
        other.mode: round(float(right[1].mean() * 100), 3),
        "difference": round(float(gap.mean()), 3),
        "low": round(float(low), 3),
        "high": round(float(high), 3),
    }

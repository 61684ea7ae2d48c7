"""Rows as items of a data set, and batches of them as the model's `forward` takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from ..config import Settings
from ..engine.losses import LOSSES, Targets
from .augment import Augmenter
from .dataset import SAMPLE_RATE, Rows
from .spec_augment import mask_spectrum, mask_waveform
from .text_noise import TextNoise

IGNORED = -100
SILENCE = np.zeros(SAMPLE_RATE * 3 // 10, np.float32)  # stands for an absent clip; its mask is all zeros


class TrainingRows(Dataset):
    """Rows as items; index (epoch, row) draws that epoch's augmentation, a plain row none.

    Where the rows hold what a frozen tower made of them, a version of that is drawn instead.
    """

    def __init__(self, rows: Rows, settings: Settings, speech_kind: str):
        self.rows, self.settings, self.speech_kind = rows, settings, speech_kind
        self.noise = TextNoise(seed=settings.seed)
        self.augment = Augmenter(settings.data.augment) if settings.data.augment else None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int | tuple[int, int]) -> dict[str, Any]:
        epoch, row = index if isinstance(index, tuple) else (None, index)
        rows, data = self.rows, self.settings.data
        random = None if epoch is None else np.random.default_rng([self.settings.seed, epoch, row])
        words, word_vector = self._words(row, epoch, random)
        voice, voice_vector = self._voice(row, random)
        spoken, written = voice is not None or voice_vector is not None, bool(words)
        if random is not None and spoken and written and self.settings.task in ("fusion", "multitask"):
            draw = random.random()
            spoken = draw >= data.drop_audio
            written = not data.drop_audio <= draw < data.drop_audio + data.drop_text
        return {
            "row": row, "id": rows.ids[row], "random": random, "spoken": spoken, "written": written,
            "samples": voice, "audio_pooled": voice_vector, "text": words if written else "",
            "text_pooled": word_vector, "reference": rows.references[row],
            "emotions": rows.targets[row], "one": rows.one[row], "several": rows.several[row],
            "taught": rows.taught[row],
        }  # fmt: skip

    def _words(self, row: int, epoch: int | None, random) -> tuple[str, np.ndarray | None]:
        """(text, None), or (text, vector of one of its versions)."""
        text, pooled = self.rows.texts[row], self.rows.text_pooled
        noisy = random is not None and bool(text) and random.random() < self.settings.data.text_noise
        if pooled is None:
            return (self.noise(text, (epoch, row)) or text if noisy else text), None
        return text, pooled[row, random.integers(1, pooled.shape[1]) if noisy and pooled.shape[1] > 1 else 0]

    def _voice(self, row: int, random) -> tuple[np.ndarray | None, np.ndarray | None]:
        """(samples, None), (None, vector of one of the clip's versions), or nothing where there is no clip."""
        clip, pooled = self.rows.clips[row], self.rows.audio_pooled
        if clip is None:
            return None, None
        if pooled is not None:
            views = pooled.shape[1]
            return None, pooled[row, random.integers(1, views) if random is not None and views > 1 else 0]
        samples = clip[0][clip[1]]
        if random is not None and self.augment is not None:
            samples = self.augment(samples, random)
        if random is not None and self.speech_kind == "waveform":
            samples = mask_waveform(samples, self.settings.data.spec_augment, random)
        return samples, None


class Collate:
    """Items -> {"inputs": tensors for `forward`, "targets": Targets, "rows": (batch,), "ids"}."""

    def __init__(self, processor, settings: Settings, speech_kind: str):
        self.processor, self.settings, self.speech_kind = processor, settings, speech_kind

    def __call__(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        task = self.settings.task
        inputs: dict[str, torch.Tensor] = {}
        if task != "text" and any(item["spoken"] for item in items):
            inputs |= self._heard(items)
        if task != "audio" and any(item["written"] for item in items):
            if any(item["text_pooled"] is not None for item in items):
                inputs["text_pooled"] = _stacked(items, "text_pooled", "written")
            else:
                inputs |= dict(self.processor(text=[item["text"] for item in items]))
        if task == "multitask" and "input_features" in inputs:
            labels = self._recognition_labels(items)
            if labels is not None:
                inputs["transcript_labels"] = labels
        columns = {name: np.stack([item[name] for item in items]) for name in Targets._fields}
        return {
            "inputs": inputs,
            "targets": Targets(**{name: torch.from_numpy(values) for name, values in columns.items()}),
            "rows": torch.tensor([item["row"] for item in items]),
            "ids": [item["id"] for item in items],
        }

    def _heard(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        if any(item["audio_pooled"] is not None for item in items):
            return {"audio_pooled": _stacked(items, "audio_pooled", "spoken")}
        spoken = [item["spoken"] for item in items]
        batch = self.processor(audio=[item["samples"] if item["spoken"] else SILENCE for item in items])
        values, mask = batch["input_features"], batch["attention_mask"]
        if self.speech_kind != "waveform":
            mask_spectrum(
                values if self.speech_kind == "log_mel" else values.transpose(1, 2),
                mask.sum(1).tolist(), self.settings.data.spec_augment, [item["random"] for item in items],
            )  # fmt: skip
        mask[~torch.tensor(spoken)] = 0
        return {"input_features": values, "attention_mask": mask}

    def _recognition_labels(self, items: list[dict[str, Any]]) -> torch.Tensor | None:
        """(batch, tokens), -100 where nothing is to be recognised; None when that is the whole batch."""
        place = LOSSES.index("recognition")
        wanted = [item["spoken"] and item["taught"][place] for item in items]
        texts = [spelled(item["reference"], self.processor) if w else "" for item, w in zip(items, wanted, strict=True)]
        if not any(texts):
            return None
        labels = self.processor(transcripts=texts)["transcript_labels"]
        labels[torch.tensor([not text for text in texts])] = IGNORED
        return labels


def _stacked(items: list[dict[str, Any]], name: str, present: str) -> torch.Tensor:
    """(batch, size) float32; zeros, which the model takes for absent, where a row lacks the vector."""
    size = next(len(item[name]) for item in items if item[name] is not None)
    absent = np.zeros(size, np.float32)
    return torch.from_numpy(np.stack([item[name] if item[present] else absent for item in items]))


def spelled(text: str, processor) -> str:
    """`text` in what a CTC vocabulary can write (its case, its characters); Whisper writes everything."""
    if type(processor.feature_extractor).__name__ == "WhisperFeatureExtractor":
        return text.strip()
    vocabulary = processor.asr_tokenizer.get_vocab()
    text = (text.upper() if "A" in vocabulary else text.lower()).replace("’", "'")
    return " ".join("".join(letter if letter in vocabulary else " " for letter in text).split())

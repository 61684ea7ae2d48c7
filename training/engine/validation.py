"""Figures of a model on the rows of one split, the same on any number of processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch.utils.data import DataLoader, Subset

from phonolinguistic.calibration import choose_uncertain_threshold, fit_temperature, softmax

from ..inputs.collate import Collate, TrainingRows, spelled
from ..inputs.dataset import Rows
from ..scoring.asr import recognition
from ..scoring.classification import best_thresholds, classification, multilabel
from .losses import DECIDING, HEADS, LOSSES

NAMES = ("audio", "text", "fusion")
RATES = ("accuracy", "uar", "macro_f1", "weighted_f1")


@dataclass(frozen=True)
class Validation:
    """logits: head -> (rows, classes), NaN where the row lacks the modality. figures: what is logged and compared;
    macro_f1 is that of the task's own head."""

    logits: dict[str, np.ndarray]
    figures: dict[str, Any]

    @property
    def score(self) -> float:
        return self.figures["macro_f1"]


class Validator:
    """Runs a model over `rows`.

    Its loader is Accelerate's: `gather_for_metrics` drops the rows that were repeated to give every process as many
    batches, so each row counts once.
    """

    def __init__(self, accelerator: Accelerator, rows: Rows, processor, task: str, settings, speech_kind: str):
        self.accelerator, self.rows, self.processor, self.task = accelerator, rows, processor, task
        order = np.lexsort((rows.words, rows.seconds)).tolist()  # like lengths together: little padding
        dataset = Subset(TrainingRows(rows, settings, speech_kind), order)
        size = settings.batch_rows
        if rows.seconds.max() > 0:
            size = max(1, min(size, int(settings.batch_seconds / rows.seconds.max())))
        collate = Collate(processor, settings, speech_kind)
        loader = DataLoader(dataset, batch_size=size, collate_fn=collate, num_workers=settings.data.workers)
        self.loader = accelerator.prepare_data_loader(loader)
        # FSDP gathers a layer's weights when its parent's `forward` runs, which decoding does not call.
        self.recognises = task == "multitask" and accelerator.distributed_type != DistributedType.FSDP
        self.recognises = self.recognises and rows.audio_pooled is None  # what runs once does not decode again

    @torch.no_grad()
    def __call__(self, model) -> Validation:
        accelerator, count = self.accelerator, len(self.rows)
        was_training = model.training
        model.eval()
        logits, heard = None, {}
        for batch in self.loader:
            inputs = dict(batch["inputs"])
            inputs.pop("transcript_labels", None)
            texts = self._recognise(model, inputs, batch["rows"]) if self.recognises else []
            with accelerator.autocast():
                output = model(**inputs)
            stacked = _stacked(output)
            places, values = accelerator.gather_for_metrics((batch["rows"].to(stacked.device), stacked))
            if logits is None:
                logits = np.full((count, *values.shape[1:]), np.nan, np.float32)
            logits[places.cpu().numpy()] = values.cpu().numpy()
            if self.recognises:
                heard |= dict(accelerator.gather_for_metrics(texts, use_gather_object=True))
        model.train(was_training)
        by_head = {name: logits[:, place] for place, name in enumerate(NAMES) if name in HEADS[self.task]}
        return Validation(by_head, self._figures(by_head, heard))

    def _recognise(self, model, inputs: dict, rows: torch.Tensor) -> list[tuple[int, str]]:
        """(row, transcript) of each row; "" for one without a clip."""
        if "input_features" not in inputs:
            return [(row, "") for row in rows.tolist()]
        network = self.accelerator.unwrap_model(model)
        with self.accelerator.autocast():
            states = network.encode_speech(inputs["input_features"], inputs["attention_mask"])
        spoken = states.mask.any(1).tolist()
        states.last_hidden_state = states.last_hidden_state.float()
        texts = self.processor.decode_transcripts(network.transcribe(states))
        return [(row, text if there else "") for row, text, there in zip(rows.tolist(), texts, spoken, strict=True)]

    def _figures(self, logits: dict[str, np.ndarray], heard: dict[int, str]) -> dict[str, Any]:
        figures: dict[str, Any] = {}
        labels = self.labels
        for head, values in logits.items():
            kept = self._kept(head, values)
            if kept.any():
                found = classification(values[kept], labels[kept], resamples=0)
                rates = {name: round(getattr(found, name), 5) for name in RATES}
                figures[head] = {"rows": found.count} | rates
            several = self.rows.several & self._answered(head, values) & (self.rows.targets.sum(1) > 0)
            if several.any():
                holds = self.rows.targets[several] > 0
                found = multilabel(values[several], holds, best_thresholds(values[several], holds), resamples=0)
                figures[f"{head}_several"] = {"rows": found.count, "macro_f1": round(found.macro_f1, 5)}
        deciding = figures.get(DECIDING[self.task])
        figures["macro_f1"] = deciding["macro_f1"] if deciding else 0.0
        references = self.rows.references
        pairs = [(spelled(references[row], self.processor), text) for row, text in sorted(heard.items())
                 if references[row] and self.rows.clips[row] is not None
                 and self.rows.taught[row, LOSSES.index("recognition")]]  # fmt: skip
        if pairs:
            figures["wer"] = round(recognition([a for a, _ in pairs], [b for _, b in pairs], resamples=0).wer, 5)
        return figures

    def _answered(self, head: str, values: np.ndarray) -> np.ndarray:
        """(rows,) bool: the row has what the head needs, and its corpus teaches this head."""
        return self.rows.taught[:, LOSSES.index(head)] & np.isfinite(values).all(1)

    def _kept(self, head: str, values: np.ndarray) -> np.ndarray:
        """(rows,) bool: answered rows with one label."""
        return (self.labels >= 0) & self._answered(head, values)

    @property
    def labels(self) -> np.ndarray:
        """(rows,) class index, -100 where there is no label or there are several."""
        targets = self.rows.targets
        return np.where(targets.max(1) == 1, targets.argmax(1), -100)

    def calibrate(self, config, validation: Validation) -> None:
        """Temperature of each mode, and the threshold of "uncertain" of the task's own, into a model's config."""
        temperatures = dict(config.temperatures)
        for head, values in validation.logits.items():
            kept = self._kept(head, values)
            if not kept.any():
                continue
            mode = self.task if head == DECIDING[self.task] else head
            temperatures[mode] = round(float(fit_temperature(values[kept], self.labels[kept])), 4)
            if head == DECIDING[self.task]:
                sure = softmax(values[kept], temperatures[mode])
                config.uncertain_threshold = round(float(choose_uncertain_threshold(sure, self.labels[kept])), 4)
        config.temperatures = temperatures


def _stacked(output) -> torch.Tensor:
    """(batch, 3, classes) logits of the three heads, NaN where a row lacks what the head needs."""
    fusion = output.fusion_logits.float()
    parts = []
    for logits, pooled in ((output.audio_logits, output.audio_pooled), (output.text_logits, output.text_pooled)):
        if logits is None:
            parts.append(torch.full_like(fusion, torch.nan))
            continue
        parts.append(torch.where(pooled.ne(0).any(1)[:, None], logits.float(), torch.nan))
    return torch.stack([*parts, fusion], 1)

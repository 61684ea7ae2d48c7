"""What a frozen model hears and reads, computed once and kept on disk: pooled features of clips and of texts.

A feature file is named by a hash of the encoder's weights, of how they are pooled and of the augmentation, so that
another model never finds it; a clip is found in it by the hash of its content. Features of clips are the pooled
statistics before they are standardised: the standardiser is fitted on them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from ..whole_files import write_whole

VERSION = 2  # change it when the features of the same weights change
BATCH_SECONDS = 64.0
BATCH_TEXTS = 64
SAMPLE_RATE = 16_000

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _digest(*parts: bytes) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def weights_key(module: torch.nn.Module, *settings: object, skip: Sequence[str] = ()) -> str:
    """Hash of a module's weights (those named with a prefix in `skip` left out) and of whatever else matters."""
    parts = [json.dumps([VERSION, *settings], sort_keys=True, default=str).encode()]
    for name, value in sorted(module.state_dict().items()):
        if not name.startswith(tuple(skip)) or not skip:
            parts += [name.encode(), value.detach().float().cpu().contiguous().numpy().tobytes()]
    return _digest(*parts)


def _read(file: Path) -> dict[str, np.ndarray]:
    """Key -> row of a file of features; empty if there is none."""
    if not file.is_file():
        return {}
    with np.load(file) as stored:
        return dict(zip(stored["keys"].tolist(), stored["values"], strict=True))


class PooledCache:
    """Pooled features of one model in one folder.

    Args:
        model: a `PhonoLinguisticModel`; set to evaluation here.
        processor: its `PhonoLinguisticProcessor`.
        folder: where feature files are kept.
        half: run the speech network in bfloat16; keep such features in a folder of their own.
    """

    def __init__(
        self,
        model,
        processor,
        folder: str | Path,
        device: torch.device | str = "cpu",
        progress: bool = True,
        half: bool = False,
    ):
        self.model, self.processor = model.eval().to(device), processor
        self.folder, self.device, self.progress = Path(folder), torch.device(device), progress
        self.half = half
        config = model.config
        speech = getattr(model.speech, "encoder", model.speech)
        pooling = [config.pooling, config.pooled_layers, config.spectrum_statistics, config.pooling_options]
        extractor = processor.feature_extractor.to_dict()
        # The standardiser comes after what is kept here.
        weights = weights_key(model.audio_pooling, skip=("feature_mean", "feature_std"))
        self.speech_key = _digest(weights_key(speech, pooling, extractor).encode(), weights.encode())
        self.text_key = weights_key(model.text, config.text_pooling, processor.max_text_tokens)

    def clips(
        self,
        audio: Sequence[np.ndarray],
        keys: Sequence[str],
        views: int = 1,
        change: Change | None = None,
        seed: int = 0,
        name: str = "clips",
    ) -> np.ndarray:
        """(clips, views, size) statistics, float32, before the standardiser.

        Args:
            audio: float32 arrays at 16 kHz, in the order of `keys`.
            keys: what names each clip's content (for the cache).
            views: view 0 is the clip as it is, each further one went through `change`.
            change: augmentation: (samples, generator) -> samples.
            name: start of the file names; tells nothing but to people.
        """
        stacked = []
        for view in range(views if change else 1):
            label = [view, seed if view else 0, getattr(change, "key", str(change)) if view else ""]
            digest = _digest(self.speech_key.encode(), json.dumps(label).encode())
            file = self.folder / f"{name}-{view}-{digest}.npz"
            found = _read(file)
            rows = [row for row, key in enumerate(keys) if key not in found]
            if rows:
                chosen = [keys[row] for row in rows]
                values = self._clips(audio, rows, chosen, change if view else None, [seed, view], f"{name} view {view}")
                found |= dict(zip(chosen, values, strict=True))
                write_whole(
                    file, lambda handle, found=found: np.savez(handle, keys=list(found), values=[*found.values()])
                )
            stacked.append(np.stack([found[key] for key in keys]))
        return np.stack(stacked, 1)

    @torch.inference_mode()
    def _clips(self, audio, wanted: list[int], keys: list[str], change, seed: list[int], name: str) -> np.ndarray:
        lengths = [len(audio[row]) for row in wanted]
        order = sorted(range(len(lengths)), key=lambda row: lengths[row])
        size = self.model.audio_pooling.output_size
        result = np.zeros((len(order), size), np.float32)
        with tqdm(total=len(order), desc=name, unit="clip", disable=not self.progress) as bar:
            for rows in _groups(order, lengths):
                samples = [np.asarray(audio[wanted[row]], np.float32) for row in rows]
                if change is not None:
                    # Named by the clip, not by its place: another list of clips has the same views.
                    random = [np.random.default_rng([*seed, int(_digest(keys[row].encode()), 16)]) for row in rows]
                    samples = [change(x, r) for x, r in zip(samples, random, strict=True)]
                batch = self.processor(audio=samples, sampling_rate=SAMPLE_RATE).to(self.device)
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
                    states = self.model.encode_speech(batch["input_features"], batch["attention_mask"])
                values = self.model.audio_pooling.statistics(
                    states.hidden_states, states.mask, states.input_features, states.input_mask
                )
                result[rows] = values.float().cpu().numpy()
                bar.update(len(rows))
        return result

    def texts(self, texts: Sequence[str], name: str = "texts") -> np.ndarray:
        """(texts, size) float32; a row of zeros for an empty text. Equal texts are read once."""
        texts = [text or "" for text in texts]
        distinct = sorted(set(texts), key=lambda text: (len(text), text))
        digest = _digest(self.text_key.encode(), json.dumps(distinct).encode())
        file = self.folder / f"{name}-{digest}.npy"
        if not file.is_file():
            values = self._texts(distinct, name)
            write_whole(file, lambda handle: np.save(handle, values))
        values = np.load(file)
        place = {text: row for row, text in enumerate(distinct)}
        return values[[place[text] for text in texts]]

    @torch.inference_mode()
    def _texts(self, texts: list[str], name: str) -> np.ndarray:
        result = np.zeros((len(texts), self.model.config.text_config.hidden_size), np.float32)
        with tqdm(total=len(texts), desc=name, unit="text", disable=not self.progress) as bar:
            for start in range(0, len(texts), BATCH_TEXTS):
                part = texts[start : start + BATCH_TEXTS]
                batch = self.processor(text=part).to(self.device)
                values = self.model.encode_text(batch["input_ids"], batch["text_attention_mask"])
                result[start : start + len(part)] = values.float().cpu().numpy()
                bar.update(len(part))
        return result


def _groups(order: list[int], lengths: Sequence[int]):
    """Rows of rising length in batches of at most BATCH_SECONDS, padding counted."""
    rows: list[int] = []
    for row in order:
        if rows and (len(rows) + 1) * lengths[row] > BATCH_SECONDS * SAMPLE_RATE:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows

"""Settings of one training run: a small YAML file, changed by `key.inner=value` on the command line.

    settings = load_settings("training/configs/own.yaml", ["data.corpora.0.path=clips.csv", "epochs=3"])

Every key is a field of the dataclasses below; an unknown key or a wrong value is a ConfigError that names it.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from phonolinguistic.labels import MODES


class ConfigError(ValueError):
    """A key or a value of the settings is wrong; the message names it and says what is accepted."""


@dataclass(frozen=True)
class Tower:
    """One encoder: where it starts from and how it learns.

    source: directory or Hub id of a pretrained network, or of a model that this script trained (then its heads of this
        modality come along).
    rate: peak learning rate. frozen: "none", "front" (convolutions or embeddings), a number of layers (the front and
        that many from the input up), or "all". layer_drop: chance of skipping a layer in training (Fan et al. 2020).
    gradient_checkpointing: recompute activations in the backward pass; less memory, a third more time.
    """

    source: str
    rate: float = 1e-5
    frozen: str | int = "none"
    layer_drop: float = 0.0
    gradient_checkpointing: bool = False


@dataclass(frozen=True)
class Corpus:
    """One corpus, as `training.corpora.load_corpus` takes it.

    transcripts: what a recogniser heard (`training.transcribe`); it replaces the text that the text encoder reads,
        while the recogniser still learns the corpus's own text. repeats: times that an epoch sees it.
    fold: RAVDESS only, 1..6: that fold tests and the next one validates; None: the release split.
    limit: at most so many rows of each split, spread evenly (for trying things out).
    """

    name: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)
    transcripts: str | None = None
    repeats: int = 1
    fold: int | None = None
    limit: int | None = None


@dataclass(frozen=True)
class SpecAugment:
    """Park et al. 2019, on log-mel or spectrogram (stripes become the clip's mean) or on the waveform (spans of time
    and bands of frequency become zero). A clip gets `time_masks` spans of up to `time_share` of it each, and
    `frequency_masks` bands of up to `frequency_share` of the spectrum each."""

    time_masks: int = 0
    time_share: float = 0.05
    frequency_masks: int = 0
    frequency_share: float = 0.15


@dataclass(frozen=True)
class Data:
    """Corpora and what is done to their rows in training.

    on_error: "raise" or "skip" rows that cannot be used (unknown label, corrupt clip, empty transcript).
    min_seconds, max_seconds: clips outside are left out of training. augment: None, or a preset of
    `training.inputs.augment` ("microphone"). text_noise: chance that a text goes through `training.inputs.text_noise`.
    drop_audio, drop_text: chance that a row with both loses one (fusion, multitask).
    workers: processes that prepare batches; 0: in the training process.
    """

    corpora: list[Corpus]
    cache: str = "~/.cache/phonolinguistic/audio"
    on_error: str = "skip"
    min_seconds: float = 0.3
    max_seconds: float = 30.0
    augment: str | None = None
    text_noise: float = 0.0
    drop_audio: float = 0.0
    drop_text: float = 0.0
    spec_augment: SpecAugment = field(default_factory=SpecAugment)
    workers: int = 0


@dataclass(frozen=True)
class Settings:
    """One run.

    task: "audio", "text", "fusion" or "multitask". text: for "audio" its tokenizer only. speech: None for "text".
    model: further `PhonoLinguisticConfig` arguments.
    asr_tokenizer: where the recogniser's tokenizer is, when it is not beside the speech network (multitask).
    batch_seconds, batch_words, batch_rows: no batch is larger than any of them, padding counted.
    accumulation: batches of one process that make one step. warmup: share of the steps; decay: "linear" or "cosine".
    class_weights: "none" or "balanced" (inverse frequency). focal_gamma: 0 is cross-entropy (Lin et al. 2017).
    patience: epochs without a better validation macro-F1 before the run stops; 0: never.
    save_every: steps between checkpoints (one is also written after each epoch). precision: "fp32" or "bf16";
    None: what `accelerate launch` says. tracker: None, or an Accelerate tracker ("tensorboard", "trackio").
    """

    task: str
    text: Tower
    data: Data
    speech: Tower | None = None
    model: dict[str, Any] = field(default_factory=dict)
    asr_tokenizer: str | None = None
    heads_rate: float = 1e-3
    epochs: int = 10
    max_steps: int | None = None
    batch_seconds: float = 64.0
    batch_words: int = 2000
    batch_rows: int = 32
    accumulation: int = 1
    warmup: float = 0.1
    decay: str = "linear"
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    class_weights: str = "none"
    focal_gamma: float = 0.0
    patience: int = 0
    save_every: int = 500
    log_every: int = 10
    precision: str | None = None
    tracker: str | None = None
    seed: int = 0


CHOICES = {
    "task": MODES, "decay": ("linear", "cosine"), "class_weights": ("none", "balanced"), "on_error": ("raise", "skip"),
    "precision": (None, "fp32", "bf16"),
}  # fmt: skip


def load_settings(file: str | Path, overrides: typing.Sequence[str] = ()) -> Settings:
    """Read a YAML file, apply `key.inner=value` overrides (values are YAML), and check everything."""
    try:
        values = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{file} holds no settings; accepted: a YAML mapping with task, speech, text, data.")
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigError(f"{override!r} is no override; accepted: key.inner=value.")
        _put(values, key.split("."), yaml.safe_load(value))
    return make_settings(values)


def make_settings(values: dict[str, Any]) -> Settings:
    """Checked settings of nested plain values."""
    settings = _make(Settings, values, "")
    if settings.speech is None and settings.task != "text":
        raise ConfigError(f"task {settings.task} needs speech.source.")
    if not settings.data.corpora:
        raise ConfigError("data.corpora is empty; accepted: at least one corpus.")
    return settings


def _put(values: Any, keys: list[str], value: Any) -> None:
    for place, key in enumerate(keys):
        if isinstance(values, list):
            if not key.isdigit() or int(key) >= len(values):
                raise ConfigError(f"{'.'.join(keys)}: {key!r} is no place in a list of {len(values)}.")
            key = int(key)
        if place == len(keys) - 1:
            values[key] = value
        else:
            values = values[key] if isinstance(values, list) else values.setdefault(key, {})
            if not isinstance(values, (dict, list)):
                raise ConfigError(f"{'.'.join(keys)}: {key!r} holds a value, nothing can be put inside it.")


def _make(kind: type, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise ConfigError(f"{where or 'settings'} is {values!r}; accepted: keys and values.")
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ConfigError(f"unknown key {where + str(unknown[0])!r}; accepted here: {', '.join(hints)}.")
    missing = [
        item.name
        for item in dataclasses.fields(kind)
        if item.default is dataclasses.MISSING
        and item.default_factory is dataclasses.MISSING
        and item.name not in values
    ]
    if missing:
        raise ConfigError(f"{where + missing[0]!r} is missing.")
    return kind(**{name: _value(hints[name], value, where + name) for name, value in values.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _make(hint, value, f"{where}.")
    name = where.rsplit(".", 1)[-1]
    if name in CHOICES and value not in CHOICES[name]:
        raise ConfigError(f"{where} is {value!r}; accepted: {', '.join(map(str, CHOICES[name]))}.")
    if name == "frozen" and not (value in ("none", "front", "all") or (isinstance(value, int) and value >= 0)):
        raise ConfigError(f"{where} is {value!r}; accepted: none, front, all, or a number of layers.")
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType and dataclasses.is_dataclass(inner[0]):
        return None if value is None else _make(inner[0], value, f"{where}.")
    if origin is list:
        if not isinstance(value, list):
            raise ConfigError(f"{where} is {value!r}; accepted: a list.")
        return [_value(inner[0], item, f"{where}.{place}") for place, item in enumerate(value)]
    kinds = inner if origin in (types.UnionType, typing.Union) else (origin or hint,)
    if float in kinds and isinstance(value, str):
        try:  # YAML takes 1e-5 for a word
            return float(value)
        except ValueError:
            pass
    accepted = (*kinds, int) if float in kinds else tuple(kinds)
    if (isinstance(value, bool) and bool not in kinds) or not isinstance(value, accepted):
        names = " or ".join(getattr(item, "__name__", str(item)) for item in kinds)
        raise ConfigError(f"{where} is {value!r}; accepted: {names}.")
    return value

"""Settings of one training run: a small YAML file, changed by `key.inner=value` on the command line.

    settings = load_settings("training/configs/own.yaml", ["data.corpora.0.path=clips.csv", "epochs=3"])

Every key is a field of the classes below; an unknown key or a wrong value is a ConfigError that names it. The names are
those of `transformers.TrainingArguments` where it has one.
"""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError

# Keys of earlier versions, where they stood and what they are called now.
RENAMED = {
    "rate": "learning_rate",
    "heads_rate": "heads_learning_rate",
    "accumulation": "gradient_accumulation_steps",
    "clip_norm": "max_grad_norm",
    "warmup": "warmup_ratio",
    "decay": "lr_schedule",
}


class ConfigError(ValueError):
    """A key or a value of the settings is wrong; the message names it and says what is accepted."""


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number")
    return value


def _frozen(value: Any) -> Any:
    if value in ("none", "front", "all") or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ValueError("none, front, all, or a number of layers")


Number = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, le=1)]
Count = Annotated[int, Strict(), Field(ge=0)]
Positive = Annotated[int, Strict(), Field(ge=1)]
Loss = Literal["audio", "text", "fusion", "recognition"]


class _Part(BaseModel):
    """Fields that cannot be changed, and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Tower(_Part):
    """One encoder: where it starts from and how it learns.

    source: directory or Hub id of a pretrained network, or of a model that this script trained (then its heads of this
        modality come along).
    learning_rate: the peak. frozen: "none", "front" (convolutions or embeddings), a number of layers (the front and
        that many from the input up), or "all"; a wholly frozen tower runs once, see `training.engine.frozen`.
    layer_drop: chance of skipping a layer in training (Fan et al. 2020).
    gradient_checkpointing: recompute activations in the backward pass; less memory, a third more time.
    """

    source: str
    learning_rate: Number = 1e-5
    frozen: Annotated[str | int, BeforeValidator(_frozen)] = "none"
    layer_drop: Share = 0.0
    gradient_checkpointing: bool = False


class Corpus(_Part):
    """One corpus, as `training.corpora.load_corpus` takes it.

    transcripts: what a recogniser heard (`python -m training transcribe`); it replaces the text that the text encoder
        reads, while the recogniser still learns the corpus's own text. repeats: times that an epoch sees it.
    labels: what a row's emotions are: "one" (softmax; several are a uniform mixture), "several" (each yes or no,
        sigmoids), or "both" losses, for a head that answers both questions.
    losses: which losses its rows take part in; None: all that a row has a label for. RAVDESS's two sentences, say,
        have nothing to teach the text head: [audio, fusion].
    fold: RAVDESS only, 1..6: that fold tests and the next one validates; None: the release split.
    limit: at most so many rows of each split, spread evenly (for trying things out).
    """

    name: str
    path: str
    options: dict[str, Any] = {}
    transcripts: str | None = None
    repeats: Positive = 1
    labels: Literal["one", "several", "both"] = "one"
    losses: list[Loss] | None = None
    fold: Positive | None = None
    limit: Positive | None = None


class SpecAugment(_Part):
    """Park et al. 2019, on log-mel or spectrogram (stripes become the clip's mean) or on the waveform (spans of time
    and bands of frequency become zero). A clip gets `time_masks` spans of up to `time_share` of it each, and
    `frequency_masks` bands of up to `frequency_share` of the spectrum each."""

    time_masks: Count = 0
    time_share: Share = 0.05
    frequency_masks: Count = 0
    frequency_share: Share = 0.15


class Data(_Part):
    """Corpora and what is done to their rows in training.

    on_error: "raise" or "skip" rows that cannot be used (unknown label, corrupt clip, empty transcript).
    min_seconds, max_seconds: clips outside are left out of training. augment: None, or a preset of
    `training.inputs.augment` ("microphone"). text_noise: chance that a text goes through `training.inputs.text_noise`.
    views: versions of a clip (augmented) and of a text (with noise) that a frozen tower computes beside the plain one.
    drop_audio, drop_text: chance that a row with both loses one (fusion, multitask).
    workers: processes that prepare batches; 0: in the training process.
    """

    corpora: list[Corpus] = Field(min_length=1)
    cache: str = "~/.cache/phonolinguistic/audio"
    on_error: Literal["raise", "skip"] = "skip"
    min_seconds: Number = 0.3
    max_seconds: Number = 30.0
    augment: Literal["microphone", "channel", "gentle"] | None = None
    text_noise: Share = 0.0
    views: Positive = 4
    drop_audio: Share = 0.0
    drop_text: Share = 0.0
    spec_augment: SpecAugment = SpecAugment()
    workers: Count = 0


class Hub(_Part):
    """Where a finished run is pushed: repo "org/name"; private: visibility if it is created now; base_models: Hub ids
    that training started from, where the towers' sources are directories."""

    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    private: bool = False
    base_models: list[str] | None = None


class Settings(_Part):
    """One run.

    task: "audio", "text", "fusion" or "multitask". text: for "audio" its tokenizer only. speech: None for "text".
    model: further `PhonoLinguisticConfig` arguments.
    asr_tokenizer: where the recogniser's tokenizer is, when it is not beside the speech network (multitask).
    batch_seconds, batch_words, batch_rows: no batch is larger than any of them, padding counted.
    gradient_accumulation_steps: batches of one process that make one step. warmup_ratio: share of the steps;
    lr_schedule: a name of `transformers.get_scheduler`.
    class_weights: "none" or "balanced" (inverse frequency). focal_gamma: 0 is cross-entropy (Lin et al. 2017).
    patience: epochs without a better validation macro-F1 before the run stops; 0: never.
    save_every: steps between checkpoints (one is also written after each epoch). precision: "fp32" or "bf16";
    None: what `accelerate launch` says. tracker: None, or an Accelerate tracker ("tensorboard", "trackio").
    hub: None, or where the finished model is pushed.
    """

    task: Literal["audio", "text", "fusion", "multitask"]
    text: Tower
    data: Data
    speech: Tower | None = None
    model: dict[str, Any] = {}
    asr_tokenizer: str | None = None
    heads_learning_rate: Number = 1e-3
    epochs: Positive = 10
    max_steps: Positive | None = None
    batch_seconds: Number = 64.0
    batch_words: Positive = 2000
    batch_rows: Positive = 32
    gradient_accumulation_steps: Positive = 1
    warmup_ratio: Share = 0.1
    lr_schedule: Literal["linear", "cosine", "polynomial", "constant", "constant_with_warmup"] = "linear"
    weight_decay: Number = 0.01
    max_grad_norm: Number = 1.0
    class_weights: Literal["none", "balanced"] = "none"
    focal_gamma: Number = 0.0
    patience: Count = 0
    save_every: Positive = 500
    log_every: Positive = 10
    precision: Literal["fp32", "bf16"] | None = None
    tracker: str | None = None
    hub: Hub | None = None
    seed: Count = 0


def load_settings(file: str | Path, overrides: typing.Sequence[str] = ()) -> Settings:
    """Read a YAML file, apply `key.inner=value` overrides (values are YAML), and check everything."""
    values = read_yaml(file)
    if not isinstance(values, dict):
        raise ConfigError(f"{file} holds no settings; accepted: a YAML mapping with task, speech, text, data.")
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigError(f"{override!r} is no override; accepted: key.inner=value.")
        _put(values, key.split("."), _value(override, value))
    return make_settings(values)


def read_yaml(file: str | Path) -> Any:
    """What a YAML file holds. ConfigError if it cannot be read."""
    try:
        return yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file} cannot be read: {' '.join(str(error).split())}") from error


def make_settings(values: dict[str, Any]) -> Settings:
    """Checked settings of nested plain values."""
    settings = checked(Settings, values)
    if settings.speech is None and settings.task != "text":
        raise ConfigError(f"task {settings.task} needs speech.source.")
    return settings


def checked(kind: type[BaseModel], values: Any, where: str = "") -> Any:
    """`kind` made of plain values; ConfigError names the first key or value that is wrong."""
    _refuse_old(values, where)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_words(kind, error.errors()[0], where)) from None


def _value(override: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{override!r}: its value is no YAML.") from error


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


def _refuse_old(values: Any, where: str) -> None:
    """A key of an earlier version is refused with its new name."""
    if isinstance(values, dict):
        for key, value in values.items():
            if key in RENAMED:
                raise ConfigError(f"{where}{key} is called {where}{RENAMED[key]} now.")
            if key in ("speech", "text"):
                _refuse_old(value, f"{where}{key}.")


def _words(kind: type[BaseModel], error: Any, where: str) -> str:
    """What pydantic found, in one line. `error`: one of `ValidationError.errors()`."""
    *outer, last = error["loc"] or ("settings",)
    name = where + ".".join(map(str, error["loc"] or ("settings",)))
    if error["type"] == "extra_forbidden":
        return f"unknown key {name!r}; accepted here: {', '.join(_fields(kind, outer))}."
    if error["type"] == "missing":
        return f"{name!r} is missing."
    if error["type"] == "too_short":
        return f"{name} is empty; accepted: at least one."
    accepted = {
        "literal_error": lambda: str(error["ctx"]["expected"]).replace("'", "").replace(" or ", ", "),
        "value_error": lambda: str(error["ctx"]["error"]),
        "int_type": lambda: "a whole number",
        "float_parsing": lambda: "a number",
        "float_type": lambda: "a number",
        "finite_number": lambda: "a finite number",
        "greater_than_equal": lambda: f"at least {error['ctx']['ge']:g}",
        "less_than_equal": lambda: f"at most {error['ctx']['le']:g}",
        "string_type": lambda: "a text",
        "string_pattern_mismatch": lambda: "org/name",
        "list_type": lambda: "a list",
        "dict_type": lambda: "keys and values",
        "model_type": lambda: "keys and values",
        "bool_parsing": lambda: "true or false",
        "bool_type": lambda: "true or false",
    }.get(error["type"], lambda: error["msg"])()
    return f"{name} is {error['input']!r}; accepted: {accepted}."


def _fields(kind: Any, keys: typing.Sequence[str | int]) -> list[str]:
    """Fields of the class that stands at `keys`."""
    for key in keys:
        if isinstance(key, int):
            kind = typing.get_args(kind)[0]
        else:
            hint = kind.model_fields[key].annotation
            inner = [part for part in typing.get_args(hint) if isinstance(part, type) and issubclass(part, BaseModel)]
            kind = inner[0] if inner and typing.get_origin(hint) is not list else hint
    return list(kind.model_fields)

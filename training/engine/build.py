"""The model and processor that a run starts from: pretrained towers of any supported class under new heads."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForCTC,
    AutoTokenizer,
    BertConfig,
    HubertConfig,
    Wav2Vec2FeatureExtractor,
)

from phonolinguistic.model.configuration_phonolinguistic import WAVEFORM_TYPES, PhonoLinguisticConfig
from phonolinguistic.model.decoding_phonolinguistic import whisper_defaults
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor

from ..config import ConfigError, Settings, Tower

VERSION = "0.2.0"
SPLITS = (
    "Training, validation and test as each corpus comes with them; RAVDESS, TESS and speechocean762 as the embedded "
    "release splits them; where there is no split, speakers are divided: 80 % train, 10 % validate, 10 % test."
)
TRAINED = {
    "audio": ("audio",), "text": ("text",), "fusion": ("audio", "text", "fusion"),
    "multitask": ("audio", "text", "fusion", "recognition"),
}  # fmt: skip
SPEECH_KEYS = ("pooling", "pooled_layers", "spectrum_statistics", "pooling_options", "head_hidden_size")
WHISPER_KEYS = (
    "silence", "decoder_prompt_ids", "decoder_begin_suppress_ids", "decoder_suppress_ids", "decoder_language_ids",
    "language",
)  # fmt: skip
TEXT_KEYS = ("text_pooling", "head_hidden_size")


@dataclass(frozen=True)
class Start:
    """A tower's network, its configuration, its part of the processor, and the model it was in, if any."""

    network: nn.Module | None
    config: object
    reader: object
    donor: PhonoLinguisticModel | None = None


def build(settings: Settings) -> tuple[PhonoLinguisticModel, PhonoLinguisticProcessor]:
    """Load and join the towers; freeze, and set up layer drop and checkpointing. Seed before: new heads are random.

    Raises:
        ConfigError: a source cannot be loaded, or does not fit the task.
    """
    multitask = settings.task == "multitask"
    known = list(inspect.signature(PhonoLinguisticConfig).parameters)
    unknown = sorted(set(settings.model) - set(known))
    if unknown:
        raise ConfigError(f"unknown key 'model.{unknown[0]}'; accepted here: {', '.join(known[:-1])}.")
    text = _text(settings)
    speech = _speech(settings)
    asr_tokenizer = _asr_tokenizer(settings)
    extra = _whisper(settings, speech, asr_tokenizer) | dict(settings.model)
    for start, keys in ((speech, SPEECH_KEYS), (text, TEXT_KEYS)):
        if start.donor is not None:
            extra |= {key: getattr(start.donor.config, key) for key in keys}
    try:
        config = PhonoLinguisticConfig(speech.config, text.config, multitask=multitask, **extra)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    model = PhonoLinguisticModel(config)
    for name, start in (("speech", speech), ("text", text)):
        if start.network is not None:
            setattr(model, name, start.network)
        if start.donor is not None:
            _take_heads(model, start.donor, "audio" if name == "speech" else "text")
    same = text.donor is not None and settings.speech is not None and settings.speech.source == settings.text.source
    if same and speech.donor is not None:
        model.fusion_head.load_state_dict(speech.donor.fusion_head.state_dict())
    sources = [tower.source for tower in _trained(settings).values()]
    config.release = {
        "version": VERSION,
        "trained_heads": list(TRAINED[settings.task]),
        "base_models": sorted(set(sources)),
        "corpora": sorted({corpus.name for corpus in settings.data.corpora}),
        "splits": SPLITS,
    } | dict(config.release)
    _prepare(model, settings)
    processor = PhonoLinguisticProcessor.build(speech.reader, text.reader, asr_tokenizer)
    return model, processor


def _trained(settings: Settings) -> dict[str, Tower]:
    """The towers that the task runs."""
    return {
        name: tower
        for name, tower, idle in (("speech", settings.speech, "text"), ("text", settings.text, "audio"))
        if settings.task != idle
    }


def _loaded(load, source: str, what: str):
    try:
        return load(source)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f"{what} cannot be loaded from {source!r}: {reason}") from error


def _donor(source: str) -> tuple[PhonoLinguisticModel, PhonoLinguisticProcessor]:
    model = PhonoLinguisticModel.from_pretrained(source, dtype=torch.float32)
    return model, PhonoLinguisticProcessor.from_pretrained(source)


def _speech(settings: Settings) -> Start:
    if settings.task == "text":  # nothing will ever be heard: the smallest network that the class allows
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 16}
        positions = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
        return Start(None, HubertConfig(conv_dim=[8] * 7, **sizes, **positions), Wav2Vec2FeatureExtractor())
    source, multitask = settings.speech.source, settings.task == "multitask"
    config = _loaded(AutoConfig.from_pretrained, source, "speech network")
    if isinstance(config, PhonoLinguisticConfig):
        if config.multitask != multitask:
            raise ConfigError(f"speech.source {source!r} is {'' if config.multitask else 'not '}a multi-task model; "
                              f"task {settings.task} needs the other kind.")  # fmt: skip
        donor, processor = _loaded(_donor, source, "speech network")
        return Start(donor.speech, config.speech_config, processor.feature_extractor, donor)
    reader = _loaded(AutoFeatureExtractor.from_pretrained, source, "feature extractor")
    load = AutoModel
    if multitask and config.model_type != "whisper":
        load = AutoModelForCTC
        tokenizer = _asr_tokenizer(settings)
        config.vocab_size, config.pad_token_id = len(tokenizer), tokenizer.pad_token_id  # the blank
    network = _loaded(lambda s: load.from_pretrained(s, config=config, dtype=torch.float32), source, "speech network")
    if config.model_type == "whisper" and not multitask:
        network = network.encoder
    return Start(network, config, reader)


def _text(settings: Settings) -> Start:
    source = settings.text.source
    config = _loaded(AutoConfig.from_pretrained, source, "text encoder")
    if isinstance(config, PhonoLinguisticConfig):
        donor, processor = _loaded(_donor, source, "text encoder")
        start = Start(donor.text, config.text_config, processor.tokenizer, donor)
    else:
        reader = _loaded(AutoTokenizer.from_pretrained, source, "tokenizer")
        start = Start(None, config, reader)
    if settings.task == "audio":  # no word will ever be read
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 16}
        return Start(None, BertConfig(vocab_size=len(start.reader), **sizes), start.reader)
    if start.network is None:
        network = _loaded(lambda s: AutoModel.from_pretrained(s, dtype=torch.float32), source, "text encoder")
        start = Start(network, config, start.reader)
    return start


def _asr_tokenizer(settings: Settings):
    if settings.task != "multitask":
        return None
    source = settings.asr_tokenizer or settings.speech.source
    if isinstance(_loaded(AutoConfig.from_pretrained, settings.speech.source, "speech network"), PhonoLinguisticConfig):
        return _loaded(PhonoLinguisticProcessor.from_pretrained, settings.speech.source, "processor").asr_tokenizer
    return _loaded(AutoTokenizer.from_pretrained, source, "recogniser's tokenizer (asr_tokenizer)")


def _whisper(settings: Settings, speech: Start, tokenizer) -> dict:
    """Whether a Whisper hears kept silence, and how its decoder is started: the donor's way, or its checkpoint's."""
    if speech.config.model_type != "whisper":
        return {}
    if speech.donor is not None:
        found = {name: getattr(speech.donor.config, name) for name in WHISPER_KEYS}
        return {name: value for name, value in found.items() if value is not None}
    vocabulary = None if tokenizer is None else tokenizer.get_vocab()
    return _loaded(lambda source: whisper_defaults(source, vocabulary), settings.speech.source, "speech network")


def _take_heads(model: PhonoLinguisticModel, donor: PhonoLinguisticModel, modality: str) -> None:
    """Pooling, projection and head of one modality, from a model that has learned it."""
    for part in ("pooling", "projection", "head"):
        name = f"{modality}_{part}"
        if not hasattr(model, name):
            continue
        try:
            getattr(model, name).load_state_dict(getattr(donor, name).state_dict())
        except RuntimeError as error:
            raise ConfigError(f"{name} does not fit the model that this run builds: {error}") from error


# ---- freezing, layer drop, memory -----------------------------------------------------------------------------------


def encoder_layers(network: nn.Module) -> nn.ModuleList:
    """The transformer layers of an encoder of any supported class."""
    within = [f"{name}.encoder.layers" for name in WAVEFORM_TYPES]  # inside a network with a CTC head
    for path in ("encoder.layers", "encoder.layer", "layers", "layer", *within):
        try:
            found = network.get_submodule(path)
        except AttributeError:
            continue
        if isinstance(found, nn.ModuleList):
            return found
    raise ConfigError(f"no transformer layers found in a {type(network).__name__}.")


def _front(network: nn.Module) -> list[nn.Module]:
    """What comes before the transformer layers: convolutions, projections, embeddings."""
    encoder = getattr(network, getattr(network, "base_model_prefix", "") or "-", network)
    encoder = getattr(encoder, "encoder", encoder) if hasattr(encoder, "decoder") else encoder
    names = ("feature_extractor", "feature_projection", "conv1", "conv2", "embed_positions", "embeddings")
    return [getattr(encoder, name) for name in names if hasattr(encoder, name)]


def _prepare(model: PhonoLinguisticModel, settings: Settings) -> None:
    used = set(TRAINED[settings.task])
    for modality, network in (("audio", model.speech), ("text", model.text)):
        if settings.task in ("audio", "text") and modality not in used:
            for part in (network, *_heads(model, modality)):
                part.requires_grad_(False)
    if settings.task in ("audio", "text"):
        model.fusion_head.requires_grad_(False)
    for name, tower in _trained(settings).items():
        network = getattr(model, name)
        freeze(network, tower.frozen)
        set_layer_drop(network, tower.layer_drop)
        if tower.gradient_checkpointing:
            network.activation_checkpointing_enable()


def _heads(model: PhonoLinguisticModel, modality: str) -> list[nn.Module]:
    names = (f"{modality}_pooling", f"{modality}_projection", f"{modality}_head")
    return [getattr(model, name) for name in names if hasattr(model, name)]


def freeze(network: nn.Module, what: str | int) -> None:
    """Stop gradients: "none", "front", a number of layers (with the front), or "all"."""
    if what == "all":
        network.requires_grad_(False)
    if what == "none" or what == 0:
        return
    for part in _front(network):
        if hasattr(part, "_freeze_parameters"):  # HuBERT's asks for gradients of its input otherwise
            part._freeze_parameters()
        part.requires_grad_(False)
    if isinstance(what, int):
        layers = encoder_layers(network)
        if what > len(layers):
            raise ConfigError(f"frozen is {what}; this network has {len(layers)} layers.")
        layers[:what].requires_grad_(False)


def set_layer_drop(network: nn.Module, chance: float) -> None:
    """Skip layers at random in training. The networks' own switch and their own masking are turned off: a layer that
    they skip leaves no hidden state, and the pooling needs one of each; inputs.spec_augment does the masking."""
    for module in network.modules():
        config = getattr(module, "config", None)
        for name, value in (("layerdrop", 0.0), ("encoder_layerdrop", 0.0), ("apply_spec_augment", False)):
            if hasattr(config, name):
                setattr(config, name, value)
        if hasattr(module, "layerdrop"):
            module.layerdrop = 0.0
    if chance and network.config.model_type == "wavlm":
        raise ConfigError("layer_drop is not 0; a WavLM layer hands on more than its states: set it to 0.")
    if chance:
        for layer in encoder_layers(network):
            layer.forward = _skipping(layer.forward, layer, chance)


def _skipping(forward, layer: nn.Module, chance: float):
    @functools.wraps(forward)
    def run(hidden_states, *args, **kwargs):
        if layer.training and float(torch.rand(())) < chance:
            return hidden_states
        return forward(hidden_states, *args, **kwargs)

    return run

"""Our audio head as a plain audio classification class: exactly where that can be, else a stock head fitted anew.

Exact: HuBERT, wav2vec 2.0 and WavLM with mean pooling and a linear head. Not exact: Whisper's stock class averages the
projected states of a padded window, without their deviation, without the spectrum and without a mask. There the same
encoder gets a stock head of its own, which is fitted on the training clips and measured like any other model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm
from transformers import (
    AutoModelForAudioClassification,
    PreTrainedModel,
    WhisperFeatureExtractor,
    WhisperForAudioClassification,
)

from .stock_text import StockExportError

SAMPLE_RATE, HOP, STRIDE = 16_000, 160, 2  # Hz; samples a log-mel frame; frames an encoder state
PROJECTION = 64


@dataclass
class FitSettings:
    """Rates and lengths of the stock head's fit, full batch."""

    steps: int = 400
    rate: float = 0.02
    weight_decay: float = 0.02
    dropout: float = 0.3


def _shared_settings(config, model_config) -> dict:
    settings = {key: value for key, value in config.to_dict().items() if key != "_name_or_path"}
    return settings | {
        "id2label": model_config.id2label,
        "label2id": model_config.label2id,
        "use_weighted_layer_sum": model_config.pooled_layers is None,
        "dtype": "float32",
    }


@torch.no_grad()
def stock_audio(model) -> PreTrainedModel:
    """A stock classifier with the audio logits of a `PhonoLinguisticModel`, divided by its temperature.

    Raises:
        StockExportError: the stock class cannot express it; the message says in what.
    """
    config = model.config
    speech = config.speech_config
    differs = []
    if config.speech_kind != "waveform":
        differs.append("it has no mask and reads a padded window")
    if config.pooling != "mean":
        differs.append(f"pooling {config.pooling!r} (it averages only)")
    if config.spectrum_statistics:
        differs.append("statistics of the spectrum")
    if config.pooled_layers not in (None, [speech.num_hidden_layers]):
        differs.append("pooled layers joined (it takes the last, or one weighted sum of all)")
    if config.head_hidden_size:
        differs.append("a hidden layer with an activation in front of the head")
    if differs:
        raise StockExportError(
            f"The stock class for {speech.model_type} cannot express this audio head: {'; '.join(differs)}. "
            "Fit a stock head on the same encoder instead: --ravdess FILE (and --tess FILE)."
        )
    settings = _shared_settings(speech, config) | {"classifier_proj_size": speech.hidden_size}
    stock = AutoModelForAudioClassification.from_config(type(speech).from_dict(settings)).eval()
    encoder = getattr(model.speech, model.speech.base_model_prefix, model.speech)
    getattr(stock, stock.base_model_prefix).load_state_dict(encoder.float().state_dict())
    pooling, temperature = model.audio_pooling, config.temperatures.get("audio", 1.0)
    if config.pooled_layers is None:
        stock.layer_weights.copy_(pooling.layer_weights)
    nn.init.eye_(stock.projector.weight)
    stock.projector.bias.zero_()
    weight = model.audio_head.weight.float() / pooling.feature_std.float()
    stock.classifier.weight.copy_(weight / temperature)
    stock.classifier.bias.copy_((model.audio_head.bias.float() - weight @ pooling.feature_mean.float()) / temperature)
    return stock


@torch.no_grad()
def windowed_whisper(model, seconds: float) -> tuple[WhisperForAudioClassification, WhisperFeatureExtractor]:
    """The stock class around our Whisper encoder, reading windows of `seconds` instead of 30; its head is untrained.

    The encoder's positions are absolute, so the first `seconds` of them are the same positions.
    """
    config = model.config
    if config.speech_kind != "log_mel":
        raise StockExportError(f"The speech network is {config.speech_config.model_type}; accepted: whisper.")
    states = int(seconds * SAMPLE_RATE / HOP / STRIDE)
    if not 50 <= states <= config.speech_config.max_source_positions:
        raise StockExportError(f"A window of {seconds:g} s; accepted: 1 to 30.")
    settings = _shared_settings(config.speech_config, config) | {
        "max_source_positions": states,
        "classifier_proj_size": PROJECTION,
        "use_weighted_layer_sum": True,
        "decoder_layers": 0,
    }
    stock = WhisperForAudioClassification(type(config.speech_config).from_dict(settings)).eval()
    tensors = dict(getattr(model.speech, "encoder", model.speech).float().state_dict())
    tensors["embed_positions.weight"] = tensors["embed_positions.weight"][:states]
    stock.encoder.load_state_dict(tensors)
    extractor = WhisperFeatureExtractor(feature_size=config.speech_config.num_mel_bins, chunk_length=int(seconds))
    return stock, extractor


@torch.inference_mode()
def pooled_layers(
    stock: WhisperForAudioClassification,
    extractor: WhisperFeatureExtractor,
    clips: Sequence[np.ndarray],
    batch: int = 8,
) -> torch.Tensor:
    """Mean of each layer over the window, as the stock class takes it: (clips, layers + 1, size)."""
    rows = []
    for start in tqdm(range(0, len(clips), batch), desc="encode", unit="batch", disable=len(clips) < 100):
        some = [clips[i] for i in range(start, min(start + batch, len(clips)))]
        values = extractor(some, sampling_rate=SAMPLE_RATE, return_tensors="pt")["input_features"]
        states = stock.encoder(values, output_hidden_states=True).hidden_states
        rows.append(torch.stack([state.mean(1) for state in states], 1))
    return torch.cat(rows)


def fit_head(
    stock: WhisperForAudioClassification,
    features: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    settings: FitSettings | None = None,
    seed: int = 0,
) -> None:
    """Fit layer weights, projector and classifier on pooled layers. features: (clips, layers + 1, size).

    targets: (clips,) class indices; weights: (clips,) how much each counts.
    """
    settings = settings or FitSettings()
    torch.manual_seed(seed)
    features = features.clone()
    # Fitted on standardised features, then folded into the projector: the stock class standardises nothing.
    mean, deviation = features.mean(0), features.std(0).clamp(min=1e-3)
    spread = deviation.mean(0)
    layers = nn.Parameter(torch.zeros(features.shape[1]))
    head = nn.Linear(features.shape[2], len(stock.config.id2label))
    optimiser = torch.optim.AdamW(
        [{"params": [layers], "weight_decay": 0.0}, {"params": head.parameters()}],
        lr=settings.rate, weight_decay=settings.weight_decay,
    )  # fmt: skip
    scaled = (features - mean) / spread
    for step in range(settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * (1 - step / settings.steps)
        mixed = torch.einsum("nls,l->ns", scaled, layers.softmax(0))
        losses = F.cross_entropy(head(F.dropout(mixed, settings.dropout)), targets, reduction="none")
        optimiser.zero_grad()
        ((losses * weights).sum() / weights.sum()).backward()
        optimiser.step()
    with torch.no_grad():
        shift = torch.einsum("ls,l->s", mean, layers.softmax(0))
        weight = head.weight / spread
        classes = len(weight)
        stock.layer_weights.copy_(layers)
        # A linear head has at most `classes` directions: the projector takes them, the classifier passes them on.
        stock.projector.weight.zero_()
        stock.projector.bias.zero_()
        stock.projector.weight[:classes] = weight
        stock.projector.bias[:classes] = head.bias - weight @ shift
        stock.classifier.weight.zero_()
        stock.classifier.bias.zero_()
        stock.classifier.weight[range(classes), range(classes)] = 1.0

"""The two recognisers as plain functions of clips: off-the-shelf Whisper (padded to 30 s), and our multi-task network.

recogniser = load_recogniser("models/asr")
texts = recogniser([samples, ...])      # float32, 16 kHz, up to 30 s each
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    WhisperForConditionalGeneration,
)

from phonolinguistic.model.configuration_phonolinguistic import PhonoLinguisticConfig
from phonolinguistic.model.decoding_phonolinguistic import whisper_decoder
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel  # also makes AutoConfig know its kind
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor
from phonolinguistic.model.speech_phonolinguistic import encode_whisper, token_limit

from ..corpora.schema import CorpusError

SAMPLE_RATE = 16_000
WINDOW_SECONDS = 30.0


def _name(model: str) -> str:
    """What is written into results: the last two parts of a folder, or the Hub id."""
    path = Path(model)
    return "/".join(path.resolve().parts[-2:]) if path.exists() else model


class WhisperRecogniser:
    """A published Whisper, input padded to 30 s as it was trained, greedy."""

    def __init__(self, model: str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32):
        self.name, self.device, self.dtype = _name(model), torch.device(device), dtype
        network = WhisperForConditionalGeneration.from_pretrained(model, dtype=dtype).eval().to(self.device)
        self.encoder = network.model.encoder
        self.extractor = AutoFeatureExtractor.from_pretrained(model)
        file = Path(model) / "tokenizer.json"
        bare = file.is_file() and not (Path(model) / "tokenizer_config.json").is_file()
        self.tokenizer = (
            PreTrainedTokenizerFast(tokenizer_file=str(file)) if bare else AutoTokenizer.from_pretrained(model)
        )
        self.decoder = whisper_decoder(network, self.tokenizer)

    @torch.inference_mode()
    def __call__(self, clips: list[np.ndarray]) -> list[str]:
        """Texts of clips (float32, 16 kHz, up to 30 s)."""
        features = self.extractor(clips, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
        states = encode_whisper(self.encoder, features.to(self.device, self.dtype))[0][-1]
        limits = [token_limit(len(clip) / SAMPLE_RATE) for clip in clips]
        rows = self.decoder(states, max_new_tokens=limits)
        return [self.tokenizer.decode(row, skip_special_tokens=True).strip() for row in rows]


class MultitaskRecogniser:
    """The recogniser inside a multi-task model, on the clip's own length."""

    def __init__(self, model: str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32):
        self.name, self.device, self.dtype = _name(model), torch.device(device), dtype
        self.model = PhonoLinguisticModel.from_pretrained(model, dtype=dtype).eval().to(self.device)
        self.processor = PhonoLinguisticProcessor.from_pretrained(model)
        if self.model.config.recogniser is None:
            raise CorpusError(f"{model} is a fusion model and has no recogniser of its own; give its Whisper instead")

    @torch.inference_mode()
    def __call__(self, clips: list[np.ndarray]) -> list[str]:
        """Texts of clips (float32, 16 kHz, up to 30 s)."""
        batch = self.processor(audio=clips, sampling_rate=SAMPLE_RATE).to(self.device)
        states = self.model.encode_speech(batch["input_features"].to(self.dtype), batch["attention_mask"])
        return self.processor.decode_transcripts(self.model.transcribe(states))


def load_recogniser(
    model: str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> WhisperRecogniser | MultitaskRecogniser:
    """The recogniser in a folder or Hub repository. CorpusError if it is neither of the two kinds."""
    try:
        config = AutoConfig.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise CorpusError(f"no model at {model}: {str(error).splitlines()[0]}") from error
    if isinstance(config, PhonoLinguisticConfig):
        return MultitaskRecogniser(model, device, dtype)
    if config.model_type == "whisper":
        return WhisperRecogniser(model, device, dtype)
    raise CorpusError(
        f"{model} is a {config.model_type} model; accepted: whisper, or a multi-task phonolinguistic model"
    )

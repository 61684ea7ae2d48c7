"""Loaded networks: the separate recogniser, and a `PhonoLinguisticModel` that answers several modes from one run."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModelForCTC,
    AutoTokenizer,
    WhisperForConditionalGeneration,
)
from transformers.utils import logging as transformers_logging

from .audio.decoding import SAMPLE_RATE
from .model.decoding_phonolinguistic import whisper_decoder
from .model.modeling_phonolinguistic import PhonoLinguisticModel
from .model.processing_phonolinguistic import PhonoLinguisticProcessor
from .model.silence_phonolinguistic import SilenceCache, encode_with_silence
from .model.speech_phonolinguistic import collapse_ctc, encode_whisper, token_limit
from .releases import Release, ReleaseError
from .stages import StageTimer

TEXT_BATCH = 64  # texts that the text encoder reads at once


@dataclass(frozen=True)
class Answer:
    """What one mode says: emotion -> probability (None: no words to read), the words, seconds by stage."""

    scores: dict[str, float] | None
    transcript: str | None
    stages: dict[str, float]


def _load(loader, release: Release, dtype: torch.dtype) -> nn.Module:
    """Weights into a network, whole or not at all: a head that was not in the file would answer at random."""
    try:
        with _quiet():
            # Mapped, a file stays resident for the few tensors that it holds in this very type.
            options = {"dtype": dtype, "disable_mmap": True, "output_loading_info": True}
            model, info = loader.from_pretrained(str(release.path), **options)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise _unloadable(release, error) from error
    except Exception as error:
        if type(error).__module__.startswith("safetensors"):
            raise _unloadable(release, error) from error
        raise
    missing = sorted(info["missing_keys"])
    if missing:
        raise ReleaseError(
            f"{release.source} lacks {len(missing)} of its weights (such as {missing[0]}): it is not whole.", "damaged"
        )
    return model.eval().requires_grad_(False)


@contextmanager
def _quiet():
    """No bars, and no tables of what is missing: the errors here say it in one line."""
    bars, verbosity = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def _unloadable(release: Release, error: Exception) -> ReleaseError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ReleaseError(f"{release.source} cannot be loaded: {first[:200]}", "damaged")


def count(*modules: nn.Module) -> int:
    """Parameters of modules, each counted once however often it is shared."""
    return sum({id(p): p.numel() for module in modules for p in module.parameters()}.values())


class SpeechToText:
    """A recogniser of its own, as it comes: Whisper, on the clip padded to 30 s as it was trained, or a CTC network.

    Args:
        alone: Whisper encodes the clip alone, with kept silence behind it, as a multi-task model's does. What sharing
            the speech network saves and what this saves can so be told apart.
        language: code of what is spoken, for a multilingual Whisper; None: detected in each clip.

    Raises:
        ReleaseError: the directory cannot be loaded.
        ValueError: a language that the recogniser does not know.
    """

    def __init__(
        self,
        release: Release,
        device: torch.device,
        dtype: torch.dtype,
        *,
        alone: bool = False,
        language: str | None = "en",
    ):
        self.release, self.device = release, device
        self._silence = SilenceCache() if alone else None
        path = str(release.path)
        try:
            config = AutoConfig.from_pretrained(path)
            self.feature_extractor = AutoFeatureExtractor.from_pretrained(path)
            self.tokenizer = AutoTokenizer.from_pretrained(path)
        except (OSError, ValueError, KeyError) as error:
            raise _unloadable(release, error) from error
        self.whisper = config.model_type == "whisper"
        loader = WhisperForConditionalGeneration if self.whisper else AutoModelForCTC
        self.model = _load(loader, release, dtype).to(device)
        self.parameters = count(self.model)
        self._tokenizing = threading.Lock()  # Rust tokenizers refuse two threads at once
        if self.whisper:
            self._decoder = whisper_decoder(self.model, self.tokenizer, language)

    @torch.inference_mode()
    def transcribe(self, samples: np.ndarray, timer: StageTimer) -> str:
        """(n,) float32 at 16 kHz, at most 30 s for Whisper -> words, "" when none were heard."""
        with timer.stage("asr_features"):
            # Whisper's extractor pads to 30 s unless told otherwise.
            options = {} if self._silence is None else {"padding": "longest", "truncation": False}
            inputs = self.feature_extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt", **options)
            values = inputs["input_features" if self.whisper else "input_values"].to(self.device)
        with timer.stage("asr_encoder"):
            heard = None
            if self.whisper and self._silence is not None:
                encoded = encode_with_silence(self.model.model.encoder, values, None, self._silence)
                states, heard = encoded.last_hidden_state, encoded.heard
            elif self.whisper:
                states = encode_whisper(self.model.model.encoder, values)[0][-1]
            else:
                logits = self.model(values.to(self.model.dtype)).logits
        with timer.stage("asr_decoder"):
            if self.whisper:
                ids = self._decoder(states, None, token_limit(len(samples) / SAMPLE_RATE), heard)[0]
            else:
                ids = collapse_ctc(logits, None, self.model.config.pad_token_id)[0]
            options = {} if self.whisper else {"group_tokens": False}
            with self._tokenizing:
                return self.tokenizer.decode(ids, skip_special_tokens=True, **options).strip()


class EmotionNetwork:
    """A fusion or multi-task model with its processor.

    Attributes:
        whole: "fusion" or "multitask", the mode that uses all of it.
        modes: the modes it can answer; a head that the release does not name as trained is not among them.
    """

    def __init__(self, release: Release, device: torch.device, dtype: torch.dtype):
        self.release, self.device = release, device
        self.model: PhonoLinguisticModel = _load(PhonoLinguisticModel, release, dtype).to(device)
        try:
            self.processor = PhonoLinguisticProcessor.from_pretrained(str(release.path))
        except (OSError, ValueError, KeyError) as error:
            raise _unloadable(release, error) from error
        self.config = self.model.config
        self.multitask: bool = self.config.multitask
        self.whole = "multitask" if self.multitask else "fusion"
        self.modes = self._trained_modes()
        self.emotions = [self.config.id2label[i] for i in range(len(self.config.id2label))]
        self.parameters = count(self.model)
        self._tokenizing = threading.Lock()  # Rust tokenizers refuse two threads at once

    def _trained_modes(self) -> tuple[str, ...]:
        trained = self.config.release.get("trained_heads")
        if trained is None:
            return ("audio", "text", self.whole)
        words = not self.multitask or "recognition" in trained
        there = {
            "audio": "audio" in trained,
            "text": "text" in trained and words,
            self.whole: "fusion" in trained and words,
        }
        return tuple(mode for mode, is_there in there.items() if is_there)

    def parameters_of(self, mode: str) -> int:
        """Parameters of this model that `mode` runs ("typed": typed words); a separate recogniser's come on top."""
        model = self.model
        if mode == self.whole:
            return self.parameters
        if mode in ("text", "typed"):
            speech = [model.speech] if self.multitask and mode == "text" else []
            return count(*speech, model.text, model.text_projection, model.text_head)
        encoder = model.speech
        if self.multitask:
            encoder = encoder.encoder if self.config.recogniser == "whisper" else encoder.base_model
        return count(encoder, model.audio_pooling, model.audio_projection, model.audio_head)

    @torch.inference_mode()
    def answer(self, samples: np.ndarray, wanted: set[str], recogniser: SpeechToText | None) -> dict[str, Answer]:
        """Answer the modes in `wanted` from one run of each network that any of them needs.

        Args:
            samples: (n,) float32, mono, 16 kHz.
            recogniser: who writes the transcript for a fusion model; None in multi-task.
        """
        model, timer = self.model, StageTimer(self.device)
        audio_pooled = text_pooled = transcript = states = None
        if self.multitask or wanted != {"text"}:
            with timer.stage("features"):
                inputs = self.processor(audio=samples)
                features, mask = inputs["input_features"].to(self.device), inputs["attention_mask"].to(self.device)
            with timer.stage("speech_encoder"):
                states = model.encode_speech(features, mask)
                if wanted != {"text"}:
                    audio_pooled = model.pool_speech(states)
        if wanted != {"audio"}:
            transcript = self._own_words(states, timer) if self.multitask else recogniser.transcribe(samples, timer)
            if transcript:
                with timer.stage("text_encoder"):
                    text_pooled = self._encode_text([transcript])
        with timer.stage("heads"):
            scores = self._scores(audio_pooled, text_pooled)
        return {
            mode: Answer(
                scores=scores.get(mode),
                transcript=None if mode == "audio" else transcript,
                stages={name: t for name, t in timer.seconds.items() if self._needs(mode, name)},
            )
            for mode in wanted
        }

    def _own_words(self, states, timer: StageTimer) -> str:
        with timer.stage("speech_decoder"):
            ids = self.model.transcribe(states)
            with self._tokenizing:
                return self.processor.decode_transcripts(ids)[0]

    def _needs(self, mode: str, stage: str) -> bool:
        if mode == "audio":
            return stage in ("features", "speech_encoder", "heads")
        if mode == "text" and not self.multitask:
            return stage not in ("features", "speech_encoder")
        return True

    def _encode_text(self, texts: list[str]) -> torch.Tensor:
        with self._tokenizing:
            words = self.processor(text=texts)
        return self.model.encode_text(words["input_ids"].to(self.device), words["text_attention_mask"].to(self.device))

    def _scores(self, audio_pooled, text_pooled) -> dict[str, dict[str, float]]:
        if audio_pooled is None and text_pooled is None:
            return {}
        logits = self.model.classify(audio_pooled, text_pooled)
        named = zip(("audio", "text", self.whole), logits, strict=True)
        return {
            mode: dict(zip(self.emotions, self._probabilities(row, mode)[0].tolist(), strict=True))
            for mode, row in named
            if row is not None
        }

    def _probabilities(self, logits: torch.Tensor, mode: str) -> torch.Tensor:
        return torch.softmax(logits.float() / self.config.temperatures.get(mode, 1.0), -1)

    @torch.inference_mode()
    def read(self, texts: list[str], timer: StageTimer) -> torch.Tensor:
        """Probabilities of the text head, (texts, emotions); an empty text is what the head says without words."""
        rows = []
        for start in range(0, len(texts), TEXT_BATCH):
            with timer.stage("text_encoder"):
                pooled = self._encode_text(texts[start : start + TEXT_BATCH])
            with timer.stage("heads"):
                rows.append(self._probabilities(self.model.classify(None, pooled)[1], "text").cpu())
        return torch.cat(rows)

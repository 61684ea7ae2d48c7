"""A transformers pipeline that travels with the model: a clip in, scores and a transcript out.

    classify = pipeline("phono-linguistic-emotion", model="org/repo", trust_remote_code=True)
    classify("clip.wav")  # {"emotion": "joy", "confidence": 0.81, "scores": {...}, "transcript": "...", "mode": ...}

Needs torch and transformers. A path or bytes of a plain WAV file are read without anything else; other formats need
soundfile or av.
"""

import importlib
import io
import math
import os
import wave

import numpy as np
import torch
from torch.nn import functional as F
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModelForCTC,
    AutoTokenizer,
    Pipeline,
    WhisperForConditionalGeneration,
)

from .decoding_phonolinguistic import whisper_decoder
from .processing_phonolinguistic import SAMPLE_RATE
from .speech_phonolinguistic import collapse_ctc, encode_whisper, token_limit

MIN_SECONDS, MAX_SECONDS = 0.3, 30.0
RESAMPLING_ZEROS = 32  # zero crossings of the windowed sinc on each side
EMPTY_LEVEL = 1e-4  # peak under which a clip is digital silence


class PhonoLinguisticPipeline(Pipeline):
    """Emotion of speech by voice, by words, or by both.

    Args of a call:
        inputs: path, bytes, {"array" or "raw", "sampling_rate"} (the form of `datasets`), (rate, array), or a float
            array at 16 kHz; mono, (n, channels) or (channels, n); or a list of such.
        mode: "audio", "text", "fusion" or "multitask"; default: the last that the model has.
        text: the words, if they are known; else the recogniser writes them (the model's own, or `config.asr`).
        sampling_rate: Hz of a bare array; default 16,000.
    """

    _load_processor = True
    _load_tokenizer = _load_feature_extractor = _load_image_processor = _load_video_processor = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._recogniser = None
        if self.device.type == "cpu" and self.model.dtype == torch.float16:
            self.model.float()  # published in half precision, which a CPU computes slowly and less exactly
        self.model.eval()

    def _sanitize_parameters(self, mode=None, text=None, sampling_rate=None, **kwargs):
        if kwargs:
            raise TypeError(f"Unknown arguments: {', '.join(sorted(kwargs))}; accepted: mode, text, sampling_rate.")
        whole = "multitask" if self.model.config.multitask else "fusion"
        accepted = ("audio", "text", whole)
        if mode is not None and mode not in accepted:
            raise ValueError(f"mode is {mode!r}; this model has {', '.join(accepted)}.")
        forward = {"mode": mode or whole, "text": text}
        return {"sampling_rate": sampling_rate}, forward, {"mode": mode or whole}

    def preprocess(self, inputs, sampling_rate=None):
        samples = read_clip(inputs, sampling_rate)
        seconds = len(samples) / SAMPLE_RATE
        if not MIN_SECONDS <= seconds <= MAX_SECONDS:
            raise ValueError(f"The clip has {seconds:.2f} s; accepted: {MIN_SECONDS:g} to {MAX_SECONDS:g} s.")
        return {"samples": samples} | dict(self.processor(audio=samples))

    def _forward(self, inputs, mode="multitask", text=None):
        model, samples = self.model, inputs.pop("samples")
        samples = samples.cpu().numpy() if isinstance(samples, torch.Tensor) else samples
        if np.abs(samples).max() < EMPTY_LEVEL:
            return {"logits": None, "transcript": None}
        states = audio_pooled = None
        if mode != "text" or (text is None and model.config.multitask):
            states = model.encode_speech(inputs["input_features"], inputs["attention_mask"])
        if mode == "audio":
            audio_logits, _, _ = model.classify(model.pool_speech(states), None)
            return {"logits": audio_logits, "transcript": None}
        if text is None:
            text = self._transcribe(samples, states)
        text_pooled = None
        if text.strip():
            words = self.processor(text=[text]).to(self.device)
            text_pooled = model.encode_text(words["input_ids"], words["text_attention_mask"])
        if mode == "text":
            logits = None if text_pooled is None else model.classify(None, text_pooled)[1]
            return {"logits": logits, "transcript": text}
        audio_pooled = model.pool_speech(states)
        return {"logits": model.classify(audio_pooled, text_pooled)[2], "transcript": text}

    def postprocess(self, outputs, mode="multitask"):
        config, logits = self.model.config, outputs["logits"]
        answer = {"emotion": None, "confidence": None, "scores": {}, "transcript": outputs["transcript"], "mode": mode}
        if logits is None:  # silence, or no words to read
            return answer
        scores = torch.softmax(logits[0].float() / config.temperatures.get(mode, 1.0), -1).tolist()
        answer["scores"] = {config.id2label[i]: score for i, score in enumerate(scores)}
        answer["emotion"] = max(answer["scores"], key=answer["scores"].get)
        answer["confidence"] = answer["scores"][answer["emotion"]]
        return answer

    def _transcribe(self, samples: np.ndarray, states) -> str:
        if self.model.config.multitask:
            return self.processor.decode_transcripts(self.model.transcribe(states))[0]
        if self._recogniser is None:
            source = self.model.config.asr or ""
            beside = os.path.join(self.model.name_or_path, source)  # an embedded release names its neighbour
            source = beside if source and os.path.isdir(beside) else source
            self._recogniser = _load_recogniser(source, self.model.dtype, self.device)
        network, extractor, tokenizer = self._recogniser
        inputs = extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        values = next(iter(inputs.values())).to(self.device, self.model.dtype)
        if network.config.model_type != "whisper":
            ids = collapse_ctc(network(values).logits, None, network.config.pad_token_id)[0]
            return tokenizer.decode(ids, skip_special_tokens=True, group_tokens=False).strip()
        states = encode_whisper(network.model.encoder, values)[0][-1]
        ids = whisper_decoder(network, tokenizer)(states, None, token_limit(len(samples) / SAMPLE_RATE))[0]
        return tokenizer.decode(ids, skip_special_tokens=True).strip()


def _load_recogniser(source: str, dtype: torch.dtype, device: torch.device):
    """The recogniser that a fusion model reads: network, feature extractor, tokenizer."""
    if not source:
        raise ValueError("This model reads another network's transcript and names none: give `text`.")
    whisper = AutoConfig.from_pretrained(source).model_type == "whisper"
    network = (WhisperForConditionalGeneration if whisper else AutoModelForCTC).from_pretrained(source, dtype=dtype)
    extractor, tokenizer = AutoFeatureExtractor.from_pretrained(source), AutoTokenizer.from_pretrained(source)
    return network.to(device).eval(), extractor, tokenizer


def read_clip(source, sampling_rate: int | None = None) -> np.ndarray:
    """Anything that a call accepts -> (n,) float32, mono, 16 kHz.

    Raises:
        ValueError: not a clip, or a format that needs a package which is not installed.
    """
    if isinstance(source, tuple) and len(source) == 2:
        sampling_rate, source = int(source[0]), source[1]
    elif isinstance(source, dict):
        sampling_rate = source.get("sampling_rate", sampling_rate)
        source = next((source[k] for k in ("array", "raw", "bytes", "path") if source.get(k) is not None), None)
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            source = file.read()
    if isinstance(source, (bytes, bytearray)):
        samples, sampling_rate = _decode(bytes(source))
    elif isinstance(source, (np.ndarray, torch.Tensor, list)):
        samples = np.asarray(source.cpu() if isinstance(source, torch.Tensor) else source)
    else:
        raise ValueError(f"A clip of type {type(source).__name__}; accepted: path, bytes, array, dict, (rate, array).")
    if samples.ndim == 2:
        samples = samples if samples.shape[0] >= samples.shape[1] else samples.T
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise ValueError(f"Samples of shape {samples.shape}; accepted: (n,), (n, channels) or (channels, n).")
    if samples.dtype.kind in "iu":
        samples = samples.astype(np.float64) / (np.iinfo(samples.dtype).max + 1)
    samples = samples.astype(np.float32)
    samples = samples.mean(1) if samples.ndim == 2 else samples
    if not np.isfinite(samples).all():
        raise ValueError("The clip has samples that are not finite numbers.")
    return resample(samples, int(sampling_rate or SAMPLE_RATE), SAMPLE_RATE)


def _decode(content: bytes) -> tuple[np.ndarray, int]:
    """Bytes of a file -> ((n, channels) samples, Hz), by whichever decoder is installed."""
    try:
        return _decode_wave(content)
    except (wave.Error, EOFError, ValueError):
        pass  # not a plain WAV file
    problems = []
    for decode in (_decode_soundfile, _decode_av):
        try:
            return decode(content)
        except ImportError as error:
            problems.append(f"{error.name} is not installed")
        except (RuntimeError, OSError, ValueError) as error:
            problems.append(str(error))
    raise ValueError(f"The clip cannot be decoded ({'; '.join(problems)}); plain WAV needs no package.")


def _decode_wave(content: bytes) -> tuple[np.ndarray, int]:
    with wave.open(io.BytesIO(content)) as file:
        width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
        data = file.readframes(file.getnframes())
    data = data[: len(data) // (width * channels) * (width * channels)]
    if width == 1:  # the only unsigned width
        samples = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    else:
        # Into the upper bytes of 32-bit integers: one rule for 16, 24 and 32 bits.
        wide = np.zeros((len(data) // width, 4), np.uint8)
        wide[:, 4 - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
        samples = wide.view("<i4")[:, 0].astype(np.float32) / 2**31
    return samples.reshape(-1, channels), rate


def _decode_soundfile(content: bytes) -> tuple[np.ndarray, int]:
    # By name: transformers refuses remote code that mentions a package which is not there, even inside a function.
    return importlib.import_module("soundfile").read(io.BytesIO(content), dtype="float32", always_2d=True)


def _decode_av(content: bytes) -> tuple[np.ndarray, int]:
    av = importlib.import_module("av")
    with av.open(io.BytesIO(content)) as container:
        if not container.streams.audio:
            raise ValueError("no sound in the file")
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=stream.rate)
        frames = [f for frame in container.decode(stream) for f in resampler.resample(frame)] + resampler.resample(None)
        return np.concatenate([f.to_ndarray() for f in frames], 1).T, stream.rate


def resample(samples: np.ndarray, source: int, target: int) -> np.ndarray:
    """(n,) at `source` Hz -> (ceil(n * target / source),) at `target` Hz, by a Hann-windowed sinc."""
    if source == target:
        return samples
    if source <= 0:
        raise ValueError(f"Sampling rate {source} Hz; accepted: above 0.")
    common = math.gcd(source, target)
    down, up = source // common, target // common
    cutoff = min(down, up) * 0.97  # in units of the common rate; the rest is the filter's slope
    width = math.ceil(RESAMPLING_ZEROS * down / cutoff)
    taps = torch.arange(-width, width + down, dtype=torch.float64)[None] / down
    times = (taps - torch.arange(up, dtype=torch.float64)[:, None] / up) * cutoff
    window = torch.cos(times.clamp(-RESAMPLING_ZEROS, RESAMPLING_ZEROS) * math.pi / RESAMPLING_ZEROS / 2) ** 2
    kernel = (torch.sinc(times) * window * (cutoff / down))[:, None].float()
    padded = F.pad(torch.from_numpy(np.ascontiguousarray(samples))[None, None], (width, width + down))
    phases = F.conv1d(padded, kernel, stride=down)[0]
    return phases.T.reshape(-1)[: math.ceil(len(samples) * up / down)].numpy()


# What goes into config.json so that `pipeline(task, model=repo, trust_remote_code=True)` finds this class.
TASK = "phono-linguistic-emotion"
CUSTOM_PIPELINES = {
    TASK: {"impl": "pipeline_phonolinguistic.PhonoLinguisticPipeline", "pt": ["AutoModel"], "type": "multimodal"}
}

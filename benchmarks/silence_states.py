"""Words of an unchanged Whisper on the clip alone with kept silence behind it, beside the padded original's.

    python -m benchmarks.silence_states --data FOLDER --cache FOLDER [--clips 40] [--choose]

FOLDER holds speechocean762, RAVDESS and TESS as NAME.parquet. Without `--choose`: the chosen settings on test speakers,
beside the padded network, the clip alone, and silence that only the decoder hears. With it: other settings on training
speakers, from which they were chosen. Each condition is made from the same clips: as they are; noise at 8 dB up to the
last sample; another speaker 9 dB below, cut off with the clip; noise at 15 dB and cut off at 70 % of the length (the
padded network's words are the reference); cut off where the voice ends; two clips with 3 s of silence between; clips
joined up to 30 s; the first 0.3 s of each clip.
"""

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoFeatureExtractor, AutoTokenizer, WhisperForConditionalGeneration

from phonolinguistic.model import silence_phonolinguistic as silence
from phonolinguistic.model.decoding_phonolinguistic import whisper_decoder
from phonolinguistic.model.speech_phonolinguistic import encode_whisper, token_limit
from training.inputs.release_data import load_clips
from training.scoring.asr import recognition

from .common import ROOT, median, parse, parser, write

RATE = 16_000
LONGEST = 30 * RATE
SEED = 0
CORPORA = ("speechocean762", "ravdess", "tess")
CONSTANTS = {"real": "SILENCE_FRAMES", "block": "BLOCK_STATES", "step": "LEVEL_STEP"}
CHOSEN = {short: getattr(silence, name) for short, name in CONSTANTS.items()}
TRIED = [{"block": 1}, {"block": 15}, {"real": 25}, {"real": 100}, {"step": 1.0}]


@dataclass(frozen=True)
class Clip:
    """samples: float32 at 16 kHz. words: what was said; None: nobody wrote it down, the padded network's count."""

    samples: np.ndarray
    words: str | None
    speaker: str


def noisy(samples: np.ndarray, decibels: float, random: np.random.Generator) -> np.ndarray:
    """Brownish noise so far below the clip's own power, to its last sample."""
    noise = np.cumsum(random.normal(size=len(samples) + 800))
    noise = (noise - np.convolve(noise, np.ones(400) / 400, "same"))[400 : 400 + len(samples)]
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-decibels / 20) / noise.std()
    return (samples + level * noise).astype(np.float32)


def voice_end(samples: np.ndarray, decibels: float = 30.0) -> int:
    """Where the last 10 ms within so many dB of the loudest end."""
    power = (samples[: len(samples) // 160 * 160].reshape(-1, 160) ** 2).mean(1)
    return (int(np.flatnonzero(power >= power.max() * 10 ** (-decibels / 10))[-1]) + 1) * 160


def conditions(clips: list[Clip]) -> dict[str, list[Clip]]:
    """Condition -> clips, made from these; see the head of this file."""
    random, pause = np.random.default_rng(SEED), np.zeros(3 * RATE, np.float32)
    others = [np.resize(clips[(i + 7) % len(clips)].samples, len(clip.samples)) for i, clip in enumerate(clips)]
    pairs, joined, row = [], [], []
    for a, b in zip(clips[::2], clips[1::2], strict=False):
        if len(a.samples) + len(b.samples) + len(pause) <= LONGEST:
            whole = np.concatenate([a.samples, pause, b.samples])
            pairs.append(Clip(whole, f"{a.words} {b.words}", a.speaker))
    for clip in clips:
        if sum(len(c.samples) for c in row) + len(clip.samples) > LONGEST:
            joined.append(row)
            row = []
        row.append(clip)
    return {
        "as it is": clips,
        "noise to the end": [Clip(noisy(c.samples, 8, random), c.words, c.speaker) for c in clips],
        "another voice over it": [
            Clip(c.samples + np.float32(0.35) * other, c.words, c.speaker)
            for c, other in zip(clips, others, strict=True)
        ],
        "cut off": [Clip(noisy(c.samples, 15, random)[: int(0.7 * len(c.samples))], None, c.speaker) for c in clips],
        "voice to the last sample": [Clip(c.samples[: voice_end(c.samples)], c.words, c.speaker) for c in clips],
        "two with a pause": pairs,
        "up to 30 s": [
            Clip(np.concatenate([c.samples for c in row]), " ".join(c.words for c in row), row[0].speaker)
            for row in joined
        ],
        "0.3 s": [Clip(c.samples[voice_end(c.samples) // 2 :][: int(0.3 * RATE)], None, c.speaker) for c in clips],
    }


class Network:
    """A Whisper as it comes, and the ways to run its encoder; each returns the decoder's arguments."""

    def __init__(self, path: Path):
        self.model = WhisperForConditionalGeneration.from_pretrained(path, dtype=torch.float32).eval()
        self.encoder, self.cache = self.model.model.encoder, silence.SilenceCache()
        self.extractor, self.tokenizer = AutoFeatureExtractor.from_pretrained(path), AutoTokenizer.from_pretrained(path)
        self.decoder = whisper_decoder(self.model, self.tokenizer)

    def features(self, samples: np.ndarray, padded: bool) -> torch.Tensor:
        options = {} if padded else {"padding": "longest", "truncation": False}
        return self.extractor(samples, sampling_rate=RATE, return_tensors="pt", **options).input_features

    def padded(self, samples: np.ndarray) -> dict:
        return {"encoder_states": encode_whisper(self.encoder, self.features(samples, True))[0][-1]}

    def alone(self, samples: np.ndarray) -> dict:
        return {"encoder_states": encode_whisper(self.encoder, self.features(samples, False))[0][-1]}

    def kept(self, samples: np.ndarray) -> dict:
        states = silence.encode_with_silence(self.encoder, self.features(samples, False), None, self.cache)
        return {"encoder_states": states.last_hidden_state, "heard": states.heard}

    def kept_for_decoder(self, samples: np.ndarray) -> dict:
        """Silence that the encoder's states do not see: real behind the clip, kept behind that in cross-attention."""
        values = self.features(samples, False)
        level = float(silence.silence_level(values))
        room = 2 * self.encoder.config.max_source_positions - values.shape[2]
        values = torch.nn.functional.pad(values, (0, min(silence.SILENCE_FRAMES, room)), value=level)
        states = encode_whisper(self.encoder, values)[0][-1]
        mask = torch.ones(states.shape[:2], dtype=torch.bool)
        bias = silence.silence_bias(mask.sum(1), self.encoder.config.max_source_positions, states.dtype)
        levels = [silence.rounded_level(level)]
        heard = silence.DecoderInput(states, mask, bias, levels, self.encoder, self.cache)
        return {"encoder_states": states, "heard": heard}


@dataclass(frozen=True)
class Run:
    texts: list[str]
    unfinished: int  # transcripts that ended at the bound or in a loop, not with the end token
    encoder_seconds: float
    decoder_seconds: float


@torch.inference_mode()
def run(network: Network, encode: Callable[[np.ndarray], dict], clips: list[Clip]) -> Run:
    """Transcribe clips one by one; medians of the time that each took, log-mel included."""
    texts, encoder, decoder, unfinished = [], [], [], 0
    if clips:
        encode(clips[0].samples)  # the first silence of a level is computed
    for clip in clips:
        start = time.perf_counter()
        given = encode(clip.samples)
        middle = time.perf_counter()
        limit = token_limit(len(clip.samples) / RATE)
        ids = network.decoder(max_new_tokens=limit, **given)[0]
        encoder.append(middle - start)
        decoder.append(time.perf_counter() - middle)
        # One step more than the bound allows would show the end; a loop has been cut.
        longer = network.decoder(max_new_tokens=limit + 1, **given)[0] if len(ids) >= limit else ids
        unfinished += len(longer) > limit
        texts.append(network.tokenizer.decode(ids, skip_special_tokens=True).strip())
    return Run(texts, unfinished, median(encoder), median(decoder))


def figures(clips: list[Clip], found: Run, padded: Run) -> dict:
    """Word errors against what was said and against the padded network's words, in percent, and runaways."""
    references = [text if clip.words is None else clip.words for clip, text in zip(clips, padded.texts, strict=True)]
    seconds, speakers = [len(clip.samples) / RATE for clip in clips], [clip.speaker for clip in clips]
    against = recognition(references, found.texts, seconds=seconds, speakers=speakers, seed=SEED)
    given = [text or "nothing" for text in padded.texts]
    other = recognition(given, [text or "nothing" for text in found.texts], resamples=0)
    return {
        "clips": len(clips),
        "words": against.words,
        "wer_percent": round(100 * against.wer, 1),
        "interval": [round(100 * edge, 1) for edge in against.wer_interval],
        "runaways": against.runaways,
        "unfinished": found.unfinished,
        "differs_from_padded_percent": round(100 * other.wer, 1),
        "encoder_seconds": found.encoder_seconds,
        "decoder_seconds": found.decoder_seconds,
    }


@contextmanager
def settings(network: Network, **changed):
    """The mechanism with other constants."""
    network.cache = silence.SilenceCache()
    for name, value in (CHOSEN | changed).items():
        setattr(silence, CONSTANTS[name], value)
    try:
        yield
    finally:
        network.cache = silence.SilenceCache()
        for name, value in CHOSEN.items():
            setattr(silence, CONSTANTS[name], value)


def spread(corpus: str, values, split: str) -> list[Clip]:
    """Clips of a split, spread over its speakers."""
    loaded = load_clips(corpus, values.data / f"{corpus}.parquet", values.cache, progress=False).split(split)
    rows = np.linspace(0, len(loaded) - 1, min(values.clips, len(loaded))).astype(int)
    part = loaded.select(rows)
    return [Clip(part.audio[i], part.references[i], part.speakers[i]) for i in range(len(part))]


def measure(network: Network, sets: dict[str, list[Clip]], choose: bool) -> dict:
    """set -> way -> figures."""
    results = {}
    for name, clips in sets.items():
        padded = run(network, network.padded, clips)
        rows = {"padded": padded, "kept silence": run(network, network.kept, clips)}
        rows["kept silence, decoder only"] = run(network, network.kept_for_decoder, clips)
        if choose:
            for changed in TRIED:
                with settings(network, **changed):
                    label = ", ".join(f"{key} {value}" for key, value in changed.items())
                    rows[f"kept silence, {label}"] = run(network, network.kept, clips)
        else:
            rows["clip alone"] = run(network, network.alone, clips)
        results[name] = {way: figures(clips, found, padded) for way, found in rows.items()}
        print(name, {way: (f["wer_percent"], f["runaways"]) for way, f in results[name].items()}, flush=True)
    return results


def main() -> None:
    options = parser(__doc__.splitlines()[0])
    options.set_defaults(threads=1, repeats=1)
    options.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    options.add_argument("--cache", type=Path, required=True, help="folder for decoded audio")
    options.add_argument("--whisper", type=Path, default=ROOT / "models" / "asr")
    options.add_argument("--clips", type=int, default=40, help="of each corpus (default 40)")
    options.add_argument("--choose", action="store_true", help="other settings, on training speakers")
    values = parse(options)
    network, split = Network(values.whisper), "train" if values.choose else "test"
    sets = {}
    for corpus in CORPORA:
        made = conditions(spread(corpus, values, split))
        # RAVDESS and TESS say few sentences: their clips as they are, and the endings of read speech.
        kept = made if corpus == "speechocean762" else {"as it is": made["as it is"]}
        sets |= {f"{corpus}, {name}": clips for name, clips in kept.items()}
    results = {"split": split, "settings": CHOSEN, "sets": measure(network, sets, values.choose)}
    write("silence_states_choice" if values.choose else "silence_states", results, values, SEED)


if __name__ == "__main__":
    main()

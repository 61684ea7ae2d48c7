"""What silence, offset, gain, band, coding and noise cost the voice, with the front end and without it.

    python -m benchmarks.robustness --ravdess ravdess.parquet --tess tess.parquet

Test speakers of the release split (RAVDESS: four actors; TESS: the younger actress), the same clips in each row.
"before": the networks hear the whole clip, as release 0.2.0 did; "after": what `EmotionRecognizer` does. Answers
"no_speech" count as wrong. "held": of the clips that were answered undisturbed with over 0.8, those whose emotion is
still the same.
Needs the packages of training.
"""

import io
from pathlib import Path

import av
import numpy as np
from tqdm.auto import tqdm

from phonolinguistic import EmotionRecognizer
from phonolinguistic.audio.decoding import SAMPLE_RATE, Clip, load_audio
from phonolinguistic.calibration import expected_calibration_error
from phonolinguistic.labels import EMOTIONS
from training.corpora import load_corpus
from training.corpora.splits import release_split

from . import common

SEED, SURE = 0, 0.8
PARAMETERS = {"ravdess": {"calm_as_neutral": True}, "tess": {}}


def silence(before: float = 0, between: float = 0, after: float = 0):
    """Digital silence in seconds; `between` goes where the middle third is quietest."""

    def disturb(samples, rng):
        third, window = len(samples) // 3, 1_600
        power = np.convolve(samples[third : 2 * third] ** 2, np.ones(window), "same") if between else np.zeros(1)
        cut = third + int(power.argmin())
        gaps = [np.zeros(int(s * SAMPLE_RATE), np.float32) for s in (before, between, after)]
        return np.concatenate([gaps[0], samples[:cut], gaps[1], samples[cut:], gaps[2]])

    return disturb


def telephone(samples, rng):
    """48 -> 8 -> 16 kHz, 300 to 3,400 Hz."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    spectrum[(hertz < 300) | (hertz > 3_400)] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def coded(codec: str, container: str, rate: int, bits: int):
    """Through an encoder of FFmpeg and back."""

    def disturb(samples, rng):
        file = io.BytesIO()
        with av.open(file, "w", format=container) as output:
            stream = output.add_stream(codec, rate=rate, layout="mono")
            stream.bit_rate = bits
            frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size)
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                part.pts = None
                output.mux(stream.encode(part))
            output.mux(stream.encode(None))
        return load_audio(file.getvalue()).samples

    return disturb


def hum(samples, rng):
    """50 Hz, 10 dB below the clip."""
    times = np.arange(len(samples)) / SAMPLE_RATE
    height = np.float32(level(samples) * 10**-0.5 * np.sqrt(2))
    return samples + height * np.sin(2 * np.pi * 50 * times, dtype=np.float32)


def noise(decibels: float):
    def disturb(samples, rng):
        return samples + rng.normal(0, level(samples) * 10 ** (-decibels / 20), len(samples)).astype(np.float32)

    return disturb


def level(samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


DISTURBANCES = {
    "undisturbed": lambda samples, rng: samples,
    "5 s of silence before": silence(before=5),
    "15 s of silence before": silence(before=15),
    "24 s of silence before": silence(before=24),
    "15 s of silence after": silence(after=15),
    "5 s of silence between": silence(between=5),
    "offset 0.02": lambda samples, rng: samples + np.float32(0.02),
    "gain -40 dB": lambda samples, rng: samples * np.float32(0.01),
    "gain -20 dB": lambda samples, rng: samples * np.float32(0.1),
    "gain +6 dB": lambda samples, rng: samples * np.float32(2),
    "polarity": lambda samples, rng: -samples,
    "telephone band": telephone,
    "MP3, 64 kbit/s": coded("libmp3lame", "mp3", 16_000, 64_000),
    "Opus, 24 kbit/s": coded("libopus", "ogg", 48_000, 24_000),
    "50 Hz hum, 10 dB below": hum,
    "noise 20 dB below": noise(20),
    "noise 10 dB below": noise(10),
    "noise 5 dB below": noise(5),
}


def test_clips(name: str, path: Path, count: int) -> list[tuple[np.ndarray, int]]:
    """(samples as they were recorded, label) of `count` test clips, spread over the split."""
    rows = release_split(load_corpus(name, path, on_error="skip", **PARAMETERS[name]))
    tested = [n for n, row in enumerate(rows.select_columns(["split", "emotion"])) if row["split"] == "test"]
    rows = rows.select([n for n in tested if rows[n]["emotion"] is not None])
    rows = rows.select(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int))
    return [(load_audio(row["audio"]).samples, EMOTIONS.index(row["emotion"])) for row in rows]


def answers(recognizer: EmotionRecognizer, clips, disturb, front_end: bool) -> np.ndarray:
    """(clips, 7) probabilities of the voice; a row of zeros where it says "no_speech"."""
    rows = []
    for number, (samples, _) in enumerate(clips):
        heard = disturb(samples, np.random.default_rng(SEED + number)).astype(np.float32)[: 30 * SAMPLE_RATE]
        if front_end:
            clip = Clip(heard, len(heard) / SAMPLE_RATE, None, SAMPLE_RATE, 1)
            scores = recognizer.recognize(clip, mode="audio").scores
        else:
            scores = recognizer._answer(heard, ("audio",))["audio"].scores
        rows.append([scores.get(emotion, 0.0) for emotion in EMOTIONS])
    return np.array(rows)


def summary(scores: np.ndarray, labels: np.ndarray, clean: np.ndarray) -> dict:
    answered = scores.sum(1) > 0
    right = (scores.argmax(1) == labels) & answered
    sure = clean.max(1) > SURE
    same = (scores.argmax(1) == clean.argmax(1)) & answered
    error = expected_calibration_error(scores[answered], labels[answered]) if answered.any() else None
    return {
        "accuracy": round(100 * float(right.mean()), 1),
        "ece": None if error is None else round(float(error), 3),
        "sure_and_wrong": round(100 * float(((scores.max(1) >= 0.9) & ~right).mean()), 1),
        "held": round(100 * float(same[sure].mean()), 1),
        "confidence": round(float(scores.max(1).mean()), 3),
        "no_speech": int((~answered).sum()),
    }


def main() -> None:
    options = common.parser(__doc__)
    options.add_argument("--ravdess", type=Path, required=True)
    options.add_argument("--tess", type=Path, required=True)
    options.add_argument("--clips", type=int, default=120, help="of each corpus (default 120)")
    options.add_argument("--only", nargs="+", choices=list(DISTURBANCES), help="these rows, after the undisturbed one")
    values = common.parse(options)
    chosen = {"undisturbed", *(values.only or DISTURBANCES)}
    disturbances = {name: disturb for name, disturb in DISTURBANCES.items() if name in chosen}
    recognizer = EmotionRecognizer.from_pretrained(warm_up=False)
    results: dict = {"sure_above": SURE, "corpora": {}}
    for corpus in ("ravdess", "tess"):
        clips = test_clips(corpus, getattr(values, corpus), values.clips)
        labels = np.array([label for _, label in clips])
        rows: dict[str, dict] = {}
        for side, front_end in (("before", False), ("after", True)):
            clean = None
            for name, disturb in tqdm(disturbances.items(), desc=f"{corpus}, {side}", unit="row"):
                scores = answers(recognizer, clips, disturb, front_end)
                clean = scores if clean is None else clean
                rows.setdefault(name, {})[side] = summary(scores, labels, clean)
        majority = round(100 * float(np.bincount(labels).max() / len(labels)), 1)
        results["corpora"][corpus] = {"clips": len(clips), "majority": majority, "rows": rows}
    common.write("robustness", results, values, seed=SEED)


if __name__ == "__main__":
    main()

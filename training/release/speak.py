"""Synthetic read speech, so that the multi-task decoder meets more words than the emotion corpora speak.

RAVDESS has two sentences, TESS one with 200 nouns, speechocean762 a few hundred. Here Debian's synthesisers (flite and
espeak-ng) read utterances of MELD and GoEmotions (training splits) in varied voices, rates and pitches, into a
LibriSpeech-like folder: `<voice>/<voice>.trans.txt` and one flac a sentence. The voices have no emotion: this corpus
trains recognition alone.

    python -m training.release.speak --goemotions FILE --meld FILE --sentences 2400 --out DIR
"""

import argparse
import random
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import soundfile as sf
from datasets import load_dataset
from tqdm import tqdm

SAMPLE_RATE = 16_000
FLITE_VOICES = ("slt", "rms", "awb", "kal16")
ESPEAK_VOICES = ("en-us", "en-gb", "en-gb-scotland", "en-us+f3", "en-gb+f4", "en-us+m3")
MAX_SECONDS = 9.0


def sentences(files: dict[str, Path], count: int, rng: random.Random) -> list[str]:
    """`count` speakable training utterances of 3 to 16 words, half from each corpus."""
    chosen = []
    for path in files.values():
        rows = load_dataset("parquet", data_files=str(path), split="train").filter(lambda r: r["split"] == "train")
        fit = sorted(
            {
                " ".join(text.replace("’", "'").split())
                for text in rows["text"]
                if 3 <= len(text.split()) <= 16 and re.fullmatch(r"[A-Za-z',.?! ’-]+", text) and not text.isupper()
            }
        )
        chosen += rng.sample(fit, min(len(fit), count // len(files)))
    rng.shuffle(chosen)
    return chosen


def speak(text: str, voice: str, rate: float, pitch: float, wav: Path) -> None:
    """Write `text` spoken by `voice` ("flite-slt", "espeak-en-us") to `wav`; `rate` and `pitch` are factors."""
    engine, name = voice.split("-", 1)
    if engine == "flite":
        command = ["flite", "-voice", name, "--setf", f"duration_stretch={1 / rate:.2f}", "-t", text, str(wav)]
    else:
        speed = ["-s", str(int(165 * rate)), "-p", str(int(50 * pitch))]
        command = ["espeak-ng", "-v", name, *speed, "-w", str(wav), text]
    subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--goemotions", type=Path, required=True)
    parser.add_argument("--meld", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    from phonolinguistic.audio.decoding import load_audio

    missing = [engine for engine in ("flite", "espeak-ng") if not shutil.which(engine)]
    if missing:
        parser.error(f"not installed: {', '.join(missing)}; on Debian: apt-get install flite espeak-ng")
    rng = random.Random(args.seed)
    voices = [f"flite-{v}" for v in FLITE_VOICES for _ in range(3)] + [f"espeak-{v}" for v in ESPEAK_VOICES]
    texts = sentences({"goemotions": args.goemotions, "meld": args.meld}, args.sentences, rng)
    lines: dict[str, list[str]] = {}
    for i, text in enumerate(tqdm(texts, desc="speak")):
        voice, rate, pitch = rng.choice(voices), rng.uniform(0.85, 1.25), rng.uniform(0.6, 1.5)
        folder = args.out / voice
        folder.mkdir(parents=True, exist_ok=True)
        wav, name = folder / "raw.wav", f"{voice}-{i:05d}"
        speak(text, voice, rate, pitch, wav)
        samples = load_audio(wav).samples
        wav.unlink()
        if len(samples) > MAX_SECONDS * SAMPLE_RATE:
            continue
        level = 10 ** (rng.uniform(-30, -18) / 20)  # as loud as people are, -30 to -18 dBFS
        samples = samples * (level / max(float(np.sqrt(np.mean(samples**2))), 1e-6))
        sf.write(folder / f"{name}.flac", samples.clip(-1, 1), SAMPLE_RATE)
        lines.setdefault(voice, []).append(f"{name} {text}")
    for voice, rows in lines.items():
        (args.out / voice / f"{voice}.trans.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

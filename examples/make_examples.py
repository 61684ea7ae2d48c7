"""Make the example clips again: Debian's flite speaks, soundfile writes. `apt-get install flite`, then

    python examples/make_examples.py

No recording of a person is in here. Flite's statistical voices are spoken with another mean and spread of the pitch, at
another rate and level, so that voice and words agree in some clips and contradict each other in others.
"""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

HERE = Path(__file__).resolve().parent
SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class Line:
    """One spoken line. stretch: duration factor; pitch, spread: mean and deviation (Hz); level: RMS in dBFS."""

    text: str
    voice: str
    stretch: float = 1.0
    pitch: int = 110
    spread: int = 14
    level: float = -24.0

    def command(self, wav: str) -> list[str]:
        settings = {
            "duration_stretch": self.stretch,
            "int_f0_target_mean": self.pitch,
            "int_f0_target_stddev": self.spread,
        }
        options = [word for name, value in settings.items() for word in ("--setf", f"{name}={value}")]
        return ["flite", "-voice", self.voice, *options, "-t", self.text, wav]


CLIPS = {
    "happy_words_lively_voice.flac": Line(
        "I am so happy to see you! What a wonderful surprise!", "slt", 0.9, 240, 45, -19
    ),
    "sad_words_slow_low_voice.flac": Line("My father died last night, and I miss him.", "rms", 1.3, 82, 6, -32),
    "angry_words_flat_voice.flac": Line("Leave me alone. I hate this, and I hate you.", "rms", 1.05, 100, 2, -26),
    "plain_words_calm_voice.flac": Line(
        "The train to the city leaves at nine o'clock in the morning.", "slt", 1.05, 165, 12, -25
    ),
    "happy_words_weary_voice.flac": Line(
        "This is the best day of my life. I love it here.", "slt", 1.3, 140, 4, -31
    ),
    "plain_words_loud_fast_voice.flac": Line(
        "There are two tables and six chairs in the room next to the kitchen.", "rms", 0.85, 175, 45, -15
    ),
}

PAUSE_SECONDS = (0.9, 1.2, 0.8, 1.5, 1.0, 0.9, 1.3, 1.0)
CONVERSATION = (
    Line("Good morning. How was your trip to the mountains?", "slt", 1.0, 175, 20, -24),
    Line("It was wonderful. We had so much fun, and the weather was perfect.", "rms", 0.95, 140, 28, -22),
    Line("I am glad to hear that. And how is your brother?", "slt", 1.0, 180, 18, -24),
    Line("He lost his job last week. He is very sad, and he does not talk to anyone.", "rms", 1.2, 90, 6, -29),
    Line("Oh no! I did not expect that. What happened?", "slt", 0.9, 220, 40, -20),
    Line("His boss lied to everyone. It makes me so angry. I hate that man.", "rms", 0.9, 150, 35, -17),
    Line("I am afraid that he will do it again. It really scares me.", "slt", 0.95, 215, 12, -27),
    Line("I will call him tonight. We can meet at the station at seven o'clock.", "rms", 1.0, 110, 12, -25),
)


def speak(line: Line) -> np.ndarray:
    """(n,) float32 at 16 kHz, at the line's level, with a tenth of a second of quiet around it."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as wav:
        subprocess.run(line.command(wav.name), check=True, capture_output=True)
        samples, rate = sf.read(wav.name, dtype="float32")
    if rate != SAMPLE_RATE:
        raise RuntimeError(f"{line.voice} speaks at {rate} Hz; expected: {SAMPLE_RATE} Hz.")
    heard = np.flatnonzero(np.abs(samples) > 0.005)
    samples = samples[heard[0] : heard[-1] + 1]
    samples = samples * (10 ** (line.level / 20) / np.sqrt(np.mean(samples**2)))
    peak = np.abs(samples).max()
    if peak > 0.99:
        raise RuntimeError(f"{line.text!r} clips at {peak:.2f}; give it a lower level.")
    return np.pad(samples, SAMPLE_RATE // 10)


def main() -> None:
    words = {}
    for name, line in CLIPS.items():
        sf.write(HERE / name, speak(line), SAMPLE_RATE, subtype="PCM_16")
        words[name] = line.text
    parts = []
    for line, pause in zip(CONVERSATION, PAUSE_SECONDS, strict=True):
        parts += [speak(line), np.zeros(int(pause * SAMPLE_RATE), np.float32)]
    sf.write(HERE / "conversation.ogg", np.concatenate(parts), SAMPLE_RATE, format="OGG", subtype="VORBIS")
    words["conversation.ogg"] = " ".join(line.text for line in CONVERSATION)
    (HERE / "transcripts.json").write_text(json.dumps(words, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Damaged files in every accepted format: each is answered or refused with AudioError; nothing else, and no hang.

    python -m benchmarks.fuzz_audio --mutants 10000 --seed 0

A mutant follows from the seed and its number alone. The work is done in a child process: one that dies or takes longer
than 10 s on a mutant is counted and replaced. Exit 1 when there was an exception that is not AudioError, a crash or a
hang; the numbers and recipes of those mutants are in the JSON.
"""

import argparse
import collections
import io
import multiprocessing
import random
import sys
import time
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np

HANG_SECONDS = 10.0
START_SECONDS = 120.0  # a child's imports
MAX_BYTES = 1 << 20  # of one mutant
RATE = 16_000
OUTCOMES = ("answered", "answered_with_warning", "refused", "exception", "crash", "hang")
FAILURES = OUTCOMES[3:]

# name -> soundfile's (format, subtype, channels), or PyAV's (container, codec, rate)
BY_SOUNDFILE = {
    "wav 16 bit": ("WAV", "PCM_16", 1),
    "wav 24 bit, 8 channels": ("WAV", "PCM_24", 8),
    "wav float": ("WAV", "FLOAT", 2),
    "wav adpcm": ("WAV", "MS_ADPCM", 1),
    "w64": ("W64", "PCM_16", 1),
    "rf64": ("RF64", "PCM_16", 1),
    "aiff": ("AIFF", "PCM_16", 1),
    "au": ("AU", "ULAW", 1),
    "caf alac": ("CAF", "ALAC_16", 1),
    "flac": ("FLAC", "PCM_16", 2),
    "mp3": ("MP3", "MPEG_LAYER_III", 1),
    "ogg vorbis": ("OGG", "VORBIS", 1),
    "ogg vorbis, 8 channels": ("OGG", "VORBIS", 8),
    "ogg opus": ("OGG", "OPUS", 1),
}
BY_PYAV = {
    "m4a aac": ("ipod", "aac", 16_000),
    "aac": ("adts", "aac", 16_000),
    "mov alac": ("mov", "alac", 16_000),
    "mp4 fragments": ("mp4", "aac", 16_000),
    "webm opus": ("webm", "libopus", 48_000),
    "amr": ("amr", "libopencore_amrnb", 8_000),
}


def _voice(rate: int, seconds: float) -> np.ndarray:
    """(n,) float32: harmonics with syllables and a little hiss."""
    t = np.arange(int(rate * seconds)) / rate
    hiss = np.random.default_rng(0).normal(size=len(t)) * 0.003
    tone = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 12))
    return (0.08 * tone * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * t)) + hiss).astype(np.float32)


def _by_pyav(container: str, codec: str, rate: int, seconds: float, options: dict[str, str]) -> bytes:
    import av

    out = io.BytesIO()
    with av.open(out, "w", format=container, options=options) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(_voice(rate, seconds)[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format.name, "mono", rate, frame_size=stream.frame_size)
        for piece in (*resampler.resample(frame), *resampler.resample(None), None):
            file.mux(stream.encode(piece))
    return out.getvalue()


@cache
def originals(seconds: float = 1.0) -> dict[str, bytes]:
    """name -> a whole file of `seconds`, of every accepted format that can be written here."""
    import av
    import soundfile

    files = {}
    for name, (kind, subtype, channels) in BY_SOUNDFILE.items():
        out = io.BytesIO()
        soundfile.write(out, np.stack([_voice(RATE, seconds)] * channels, 1), RATE, format=kind, subtype=subtype)
        files[name] = out.getvalue()
    for name, (container, codec, rate) in BY_PYAV.items():
        if codec in av.codecs_available:
            options = {"movflags": "frag_keyframe+empty_moov"} if "fragments" in name else {}
            files[name] = _by_pyav(container, codec, rate, seconds, options)
    return files


def _flip_bits(data: bytearray, dice: random.Random, _) -> bytearray:
    for _ in range(dice.choice((1, 2, 8, 64))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return data


def _flip_header(data: bytearray, dice: random.Random, _) -> bytearray:
    for _ in range(dice.choice((1, 2, 8))):
        data[dice.randrange(min(len(data), 256))] ^= 1 << dice.randrange(8)
    return data


def _cut_end(data: bytearray, dice: random.Random, _) -> bytearray:
    return data[: dice.randrange(1, len(data) + 1)]


def _cut_beginning(data: bytearray, dice: random.Random, _) -> bytearray:
    return data[dice.randrange(len(data)) :]


def _splice_header(data: bytearray, dice: random.Random, files: dict[str, bytes]) -> bytearray:
    other = files[dice.choice(sorted(files))]
    length = dice.choice((4, 12, 16, 44, 128, 512, 2048))
    return bytearray(other[:length]) + data[dice.choice((0, length)) :]


def _size_field(data: bytearray, dice: random.Random, _) -> bytearray:
    position = dice.choice((4, 16, 40, dice.randrange(min(len(data), 512)), dice.randrange(len(data))))
    near = len(data) + dice.choice((-44, -36, -8, 0, 8, 16, 44))
    value = dice.choice((0, 1, 0x7FFFF024, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, max(0, near), dice.getrandbits(32)))
    data[position : position + 4] = value.to_bytes(4, dice.choice(("little", "big")))
    return data


def _block(data: bytearray, dice: random.Random) -> tuple[int, int]:
    start = dice.randrange(len(data))
    return start, start + dice.choice((1, 16, 256, 4096, len(data) // 2))


def _duplicate_block(data: bytearray, dice: random.Random, _) -> bytearray:
    start, end = _block(data, dice)
    return data[:end] + data[start:end] * dice.choice((1, 2, 10)) + data[end:]


def _remove_block(data: bytearray, dice: random.Random, _) -> bytearray:
    start, end = _block(data, dice)
    return data[:start] + data[end:]


def _noise_block(data: bytearray, dice: random.Random, _) -> bytearray:
    start, end = _block(data, dice)
    end = min(end, len(data))
    data[start:end] = dice.choice((bytes(end - start), b"\xff" * (end - start), dice.randbytes(end - start)))
    return data


def _concatenate(data: bytearray, dice: random.Random, files: dict[str, bytes]) -> bytearray:
    return data + files[dice.choice(sorted(files))]


MUTATIONS = (
    _flip_bits,
    _flip_header,
    _cut_end,
    _cut_beginning,
    _splice_header,
    _size_field,
    _duplicate_block,
    _remove_block,
    _noise_block,
    _concatenate,
)


def mutant(seed: int, number: int) -> tuple[str, bytes]:
    """The recipe and the bytes of mutant `number`: one to three mutations of one original."""
    dice, files = random.Random(f"{seed}:{number}"), originals()
    names = sorted(files)
    name = names[number % len(names)]
    data, recipe = bytearray(files[name]), [name]
    for _ in range(dice.choice((1, 1, 2, 3))):
        mutation = dice.choice(MUTATIONS)
        recipe.append(mutation.__name__.lstrip("_"))
        data = mutation(data, dice, files)[:MAX_BYTES] or bytearray(b"\0")
    return ", ".join(recipe), bytes(data)


def outcome(data: bytes) -> tuple[str, str]:
    """What `load_audio` makes of it: one of OUTCOMES, and the message."""
    from phonolinguistic.audio.decoding import AudioError, load_audio

    try:
        clip = load_audio(data)
    except AudioError as error:
        message = str(error)
        return ("refused", message) if "\n" not in message else ("exception", "AudioError of several lines")
    except Exception as error:  # any other kind is what is looked for
        return "exception", f"{type(error).__name__}: {error}"
    if clip.samples.dtype != np.float32 or clip.samples.ndim != 1 or not np.isfinite(clip.samples).all():
        return "exception", "a clip that is not finite float32"
    return ("answered_with_warning" if clip.warnings else "answered"), "; ".join(clip.warnings)


def _work(connection, seed: int, first: int, last: int) -> None:
    originals()
    outcome(next(iter(originals().values())))
    connection.send(("ready", "", 0.0))
    for number in range(first, last):
        start = time.perf_counter()
        connection.send((*outcome(mutant(seed, number)[1]), time.perf_counter() - start))


def run(mutants: int, seed: int, hang_seconds: float = HANG_SECONDS) -> dict:
    """Counts of each outcome, by format too, the slowest mutant's seconds, and the failures with their recipes."""
    counts, by_format, failures = collections.Counter(), collections.defaultdict(collections.Counter), []
    context = multiprocessing.get_context("spawn")
    number, slowest = 0, 0.0
    while number < mutants:
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=_work, args=(there, seed, number, mutants), daemon=True)
        child.start()
        there.close()
        ready = False
        while number < mutants:
            spent = hang_seconds
            try:
                if not here.poll(hang_seconds if ready else START_SECONDS):
                    kind, message = "hang", f"over {hang_seconds:g} s"
                else:
                    kind, message, spent = here.recv()
            except EOFError:
                child.join()
                kind, message = "crash", f"the process ended with {child.exitcode}"
            if kind == "ready":
                ready = True
                continue
            if not ready:
                raise SystemExit(f"The child process did not start: {message}.")
            recipe, _ = mutant(seed, number)
            if spent > hang_seconds and kind not in FAILURES:
                kind, message = "hang", f"{spent:.1f} s"
            counts[kind] += 1
            by_format[_format_of(number)][kind] += 1
            slowest = max(slowest, spent)
            if kind in FAILURES:
                failures.append({"mutant": number, "recipe": recipe, "kind": kind, "message": message[:200]})
            number += 1
            if kind in ("hang", "crash"):
                break
        child.kill()
        child.join()
        here.close()
    return {
        "av": metadata.version("av"),
        "mutants": mutants,
        "outcomes": {kind: counts[kind] for kind in OUTCOMES},
        "formats": {name: dict(sorted(found.items())) for name, found in sorted(by_format.items())},
        "slowest_seconds": round(slowest, 3),
        "failures": failures,
    }


def _format_of(number: int) -> str:
    names = sorted(originals())
    return names[number % len(names)]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--mutants", type=int, default=2000, help="damaged files (default 2000)")
    options.add_argument("--seed", type=int, default=0, help="seed of the mutations (default 0)")
    options.add_argument("--out", type=Path, help="where the JSON goes (default benchmarks/results/fuzz_audio.json)")
    values = options.parse_args()
    results = run(values.mutants, values.seed)

    from benchmarks import common

    values.repeats = 1
    common.write("fuzz_audio", results, values, seed=values.seed)
    return int(any(results["outcomes"][kind] for kind in FAILURES))


if __name__ == "__main__":
    sys.exit(main())

"""What `load_audio` reads, at which rates and channels, how loud it comes out, and what it refuses."""

import io

import av
import numpy as np
import pytest
import soundfile as sf
import torch

from phonolinguistic.audio.decoding import MAX_BYTES, SAMPLE_RATE, AudioError, load_audio

SECONDS = 1.0


def sound(rate: int = 16_000, seconds: float = SECONDS) -> np.ndarray:
    """A 220 Hz tone that swells, at -20 dBFS or so: (n,) float32."""
    t = np.arange(int(rate * seconds)) / rate
    return (0.2 * np.sin(2 * np.pi * 220 * t) * (0.5 + 0.5 * np.sin(2 * np.pi * 2 * t))).astype(np.float32)


def rms(x) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def written(fmt: str, subtype: str | None = None, rate: int = 16_000, channels: int = 1, **how) -> bytes:
    out = io.BytesIO()
    x = sound(rate, **how)
    sf.write(out, np.stack([x] * channels, 1) if channels > 1 else x, rate, format=fmt, subtype=subtype)
    return out.getvalue()


def encoded(container: str, codec: str, rate: int = 48_000, video: bool = False, audio: bool = True) -> bytes:
    """A file by PyAV: m4a, webm, mp4 with pictures, ..."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        pictures = file.add_stream("mpeg4", rate=10) if video else None
        if video:
            pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        stream = file.add_stream(codec, rate=rate, layout="mono") if audio else None
        if video:
            for _ in range(10):
                black = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
                for packet in pictures.encode(black):
                    file.mux(packet)
            for packet in pictures.encode(None):
                file.mux(packet)
        if audio:
            frame = av.AudioFrame.from_ndarray(sound(rate)[None], format="fltp", layout="mono")
            frame.sample_rate = rate
            resampler = av.AudioResampler(stream.format.name, "mono", rate, frame_size=stream.frame_size)
            for piece in (*resampler.resample(frame), *resampler.resample(None)):
                for packet in stream.encode(piece):
                    file.mux(packet)
            for packet in stream.encode(None):
                file.mux(packet)
    return out.getvalue()


FILES = {
    "wav 16 bit": lambda: written("WAV", "PCM_16"),
    "wav 24 bit": lambda: written("WAV", "PCM_24"),
    "wav 8 bit": lambda: written("WAV", "PCM_U8"),
    "wav float": lambda: written("WAV", "FLOAT"),
    "flac": lambda: written("FLAC"),
    "mp3": lambda: written("MP3"),
    "ogg vorbis": lambda: written("OGG", "VORBIS"),
    "ogg opus": lambda: written("OGG", "OPUS"),
    "m4a": lambda: encoded("ipod", "aac"),
    "aac": lambda: encoded("adts", "aac"),
    "webm": lambda: encoded("webm", "libopus"),
    "mp4 with pictures": lambda: encoded("mp4", "aac", video=True),
}


@pytest.mark.parametrize("name", FILES)
def test_formats(name):
    clip = load_audio(FILES[name]())
    assert clip.samples.dtype == np.float32 and clip.samples.ndim == 1
    assert abs(clip.seconds - SECONDS) < 0.1 and abs(len(clip.samples) / SAMPLE_RATE - clip.seconds) < 0.01
    assert rms(clip.samples) == pytest.approx(rms(sound()), rel=0.08), name


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_414, 44_100, 48_000, 96_000, 192_000])
def test_rates(rate):
    clip = load_audio(sound(rate), rate)
    assert clip.sampling_rate == rate and abs(len(clip.samples) - SAMPLE_RATE) <= 2
    assert rms(clip.samples) == pytest.approx(rms(sound()), rel=0.03)


@pytest.mark.parametrize("channels", range(1, 9))
def test_channels_are_averaged(channels):
    clip = load_audio(written("WAV", channels=channels))
    assert clip.channels == channels and rms(clip.samples) == pytest.approx(rms(sound()), rel=0.01)


def test_one_silent_channel_does_not_halve_the_level():
    x = np.stack([sound(), np.zeros_like(sound())], 1)
    assert rms(load_audio(x, 16_000).samples) == pytest.approx(rms(sound()), rel=1e-4)
    np.testing.assert_allclose(load_audio(x.T, 16_000).samples, load_audio(x, 16_000).samples)


@pytest.mark.parametrize(
    "array",
    [
        (sound() * 32767).astype(np.int16),
        (sound() * 2147483647).astype(np.int32),
        sound().astype(np.float64),
        torch.from_numpy(sound()),
        (torch.from_numpy(sound()) * 32767).to(torch.int16),
    ],
)
def test_integers_and_floats(array):
    assert rms(load_audio(array, 16_000).samples) == pytest.approx(rms(sound()), rel=0.01)


def test_every_kind_of_source(tmp_path):
    path = tmp_path / "été à Paris – ça va.wav"
    path.write_bytes(written("WAV", "PCM_16"))
    expected = load_audio(path)
    assert expected.path == str(path)
    with path.open("rb") as file:
        from_file = load_audio(file)
    sources = [str(path), path.read_bytes(), {"bytes": path.read_bytes(), "path": None}, {"path": str(path)}]
    for clip in (from_file, *map(load_audio, sources)):
        np.testing.assert_array_equal(clip.samples, expected.samples)
    gradio = load_audio((16_000, (sound() * 32767).astype(np.int16)))
    assert rms(gradio.samples) == pytest.approx(rms(expected.samples), rel=0.01)
    assert load_audio({"array": sound(), "sampling_rate": 16_000}).seconds == SECONDS
    assert list(tmp_path.iterdir()) == [path], "no temporary file is left"


def test_quiet_stays_quiet():
    assert rms(load_audio(sound() * 1e-3, 16_000).samples) == pytest.approx(rms(sound()) * 1e-3, rel=0.01)
    assert not load_audio(np.zeros(16_000, np.int16), 16_000).samples.any()


def test_a_guessed_duration_is_no_promise():
    """Without a header's count, FFmpeg takes the first frames' bit rate for all: silence first, and it says 40 s."""
    x = np.concatenate([np.zeros(160_000), np.random.default_rng(0).normal(size=160_000) * 0.2]).astype(np.float32)
    out = io.BytesIO()
    sf.write(out, x, 16_000, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    data = out.getvalue()
    bare = data[data.index(b"\xff\xf3", data.index(b"Xing")) :]
    assert load_audio(data).seconds == pytest.approx(20, abs=0.1)
    assert load_audio(bare).seconds == pytest.approx(20, abs=0.2)


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


REFUSED = {
    "empty": (b"", "empty"),
    "text": (b"no sound in here, only words\n" * 40, "not audio"),
    "playlist": (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n", "not audio"),
    "cut too early": (written("WAV", "PCM_16")[:4000], r"ends early: 0\.1 of 1\.0 s are there\. The clip has 0\.12 s"),
    "cut m4a": (half(encoded("ipod", "aac")), r"truncated \(found: mp4/m4a without its index \(moov\)"),
    "header alone": (written("WAV", "PCM_16")[:44], "no sound in it can be decoded"),
    "pdf": (b"%PDF-1.7\n" * 100, "found: a PDF document, 900 bytes"),
    "web page": (b"<!DOCTYPE html><html>404</html>", "found: a web page"),
    "pictures only": (
        encoded("mp4", "aac", video=True, audio=False),
        r"no audio stream \(found: mp4/m4a, video mpeg4, 1\.0 s by its header\)",
    ),
    "too short": (written("WAV", seconds=0.2), r"0\.20 s; accepted: 0\.3 to 30 s \(found: wav, .*16000 Hz"),
    "too long": (written("FLAC", seconds=31), r"longer than 30 s; .*flac at 16000 Hz, 1 channel, 31\.0 s.*timeline"),
    "nan": (np.full(16_000, np.nan, np.float32), "NaN"),
    "infinite": (np.full(16_000, np.inf, np.float32), "NaN or infinite"),
    "too large numbers": (sound() * 20_000, "integers of full scale"),
    "nine channels": (np.zeros((16_000, 9), np.float32), "9 channels; accepted: 1 to 8"),
    "three dimensions": (np.zeros((2, 3, 16_000), np.float32), "shape"),
    "an object": (object(), "not audio"),
    "none": (None, "No audio"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_one_line_that_says_what_is_accepted(name):
    source, message = REFUSED[name]
    with pytest.raises(AudioError, match=message) as caught:
        load_audio(source, 16_000)
    assert "\n" not in str(caught.value) and "accepted" in str(caught.value)


@pytest.mark.parametrize("rate", [None, 0, 4_000, 400_000, "fast"])
def test_absurd_rates(rate):
    with pytest.raises(AudioError, match="accepted: 8000 to 192000 Hz"):
        load_audio(sound(), rate)


def test_paths_that_are_no_file(tmp_path):
    with pytest.raises(AudioError, match="no such file"):
        load_audio(tmp_path / "gone.wav")
    with pytest.raises(AudioError, match="folder"):
        load_audio(tmp_path)


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "large.wav"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(AudioError, match="50 MB"):
        load_audio(path)


def test_timeline_takes_longer_clips():
    assert load_audio(written("FLAC", seconds=40), max_seconds=1800).seconds == pytest.approx(40, abs=0.1)

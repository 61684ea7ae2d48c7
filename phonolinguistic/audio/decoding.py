"""Any sound a person brings -> mono float32 samples at 16 kHz, loudness kept, or one line that says what is accepted.

Containers and codecs are FFmpeg's, through PyAV's wheel; so is the resampler.
"""

import io
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np

SAMPLE_RATE = 16_000  # Hz, what every speech network here was trained at
MIN_SECONDS = 0.3
MAX_SECONDS = 30.0  # one answer: Whisper's window
MAX_TIMELINE_SECONDS = 1800.0
MAX_BYTES = 50 * 2**20
MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz
MAX_CHANNELS = 8
MAX_LEVEL = 100.0  # floats lie in [-1, 1]; codecs overshoot on clipped speech (9 was seen), integers do far more

FORMATS = "wav, flac, mp3, ogg/opus, m4a/aac, webm, or the sound track of mp4"
# FFmpeg's demuxers that may open an upload: no playlists, which would make it open other files and hosts.
DEMUXERS = "wav,w64,aiff,au,caf,flac,mp3,ogg,mov,mp4,m4a,3gp,matroska,webm,aac,amr"
# A header may promise a little more than an encoder's padding leaves; beyond this the file was cut.
TRUNCATION_SECONDS, TRUNCATION_SHARE = 0.25, 0.05


class AudioError(ValueError):
    """The sound cannot be used; the message is one line: what is wrong, and what is accepted."""


@dataclass(frozen=True)
class Clip:
    """A decoded clip. samples: (n,) float32, mono, 16 kHz, full scale 1.0. sampling_rate (Hz) and channels: as found.

    path: where it came from, None for arrays and bytes. warnings: what was odd but bearable, a line each (a recording
    that ends early).
    """

    samples: np.ndarray
    seconds: float
    path: str | None
    sampling_rate: int
    channels: int
    warnings: tuple[str, ...] = ()


def load_audio(source: Any, sampling_rate: int | None = None, *, max_seconds: float = MAX_SECONDS) -> Clip:
    """Read, mix to mono (mean of the channels) and resample to 16 kHz.

    Args:
        source: a path; the bytes of a file, or a binary file object; an array of samples (numpy, torch, list), (n,),
            (n, channels) or (channels, n), integers of full scale or floats in [-1, 1]; Gradio's (rate, array); or a
            `datasets` audio dict.
        sampling_rate: Hz; needed for arrays, ignored otherwise.
        max_seconds: longest accepted clip.

    Raises:
        AudioError: empty, truncated, not audio, no audio stream, shorter than 0.3 s, longer than `max_seconds`, over
            50 MB, over 8 channels, a rate outside 8 to 192 kHz, NaN or infinite samples.
    """
    path = None
    if isinstance(source, tuple) and len(source) == 2:
        sampling_rate, source = source
    if isinstance(source, dict):
        if source.get("array") is not None:
            sampling_rate, source = source.get("sampling_rate"), source["array"]
        else:
            path = source.get("path")
            source = source.get("bytes") or path
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        source = _read_path(Path(path))
    elif hasattr(source, "read"):
        source = _read_file(source)
    if source is None:
        raise AudioError(f"No audio was given; accepted: {FORMATS}.")
    if isinstance(source, (bytes, bytearray, memoryview)):
        samples, rate, channels = _decode(bytes(source), max_seconds)
    else:
        samples, rate, channels = _from_array(source, sampling_rate)
    seconds = len(samples) / rate
    _check_length(seconds, max_seconds)
    if not np.isfinite(samples).all():
        raise AudioError("The audio has NaN or infinite samples; accepted: finite samples in [-1, 1].")
    peak = float(np.abs(samples).max())
    if peak > MAX_LEVEL:
        raise AudioError(f"Float samples reach {peak:.0f}; accepted: floats in [-1, 1], or integers of full scale.")
    return Clip(_resample(samples, rate), seconds, path, rate, channels)


def _check_length(seconds: float, max_seconds: float) -> None:
    if seconds < MIN_SECONDS:
        raise AudioError(f"The clip has {seconds:.2f} s; accepted: {MIN_SECONDS} to {max_seconds:g} s.")
    if seconds > max_seconds + 0.05:  # an encoder's padding is not the user's
        raise AudioError(f"The clip is longer than {max_seconds:g} s; accepted: {MIN_SECONDS} to {max_seconds:g} s.")


def _read_path(path: Path) -> bytes:
    name = path.name
    if path.is_dir():
        raise AudioError(f"{name} is a folder; accepted: one sound file ({FORMATS}).")
    if not path.exists():
        raise AudioError(f"{name}: no such file.")
    if path.stat().st_size > MAX_BYTES:
        raise AudioError(f"{name} has {path.stat().st_size / 2**20:.0f} MB; accepted: at most {MAX_BYTES >> 20} MB.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise AudioError(f"{name} cannot be read: {error.strerror}.") from None


def _read_file(file: BinaryIO) -> bytes:
    data = file.read(MAX_BYTES + 1)
    if isinstance(data, str):
        raise AudioError("The file object is in text mode; accepted: one opened in binary mode.")
    return data


def _decode(data: bytes, max_seconds: float) -> tuple[np.ndarray, int, int]:
    """Bytes of a sound file -> mono float32 samples at the file's own rate, that rate, and the channel count."""
    if not data:
        raise AudioError(f"The file is empty; accepted: {FORMATS}.")
    if len(data) > MAX_BYTES:
        raise AudioError(f"The file has over {MAX_BYTES >> 20} MB; accepted: at most {MAX_BYTES >> 20} MB.")
    if _is_cut(data):
        raise AudioError(f"The file is truncated: its end is missing; accepted: whole files ({FORMATS}).")
    try:
        container = av.open(io.BytesIO(data), options={"format_whitelist": DEMUXERS})
    except (av.FFmpegError, ValueError):
        raise AudioError(f"The file is not audio, or it is truncated; accepted: {FORMATS}.") from None
    with container:
        if not container.streams.audio:
            raise AudioError(f"The file has no audio stream; accepted: {FORMATS}.")
        stream = container.streams.audio[0]
        rate, channels = stream.rate, stream.channels
        _check_shape(rate, channels)
        blocks, errors, last_bad, count = [], 0, False, 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
                frames = packet.decode()
            except StopIteration:
                break
            except av.EOFError:
                break
            except av.FFmpegError:
                # A bad packet now and then is bridged; a bad last one, or many, is a damaged file.
                errors, last_bad = errors + 1, True
                if errors > 50:
                    break
                continue
            for frame in frames:
                if frame.sample_rate != rate or frame.layout.nb_channels != channels:
                    rate, channels = _changed(blocks, frame)
                block = _mono(frame)
                blocks.append(block)
                count += len(block)
                last_bad = False
            if count > (max_seconds + 1) * rate:
                break
        promised = None
        if stream.duration and stream.time_base and not _is_guessed(container.format.name, data):
            promised = float(stream.duration * stream.time_base)
    seconds = count / rate
    if not count:
        raise AudioError(f"The file has no sound that can be decoded (damaged or truncated?); accepted: {FORMATS}.")
    cut = promised is not None and promised < 86_400 and seconds <= max_seconds
    cut = cut and promised - seconds > max(TRUNCATION_SECONDS, TRUNCATION_SHARE * promised)
    if cut or last_bad or errors > 3:
        detail = f": {seconds:.1f} of {promised:.1f} s are there" if cut else ""
        raise AudioError(f"The file is damaged or truncated{detail}; accepted: whole files ({FORMATS}).")
    return np.concatenate(blocks), rate, channels


def _is_cut(data: bytes) -> bool:
    """Whether a wav or ogg ends before its own header says, which FFmpeg passes over in silence."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        promised = int.from_bytes(data[4:8], "little") + 8
        streamed = promised < 44 or promised >= 2**31  # a recorder that never went back to fill the size in
        return not streamed and promised > len(data) + 1
    if data[:4] == b"OggS":
        last = data.rfind(b"OggS")
        segments = data[last + 27 : last + 27 + data[last + 26]] if last + 27 <= len(data) else b""
        return last + 27 > len(data) or last + 27 + data[last + 26] + sum(segments) > len(data)
    return False


def _is_guessed(format_name: str, data: bytes) -> bool:
    """Whether the duration is FFmpeg's guess from the first frames' bit rate: far off when a clip begins in silence."""
    if format_name in ("aac", "amr"):
        return True
    if format_name != "mp3":
        return False
    start = 0
    if data[:3] == b"ID3":  # its size: four bytes of seven bits
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=False))
    return not any(tag in data[start : start + 4096] for tag in (b"Xing", b"Info", b"VBRI"))


def _changed(blocks: list[np.ndarray], frame: av.AudioFrame) -> tuple[int, int]:
    """Rate and channels by the first decoded frame (HE-AAC's header gives half its rate); a later change is refused."""
    if blocks:
        raise AudioError("The sampling rate or the channel count changes within the file; accepted: constant ones.")
    _check_shape(frame.sample_rate, frame.layout.nb_channels)
    return frame.sample_rate, frame.layout.nb_channels


def _check_shape(rate: Any, channels: int) -> None:
    if not isinstance(rate, (int, np.integer)) or not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(f"Sampling rate {rate}; accepted: {MIN_RATE} to {MAX_RATE} Hz.")
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{channels} channels; accepted: 1 to {MAX_CHANNELS}.")


def _mono(frame: av.AudioFrame) -> np.ndarray:
    values = frame.to_ndarray()  # (channels, n) planar, (1, n * channels) packed
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    return _to_float(values).mean(0, dtype=np.float32)


def _to_float(values: np.ndarray) -> np.ndarray:
    """Integers of full scale -> float32 in [-1, 1); floats as they are."""
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128) / 128
    if np.issubdtype(values.dtype, np.signedinteger):
        return values.astype(np.float32) / -float(np.iinfo(values.dtype).min)
    if np.issubdtype(values.dtype, np.floating):
        return values.astype(np.float32)
    raise AudioError(f"Samples of type {values.dtype}; accepted: float, int16, int32, int8 or uint8.")


def _from_array(source: Any, sampling_rate: Any) -> tuple[np.ndarray, int, int]:
    if hasattr(source, "detach"):
        source = source.detach().cpu().float().numpy() if source.is_floating_point() else source.cpu().numpy()
    try:
        values = np.asarray(source)
        if values.dtype == object:
            raise ValueError
    except ValueError:
        raise AudioError(
            f"{type(source).__name__} is not audio; accepted: a path, bytes, a file object, or an array with its rate."
        ) from None
    if sampling_rate is None:
        raise AudioError(f"An array needs its sampling_rate; accepted: {MIN_RATE} to {MAX_RATE} Hz.")
    if isinstance(sampling_rate, float) and sampling_rate.is_integer():
        sampling_rate = int(sampling_rate)
    if values.ndim not in (1, 2) or not values.size:
        raise AudioError(f"Array of shape {values.shape}; accepted: (n,), (n, channels) or (channels, n), not empty.")
    if values.ndim == 2 and values.shape[0] > values.shape[1]:
        values = values.T
    channels = 1 if values.ndim == 1 else values.shape[0]
    _check_shape(sampling_rate, channels)
    values = _to_float(values)
    return (values if values.ndim == 1 else values.mean(0, dtype=np.float32)), int(sampling_rate), channels


def _resample(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mono samples at `rate` Hz -> 16 kHz."""
    if rate == SAMPLE_RATE:
        return np.ascontiguousarray(samples, dtype=np.float32)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None], np.float32), format="fltp", layout="mono")
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE)
    blocks = [f.to_ndarray()[0] for f in (*resampler.resample(frame), *resampler.resample(None))]
    result = np.concatenate(blocks)
    return np.ascontiguousarray(result[: math.ceil(len(samples) * SAMPLE_RATE / rate)])

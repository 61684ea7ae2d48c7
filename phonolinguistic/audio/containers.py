"""The bytes of a sound file -> mono samples at 16 kHz, from the track that is meant and can be played.

Containers and codecs are FFmpeg's, through PyAV's wheel. What counts is the sound that is there: sizes, durations and
tags of the file are believed only where they tell that its end is missing, which is a warning.
"""

import io
from dataclasses import dataclass, replace

import av
import numpy as np

from .arrays import check_samples, to_float
from .bookkeeping import PLACEHOLDER, codec_tags, duration_is_a_guess, read_riff, recordings
from .formats import DEMUXERS, FORMATS, looks_like
from .limits import MAX_BYTES, MAX_LEVEL, AudioError, check_length, shape_fault
from .mixing import Collector

# What FFmpeg, PyAV and its callbacks may raise on damaged input; MemoryError on headers that ask for the moon.
FAULTS = (av.FFmpegError, ValueError, OSError, RuntimeError, MemoryError)
EARLY_SECONDS = 0.25  # a header may promise that much more than there is: an encoder's padding
MAX_DAMAGED = 0.25  # of the packets
MAX_MISSING = 0.5  # of the promised length, in the middle
# PyAV counts the planes of a frame up to the first null pointer, but FFmpeg's table of 8 has none when it is full: with
# 8 planes or more it reads foreign memory and the process ends.
SAFE_PLANES = 8
MAX_CHAINED = 100  # recordings in one file


@dataclass(frozen=True)
class Sound:
    """samples: (n,) float32 at 16 kHz. seconds, rate (Hz), channels: as found. found: the format, for a message."""

    samples: np.ndarray
    seconds: float
    rate: int
    channels: int
    found: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Track:
    index: int  # among the container's streams
    number: int  # among its audio tracks, from 1
    codec: str
    is_default: bool
    fault: str | None  # why it cannot be played

    def __str__(self) -> str:
        return f"audio track {self.number} ({self.codec})"


def decode(data: bytes, max_seconds: float) -> Sound:
    """All of a file, or as far as it goes.

    Raises:
        AudioError: empty, over 50 MB, not audio, no track that can be played, damaged beyond use, too short, too long.
    """
    if not data:
        raise AudioError(f"The file is empty (0 bytes); accepted: {FORMATS}.")
    if len(data) > MAX_BYTES:
        raise AudioError(f"The file has over {MAX_BYTES >> 20} MB; accepted: at most {MAX_BYTES >> 20} MB.")
    parts, is_cut = recordings(data)
    if len(parts) > MAX_CHAINED:
        raise AudioError(f"The file joins {len(parts)} recordings; accepted: at most {MAX_CHAINED}.")
    sounds, faults, left = [], [], max_seconds
    for part in parts:
        try:
            sounds.append(_decode_one(part, left))
        except AudioError as error:
            faults.append(error)
            continue
        left -= sounds[-1].seconds
        check_length(max_seconds - min(left, 0), max_seconds, sounds[-1].found)
    if not sounds:
        raise faults[0]
    warnings = [w for sound in sounds for w in sound.warnings]
    seconds = sum(sound.seconds for sound in sounds)
    if faults:
        warnings.append(f"{len(faults)} of the {len(parts)} recordings in the file cannot be read and are left out.")
    if is_cut and not any("ends early" in w for w in warnings):
        warnings.append(f"The recording ends early: its last page is cut; {seconds:.1f} s are there.")
    samples = sounds[0].samples if len(sounds) == 1 else np.concatenate([sound.samples for sound in sounds])
    sound = replace(sounds[0], samples=samples, seconds=seconds, warnings=tuple(dict.fromkeys(warnings)))
    try:
        check_length(seconds, max_seconds, sound.found)
    except AudioError as error:
        raise AudioError(" ".join((*sound.warnings, str(error)))) from None
    return sound


def _decode_one(data: bytes, max_seconds: float) -> Sound:
    """One recording, from its default track, or else from the first that can be played."""
    data, riff = read_riff(data)
    tracks, found = _tracks(data)
    passed_over = []
    for track in sorted(tracks, key=lambda track: not track.is_default):
        if track.fault:
            passed_over.append((track, AudioError(f"{track.fault} (found: {found}).")))
            continue
        try:
            sound = _Decoding(data, track, found, max_seconds).run(riff)
        except AudioError as error:
            passed_over.append((track, error))
            continue
        if passed_over:
            missed = ", ".join(str(track) for track, _ in passed_over)
            line = f"The {missed} cannot be played; {track} was used instead."
            sound = replace(sound, warnings=(line, *sound.warnings))
        return sound
    raise passed_over[0][1]


def _open(data: bytes) -> av.container.InputContainer:
    # Tags are nobody's business here: those that are not UTF-8 must not cost the sound.
    return av.open(io.BytesIO(data), metadata_errors="ignore", options={"format_whitelist": DEMUXERS})


def _tracks(data: bytes) -> tuple[list[_Track], str]:
    """The audio tracks of a file, in order, and what the file is, for a message."""
    try:
        with _open(data) as container:
            kind = _kind(container.format.name)
            tags = codec_tags(data)
            described = [(stream.type, *_described(stream, tags)) for stream in container.streams]
            length = "" if duration_is_a_guess(container.format.name, data) else _length(container.duration)
            is_default = [bool(int(getattr(stream, "disposition", 0)) & 1) for stream in container.streams]
    except FAULTS:
        raise AudioError(
            f"The file is not audio that can be read, or it is truncated (found: {looks_like(data)},"
            f" {len(data)} bytes); accepted: {FORMATS}."
        ) from None
    tracks = []
    for index, (type_, codec, _, fault) in enumerate(described):
        if type_ == "audio":
            tracks.append(_Track(index, len(tracks) + 1, codec, is_default[index], fault))
    found = ", ".join((kind, *(f"{type_} {detail}" for type_, _, detail, _ in described[:8]))) if described else kind
    found += length
    if not tracks:
        raise AudioError(f"The file has no audio stream (found: {found}); accepted: {FORMATS}.")
    return tracks, found


def _described(stream: av.stream.Stream, tags: list[str]) -> tuple[str, str, str | None]:
    """A stream's codec, codec with rate and channels, and why it cannot be played."""
    context = stream.codec_context
    if context is None:  # FFmpeg has no decoder
        tag = tags[stream.index] if stream.index < len(tags) else "unknown"
        fault = f"The audio track in codec '{tag}' cannot be decoded; convert it first; accepted: {FORMATS}"
        return tag, f"'{tag}' without a decoder", fault
    name = context.name or "unknown"
    if stream.type != "audio":
        return name, name, None
    rate, channels = context.rate or 0, context.channels or 0
    detail = f"{name} at {rate} Hz, {channels} channel{'' if channels == 1 else 's'}"
    fault = shape_fault(rate, channels) if rate and channels else None  # 0: the first frame will tell
    return name, detail, fault and fault.rstrip(".")


def _length(duration: int | None) -> str:
    """What the header says of the length; nothing where it cannot be meant (a placeholder)."""
    seconds = (duration or 0) / av.time_base
    return f", {seconds:.1f} s by its header" if 0 < seconds < 86_400 else ""


def _kind(format_name: str) -> str:
    known = {"mov,mp4,m4a,3gp,3g2,mj2": "mp4/m4a", "matroska,webm": "webm/mkv"}
    return known.get(format_name, format_name)


def _planes(frame: av.AudioFrame) -> np.ndarray:
    """The samples of a frame, (channels, n), in its own type."""
    channels = frame.layout.nb_channels
    if frame.format.is_planar and channels < SAFE_PLANES:
        return frame.to_ndarray()
    if frame.format.is_planar:
        packer = av.AudioResampler(format=frame.format.packed.name, layout=frame.layout, rate=frame.sample_rate)
        values = np.concatenate([f.to_ndarray() for f in (*packer.resample(frame), *packer.resample(None))], 1)
    else:
        values = frame.to_ndarray()
    return values.reshape(-1, channels).T


class _Decoding:
    """One track of one recording, packet by packet."""

    def __init__(self, data: bytes, track: _Track, found: str, max_seconds: float):
        self._data, self._track, self._found, self._max_seconds = data, track, found, max_seconds
        self._collector = Collector()
        self._packets = self._damaged = 0
        self._last_damaged = False  # nothing came after the last damage
        self._end = 0.0  # seconds: where the last frame says that it ends
        self._refused: AudioError | None = None

    def run(self, riff) -> Sound:
        try:
            with _open(self._data) as container:
                stream = container.streams[self._track.index]
                self._read(container.demux(stream))
                promised = self._promised(container, stream)
        except AudioError:
            raise
        except FAULTS:
            raise self._unusable("it cannot be read") from None
        seconds = self._collector.seconds
        if not seconds:
            raise self._refused or self._unusable("no sound in it can be decoded; is it truncated?")
        if seconds > self._max_seconds + 1:
            promised = None
        warnings = self._judge(seconds, promised, riff)
        rate, channels = self._collector.shapes[0]
        return Sound(self._collector.finish(), seconds, rate, channels, self._found, warnings)

    def _read(self, packets) -> None:
        while self._collector.seconds <= self._max_seconds + 1:
            try:
                packet = next(packets)
                self._packets += 1
                frames = packet.decode()
            except (StopIteration, av.EOFError):
                return
            except FAULTS:
                self._damaged, self._last_damaged = self._damaged + 1, True
                continue
            for frame in frames:
                self._take(frame)

    def _take(self, frame: av.AudioFrame) -> None:
        rate, channels = frame.sample_rate, frame.layout.nb_channels
        if fault := shape_fault(rate, channels):
            self._refused = self._refused or AudioError(f"{fault[:-1]} (found: {self._found}).")
            self._damaged, self._last_damaged = self._damaged + 1, True
            return
        block = to_float(_planes(frame))
        peak = np.abs(block).max(initial=0)
        if not peak <= MAX_LEVEL:
            if self._track.codec.startswith("pcm"):
                check_samples(block)
            self._damaged, self._last_damaged = self._damaged + 1, True  # a decoder that lost its way
            return
        self._collector.add(block, rate)
        self._last_damaged = False
        if frame.pts is not None and frame.time_base:
            self._end = float(frame.pts * frame.time_base) + frame.samples / rate

    def _promised(self, container, stream) -> float | None:
        """Seconds that the header promises; None where it says nothing, guesses, or holds a placeholder."""
        if duration_is_a_guess(container.format.name, self._data):
            return None
        if stream.duration and stream.time_base:
            promised = float(stream.duration * stream.time_base)
        elif container.duration and len(container.streams) == 1:
            promised = container.duration / av.time_base
        else:
            return None
        if not self._collector.shapes:
            return None
        rate, channels = self._collector.shapes[0]
        bytes_ = promised * rate * channels * 2
        return promised if 0 < promised and bytes_ < PLACEHOLDER // 2 else None

    def _judge(self, seconds: float, promised: float | None, riff) -> tuple[str, ...]:
        """Warnings about an end or a middle that is missing; raises AudioError when too much of it is."""
        early = None
        if riff and (lost := riff.seconds()) and lost[1] - lost[0] > EARLY_SECONDS:
            early = lost[1]
        elif promised and promised - max(seconds, self._end) > EARLY_SECONDS:
            early = promised
        middle = bool(promised and not early and promised - seconds > EARLY_SECONDS)
        damaged = self._damaged - (self._last_damaged and bool(early))
        of_all = f"{self._damaged} of {self._packets} packets are damaged"
        if self._damaged > max(1, MAX_DAMAGED * self._packets):
            raise self._unusable(f"{of_all}, {seconds:.1f} s can be read")
        if middle and promised - seconds > MAX_MISSING * promised:
            raise self._unusable(f"{seconds:.1f} of {promised:.1f} s can be read")
        warnings = []
        if early:
            warnings.append(f"The recording ends early: {seconds:.1f} of {early:.1f} s are there.")
        elif self._last_damaged and self._damaged == 1:
            warnings.append(f"The recording ends early: its last packet is cut; {seconds:.1f} s are there.")
            damaged = 0
        if damaged:
            warnings.append(f"The recording is damaged: {of_all} and left out; {seconds:.1f} s are there.")
        elif middle:
            warnings.append(f"The recording is damaged: {seconds:.1f} of {promised:.1f} s can be read.")
        return tuple(warnings)

    def _unusable(self, what: str) -> AudioError:
        return AudioError(f"The file is damaged beyond use: {what} (found: {self._found}); accepted: {FORMATS}.")

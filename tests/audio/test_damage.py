"""Whole files with wrong bookkeeping are answered without a word; what is really missing is a warning or a refusal."""

import io
import re
import struct
import time
import zlib

import av
import numpy as np
import pytest
import soundfile as sf

from phonolinguistic.audio.decoding import AudioError, load_audio

RATE = 16_000
SECONDS = 2.0


def voice(rate: int = RATE, seconds: float = SECONDS) -> np.ndarray:
    """Harmonics with syllables: (n,) float32, loud enough that a missing part shows."""
    t = np.arange(int(rate * seconds)) / rate
    tone = sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 9))
    return (0.1 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))).astype(np.float32)


def written(kind: str, subtype: str | None = None, rate: int = RATE, seconds: float = SECONDS) -> bytes:
    out = io.BytesIO()
    sf.write(out, voice(rate, seconds), rate, format=kind, subtype=subtype)
    return out.getvalue()


def encoded(container: str, codec: str, rate: int = RATE, tracks: int = 1, title: str = "", **options: str) -> bytes:
    """A file by PyAV with `tracks` audio tracks: the first at the voice's level, each further one at half."""
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=options) as file:
        if title:
            file.metadata["title"] = title
        streams = [file.add_stream(codec, rate=rate, layout="mono") for _ in range(tracks)]
        for number, stream in enumerate(streams):
            frame = av.AudioFrame.from_ndarray(voice(rate)[None] / 2**number, format="fltp", layout="mono")
            frame.sample_rate = rate
            resampler = av.AudioResampler(stream.format.name, "mono", rate, frame_size=stream.frame_size)
            for piece in (*resampler.resample(frame), *resampler.resample(None), None):
                file.mux(stream.encode(piece))
    return out.getvalue()


def rms(x) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def assert_whole(clip, seconds: float = SECONDS, level: float | None = None) -> None:
    assert clip.warnings == ()
    assert clip.seconds == pytest.approx(seconds, abs=0.15)
    assert rms(clip.samples) == pytest.approx(level or rms(voice()), rel=0.1)


WAV = written("WAV", "PCM_16")
SAMPLES = len(WAV) - 44


def sized(riff: int, data: int, wav: bytes = WAV) -> bytes:
    return wav[:4] + struct.pack("<I", riff) + wav[8:40] + struct.pack("<I", data) + wav[44:]


@pytest.mark.parametrize("extra", [8, 16, 44, -8, -16, -44])
@pytest.mark.parametrize("field", ["riff", "data", "both"])
def test_header_bytes_counted_twice_or_not_at_all(extra, field):
    riff = SAMPLES + 36 + (extra if field != "data" else 0)
    data = SAMPLES + (extra if field != "riff" else 0)
    assert_whole(load_audio(sized(riff, data)))


@pytest.mark.parametrize("size", [0x7FFFF024, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFDB, 0])
def test_placeholders_of_pipes(size):
    assert_whole(load_audio(sized((size + 36) & 0xFFFFFFFF, size)))
    assert_whole(load_audio(sized(size, SAMPLES)))


def test_a_header_written_before_the_recording_went_on():
    """A recorder that died: the header tells of the first half second, the samples go on."""
    assert_whole(load_audio(sized(36 + RATE, RATE)))


def test_a_chunk_behind_the_samples_is_no_sound():
    tail = b"LIST" + struct.pack("<I", 20_000) + b"\x7f\x12" * 10_000
    assert_whole(load_audio(sized(SAMPLES + 36 + len(tail), SAMPLES) + tail))


def test_aiff_and_au_placeholders():
    au = bytearray(written("AU", "PCM_16"))
    au[8:12] = b"\xff\xff\xff\xff"
    assert_whole(load_audio(bytes(au)))
    aiff = bytearray(written("AIFF", "PCM_16"))
    frames = aiff.index(b"COMM") + 10
    aiff[frames : frames + 4] = struct.pack(">I", 0x7F000000 // 2)
    assert_whole(load_audio(bytes(aiff)))


def test_webm_of_a_recorder_that_never_knew_its_length():
    assert_whole(load_audio(encoded("webm", "libopus", 48_000, live="1")))


# Tags that are not UTF-8


def with_info(text: bytes) -> bytes:
    text += b"\0" * (2 - len(text) % 2)
    info = b"INFOINAM" + struct.pack("<I", len(text)) + text
    chunk = b"LIST" + struct.pack("<I", len(info)) + info
    return b"RIFF" + struct.pack("<I", len(WAV) - 8 + len(chunk)) + WAV[8:36] + chunk + WAV[36:]


def with_bext(text: bytes) -> bytes:
    chunk = b"bext" + struct.pack("<I", 602) + text.ljust(256, b"\0") + text.ljust(32, b"\0") + bytes(314)
    return b"RIFF" + struct.pack("<I", len(WAV) - 8 + len(chunk)) + WAV[8:36] + chunk + WAV[36:]


def with_vorbis_comment(text: bytes) -> bytes:
    """A FLAC whose first block (34 bytes of STREAMINFO) is followed by a comment."""
    flac = written("FLAC")
    comment = b"TITLE=" + text
    body = struct.pack("<I", 1) + b"x" + struct.pack("<II", 1, len(comment)) + comment
    return flac[:42] + b"\x04" + len(body).to_bytes(3, "big") + body + flac[42:]


def with_id3v1(text: bytes) -> bytes:
    return written("MP3") + b"TAG" + text.ljust(30, b"\0") + bytes(94) + b"\x0c"


TAGGED = {
    "wav info": lambda text: with_info(text),
    "wav bext": lambda text: with_bext(text),
    "flac": lambda text: with_vorbis_comment(text),
    "mp3 id3v1": lambda text: with_id3v1(text),
    "m4a": lambda text: text.join(encoded("ipod", "aac", title="X" * len(text)).rsplit(b"X" * len(text), 1)),
}


@pytest.mark.parametrize("text", ["Gespräch".encode("cp1252"), "Été à Paris".encode("latin-1"), b"\xff\xfe\xfd\x80"])
@pytest.mark.parametrize("name", TAGGED)
def test_tags_are_nobodys_business(name, text):
    data = TAGGED[name](text)
    assert text in data
    with pytest.raises(UnicodeDecodeError):
        data[data.index(text) :][: len(text)].decode()
    assert_whole(load_audio(data))


# Several recordings in one file


@pytest.mark.parametrize("first", [("VORBIS", 22_050), ("OPUS", 48_000)])
@pytest.mark.parametrize("second", [("VORBIS", 22_050), ("VORBIS", 44_100), ("OPUS", 16_000)])
def test_chained_ogg(first, second):
    parts = [written("OGG", codec, rate) for codec, rate in (first, second)]
    clip = load_audio(b"".join(parts))
    assert_whole(clip, 2 * SECONDS)
    alone = [load_audio(part).samples for part in parts]
    np.testing.assert_array_equal(clip.samples, np.concatenate(alone))


def test_a_chain_with_one_recording_that_cannot_be_read():
    broken = bytearray(written("OGG", "VORBIS"))
    broken[60:3000] = bytes(2940)
    clip = load_audio(written("OGG", "OPUS") + bytes(broken))
    assert clip.seconds == pytest.approx(SECONDS, abs=0.1) and len(clip.warnings) == 1
    assert re.match(r"1 of the 2 recordings in the file cannot be read", clip.warnings[0])


def test_a_chain_may_not_be_longer_than_one_clip():
    with pytest.raises(AudioError, match="longer than 3 s"):
        load_audio(written("OGG", "OPUS") * 2, max_seconds=3)


@pytest.mark.parametrize(
    "piece", [b"RIFF" + struct.pack("<I", 40) + b"WAVE" + bytes(36), b"OggS\0\2" + bytes(21) + b"OggS\0\0" + bytes(21)]
)
def test_a_hundred_thousand_recordings_are_refused_at_once(piece):
    start = time.perf_counter()
    with pytest.raises(AudioError, match=r"The file joins (100000|99999) recordings; accepted: at most 100"):
        load_audio(piece * 100_000)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("second", [16_000, 44_100])
def test_files_joined_by_hand(second):
    assert_whole(load_audio(WAV + written("WAV", "PCM_16", second)), 2 * SECONDS)
    assert_whole(load_audio(encoded("adts", "aac") + encoded("adts", "aac", second)), 2 * SECONDS + 0.15)


def test_mp3s_joined_by_hand():
    clip = load_audio(written("MP3") + written("MP3"))
    assert clip.seconds == pytest.approx(2 * SECONDS, abs=0.2) and clip.warnings == ()


# What is really missing


def index_first(data: bytes) -> bytes:
    """An mp4 with its moov, which stands last, moved before its mdat (the offsets of its one stco with it)."""
    start, end = data.index(b"free") - 4, data.rindex(b"moov") - 4
    index = bytearray(data[end:])
    table = index.index(b"stco") + 8
    for at in range(table + 4, table + 4 + 4 * int.from_bytes(index[table : table + 4], "big"), 4):
        index[at : at + 4] = (int.from_bytes(index[at : at + 4], "big") + len(index)).to_bytes(4, "big")
    return data[:start] + bytes(index) + data[start:end]


CUT = {
    "wav": lambda: WAV,
    "wav adpcm": lambda: written("WAV", "MS_ADPCM"),
    "rf64": lambda: written("RF64", "PCM_16"),
    "aiff": lambda: written("AIFF", "PCM_16"),
    "au": lambda: written("AU", "PCM_16"),
    "flac": lambda: written("FLAC"),
    "mp3": lambda: written("MP3"),
    "ogg vorbis": lambda: written("OGG", "VORBIS"),
    "ogg opus": lambda: written("OGG", "OPUS"),
    "m4a, index first": lambda: index_first(encoded("ipod", "aac")),
    "webm": lambda: encoded("webm", "libopus", 48_000),
    "aac": lambda: encoded("adts", "aac"),
    "amr": lambda: encoded("amr", "libopencore_amrnb", 8_000),
}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_recording_is_answered_as_far_as_it_goes(name):
    data = CUT[name]()
    whole = load_audio(data)
    assert whole.warnings == ()
    clip = load_audio(data[: int(len(data) * 0.7)])
    assert 0.3 < clip.seconds < 0.8 * whole.seconds
    assert len(clip.warnings) == 1 and re.match(r"The recording ends early: .*\d s are there\.$", clip.warnings[0])
    said = re.search(r"(\d+\.\d)(?: of (\d+\.\d))? s are there", clip.warnings[0])
    assert float(said[1]) == pytest.approx(clip.seconds, abs=0.06)
    assert said[2] is None or float(said[2]) == pytest.approx(whole.seconds, abs=0.1)


def test_a_few_damaged_packets_are_bridged():
    data = bytearray(written("FLAC", seconds=8))
    data[len(data) // 2 : len(data) // 2 + 300] = bytes(300)
    clip = load_audio(bytes(data))
    assert 7 < clip.seconds <= 8 and clip.warnings[0].startswith("The recording is damaged")


def test_damage_beyond_use_is_refused_with_what_was_found():
    data = bytearray(encoded("ipod", "aac"))
    start = data.index(b"mdat") + 200
    noise = np.random.default_rng(0).integers(0, 256, data.index(b"moov") - 400 - start, np.uint8)
    data[start : start + len(noise)] = noise.tobytes()
    with pytest.raises(AudioError, match=r"damaged beyond use: \d+ of \d+ packets .*\(found: mp4/m4a, audio aac at"):
        load_audio(bytes(data))


# Streams


def renamed(data: bytes, track: int, old: bytes, new: bytes = b"xyz1") -> bytes:
    """The codec of one track of an mp4 becomes one that nobody knows."""
    places = [m.start() for m in re.finditer(re.escape(old), data[data.index(b"moov") :])]
    start = data.index(b"moov") + places[track]
    data = data[:start] + new + data[start + 4 :]
    esds = data.find(b"esds", start)  # which says it once more
    return data if esds < 0 else data[:esds] + b"xsds" + data[esds + 4 :]


def test_a_codec_without_a_decoder_is_named():
    with pytest.raises(AudioError, match=r"audio track in codec 'xyz1' .*\(found: mp4/m4a, audio 'xyz1'"):
        load_audio(renamed(encoded("ipod", "aac"), 0, b"mp4a"))
    wav = bytearray(WAV)
    wav[20:22] = b"\xf0\xee"
    with pytest.raises(AudioError, match="audio track in codec 'wav tag 0xeef0'"):
        load_audio(bytes(wav))
    webm = encoded("webm", "libopus", 48_000).replace(b"A_OPUS", b"A_OWLS")
    with pytest.raises(AudioError, match="audio track in codec 'A_OWLS'"):
        load_audio(webm)


@pytest.mark.parametrize("container, codec, tag", [("mov", "alac", b"alac"), ("ipod", "aac", b"mp4a")])
def test_the_next_track_that_can_be_played(container, codec, tag):
    clip = load_audio(renamed(encoded(container, codec, tracks=2), 0, tag))
    assert rms(clip.samples) == pytest.approx(rms(voice()) / 2, rel=0.05)
    assert clip.warnings == (f"The audio track 1 (xyz1) cannot be played; audio track 2 ({codec}) was used instead.",)


def test_the_first_of_equals_and_the_default_before_the_first():
    data = encoded("mov", "alac", tracks=2)
    assert_whole(load_audio(data))
    swapped = bytearray(data)  # the flag "enabled" of the track headers is what FFmpeg calls the default
    first, second = (m.start() + 7 for m in re.finditer(b"tkhd", data))
    swapped[first] &= ~1
    swapped[second] |= 1
    assert_whole(load_audio(bytes(swapped)), level=rms(voice()) / 2)


def test_eight_planes():
    """More planes than FFmpeg's table has nulls behind: PyAV alone ends the process here."""
    for subtype in ("VORBIS", "OPUS"):
        out = io.BytesIO()
        channels = np.zeros((48_000, 8), np.float32)
        channels[:, 3] = voice(48_000, 1.0)
        sf.write(out, channels, 48_000, format="OGG", subtype=subtype)
        clip = load_audio(out.getvalue())
        assert clip.channels == 8
        assert_whole(clip, 1.0)


def test_a_track_with_too_many_channels_or_an_absurd_rate():
    wav = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 0, b"WAVE", b"fmt ", 16, 1, 9, RATE, RATE * 18, 18, 16, b"data", 0)
    with pytest.raises(AudioError, match=r"9 channels; accepted: 1 to 8 \(found: wav, audio pcm_s16le"):
        load_audio(wav + bytes(18 * RATE))
    for rate in (0, 100, 4_000_000):
        odd = bytearray(WAV)
        odd[24:28] = struct.pack("<I", rate)
        with pytest.raises(AudioError, match="accepted"):
            load_audio(bytes(odd))


def test_page_checksum_is_the_one_of_the_format():
    from phonolinguistic.audio.ogg import _checksum

    data = written("OGG", "OPUS")
    size = 27 + data[26] + sum(data[27 : 27 + data[26]])
    page = data[:22] + bytes(4) + data[26:size]
    assert _checksum(page) == int.from_bytes(data[22:26], "little") != zlib.crc32(page)

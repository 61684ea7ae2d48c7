"""What a file says in bytes that FFmpeg does not tell: RIFF sizes, joined files, names of codecs without a decoder."""

import re
from dataclasses import dataclass

from .ogg import chained

# From here on a size of 32 bits is a placeholder of a writer into a pipe (SoX 0x7ffff024, others 0x7fffffff and
# 0xffffffff), who could not go back to fill it in.
PLACEHOLDER = 0x7F000000
MAX_CHUNKS = 1000  # before the samples of a WAV

_CHUNK_ID = re.compile(rb"[ -~]{3}[ -~\0]")


@dataclass(frozen=True)
class Riff:
    """The samples of a WAV: promised bytes (None: a placeholder), bytes there, and bytes a second."""

    promised: int | None
    present: int
    byte_rate: int

    def seconds(self) -> tuple[float, float] | None:
        """(there, promised) in seconds when the samples end before the header says."""
        if self.promised is None or self.promised <= self.present or self.byte_rate <= 0:
            return None
        return self.present / self.byte_rate, self.promised / self.byte_rate


def read_riff(data: bytes) -> tuple[bytes, Riff | None]:
    """The file, its data chunk opened to the end where its size cannot be true, and what it says; None: not a WAV.

    A size smaller than what is there is believed only when another chunk, or nothing, follows.
    """
    if not _is_wav(data):
        return data, None
    position, byte_rate, long_size = 12, 0, None
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(data):
            break
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        body = position + 8
        if name == b"fmt ":
            byte_rate = int.from_bytes(data[body + 8 : body + 12], "little")
        elif name == b"ds64":
            long_size = int.from_bytes(data[body + 8 : body + 16], "little")
        elif name == b"data":
            present = len(data) - body
            if size == 0xFFFFFFFF and long_size:
                return data, Riff(long_size if long_size < PLACEHOLDER else None, present, byte_rate)
            if size == 0 or size >= PLACEHOLDER:
                return data, Riff(None, present, byte_rate)
            rest = data[body + size + (size & 1) : body + size + 8]
            if len(rest) >= 4 and not _CHUNK_ID.match(rest):
                data = data[: position + 4] + b"\xff\xff\xff\xff" + data[body:]
                return data, Riff(None, present, byte_rate)
            return data, Riff(size, present, byte_rate)
        position = body + size + (size & 1)
    return data, None


def recordings(data: bytes) -> tuple[list[bytes], bool]:
    """What is joined in one file (a chained Ogg, WAVs one behind the other), and whether the last Ogg page was cut."""
    if data[:4] == b"OggS":
        return chained(data)
    starts, position = [0], 0
    while _is_wav(data[position : position + 12]):
        position += 8 + int.from_bytes(data[position + 4 : position + 8], "little")
        if position - starts[-1] <= 44 or not _is_wav(data[position : position + 12]):
            break
        starts.append(position)
    return [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)], False


def _is_wav(data: bytes) -> bool:
    return data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE"


def duration_is_a_guess(format_name: str, data: bytes) -> bool:
    """Whether the duration is FFmpeg's guess from the first frames' bit rate: far off when a clip begins in silence.

    An mp3 is trusted when its first frame counts the others (Xing, Info, VBRI) and its bytes are not fewer than there
    are: then it is the first of several that were joined.
    """
    if format_name in ("aac", "amr"):
        return True
    if format_name != "mp3":
        return False
    start = 0
    if data[:3] == b"ID3":  # its size: four bytes of seven bits
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=False))
    head = data[start : start + 4096]
    found = re.search(rb"(?:Xing|Info)\0\0\0(.)", head, re.DOTALL)
    if not found:
        return b"VBRI" not in head
    flags, body = found[1][0], head[found.end() :]
    if not flags & 1:
        return True
    return bool(flags & 2) and int.from_bytes(body[4:8], "big") * 1.02 + 1024 < len(data) - start


def codec_tags(data: bytes) -> list[str]:
    """What the tracks of an mp4, mkv/webm or wav call their codecs, in order; for tracks that FFmpeg cannot name."""
    if data[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
        found = re.findall(rb"stsd\0\0\0\0\0\0\0[\1-\x10].{4}(.{4})", data, re.DOTALL)
    elif data[:4] == b"\x1aE\xdf\xa3":
        sized = re.findall(rb"\x86([\x83-\xc0])([ADSV]_[A-Z0-9_/.]+)", data)  # EBML: the length follows the identifier
        found = [name[: size[0] & 0x7F] for size, name in sized]
    elif data[:4] == b"RIFF" and data[12:16] == b"fmt ":
        return [f"wav tag 0x{int.from_bytes(data[20:22], 'little'):04x}"]
    else:
        return []
    return ["".join(c if c.isprintable() else "?" for c in tag.decode("latin-1")).strip() for tag in found]

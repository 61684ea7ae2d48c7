"""Ogg pages (RFC 3533): recordings chained in one file, and a last page that is cut."""

from functools import cache

HEADER = 27  # bytes, before the segment table


def chained(data: bytes) -> tuple[list[bytes], bool]:
    """The recordings of an Ogg, each from its first page on, and whether the last page was cut.

    A page that begins a stream, after one that does not, begins a recording. Of a cut page the packets that are whole
    are kept, under a new checksum: small files are often a single page.
    """
    starts, position, last, end, was_first = [0], 0, 0, 0, True
    while 0 <= position and position + HEADER <= len(data):
        is_first = bool(data[position + 5] & 2)
        if is_first and not was_first:
            starts.append(position)
        last, was_first = position, is_first
        table = data[position + HEADER : position + HEADER + data[position + 26]]
        end = position + HEADER + data[position + 26] + sum(table)
        position = end if data[end : end + 4] == b"OggS" else data.find(b"OggS", position + 4)
    is_cut = end > len(data) or position >= 0
    if end > len(data):
        data = data[:last] + _whole_packets(data[last:])
    return [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)], is_cut


def _whole_packets(page: bytes) -> bytes:
    """A page without its end -> a page of the packets that are there; nothing when there is none."""
    table = page[HEADER : HEADER + page[26]]
    room, used, count, size = len(page) - HEADER - page[26], 0, 0, 0
    for index, lacing in enumerate(table):
        used += lacing
        if used > room:
            break
        if lacing < 255:  # a packet ends
            count, size = index + 1, used
    if not count:
        return b""
    body = page[HEADER + page[26] :][:size]
    header = bytearray(page[:HEADER] + table[:count])
    header[22:26], header[26] = bytes(4), count
    header[22:26] = _checksum(bytes(header) + body).to_bytes(4, "little")
    return bytes(header) + body


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return tuple(table)


def _checksum(page: bytes) -> int:
    table, value = _crc_table(), 0
    for byte in page:  # at most 65,307 of them
        value = ((value << 8) & 0xFFFFFFFF) ^ table[(value >> 24) ^ byte]
    return value

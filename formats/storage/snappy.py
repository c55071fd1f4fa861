"""Snappy, raw blocks (no framing), reading only.

    block    varint uncompressed length, then elements
    element  tag byte, whose low two bits tell
      0 literal  (tag >> 2) + 1 bytes follow; 60..63 there: the length - 1 is in the next 1..4 bytes
      1 copy     length 4 + (tag >> 2 & 7), offset (tag >> 5) << 8 | next byte
      2 copy     length 1 + (tag >> 2),     offset in the next 2 bytes
      3 copy     length 1 + (tag >> 2),     offset in the next 4 bytes

An offset counts back from the end of what is decompressed so far; a copy longer than its offset
repeats itself. Numbers are little-endian. Source: snappy format_description.txt.
"""

from __future__ import annotations

from modelfmt.errors import CorruptFileError, TruncatedError, UnsafeFileError, Where
from modelfmt.storage.wire import read_varint

#: Three bytes can stand for 64 at most.
_LARGEST_RATIO = 22


def decompress(data: bytes | memoryview) -> bytes:
    """The bytes that a Snappy block stands for; offsets in errors count from its start.

    Raises:
        TruncatedError: an element passes the end of the block.
        CorruptFileError: an offset before the start, or another length than announced.
        UnsafeFileError: the announced length is more than any block of this size holds.
    """
    size, at = read_varint(data, 0)
    if size > _LARGEST_RATIO * len(data):
        raise UnsafeFileError(
            "a Snappy block announces more than it can hold", where=Where(offset=0),
            expected=f"at most {_LARGEST_RATIO * len(data)} bytes", found=f"{size} bytes",
        )
    out = bytearray()
    while at < len(data):
        start, tag = at, data[at]
        at += 1
        kind, upper = tag & 3, tag >> 2
        if kind == 0:
            length, at = _literal_length(data, upper, at)
            _need(data, start, at + length)
            out += data[at : at + length]
            at += length
        else:
            width = (1, 2, 4)[kind - 1]
            _need(data, start, at + width)
            offset = int.from_bytes(data[at : at + width], "little")
            at += width
            length = upper + 1
            if kind == 1:
                length, offset = 4 + (upper & 7), offset | (tag >> 5) << 8
            if not 0 < offset <= len(out):
                raise CorruptFileError(
                    "a Snappy copy begins before the data", where=Where(offset=start),
                    expected=f"an offset of 1 to {len(out)}", found=offset,
                )
            source = out[-offset:][:length]
            out += (source * (length // len(source) + 1))[:length]
        if len(out) > size:
            break
    if len(out) != size:
        raise CorruptFileError(
            "a Snappy block holds another length than it announces", where=Where(offset=0),
            expected=f"{size} bytes", found=f"{len(out)} bytes" + (" or more" * (len(out) > size)),
        )
    return bytes(out)


def _literal_length(data: bytes | memoryview, upper: int, at: int) -> tuple[int, int]:
    if upper < 60:
        return upper + 1, at
    width = upper - 59
    _need(data, at - 1, at + width)
    return int.from_bytes(data[at : at + width], "little") + 1, at + width


def _need(data: bytes | memoryview, start: int, end: int) -> None:
    if end > len(data):
        raise TruncatedError(
            "a Snappy element passes the end of its block",
            wanted=end - start, available=len(data) - start, where=Where(offset=start),
        )

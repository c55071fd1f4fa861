"""Damage of many sorts, made from a seed: the same seed spoils the same bytes every time."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

#: What numbers break on: lengths, counts, addresses.
_EDGES = (
    0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1,
    1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
)  # fmt: skip
_HEADS = (b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"node {", b"\x0a\x05\x0a", b"\x08\x01\x12", b"")


def noise(data: bytes, rng: random.Random) -> bytes:
    """Random bytes; some begin as model files do."""
    head = rng.choice((*_HEADS, data[: rng.randrange(200)]))
    return head + rng.randbytes(rng.randrange(4000))


def cut(data: bytes, rng: random.Random) -> bytes:
    """The file ends early."""
    return data[: rng.randrange(len(data))]


def flip_bit(data: bytes, rng: random.Random) -> bytes:
    """One bit."""
    return _with(data, _place(data, rng), lambda byte: byte ^ 1 << rng.randrange(8))


def flip_byte(data: bytes, rng: random.Random) -> bytes:
    """One byte; never the same as before."""
    return _with(data, _place(data, rng), lambda byte: byte ^ rng.randrange(1, 256))


def flip_bytes(data: bytes, rng: random.Random) -> bytes:
    """Some bytes, anywhere."""
    for _ in range(rng.randrange(2, 20)):
        data = flip_byte(data, rng)
    return data


def duplicate(data: bytes, rng: random.Random) -> bytes:
    """A span twice, the second time perhaps elsewhere."""
    start, end = _span(data, rng)
    at = rng.choice((end, rng.randrange(len(data))))
    return data[:at] + data[start:end] + data[at:]


def delete(data: bytes, rng: random.Random) -> bytes:
    """A span is missing."""
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def overwrite(data: bytes, rng: random.Random) -> bytes:
    """A span over another; the length stays."""
    start, end = _span(data, rng)
    at = rng.randrange(len(data))
    return (data[:at] + data[start:end] + data[at + end - start :])[: len(data)]


def inflate(data: bytes, rng: random.Random) -> bytes:
    """Another length in what looks like a length-delimited field of protobuf."""
    places = [_place(data, rng) for _ in range(64)]
    for at in places:
        if at + 1 < len(data) and data[at] & 7 == 2 and at + 2 + data[at + 1] <= len(data):
            value = rng.choice((*_EDGES, data[at + 1] + 1, max(data[at + 1] - 1, 0)))
            return data[: at + 1] + _varint(value) + data[at + 2 :]
    return flip_byte(data, rng)


def word(data: bytes, rng: random.Random) -> bytes:
    """A number of 2, 4 or 8 bytes, little-endian, as HDF5 and zip have for sizes and addresses."""
    size = rng.choice((2, 4, 8, 8))
    at = _place(data, rng) // size * size
    value = rng.choice((*_EDGES, len(data), len(data) + 1, rng.randrange(len(data))))
    new = struct.pack("<Q", value)[:size]
    return (data[:at] + new + data[at + size :])[: len(data)]


#: Those that the task names count most.
MUTATORS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    noise, cut, cut, flip_bit, flip_bit, flip_byte, flip_byte, flip_byte, flip_bytes,
    duplicate, delete, overwrite, inflate, inflate, word,
)  # fmt: skip


def mutated(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """The name of a sort of damage, and bytes that differ from ``data`` by it."""
    while True:
        mutator = rng.choice(MUTATORS)
        made = mutator(data, rng) if data else rng.randbytes(9)
        if made != data:
            return mutator.__name__, made


def _place(data: bytes, rng: random.Random) -> int:
    """Anywhere, more often where headers stand: at both ends."""
    where = rng.random()
    near = min(len(data), 2048)
    if where < 0.25:
        return rng.randrange(near)
    return len(data) - 1 - rng.randrange(near) if where < 0.35 else rng.randrange(len(data))


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = _place(data, rng)
    return start, min(len(data), start + rng.choice((1, 2, 4, 8, 16, 100, 1000)))


def _with(data: bytes, at: int, change: Callable[[int], int]) -> bytes:
    return data[:at] + bytes([change(data[at])]) + data[at + 1 :]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])

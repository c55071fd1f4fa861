"""String tensors in a bundle, both directions.

    lengths     a varint each
    checksum    masked crc32c (fixed32) of the lengths, each as a uint32 (uint64 from 2**32 on)
    strings     one after the other

The entry's own crc32c goes on from the lengths as numbers to the checksum and the strings.
Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from modelfmt.errors import CorruptFileError, Where, located
from modelfmt.storage import wire
from modelfmt.storage.crc32c import check_masked, crc32c, mask
from modelfmt.storage.files import FileSpan


def read_strings(
    span: FileSpan, count: int, stored: int, origin: Where, big_endian: bool = False
) -> list[bytes]:
    """The elements of a string tensor; both checksums are verified.

    Args:
        span: the entry's bytes.
        count: number of elements.
        stored: the entry's masked crc32c.
        origin: for errors.
        big_endian: as the header says.

    Raises:
        CorruptFileError, TruncatedError: the lengths do not fit the bytes.
        ChecksumError: of the lengths, or of all.

    Written by: ``write_strings``.
    """
    raw = span.read()
    order: Literal["little", "big"] = "big" if big_endian else "little"
    lengths: list[int] = []
    at = 0
    with located(path=origin.path, key=origin.key):
        for _ in range(count):
            length, at = wire.read_varint(raw, at)
            lengths.append(length)
        if at + 4 + sum(lengths) != len(raw):
            raise CorruptFileError(
                "the strings do not fit their lengths", where=origin,
                expected=f"{at + 4 + sum(lengths)} bytes", found=f"{len(raw)} bytes",
            )
    crc = crc32c(_as_numbers(lengths, order))
    checksum = int.from_bytes(raw[at : at + 4], order)
    check_masked(checksum, crc, "the lengths of the strings", origin)
    check_masked(stored, crc32c(raw[at:], crc), "the strings", origin)
    at += 4
    values = []
    for length in lengths:
        values.append(raw[at : at + length])
        at += length
    return values


def write_strings(values: Sequence[bytes]) -> tuple[bytes, bytes, int]:
    """The head (lengths and checksum), the strings, and the masked crc32c for the entry.

    Read by: ``read_strings``.
    """
    lengths = [len(value) for value in values]
    crc = crc32c(_as_numbers(lengths, "little"))
    checksum = wire.fixed32(mask(crc))
    body = b"".join(values)
    head = b"".join(map(wire.varint, lengths)) + checksum
    return head, body, mask(crc32c(body, crc32c(checksum, crc)))


def _as_numbers(lengths: Sequence[int], order: Literal["little", "big"]) -> bytes:
    """Lengths in the form that is checksummed."""
    return b"".join(n.to_bytes(4 if n < 1 << 32 else 8, order) for n in lengths)

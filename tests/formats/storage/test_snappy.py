"""Snappy blocks: every kind of element, and one corrupt variant per error."""

from __future__ import annotations

import random

import pytest

from modelfmt.errors import CorruptFileError, ModelFormatError, TruncatedError, UnsafeFileError
from modelfmt.storage.snappy import decompress
from modelfmt.storage.wire import varint


@pytest.mark.parametrize("block, plain", [
    ("00", b""),
    ("03 08 61 62 63", b"abc"),                            # literal of 3
    ("08 04 61 62 09 02", b"ab" * 4),                      # copy, 1 byte: length 6, offset 2
    ("06 08 61 62 63 0a 03 00", b"abcabc"),                # copy, 2 bytes: length 3
    ("06 08 61 62 63 0b 03 00 00 00", b"abcabc"),          # copy, 4 bytes
    ("41 00 61 fe 01 00", b"a" * 65),                      # a run: length 64, offset 1
])  # fmt: skip
def test_elements(block: str, plain: bytes) -> None:
    data = bytes.fromhex(block)
    assert decompress(data) == plain
    assert decompress(memoryview(data)) == plain


@pytest.mark.parametrize("length, head", [
    (60, "ec"), (61, "f0 3c"), (256, "f0 ff"), (257, "f4 00 01"), (70_000, "f8 6f 11 01"),
    (70_000, "fc 6f 11 01 00"),
])
def test_literals_of_every_length(length: int, head: str) -> None:
    plain = random.Random(length).randbytes(length)
    assert decompress(varint(length) + bytes.fromhex(head) + plain) == plain


def test_a_far_copy() -> None:
    plain = random.Random(1).randbytes(1500)
    # copy of 1 byte: 11 bits of offset, the upper three in the tag
    block = varint(1504) + bytes.fromhex("f4 db 05") + plain + bytes([0x01 | 1500 >> 8 << 5, 0xDC])
    assert decompress(block) == plain + plain[:4]


@pytest.mark.parametrize("block, error, words", [
    ("", TruncatedError, "within a varint"),
    ("05 08 61 62", TruncatedError, "element passes"),
    ("05 f4 05", TruncatedError, "element passes"),
    ("05 00 61 02 01", TruncatedError, "element passes"),
    ("05 00 61 0a 02 00", CorruptFileError, "begins before"),
    ("05 00 61 0a 00 00", CorruptFileError, "begins before"),
    ("05 00 61", CorruptFileError, "another length"),
    ("02 08 61 62 63", CorruptFileError, "or more"),
    ("ff ff ff ff 0f 00 61", UnsafeFileError, "announces more"),
])
def test_corrupt(block: str, error: type[ModelFormatError], words: str) -> None:
    with pytest.raises(ModelFormatError, match=words) as caught:
        decompress(bytes.fromhex(block))
    assert type(caught.value) is error

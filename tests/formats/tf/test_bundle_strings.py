"""String tensors of a bundle: both directions, both checksums."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelfmt.errors import ChecksumError, CorruptFileError, ModelFormatError, Where
from modelfmt.storage.crc32c import crc32c, mask
from modelfmt.storage.files import FileSpan, SourceFile
from modelfmt.tf.bundle_strings import read_strings, write_strings

VALUES = [b"a", b"", b"xyz" * 100]


@pytest.fixture
def span(tmp_path: Path):  # type: ignore[no-untyped-def]
    def build(data: bytes) -> FileSpan:
        (tmp_path / "d").write_bytes(data)
        return SourceFile(tmp_path / "d").span()

    return build


def test_both_directions(span) -> None:  # type: ignore[no-untyped-def]
    head, body, crc = write_strings(VALUES)
    assert head[:-4].hex(" ") == "01 00 ac 02"
    assert body == b"a" + b"xyz" * 100
    assert read_strings(span(head + body), 3, crc, Where("d")) == VALUES
    lengths = bytes.fromhex("01000000 00000000 2c010000")
    assert head[-4:] == mask(crc32c(lengths)).to_bytes(4, "little")
    assert crc == mask(crc32c(lengths + head[-4:] + body))


def test_no_strings(span) -> None:  # type: ignore[no-untyped-def]
    head, body, crc = write_strings([])
    assert (head.hex(" "), body) == ("d8 ea 82 a2", b"")
    assert read_strings(span(head), 0, crc, Where("d")) == []


def test_big_endian(span) -> None:  # type: ignore[no-untyped-def]
    lengths = bytes.fromhex("00000001 00000002")
    checksum = mask(crc32c(lengths)).to_bytes(4, "big")
    data = b"\x01\x02" + checksum + b"abc"
    crc = mask(crc32c(lengths + checksum + b"abc"))
    assert read_strings(span(data), 2, crc, Where("d"), big_endian=True) == [b"a", b"bc"]
    with pytest.raises(ChecksumError, match="lengths"):
        read_strings(span(data), 2, crc, Where("d"))


@pytest.mark.parametrize("place, error, words", [
    (0, CorruptFileError, "do not fit"), (4, ChecksumError, "the lengths"),
    (-1, ChecksumError, "the strings"),
])
def test_flipped(  # type: ignore[no-untyped-def]
    span, place: int, error: type[ModelFormatError], words: str
) -> None:
    head, body, crc = write_strings(VALUES)
    data = bytearray(head + body)
    data[place] ^= 1
    with pytest.raises(error, match=words):
        read_strings(span(bytes(data)), 3, crc, Where("d"))


def test_more_than_there_are(span) -> None:  # type: ignore[no-untyped-def]
    head, body, crc = write_strings([b"a"])
    with pytest.raises(CorruptFileError):
        read_strings(span(head + body), 1 << 40, crc, Where("d"))

"""Header and entry of a bundle: annotated hex, both directions, corrupt variants."""

from __future__ import annotations

import pytest

from modelfmt.errors import CorruptFileError, ModelFormatError, UnsupportedError
from modelfmt.tf.bundle_proto import (
    BundleEntry,
    Header,
    read_entry,
    read_header,
    write_entry,
    write_header,
)
from modelfmt.tf.slices import Extent

ENTRY = bytes.fromhex(
    "08 01"                                     # dtype float32
    "12 07 12 03 08 ac 02 12 00"                # shape [300, 0]
    "18 02 20 e8 07 28 b0 09"                   # shard 2, offset 1000, size 1200
    "35 d8 ea 82 a2"                            # crc32c of nothing, masked
)  # fmt: skip


def test_header() -> None:
    data = bytes.fromhex("08 01 1a 02 08 01")
    assert write_header(Header(1)) == data
    assert read_header(memoryview(data)) == Header(1)
    big = Header(3, True, 1, 0)
    assert read_header(memoryview(write_header(big))) == big


def test_entry() -> None:
    entry = BundleEntry(1, (300, 0), 2, 1000, 1200, 0xA282EAD8)
    assert write_entry(entry) == ENTRY
    assert read_entry(memoryview(ENTRY)) == entry


def test_a_scalar_has_an_empty_shape() -> None:
    assert write_entry(BundleEntry(3, ())).hex(" ") == "08 03 12 00"


def test_slices_and_unknown_fields() -> None:
    entry = BundleEntry(1, (4,), slices=((Extent(0, 2),), (Extent(2, 2),)), unknown=b"\x98\x06\x07")
    assert read_entry(memoryview(write_entry(entry))) == entry


@pytest.mark.parametrize("data, error", [
    ("08 01 12 02 18 01", CorruptFileError),                        # unknown rank
    ("08 01 18 ff ff ff ff ff ff ff ff ff 01", CorruptFileError),   # shard -1
    ("08 01 12 0d 12 0b 08 ff ff ff ff ff ff ff ff ff 01", CorruptFileError),
    ("08 01 12 09", CorruptFileError),
])  # fmt: skip
def test_corrupt_entries(data: str, error: type[ModelFormatError]) -> None:
    with pytest.raises(error):
        read_entry(memoryview(bytes.fromhex(data)))


def test_headers_that_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="newer readers"):
        read_header(memoryview(write_header(Header(1, min_consumer=2))))
    with pytest.raises(CorruptFileError, match="negative number"):
        read_header(memoryview(write_header(Header(-1))))

"""CRC-32C: vectors of RFC 3720, continuing, the mask in both directions."""

from __future__ import annotations

import pytest

from modelfmt.errors import ChecksumError, Where
from modelfmt.storage.crc32c import check_masked, crc32c, crc32c_of_piece, mask, unmask
from modelfmt.storage.files import Computed


@pytest.mark.parametrize("data, crc", [
    (b"", 0), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E),
])
def test_vectors(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc
    assert crc32c(bytearray(data)) == crc32c(memoryview(data)) == crc


def test_it_goes_on_where_it_stopped() -> None:
    data = bytes(range(256)) * 100
    for cut in (0, 1, 7, 25_599, 25_600):
        assert crc32c(data[cut:], crc32c(data[:cut])) == crc32c(data)
    piece = Computed(len(data), lambda: (data[i : i + 1000] for i in range(0, len(data), 1000)))
    assert crc32c_of_piece(piece) == crc32c_of_piece(data) == crc32c(data)


def test_mask() -> None:
    assert mask(0) == 0xA282EAD8  # of an empty tensor in every checkpoint
    for crc in (0, 1, 0xFFFFFFFF, 0xE3069283, 0x00007FFF, 0xFFFF8000):
        assert unmask(mask(crc)) == crc
        assert 0 <= mask(crc) <= 0xFFFFFFFF


def test_a_wrong_one_names_both() -> None:
    check_masked(mask(5), 5, "a block", Where("x"))
    with pytest.raises(ChecksumError, match="x @0x9: a block: crc32c does not match") as caught:
        check_masked(mask(5), 6, "a block", Where("x", offset=9))
    assert (caught.value.stored, caught.value.computed) == (mask(5), mask(6))

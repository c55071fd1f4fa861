"""CRC-32C (Castagnoli), and the mask under which LevelDB's formats store it.

    masked  (crc rotated right by 15 bits) + 0xa282ead8, modulo 2**32

A checksum that is itself part of checksummed data would be a poor one; hence the mask.
Source: RFC 3720 B.4 (the polynomial), leveldb util/crc32c.h (the mask).
"""

from __future__ import annotations

from modelfmt.errors import ChecksumError, Where
from modelfmt.storage.files import Piece, iterate_piece

_DELTA = 0xA282EAD8
_UINT32 = 0xFFFFFFFF


def crc32c(data: bytes | bytearray | memoryview, crc: int = 0) -> int:
    """The checksum of ``data``, or of what ``crc`` is the checksum of followed by ``data``."""
    from google_crc32c import extend

    # The library takes nothing but bytes.
    extended: int = extend(crc, data if isinstance(data, bytes) else bytes(data))
    return extended


def crc32c_of_piece(piece: Piece, crc: int = 0) -> int:
    """The checksum of a piece, read in chunks; ``crc`` as for ``crc32c``."""
    for chunk in iterate_piece(piece):
        crc = crc32c(chunk, crc)
    return crc


def unmask(masked: int) -> int:
    """The checksum that stands behind a stored one. Written by: ``mask``."""
    rotated = (masked - _DELTA) & _UINT32
    return (rotated >> 17 | rotated << 15) & _UINT32


def mask(crc: int) -> int:
    """The form in which a checksum is stored. Read by: ``unmask``."""
    return ((crc >> 15 | crc << 17) + _DELTA) & _UINT32


def check_masked(stored: int, computed: int, what: str, where: Where) -> None:
    """Raise ChecksumError unless ``stored``, a masked checksum, stands for ``computed``."""
    if unmask(stored) != computed:
        raise ChecksumError(
            f"{what}: crc32c does not match", stored=stored, computed=mask(computed), where=where
        )

"""The HDF5 superblock: enough of it to know the format, and to say what a cut file lacks.

HDF5 File Format Specification 3.0, section II.A; the signature stands at 0, or at 512, 1024,
2048, ... after a user block:

    0   8  89 48 44 46 0d 0a 1a 0a
    8   1  version; 0 and 1: size of offsets at 13, addresses from 24 (version 1: 28)
                    2 and 3: size of offsets at 9, addresses from 12
    addresses: base, free space (2, 3: extension), end of file, ...
"""

from __future__ import annotations

MAGIC = b"\x89HDF\r\n\x1a\n"
SMALLEST = 48  # a version 2 superblock with 8-byte offsets; no HDF5 file is shorter


def is_hdf5(prefix: bytes | bytearray | memoryview) -> bool:
    """Whether a file that begins with ``prefix`` (8 bytes or more) is HDF5 without user block."""
    return bytes(prefix[:8]) == MAGIC


def stored_end(prefix: bytes) -> int | None:
    """The end-of-file address that the superblock at the start of ``prefix`` promises.

    Returns:
        None if ``prefix`` is no superblock, is cut within it, or its version is unknown.
    """
    if len(prefix) < SMALLEST or not is_hdf5(prefix):
        return None
    version = prefix[8]
    if version in (0, 1):
        size, first = prefix[13], 24 + 4 * version
    elif version in (2, 3):
        size, first = prefix[9], 12
    else:
        return None
    field = prefix[first + 2 * size : first + 3 * size]
    return int.from_bytes(field, "little") if size and len(field) == size else None

"""What a file or a dataset must not be: said before, or better than, libhdf5 does."""

from __future__ import annotations

import io
import math

import h5py

from modelfmt.errors import (
    CorruptFileError,
    ModelFormatError,
    TruncatedError,
    UnknownFormatError,
    UnsafeFileError,
    UnsupportedError,
    Where,
)
from modelfmt.storage.superblock import MAGIC, stored_end

#: As an array it takes twice its bytes for a moment. The ratio is what gzip makes of zeros.
_BOMB_BYTES, _BOMB_RATIO = 32 << 20, 1000


def unopened(
    file: io.RawIOBase | io.BytesIO, size: int, where: Where, reason: str
) -> ModelFormatError:
    """Why libhdf5 could not open a file: no HDF5, a cut one, or another reason of its own."""
    start = file.seek(0)
    prefix = file.read(96) or b""
    while prefix[:8] != MAGIC and start < size:  # a user block doubles from 512
        start = file.seek(start * 2 or 512)
        prefix = file.read(96) or b""
    if prefix[:8] != MAGIC:
        return UnknownFormatError("no HDF5 signature", where=where)
    end = stored_end(prefix) or start + len(MAGIC) + 40
    if end > size:
        return TruncatedError("the HDF5 file is cut", wanted=end, available=size, where=where)
    return CorruptFileError(f"HDF5: {' '.join(reason.split())}", where=where)


def check_storage(held: h5py.Dataset, size: int, where: Where) -> None:
    """Raise UnsafeFileError for bytes in other files, virtual datasets and bombs.

    Args:
        held: with an extent.
        size: of the file, in bytes.
        where: for the error.
    """
    plist = held.id.get_create_plist()
    layout = plist.get_layout()
    if plist.get_external_count():
        raise UnsafeFileError("the dataset's bytes are in other files", where=where)
    if layout == h5py.h5d.VIRTUAL:
        raise UnsafeFileError("a virtual dataset", where=where)
    count = math.prod(held.id.shape)
    if layout == h5py.h5d.CHUNKED:
        count = max(count, math.prod(plist.get_chunk()))
    declared = count * held.id.get_type().get_size()
    if declared > _BOMB_BYTES and declared > size * _BOMB_RATIO:
        raise UnsafeFileError(
            "the dataset is declared absurdly large", where=where,
            expected=f"at most {_BOMB_RATIO} times the file's {size} bytes",
            found=f"{declared} bytes",
        )


def check_filters(held: h5py.Dataset, where: Where) -> None:
    """Raise UnsupportedError for a filter that is not installed."""
    plist = held.id.get_create_plist()
    for index in range(plist.get_nfilters()):
        code, _, _, name = plist.get_filter(index)
        if not h5py.h5z.filter_avail(code):
            label = name.decode("utf-8", "replace") or code
            raise UnsupportedError(f"HDF5 filter {label} is not installed", where=where)

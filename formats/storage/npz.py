"""numpy's .npy heads and .npz archives, read: where each array's elements stand.

    .npy   "\x93NUMPY" version, length of the head, a Python literal
           {"descr": "<f4", "fortran_order": False, "shape": (2, 3)}, then the elements
    .npz   a zip of one <name>.npy per array; stored or deflated

Source: numpy.lib.format. Nothing is unpickled.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from modelfmt.errors import CorruptFileError, UnsupportedError, located
from modelfmt.storage.archive import ArchiveReader
from modelfmt.storage.files import FileSpan, Piece, piece_bytes

if TYPE_CHECKING:
    import numpy as np

#: No head of an array is longer.
_HEAD = 1 << 16


class NpyHead(NamedTuple):
    """What a .npy says of its elements, and how many bytes it takes to say it."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool
    length: int


def read_npy_head(data: bytes) -> NpyHead:
    """The head of a .npy.

    Args:
        data: the file's first bytes, 64 KiB of them or all.

    Raises:
        CorruptFileError: not a .npy of version 1 or 2.
    """
    import numpy as np

    with io.BytesIO(data) as head:
        try:
            version = np.lib.format.read_magic(head)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"version {version}")
            read = (
                np.lib.format.read_array_header_1_0 if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read(head)
        except (ValueError, SyntaxError, TypeError, EOFError) as error:
            raise CorruptFileError(f"not a .npy ({error})") from None
        return NpyHead(dtype, tuple(shape), bool(fortran), head.tell())


class NpzReader:
    """The arrays of a .npz; opening reads its directory only.

    Raises:
        TruncatedError, CorruptFileError, UnsafeFileError: from the zip.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._archive = ArchiveReader(path)

    def __iter__(self) -> Iterator[str]:
        """The names, in the order of the archive."""
        return (n.removesuffix(".npy") for n in self._archive.names() if n.endswith(".npy"))

    def array(self, name: str) -> tuple[NpyHead, Piece]:
        """The head of an array, and its elements in C order, little-endian.

        Raises:
            CorruptFileError: not a .npy, or of another length than it says.
            UnsupportedError: it holds Python objects.
        """
        with located(path=self._archive.file.path, key=f'array "{name}"'):
            body = self._archive.spilled(f"{name}.npy")
            size = body.length if isinstance(body, FileSpan) else len(body)
            head = read_npy_head(_part(body, 0, min(size, _HEAD)))
            if head.dtype.hasobject:
                raise UnsupportedError("an array of Python objects, which are never unpickled")
            wanted = math.prod(head.shape) * head.dtype.itemsize
            if size - head.length != wanted:
                raise CorruptFileError(
                    "the array's length does not fit its shape",
                    expected=f"{wanted} bytes", found=f"{size - head.length} bytes",
                )
        if isinstance(body, FileSpan):
            return head, _plain(body.span(head.length, wanted), head)
        return head, _plain(body[head.length :], head)

    def close(self) -> None:
        """Release the file."""
        self._archive.close()


def _part(body: FileSpan | bytes, offset: int, length: int) -> bytes:
    if isinstance(body, FileSpan):
        return body.span(offset, length).read()
    return body[offset : offset + length]


def _plain(elements: Piece, head: NpyHead) -> Piece:
    """Elements in C order and little-endian; as they stand where they are so."""
    import numpy as np

    turned = head.is_fortran and len(head.shape) > 1
    if not turned and head.dtype.byteorder != ">":
        return elements
    array: np.ndarray[Any, Any] = np.frombuffer(piece_bytes(elements), head.dtype)
    array = array.reshape(head.shape, order="F" if head.is_fortran else "C")
    return np.ascontiguousarray(array, head.dtype.newbyteorder("<")).tobytes()

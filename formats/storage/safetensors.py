"""The .safetensors format, both directions; the one door of the safetensors library, which writes.

Reading is ours: what is read are places in the file, so that bytes are copied and not parsed.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from modelfmt.errors import CorruptFileError, TruncatedError, UnsupportedError, Where
from modelfmt.storage.files import FileSpan, Piece, SourceFile, atomic_output, piece_bytes

#: Names of dtypes here -> those that the library's ``serialize`` takes.
_DTYPES = {
    name: name
    for name in (
        "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
        "float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2",
    )
}
#: What a file says -> the dtype's name here, and the bytes of an element.
_READ = {
    "BOOL": ("bool", 1), "U8": ("uint8", 1), "I8": ("int8", 1), "U16": ("uint16", 2),
    "I16": ("int16", 2), "U32": ("uint32", 4), "I32": ("int32", 4), "U64": ("uint64", 8),
    "I64": ("int64", 8), "F16": ("float16", 2), "BF16": ("bfloat16", 2), "F32": ("float32", 4),
    "F64": ("float64", 8), "F8_E4M3": ("float8_e4m3fn", 1), "F8_E5M2": ("float8_e5m2", 1),
}  # fmt: skip


def write_safetensors(
    path: str | os.PathLike[str],
    tensors: Sequence[tuple[str, str, tuple[int, ...], Piece]],
    *,
    force: bool = False,
) -> None:
    """Write tensors, atomically.

    Args:
        path: the output.
        tensors: name, dtype's name, shape, little-endian bytes in C order.
        force: replace an existing file.

    Raises:
        UnsupportedError: the library is not installed, or the format lacks a dtype.

    Read by: ``read_safetensors``.
    """
    try:
        from safetensors import serialize
    except ImportError:
        raise UnsupportedError(
            "writing .safetensors needs the package safetensors, which is not installed",
            hint="pip install 'modelfmt[safetensors]'",
        ) from None
    for name, dtype, _, _ in tensors:
        if dtype not in _DTYPES:
            raise UnsupportedError(f"a .safetensors holds no {dtype}, as in tensor {name!r}")
    held = [piece_bytes(piece) for *_, piece in tensors]  # alive until all is serialised
    data = serialize({
        name: _spec(_DTYPES[dtype], list(shape), data)
        for (name, dtype, shape, _), data in zip(tensors, held, strict=True)
    })  # fmt: skip
    with atomic_output(path, force=force) as out:
        out.file.write(data)


def _spec(dtype: str, shape: list[int], data: bytes) -> Any:
    """A tensor as ``serialize`` takes it: before 0.8 a dict, since then a TensorSpec."""
    try:
        from safetensors import TensorSpec
    except ImportError:
        return {"dtype": dtype, "shape": shape, "data": data}
    import numpy as np

    address = np.frombuffer(data or b"\0", np.uint8).ctypes.data
    return TensorSpec(dtype=dtype, shape=shape, data_ptr=address, data_len=len(data))


class StoredTensor(NamedTuple):
    """A tensor of a .safetensors: dtype's name, shape, and its C-order little-endian bytes."""

    dtype: str
    shape: tuple[int, ...]
    payload: FileSpan


def read_safetensors(source: SourceFile) -> dict[str, StoredTensor]:
    """Where the tensors of a .safetensors stand, in the order of their bytes.

        0   8   N, little-endian
        8   N   {"name": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, ...}, perhaps
                "__metadata__"; offsets count from 8 + N, and leave no gap

    Raises:
        TruncatedError, CorruptFileError: not such a file.

    Written by: ``write_safetensors``. Source: the safetensors format's one page.
    """
    where = Where(source.path, offset=8)
    length = int.from_bytes(source.read(0, 8), "little")
    if length > source.size - 8:
        raise TruncatedError(
            "the header is cut off", wanted=length, available=source.size - 8, where=where
        )
    try:
        header: dict[str, Any] = json.loads(source.read(8, length))
        header.pop("__metadata__", None)
        rows = sorted((row["data_offsets"], name, row) for name, row in header.items())
        end, found = 0, dict[str, StoredTensor]()
        for (start, stop), name, row in rows:
            (dtype, width), shape = _READ[row["dtype"]], tuple(row["shape"])
            if start != end or stop - start != math.prod(shape) * width:
                raise ValueError(f"offsets of {name!r}")
            found[name] = StoredTensor(dtype, shape, source.span(8 + length + start, stop - start))
            end = stop
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptFileError(f"no header of a .safetensors ({error!r})", where=where) from None
    if 8 + length + end != source.size:
        raise CorruptFileError(
            "the tensors are not all that the file holds", where=Where(source.path),
            expected=f"{8 + length + end} bytes", found=f"{source.size} bytes",
        )
    return found

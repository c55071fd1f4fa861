"""The .safetensors format, written; the one door of the safetensors library."""

from __future__ import annotations

import os
from collections.abc import Sequence

from modelfmt.errors import UnsupportedError
from modelfmt.storage.files import Piece, atomic_output, piece_bytes

#: Names of dtypes here -> those that the library's ``serialize`` takes.
_DTYPES = {
    name: name
    for name in (
        "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
        "float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2",
    )
}


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
    data = serialize(
        {
            name: {"dtype": _DTYPES[dtype], "shape": list(shape), "data": piece_bytes(piece)}
            for name, dtype, shape, piece in tensors
        }
    )
    with atomic_output(path, force=force) as out:
        out.file.write(data)

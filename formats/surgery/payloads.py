"""A tensor's elements in a file of their own, both directions: .npy, and JSON for strings.

    .npy    numpy's format (numpy.lib.format), C order, read without pickle. numpy has no bfloat16,
            float8 or int4: of these the bits, as unsigned integers
    .json   {"shape": [2], "strings": ["text", {"base64": "/w=="}]}, flattened in C order
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import math
from typing import Any, BinaryIO

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import CorruptFileError, MismatchError, ModelFormatError, Where, located
from modelfmt.storage.files import FileSpan, Piece, SourceFile, write_pieces
from modelfmt.storage.npz import read_npy_head


def stored_code(dtype: DType, *, big_endian: bool = False) -> str:
    """numpy's code of the elements in a .npy: ``<f4``; for what numpy lacks ``<u2``, ``|u1``."""
    code = dtype.code
    if code.startswith("ml:"):
        code = f"<u{dtype.itemsize}"
    if len(code) == 2 or code.endswith("1"):
        return f"|{code.lstrip('<')}" if code != "?" else "|b1"
    if code == "?":
        return "|b1"
    return code.replace("<", ">") if big_endian else code


def header(code: str, shape: tuple[int, ...]) -> bytes:
    """The head of a .npy; C-order elements follow."""
    from numpy.lib import format as npy

    out = io.BytesIO()
    npy.write_array_header_1_0(out, {"descr": code, "fortran_order": False, "shape": shape})
    return out.getvalue()


def write_npy(
    path: str, payload: Piece, dtype: DType, shape: tuple[int, ...], *, big_endian: bool = False
) -> None:
    """Write a .npy. Read by: ``read_npy``."""
    with open(path, "xb") as file:
        write_npy_to(file, payload, stored_code(dtype, big_endian=big_endian), shape)


def write_npy_to(file: BinaryIO, payload: Piece, code: str, shape: tuple[int, ...]) -> None:
    """Write a .npy's bytes."""
    write_pieces(file, [header(code, shape), payload])


def read_npy(
    file: SourceFile, dtype: DType, shape: tuple[int, ...], *, big_endian: bool = False
) -> FileSpan | bytes:
    """The elements of a .npy in C order: a span of the file, where it holds them so.

    Raises:
        MismatchError: another dtype or shape than it had.
        CorruptFileError: not a .npy, or of another length than it says.

    Written by: ``write_npy``.
    """
    return read_npy_as(file, stored_code(dtype, big_endian=big_endian), shape)


def read_npy_as(file: SourceFile, code: str, shape: tuple[int, ...]) -> FileSpan | bytes:
    """``read_npy`` by numpy's code of the elements. Written by: ``write_npy_to``."""
    import numpy as np

    where = Where(file.path)
    with located(path=file.path):
        head = read_npy_head(file.read(0, min(file.size, 1 << 16)))
    wanted = np.dtype(code)
    if head.shape != tuple(shape) or head.dtype != wanted:
        raise MismatchError(
            "the array has another dtype or shape than the tensor it stands for", where=where,
            expected=f"{wanted.name} {list(shape)}",
            found=f"{head.dtype.name} {list(head.shape)}",
        )
    length = math.prod(shape) * wanted.itemsize
    if file.size - head.length != length:
        raise CorruptFileError(
            "the array's length does not fit its shape", where=where,
            expected=f"{length} bytes", found=f"{file.size - head.length} bytes",
        )
    span = file.span(head.length, length)
    if head.is_fortran and len(shape) > 1:
        array = np.frombuffer(span.read(), code).reshape(shape[::-1]).T
        return array.tobytes()
    return span


def write_strings_json(path: str, values: list[bytes], shape: tuple[int, ...]) -> None:
    """Write a string tensor's elements. Read by: ``read_strings_json``."""
    record = {"shape": list(shape), "strings": [_readable(value) for value in values]}
    with open(path, "x", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
        file.write("\n")


def read_strings_json(file: SourceFile, shape: tuple[int, ...]) -> list[bytes]:
    """The elements of a string tensor.

    Raises:
        MismatchError: another shape, or another number of strings.
        CorruptFileError: not such a JSON.

    Written by: ``write_strings_json``.
    """
    where = Where(file.path)
    try:
        record: Any = json.loads(file.read(0, file.size))
        values = [_raw(value) for value in record["strings"]]
        found = tuple(record["shape"])
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise CorruptFileError(f"no JSON of strings ({error!r})", where=where) from None
    if found != tuple(shape) or len(values) != math.prod(shape):
        raise MismatchError(
            "other strings than the tensor has room for", where=where,
            expected=f"shape {list(shape)}", found=f"shape {list(found)}, {len(values)} strings",
        )
    return values


def _readable(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _raw(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return base64.b64decode(value["base64"], validate=True)


def dtype_of(name: str, where: Where) -> DType:
    """The dtype that a manifest names. Raises CorruptFileError."""
    try:
        return dtypes.from_name(name)
    except ModelFormatError:
        raise CorruptFileError(f"no dtype {name!r}", where=where) from None

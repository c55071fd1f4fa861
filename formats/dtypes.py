"""Data types: one row each, with TensorFlow's name and number and numpy's view of it.

Source: tensorflow/core/framework/types.proto (numbers), ml_dtypes (the types numpy lacks).
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modelfmt.errors import UnsupportedError

if TYPE_CHECKING:
    import numpy as np


@dataclasses.dataclass(frozen=True)
class DType:
    """A data type: ``name`` as TensorFlow and numpy say it, ``enum`` its DataType number.

    ``itemsize`` is in bytes; 0 marks types without fixed-size elements in memory
    (string, resource, variant). ``code`` is the numpy or ml_dtypes type behind it.
    """

    name: str
    enum: int
    itemsize: int
    code: str = ""

    @cached_property
    def numpy(self) -> np.dtype[Any]:
        """The little-endian numpy dtype; object for strings. Raises UnsupportedError."""
        import numpy as np

        if self.name == "string":
            return np.dtype(object)
        if not self.code:
            raise UnsupportedError(f"dtype {self.name} has no numpy equivalent")
        if self.code.startswith("ml:"):
            import ml_dtypes

            found = getattr(ml_dtypes, self.code[3:], None)
            if found is None:
                raise UnsupportedError(f"dtype {self.name} needs a newer ml_dtypes")
            extended: np.dtype[Any] = np.dtype(found)
            return extended
        return np.dtype(self.code)

    @property
    def is_floating(self) -> bool:
        return self.name.startswith(("float", "bfloat", "half"))

    @property
    def is_integer(self) -> bool:
        return self.name.startswith(("int", "uint"))

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"DType({self.name!r})"


_ROWS = [
    DType("float32", 1, 4, "<f4"),
    DType("float64", 2, 8, "<f8"),
    DType("int32", 3, 4, "<i4"),
    DType("uint8", 4, 1, "u1"),
    DType("int16", 5, 2, "<i2"),
    DType("int8", 6, 1, "i1"),
    DType("string", 7, 0),
    DType("complex64", 8, 8, "<c8"),
    DType("int64", 9, 8, "<i8"),
    DType("bool", 10, 1, "?"),
    DType("qint8", 11, 1, "i1"),
    DType("quint8", 12, 1, "u1"),
    DType("qint32", 13, 4, "<i4"),
    DType("bfloat16", 14, 2, "ml:bfloat16"),
    DType("qint16", 15, 2, "<i2"),
    DType("quint16", 16, 2, "<u2"),
    DType("uint16", 17, 2, "<u2"),
    DType("complex128", 18, 16, "<c16"),
    DType("float16", 19, 2, "<f2"),
    DType("resource", 20, 0),
    DType("variant", 21, 0),
    DType("uint32", 22, 4, "<u4"),
    DType("uint64", 23, 8, "<u8"),
    DType("float8_e5m2", 24, 1, "ml:float8_e5m2"),
    DType("float8_e4m3fn", 25, 1, "ml:float8_e4m3fn"),
    DType("float8_e4m3fnuz", 26, 1, "ml:float8_e4m3fnuz"),
    DType("float8_e4m3b11fnuz", 27, 1, "ml:float8_e4m3b11fnuz"),
    DType("float8_e5m2fnuz", 28, 1, "ml:float8_e5m2fnuz"),
    DType("int4", 29, 1, "ml:int4"),
    DType("uint4", 30, 1, "ml:uint4"),
    DType("int2", 31, 1, "ml:int2"),
    DType("uint2", 32, 1, "ml:uint2"),
    DType("float4_e2m1fn", 33, 1, "ml:float4_e2m1fn"),
]

_BY_ENUM = {row.enum: row for row in _ROWS}
_BY_NAME = {row.name: row for row in _ROWS}

#: Reference dtypes of TensorFlow 1 are their base type's number plus 100.
_REF_OFFSET = 100

float32 = _BY_NAME["float32"]
int32 = _BY_NAME["int32"]
int64 = _BY_NAME["int64"]
bool_ = _BY_NAME["bool"]
string = _BY_NAME["string"]


def from_enum(number: int) -> DType:
    """The row of a DataType number; reference types give their base type.

    Raises:
        UnsupportedError: no such type.
    """
    row = _BY_ENUM.get(number - _REF_OFFSET if number > _REF_OFFSET else number)
    if row is None:
        raise UnsupportedError(f"unknown DataType {number}")
    return row


def from_name(name: str) -> DType:
    """The row called ``name`` (``float32``, ``bfloat16``, ``string``). Raises UnsupportedError."""
    row = _BY_NAME.get(name)
    if row is None:
        raise UnsupportedError(f"unknown dtype {name!r}")
    return row


def from_numpy(dtype: Any) -> DType:
    """The row whose elements are numpy ``dtype``'s; objects, bytes and text are strings.

    Raises:
        UnsupportedError: TensorFlow has no such type.
    """
    import numpy as np

    dtype = np.dtype(dtype)
    if dtype.kind in "OSUT":
        return string
    return from_name(dtype.name)

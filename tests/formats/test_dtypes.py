"""dtypes: one row each; TensorFlow's numbers, numpy's view."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes, proto
from modelfmt.dtypes import DType
from modelfmt.errors import UnsupportedError

ROWS = dtypes._ROWS
NUMERIC = [row for row in ROWS if row.code]
#: Where TensorFlow's enum and numpy use another word than ours.
PROTO_NAME = {"float16": "HALF", "float32": "FLOAT", "float64": "DOUBLE"}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_has_the_number_of_types_proto(row: DType) -> None:
    assert proto.DataType.Value("DT_" + PROTO_NAME.get(row.name, row.name).upper()) == row.enum


def test_every_type_of_types_proto_has_a_row() -> None:
    numbers = {n for name, n in proto.DataType.items() if not name.endswith(("_REF", "INVALID"))}
    assert numbers == {row.enum for row in ROWS}


@pytest.mark.parametrize("row", NUMERIC, ids=str)
def test_numpy_has_the_size_and_is_little_endian(row: DType) -> None:
    assert row.numpy.itemsize == row.itemsize
    assert row.numpy.byteorder in "<=|"
    if not row.name.startswith("q"):  # numpy has no quantized types: they are integers to it
        assert dtypes.from_numpy(row.numpy) is row
        assert row.numpy.name == row.name


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_both_ways_by_name_and_number(row: DType) -> None:
    assert dtypes.from_name(row.name) is row
    assert dtypes.from_enum(row.enum) is row
    assert dtypes.from_enum(row.enum + 100) is row  # a reference type
    assert str(row) == row.name and repr(row) == f"DType({row.name!r})"


@pytest.mark.parametrize("number", [0, 34, 99, 100, 134, -1, 1 << 40])
def test_an_unknown_number(number: int) -> None:
    with pytest.raises(UnsupportedError, match=f"unknown DataType {number}"):
        dtypes.from_enum(number)


def test_an_unknown_name() -> None:
    with pytest.raises(UnsupportedError, match="unknown dtype 'float33'"):
        dtypes.from_name("float33")


@pytest.mark.parametrize("dtype", ["datetime64[s]", "V3", np.longdouble])
def test_a_numpy_type_that_tensorflow_lacks(dtype: Any) -> None:
    with pytest.raises(UnsupportedError):
        dtypes.from_numpy(dtype)


@pytest.mark.parametrize("dtype", [object, "S3", "U3", str, bytes])
def test_text_and_objects_are_strings(dtype: Any) -> None:
    assert dtypes.from_numpy(dtype) is dtypes.string
    assert dtypes.string.numpy == np.dtype(object) and dtypes.string.itemsize == 0


@pytest.mark.parametrize("name", ["resource", "variant"])
def test_no_elements(name: str) -> None:
    with pytest.raises(UnsupportedError, match="no numpy equivalent"):
        _ = dtypes.from_name(name).numpy


def test_kinds() -> None:
    floating = {row.name for row in ROWS if row.is_floating}
    integer = {row.name for row in ROWS if row.is_integer}
    assert {"float16", "bfloat16", "float32", "float8_e5m2"} <= floating
    assert integer == {"int2", "int4", "int8", "int16", "int32", "int64",
                       "uint2", "uint4", "uint8", "uint16", "uint32", "uint64"}  # fmt: skip
    assert not floating & integer and "bool" not in integer


@pytest.mark.oracle
def test_tensorflow_agrees() -> None:
    import tensorflow as tf

    for row in ROWS:
        theirs = tf.as_dtype(row.enum)
        assert theirs.name == {"float16": "float16"}.get(row.name, row.name)
        if row.code:
            assert np.dtype(theirs.as_numpy_dtype).itemsize == row.itemsize

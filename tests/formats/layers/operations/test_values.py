"""Operands: the dtype in which they meet, literals, sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.values import Ops, promoted, revived


@pytest.mark.parametrize(
    ("kinds", "wanted"),
    [
        ("int32 float*", "float32"), ("int64 float32", "float32"), ("uint8 int8", "int16"),
        ("bool int*", "int32"), ("float16 bfloat16", "float32"), ("int32 float16", "float16"),
        ("float32 float64", "float64"), ("uint32 int32", "int64"), ("int*", "int32"),
        ("int8 int*", "int8"), ("bool bool", "bool"),
    ],
)  # fmt: skip
def test_promotion(kinds: str, wanted: str) -> None:
    assert promoted(kinds.split()) == wanted


def test_text_meets_nothing() -> None:
    with pytest.raises(ConversionError, match="do not meet"):
        promoted(["string", "float32"])


@pytest.mark.oracle
def test_promotion_is_that_of_keras() -> None:
    dtypes_of = pytest.importorskip("keras").backend.result_type
    kinds = "bool uint8 uint16 uint32 int8 int16 int32 int64 bfloat16 float16 float32 float64"
    for a in kinds.split():
        for b in kinds.split():
            assert promoted([a, b]) == dtypes_of(a, b), (a, b)
        assert promoted([a, "float*"]) == dtypes_of(a, float), a
        assert promoted([a, "int*"]) == dtypes_of(a, int), a


def test_values_of_configs() -> None:
    array = revived({"class_name": "__numpy__", "config": {"value": [1, 2], "dtype": "int64"}})
    assert array.dtype == np.int64 and array.tolist() == [1, 2]
    assert revived({"start": 1, "stop": None, "step": 2}) == slice(1, None, 2)
    assert revived([{"class_name": "__ellipsis__"}, None]) == [Ellipsis, None]


def ops(shape: Any = (None, 5, None), *, keras: bool = True) -> tuple[Ops, TensorName]:
    graph = GraphBuilder()
    return Ops(graph, keras=keras), TensorName(graph.placeholder("x", dtypes.int32, shape))


def test_a_number_takes_the_tensors_dtype_or_raises_it() -> None:
    it, x = ops()
    assert [it.dtype(t) for t in it.same(x, 2)] == ["int32", "int32"]
    assert [it.dtype(t) for t in it.same(x, 2.5)] == ["float32", "float32"]
    plain, x = ops(keras=False)
    assert [plain.dtype(t) for t in plain.same(x, 2.0)] == ["int32", "int32"]
    with pytest.raises(ConversionError, match="int32 cannot hold"):
        plain.same(x, 2.5)


def test_sizes_are_numbers_where_known() -> None:
    it, x = ops()
    assert it.size(x, 1) == 5
    assert isinstance(it.size(x, -1), TensorName)
    assert it.product([2, 3]) == 6
    assert it.shape(it.reshape(x, [it.size(x, 0), 5, 1, it.size(x, 2)])) == (None, 5, 1, None)


@pytest.mark.parametrize("axis", [3, -4, True, None, "a"])
def test_no_such_axis(axis: Any) -> None:
    it, x = ops()
    with pytest.raises(ConversionError, match="no axis"):
        it.axis(x, axis)


def test_an_unknown_rank() -> None:
    it, x = ops(None)
    with pytest.raises(ConversionError, match="unknown rank"):
        it.rank(x)

"""Operations that sort elements into groups: segments; and places of elements.

Source: Keras backend/tensorflow/math.py and numpy.py.
"""

from __future__ import annotations

import math
from typing import Any

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.orders import place, running
from modelfmt.layers.operations.table import Writer, operation
from modelfmt.layers.operations.values import Ops


def _segment(kind: str) -> Writer:
    def write(ops: Ops, x: Any, ids: Any, count: Any, in_order: Any) -> TensorName:
        x, ids = ops.tensor(x), ops.tensor(ids)
        if in_order:
            return ops.op(f"Segment{kind}", x, ids)
        if count is None and kind == "Sum":
            found = ops.ops("Unique", ids)[0]
            count = ops.op("Size", found)
        elif count is None:
            most = ops.op("Max", ids, list(range(ops.rank(ids))))
            count = ops.op("AddV2", ops.cast(most, "int32"), 1)
        return ops.op(f"UnsortedSegment{kind}", x, ids, ops.tensor(count, "int32"))

    return write


for kind in ("Sum", "Max", "Min", "Prod"):
    operation(
        f"Segment{kind}(data, segment_ids, num_segments=None, sorted=False)",
        f"math.segment_{kind.lower()}(data, segment_ids, _count=None, _sorted=True)",
        f"math.unsorted_segment_{kind.lower()}(data, segment_ids, num_segments, _sorted=False)",
    )(_segment(kind))


def _place_of(op: str, least: float) -> Writer:
    def write(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
        """Among what is a number; -1 where nothing is."""
        x = ops.tensor(x)
        find = place(op)
        if not ops.is_float(x):
            return TensorName(find(ops, x, axis, keepdims, "int32"))
        nan = ops.op("IsNan", x)
        whole = ops.op("SelectV2", nan, ops.tensor(least, ops.dtype(x)), x)
        found = find(ops, whole, axis, keepdims, "int32")
        none = ops.op("All", nan, ops.axes(x, axis), keep_dims=bool(keepdims))
        return ops.op("SelectV2", none, ops.tensor(-1, "int32"), found)

    return write


operation("Nanargmax(x, axis=None, keepdims=False)")(_place_of("ArgMax", -math.inf))
operation("Nanargmin(x, axis=None, keepdims=False)")(_place_of("ArgMin", math.inf))


def _running_without_nan(op: str, instead: float) -> Writer:
    def write(ops: Ops, x: Any, axis: Any, dtype: Any) -> TensorName:
        x = ops.tensor(x)
        if ops.is_float(x):
            kind = ops.graph.dtype(x)
            x = ops.op("SelectV2", ops.op("IsNan", x), ops.tensor(instead, kind.name), x)
            import numpy as np

            most = float(np.finfo(kind.numpy).max)
            x = ops.op("Minimum", x, ops.tensor(most, kind.name))
            x = ops.op("Maximum", x, ops.tensor(-most, kind.name))
        return TensorName(running(op)(ops, x, axis, dtype, False, False))

    return write


operation("Nancumsum(x, axis=None, dtype=None)")(_running_without_nan("Cumsum", 0.0))
operation("Nancumprod(x, axis=None, dtype=None)")(_running_without_nan("Cumprod", 1.0))


@operation("UnravelIndex(indices, shape)")
def _unravelled(ops: Ops, x: Any, shape: Any) -> list[TensorName]:
    """The place on each axis of what is counted through; of a matrix Keras takes the axes in the
    order of the shape.
    """
    x = ops.tensor(x)
    kind, made = ops.dtype(x), []
    line = ops.rank(x) == 1
    for size in reversed(shape) if line else shape:
        made.append(ops.op("FloorMod", x, ops.tensor(size, kind)))
        x = ops.op("FloorDiv", x, ops.tensor(size, kind))
    return made[::-1]


@operation("Signbit(x)")
def _negative(ops: Ops, x: Any) -> TensorName:
    """Whether the sign's bit is set: of -0.0 as well."""
    x = ops.tensor(x)
    if ops.dtype(x) == "bool":
        return ops.op("ZerosLike", x)
    if not ops.is_float(x):
        return ops.op("Less", x, ops.tensor(0, ops.dtype(x)))
    bits = ops.op("Bitcast", ops.cast(x, "float32"), type=dtypes.int32)
    return ops.op("Less", bits, ops.tensor(0, "int32"))


@operation("bitcast(input, type)")
def _bits(ops: Ops, x: Any, dtype: Any) -> TensorName:
    """The same bytes as numbers of another dtype; of another size along an axis of their own."""
    return ops.op("Bitcast", ops.tensor(x), type=ops.named_dtype(dtype))


@operation("View(x, dtype=None)")
def _viewed(ops: Ops, x: Any, dtype: Any) -> TensorName:
    """The same bytes as numbers of another dtype."""
    x = ops.tensor(x)
    old = ops.graph.dtype(x)
    new = old if dtype is None else ops.named_dtype(dtype)
    if old.itemsize == new.itemsize:
        return ops.op("Bitcast", x, type=new)
    sizes = ops.sizes(x)
    last = sizes[-1]
    if not isinstance(last, int) or last * old.itemsize % new.itemsize:
        raise ConversionError("a view whose elements are not whole", found=f"{old} as {new}")
    if old.itemsize > new.itemsize:
        made = ops.op("Bitcast", ops.flat(x), type=new)
        return ops.reshape(made, [*sizes[:-1], last * old.itemsize // new.itemsize])
    ratio = new.itemsize // old.itemsize
    return ops.op("Bitcast", ops.reshape(x, [*sizes[:-1], last // ratio, ratio]), type=new)

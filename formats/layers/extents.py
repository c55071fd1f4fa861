"""Sizes of tensors while a graph grows: numbers where they are known, else scalar tensors.

A layer that needs a size (a transposed convolution, a padding that fills whole blocks) computes
with either alike: numbers stay numbers, and only what is unknown becomes nodes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder

#: A number, or the name of a scalar int32 tensor.
Extent = int | str

_NUMBERS: Mapping[str, Callable[[int, int], int]] = {
    "AddV2": operator.add, "Sub": operator.sub, "Mul": operator.mul,
    "FloorDiv": operator.floordiv, "FloorMod": operator.mod, "Maximum": max,
}  # fmt: skip


def extent(tensor: str, axis: int, graph: GraphBuilder) -> Extent:
    """The size of ``tensor`` along ``axis``. Raises ConversionError where the rank is unknown."""
    shape = graph.shape(tensor)
    if shape is None:
        raise ConversionError("a tensor of unknown rank has no sizes to compute with")
    axis %= len(shape)
    known = shape[axis]
    if known is not None:
        return known
    whole = graph.op("Shape", tensor)
    return graph.op("StridedSlice", whole, [axis], [axis + 1], [1], shrink_axis_mask=1)


def calculated(op: str, a: Extent, b: Extent, graph: GraphBuilder) -> Extent:
    """``op`` (TensorFlow's name) of two sizes."""
    if isinstance(a, int) and isinstance(b, int):
        return _NUMBERS[op](a, b)
    return graph.op(op, a, b)


def packed(sizes: Sequence[Extent], graph: GraphBuilder) -> Any:
    """An operand that holds a vector of sizes: a list, or a tensor where one is unknown."""
    if all(isinstance(size, int) for size in sizes):
        return list(sizes)
    return graph.op("Pack", *sizes, axis=0)


def packed_rows(rows: Sequence[Sequence[Extent]], graph: GraphBuilder) -> Any:
    """As ``packed``, for rows of sizes: paddings and crops."""
    found = [packed(row, graph) for row in rows]
    if all(isinstance(row, list) for row in found):
        return found
    return graph.op("Pack", *found, axis=0)


def target(sizes: Sequence[Extent], graph: GraphBuilder) -> Any:
    """An operand for Reshape: as ``packed``, with -1 where a single size is unknown."""
    unknown = [k for k, size in enumerate(sizes) if isinstance(size, str)]
    if len(unknown) == 1:
        return [size if isinstance(size, int) else -1 for size in sizes]
    return packed(sizes, graph)

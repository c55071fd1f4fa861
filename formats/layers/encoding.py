"""Categories as vectors: what the preprocessing layers' ``output_mode`` says.

    int          the category itself
    one_hot      (..., depth): a vector for each element
    multi_hot    (batch, depth): which categories a sample has
    count        (batch, depth): how often it has each

A category below 0 or from depth on counts nowhere. Source: Keras, utils/numerical_utils.py and
tf_keras, layers/preprocessing/preprocessing_utils.py, ``encode_categorical_inputs``.
"""

from __future__ import annotations

from typing import Any

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.extents import Extent
from modelfmt.layers.sizing import known_shape, lengths, reshaped
from modelfmt.network import Layer

#: Older names of modes.
_RENAMED = {"binary": "multi_hot", "tf-idf": "tf_idf"}


def output_mode(layer: Layer, *allowed: str) -> str:
    """The layer's mode. Raises ConversionError where it has none, or would yield sparse tensors."""
    if layer.config.get("sparse"):
        raise ConversionError(f"a {layer.class_name} that yields sparse tensors cannot be written")
    said = layer.config["output_mode"]
    mode = _RENAMED.get(said, said)
    if mode not in allowed:
        raise ConversionError(
            f"{layer.class_name} has no such output_mode", expected=", ".join(allowed), found=said
        )
    return str(mode)


def encoded(
    x: str, mode: str, depth: int, dtype: DType, graph: GraphBuilder, *, weights: str | None = None
) -> str:
    """Categories in the form that ``mode`` says.

    Args:
        x: integers of known rank; a scalar is a sample of its own.
        mode: int, one_hot, multi_hot or count.
        depth: how many categories there are.
        dtype: of the result.
        graph: where the nodes go.
        weights: of the shape of ``x`` and of ``dtype``: what each element counts.

    Raises:
        ConversionError: more axes than Keras takes.
    """
    if mode == "int":
        return cast(x, dtype, graph)
    shape = known_shape(x, graph, f"output_mode {mode!r}")
    x = cast(x, dtypes.int64, graph)
    if not shape:
        x, shape = graph.op("ExpandDims", x, -1), (1,)
        weights = weights and graph.op("ExpandDims", weights, -1)
        if mode == "one_hot" and graph.keras_major == 2:
            mode = "multi_hot"
    if mode == "one_hot":
        lone = shape[-1] == 1 and (len(shape) > 1 or graph.keras_major == 2)
        if graph.keras_major == 2 and len(shape) > (2 if lone else 1):
            raise _too_many(shape)
        x = reshaped(x, lengths(x, graph)[:-1], graph) if lone else x
        return _one_hot(x, depth, dtype, graph)
    if len(shape) <= 2:
        sums = _sums(x, depth, dtype, weights, graph)
        return graph.op("Minimum", sums, 1) if mode == "multi_hot" else sums
    if graph.keras_major == 2:
        raise _too_many(shape)
    # Keras 3 takes axis 1 for that of the samples, whatever the rank.
    hot = _one_hot(x, depth, dtype, graph)
    if mode == "multi_hot":
        return graph.op("Max", hot, [1])
    if weights is not None:
        hot = graph.op("Mul", hot, graph.op("ExpandDims", weights, -1))
    return graph.op("Sum", hot, [1])


def counted(
    x: str, row: str, rows: Extent, depth: int, dtype: DType, graph: GraphBuilder,
    *, weights: str | None = None,
) -> str:  # fmt: skip
    """How often each row has each category, (rows, depth), the elements standing in any order.

    Args:
        x: categories, int64.
        row: the row of each of them, int64, of a shape that broadcasts to that of ``x``.
        rows: how many there are.
        depth: how many categories there are.
        dtype: of the result.
        graph: where the nodes go.
        weights: as ``encoded``.
    """
    known = graph.op("LogicalAnd", graph.op("GreaterEqual", x, 0), graph.op("Less", x, depth))
    place = graph.op("AddV2", graph.op("Mul", row, depth), x)
    place = graph.op("SelectV2", known, place, -1)  # which UnsortedSegmentSum drops
    total = (
        graph.const(rows * depth, dtypes.int64, "cells") if isinstance(rows, int)
        else graph.op("Mul", graph.op("Cast", rows, DstT=dtypes.int64), depth)
    )  # fmt: skip
    ones = weights or graph.op("Cast", known, DstT=dtype)
    sums = graph.op("UnsortedSegmentSum", ones, place, total)
    return graph.op("Reshape", sums, [rows if isinstance(rows, int) else -1, depth])


def cast(x: str, dtype: DType, graph: GraphBuilder) -> str:
    """``x`` in another dtype, itself where that is its own."""
    return x if graph.dtype(x) == dtype else graph.op("Cast", x, DstT=dtype)


def _sums(x: str, depth: int, dtype: DType, weights: str | None, graph: GraphBuilder) -> str:
    """Of samples along the last axis of one or two."""
    alone = len(graph.shape(x) or ()) == 1
    if alone:
        zero = graph.const(0, dtypes.int64, "row")
        sums = counted(x, zero, 1, depth, dtype, graph, weights=weights)
        return graph.op("Reshape", sums, [depth])
    rows = lengths(x, graph)[0]
    end = graph.const(rows, dtypes.int64) if isinstance(rows, int) else cast(
        rows, dtypes.int64, graph
    )
    numbers = graph.op(
        "Range", graph.const(0, dtypes.int64), end, graph.const(1, dtypes.int64)
    )
    return counted(
        x, graph.op("ExpandDims", numbers, -1), rows, depth, dtype, graph, weights=weights
    )


def _one_hot(x: str, depth: int, dtype: DType, graph: GraphBuilder) -> str:
    on, off = (graph.const(value, dtype, name) for value, name in ((1, "on"), (0, "off")))
    return graph.op("OneHot", x, depth, on, off, axis=-1)


def _too_many(shape: Any) -> ConversionError:
    return ConversionError("Keras 2 encodes samples of one axis only", found=list(shape))

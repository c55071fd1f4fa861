"""Shapes of inputs that old graphs do not tell, told by what reads them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.graphs.input_shapes import told_shapes
from modelfmt.graphs.view import View


def kernel(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def product(graph: GraphBuilder, x: str) -> str:
    return graph.op("MatMul", graph.op("Tanh", x), graph.const(kernel(5, 4)))


def convolution(graph: GraphBuilder, x: str) -> str:
    return graph.op(
        "Conv2D", x, graph.const(kernel(3, 3, 2, 4)), strides=[1, 1, 1, 1], padding="SAME"
    )


def turned(graph: GraphBuilder, x: str) -> str:
    return graph.op("Transpose", x, [1, 0, 2])


def masked(graph: GraphBuilder, x: str) -> str:
    seen = graph.op("Any", graph.op("NotEqual", x, 0.0), [-1])
    return graph.op("Transpose", graph.op("ExpandDims", seen, -1), [1, 0, 2])


def rows(graph: GraphBuilder, x: str) -> str:
    flat = graph.op("MatMul", graph.op("Reshape", x, [-1, 5]), graph.const(kernel(5, 4)))
    return graph.op("Reshape", flat, [-1, 8, 4])


def looked_up(graph: GraphBuilder, x: str) -> str:
    table = graph.const(kernel(9, 4))
    found = graph.op("GatherV2", table, graph.op("Cast", x, DstT=dtypes.int32), 0)
    return graph.op("Transpose", found, [1, 0, 2])


@pytest.mark.parametrize(
    ("reader", "shape"),
    [
        (product, (None, 5)), (convolution, (None, None, None, 2)), (turned, (None, None, None)),
        (masked, (None, None, None)), (rows, (None, 8, 5)), (looked_up, (None, None)),
    ],
)  # fmt: skip
def test_readers_tell_the_shape(reader: Callable[[GraphBuilder, str], str], shape: Dims) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, None)
    y = reader(graph, x)
    assert told_shapes(View(graph, outputs=[y]), {}) == {"x": shape}
    assert look(graph, outputs=[y]).shape("x") == shape


def test_what_the_file_tells_is_left_alone() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, None))
    assert told_shapes(View(graph, outputs=[product(graph, x)]), {}) == {}


def test_what_is_known_tells_more() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, None)
    seen = graph.op("Any", graph.op("NotEqual", x, 0.0), [-1], keep_dims=True)
    hidden = graph.op("Mul", x, graph.op("Cast", seen, DstT=dtypes.float32))
    assert look(graph, outputs=[rows(graph, hidden), turned(graph, x)]).shape("x") == (
        None, None, 5,
    )

"""Shapes of inputs that old graphs do not tell, told by what reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.graphs.input_shapes import told_shapes
from modelfmt.graphs.view import View
from modelfmt.layers import recognise


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
    assert told_shapes(View(graph, outputs=[y]), {})["x"] == shape
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


def seen(build: Callable[[GraphBuilder, str], str]) -> Any:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, None)
    y = build(graph, x)
    return look(graph, outputs=[y]).shape(x)


@pytest.mark.parametrize(
    ("build", "wanted"),
    [
        (lambda g, x: g.op("MatMul", x, g.const(kernel(8, 5)), transpose_b=True), (None, 5)),
        (lambda g, x: convolution(g, g.op("Transpose", x, [0, 2, 3, 1])), (None, 2, None, None)),
        (lambda g, x: convolution(g, g.op("ExpandDims", x, 1)), (None, None, 2)),
        (lambda g, x: product(g, g.op("Mean", x, [1, 2])), (None, None, None, 5)),
        (lambda g, x: product(g, g.op("Mul", x, 2.0)), (None, 5)),
        (lambda g, x: convolution(g, g.op("MaxPool", x, ksize=[1, 2, 2, 1], padding="SAME",
                                          strides=[1, 2, 2, 1])), (None, None, None, 2)),
        (lambda g, x: convolution(g, g.op("Pad", x, [[0, 0], [1, 1], [1, 1], [0, 0]])),
         (None, None, None, 2)),
        (lambda g, x: g.op("Conv2DBackpropInput", [1, 4, 4, 3], g.const(kernel(2, 2, 3, 7)), x,
                           strides=[1, 1, 1, 1], padding="SAME"), (None, None, None, 7)),
        (lambda g, x: g.op("Relu", x), None),
    ],
)  # fmt: skip
def test_what_more_readers_tell(build: Any, wanted: Any) -> None:
    assert seen(build) == wanted


def test_a_flatten_takes_its_size_from_the_dense_after_it() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, None)
    y = graph.op("Conv2D", x, graph.const(kernel(3, 3, 2, 4)), strides=[1] * 4, padding="VALID")
    rest = graph.op("StridedSlice", graph.op("Shape", y), [1], [0], [1], end_mask=1)
    flat = graph.op("Reshape", y, graph.op("Pack", -1, graph.op("Prod", rest, [0]), axis=0))
    graph.op("MatMul", flat, graph.const(kernel(36, 3)), name="out")
    layers = recognise(look(graph)).layers
    assert [layer.class_name for layer in layers[1:]] == ["Conv2D", "Reshape", "Dense"]
    assert layers[0].config["batch_shape"] == [None, None, None, 2]
    assert layers[2].config["target_shape"] == [36]

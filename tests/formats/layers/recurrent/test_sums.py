"""Sums of products with constants, however a graph spells them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.blocks import joined
from modelfmt.layers.recurrent.sums import Affine, Sums

KERNEL = np.arange(20, dtype=np.float32).reshape(5, 4)
BIAS = np.arange(4, dtype=np.float32)


def split(graph: GraphBuilder, x: str) -> str:
    return graph.ops("Split", 1, x, num_split=2)[1]


def sliced(graph: GraphBuilder, x: str) -> str:
    return graph.op("StridedSlice", x, [0, 2], [0, 4], [1, 1], begin_mask=1, end_mask=1)


def parted(graph: GraphBuilder, x: str) -> str:
    return graph.ops("SplitV", x, [2, -1], 1, num_split=2)[1]


def found(graph: GraphBuilder, tensor: str) -> Affine | None:
    return Sums(View(graph, outputs=[tensor]), lambda _: None, {"x": 3, "h": 2}.get).sum(tensor)


def inputs(graph: GraphBuilder) -> tuple[str, str]:
    x = graph.placeholder("x", dtypes.float32, (None, 3))
    return x, graph.placeholder("h", dtypes.float32, (None, 2))


@pytest.mark.parametrize("part", [split, sliced, parted])
@pytest.mark.parametrize("late", [False, True])
def test_a_part_of_a_product_is_a_product_with_a_part(
    part: Callable[[GraphBuilder, str], str], late: bool
) -> None:
    graph = GraphBuilder()
    x, _ = inputs(graph)
    kernel = graph.const(KERNEL[:3])
    if late:
        y = part(graph, graph.op("BiasAdd", graph.op("MatMul", x, kernel), graph.const(BIAS)))
    else:
        y = graph.op("BiasAdd", graph.op("MatMul", x, part(graph, kernel)), graph.const(BIAS[2:]))
    total = found(graph, y)
    assert total is not None and set(total.products) == {"x"}
    assert (joined(total.products["x"], "k").numpy() == KERNEL[:3, 2:]).all()
    (bias,) = total.biases
    assert (joined(bias, "b", rank=1).numpy() == BIAS[2:]).all()


def test_a_product_with_tensors_beside_each_other() -> None:
    graph = GraphBuilder()
    x, h = inputs(graph)
    beside = graph.op("ConcatV2", x, h, 1, N=2)
    product = graph.op("MatMul", beside, graph.const(KERNEL))
    y = graph.op("AddV2", product, graph.const(1.0, dtypes.float32))
    total = found(graph, y)
    assert total is not None and total.offset == 1.0
    assert (joined(total.products["x"], "k").numpy() == KERNEL[:3]).all()
    assert (joined(total.products["h"], "r").numpy() == KERNEL[3:]).all()


def test_two_products_of_one_tensor_are_no_sum_that_a_layer_has() -> None:
    graph = GraphBuilder()
    x, _ = inputs(graph)
    a, b = (graph.op("MatMul", x, graph.const(KERNEL[:3])) for _ in range(2))
    assert found(graph, graph.op("AddV2", a, b)) is None


def test_what_is_no_product_is_left() -> None:
    graph = GraphBuilder()
    x, h = inputs(graph)
    product = graph.op("MatMul", x, graph.const(KERNEL[:3, :2]))
    total = found(graph, graph.op("AddV2", product, graph.op("Mul", h, h, name="square")))
    assert total is not None and total.rest == ("square",)

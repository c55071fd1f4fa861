"""What states start from."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.starts import is_zero


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_filled_with_zeros(value: float) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 3))
    filled = graph.op("Fill", graph.op("Shape", x), graph.const(value, dtypes.float32))
    tiled = graph.op("Tile", filled, [1, 2])
    assert is_zero(tiled, View(graph, outputs=[tiled])) is (value == 0)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_what_is_multiplied_with_zeros(value: float) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 3))
    kernel = graph.const(np.full((3, 2), value, np.float32))
    product = graph.op("MatMul", x, kernel)
    assert is_zero(product, View(graph, outputs=[product])) is (value == 0)


def test_an_input_is_not_zero() -> None:
    graph = GraphBuilder()
    x = graph.op("Tanh", graph.placeholder("x", dtypes.float32, (None, 3)))
    assert not is_zero(x, View(graph, outputs=[x]))

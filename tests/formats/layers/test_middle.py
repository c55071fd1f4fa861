"""The op in the middle of a convolution or a pool."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.convolving import convolve
from modelfmt.layers.middle import middle_of, unstrided


def seen(graph: GraphBuilder, tensor: str) -> Any:
    view = View(graph, outputs=[tensor])
    return middle_of(view.live[tensor], view)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_convolution(layout: str) -> None:
    graph = GraphBuilder()
    last = layout == "NHWC"
    x = graph.placeholder("x", float32, (None, 9, 8, 3) if last else (None, 3, 9, 8))
    strides = [1, 2, 3, 1] if last else [1, 1, 2, 3]
    y = graph.op("Conv2D", x, graph.const(np.ones((3, 2, 3, 4), "float32")), strides=strides,
                 padding="SAME", data_format=layout)  # fmt: skip
    found = seen(graph, y)
    assert (found.op, found.rank, found.x, found.channel) == ("Conv2D", 2, x, 3 if last else 1)
    assert list(found.strides.values()) == [2, 3]
    assert list(found.window.values()) == [3, 2]
    assert found.padding == "SAME"


def test_explicit_zeros_are_told() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 9, 8, 3))
    y = graph.op("Conv2D", x, graph.const(np.ones((3, 3, 3, 4), "float32")), strides=[1] * 4,
                 padding="EXPLICIT", explicit_paddings=[0, 0, 1, 2, 0, 3, 0, 0])  # fmt: skip
    found = seen(graph, y)
    assert (found.padding, found.explicit) == ("VALID", {1: [1, 2], 2: [0, 3]})


@pytest.mark.parametrize("dilation", [[1, 1, 1], [2, 1, 2]])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_groups(dilation: list[int], padding: str) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 9, None, 8, 6))
    kernel = graph.const(np.ones((2, 2, 2, 2, 9), "float32"))
    y = convolve(x, kernel, graph, strides=[1] * 3, padding=padding, dilation=dilation, groups=3)
    found = seen(graph, y)
    assert (found.op, found.x, found.groups, found.padding) == ("Conv3D", x, 3, padding)
    assert list(found.dilation.values()) == dilation


def test_a_pool_has_no_kernel() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 9, 8, 3))
    y = graph.op("MaxPool", x, ksize=[1, 2, 3, 1], strides=[1, 2, 2, 1], padding="VALID")
    found = seen(graph, y)
    assert (found.kernel, list(found.window.values())) == (None, [2, 3])
    z = graph.op("MaxPool", x, ksize=[1, 2, 2, 3], strides=[1, 2, 2, 3], padding="VALID")
    assert seen(graph, z) is None


def test_strides_afterwards() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 9))
    y = graph.op("StridedSlice", x, [0, 0], [0, 0], [1, 2], begin_mask=3, end_mask=3)
    assert unstrided(graph[y], View(graph, outputs=[y])) == [1, 2]

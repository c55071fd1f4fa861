"""Convolutions in the ops that a CPU runs: their structure, and the shapes that come out.

That the numbers are Keras' own is settled by the oracle (tests/models/grids/convolutional.py).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.convolving import convolve, convolve_each, in_blocks


def kernel(graph: GraphBuilder, *shape: int) -> str:
    return graph.const(np.ones(shape, "float32"), name="kernel")


def ops(graph: GraphBuilder) -> Counter[str]:
    return Counter(node.op for node in graph.values())


@pytest.mark.parametrize(("size", "out"), [((None, 9, 4), 7), ((None, None, 4), None)])
def test_over_one_axis(size: Any, out: int | None) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, size)
    y = convolve(x, kernel(graph, 3, 4, 5), graph, strides=[1], padding="VALID", dilation=[1])
    assert graph.shape(y) == (None, out, 5)
    assert ops(graph)["ExpandDims"] == 2
    assert graph[y].op == "Squeeze"


def test_groups_are_convolutions_of_shares() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 9, 9, 6))
    y = convolve(x, kernel(graph, 3, 3, 2, 9), graph, strides=[2, 2], padding="SAME",
                 dilation=[1, 1], groups=3)  # fmt: skip
    assert graph.shape(y) == (None, 5, 5, 9)
    assert ops(graph)["Conv2D"] == 3
    assert ops(graph)["Split"] == 2


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("size", [8, None])
def test_a_dilation_over_three_axes_stands_in_blocks(padding: str, size: int | None) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, size, 9, size, 2))
    y = convolve(x, kernel(graph, 2, 3, 2, 2, 4), graph, strides=[1] * 3, padding=padding,
                 dilation=[2, 3, 1])  # fmt: skip
    less = (2, 6, 1) if padding == "VALID" else (0, 0, 0)
    first, last = (None if size is None else size - n for n in (less[0], less[2]))
    assert graph.shape(y) == (None, first, 9 - less[1], last, 4)
    (node,) = [node for node in graph.values() if node.op == "Conv3D"]
    assert node.attrs.get("dilations", [1] * 5) == [1] * 5


def test_strides_and_dilation_together_are_refused_over_three_axes() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 8, 9, 9, 2))
    with pytest.raises(ConversionError, match="strides and dilation together"):
        convolve(x, kernel(graph, 2, 2, 2, 2, 4), graph, strides=[2] * 3, padding="VALID",
                 dilation=[2, 1, 1])  # fmt: skip


@pytest.mark.parametrize(
    ("strides", "dilation", "padding", "rows", "wanted"),
    [
        ([1, 1], [1, 1], "VALID", 6, {"DepthwiseConv2dNative": 1}),
        ([2, 2], [1, 1], "SAME", 4, {"DepthwiseConv2dNative": 1}),
        ([1, 1], [2, 2], "SAME", 8, {"DepthwiseConv2dNative": 1, "SpaceToBatchND": 1}),
        ([2, 1], [1, 1], "SAME", 4, {"Pad": 1, "StridedSlice": 1}),
        ([2, 2], [2, 1], "VALID", 2, {"SpaceToBatchND": 1, "StridedSlice": 1}),
    ],
)
def test_each_channel_by_itself(
    strides: list[int], dilation: list[int], padding: str, rows: int, wanted: dict[str, int]
) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 8, 9, 2))
    y = convolve_each(x, kernel(graph, 3, 3, 2, 4), graph, strides=strides, padding=padding,
                      dilation=dilation)  # fmt: skip
    shape = graph.shape(y)
    assert shape is not None
    assert (shape[0], shape[1], shape[3]) == (None, rows, 8)
    found = ops(graph)
    assert {op: found[op] for op in wanted} == wanted
    (node,) = [node for node in graph.values() if node.op == "DepthwiseConv2dNative"]
    assert node.attrs["strides"][1] == node.attrs["strides"][2]


def test_blocks_of_a_known_size_are_whole_numbers() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 7, 1))
    y = in_blocks(x, [3], [2], "SAME", graph, lambda blocks: graph.op("Relu", blocks))
    # 2 before; 2 after, and 1 more to fill the blocks, which is cropped again.
    (paddings,) = [
        graph[node.inputs[2]].attrs["value"] for node in graph.values()
        if node.op == "SpaceToBatchND"
    ]  # fmt: skip
    assert paddings.numpy().tolist() == [[2, 3]]
    assert graph.shape(y) == (None, 11, 1)

"""Dilations in blocks: written and told again, with sizes known and unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.blocks import in_blocks, padding_of, padding_of_transposed, rate_of


def nodes_of(graph: GraphBuilder, tensor: str) -> tuple[View, Any, Any]:
    view = View(graph, outputs=[tensor])
    by_op = {node.op: node for node in view.live.values()}
    return view, by_op["SpaceToBatchND"], by_op["BatchToSpaceND"]


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("sizes", [(9, 8), (None, None), (None, 8)], ids=str)
@pytest.mark.parametrize("rate", [(2, 2), (3, 1)], ids=str)
def test_what_is_written_is_told(padding: str, sizes: Any, rate: Any) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, *sizes, 3))
    kernel = graph.const(np.ones((3, 2, 3, 4), "float32"))

    def plain(blocks: str) -> str:
        return graph.op("Conv2D", blocks, kernel, strides=[1] * 4, padding="VALID")

    y = in_blocks(x, (3, 2), rate, padding, graph, plain)
    view, into, back = nodes_of(graph, y)
    assert rate_of(into, view) == list(rate)
    assert padding_of(into, back, (3, 2), view) == padding.lower()
    # Another window would need other zeros.
    other = padding_of(into, back, (9, 2), view)
    assert other == ("valid" if padding == "VALID" else None)


@pytest.mark.parametrize(
    ("crops", "wanted"), [([[0, 1], [0, 0]], "valid"), ([[2, 3], [2, 2]], "same"),
                          ([[1, 4], [2, 2]], None)],
)  # fmt: skip
def test_a_transposed_one_is_told_by_its_crops(crops: Any, wanted: str | None) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 9, 8, 3))
    blocks = graph.op("SpaceToBatchND", x, [2, 2], [[0, 1], [0, 0]])
    kernel = graph.const(np.ones((3, 3, 4, 3), "float32"))
    batch = graph.op("StridedSlice", graph.op("Shape", blocks), [0], [1], [1], shrink_axis_mask=1)
    y = graph.op("Conv2DBackpropInput", graph.op("Pack", batch, 7, 6, 4, axis=0), kernel, blocks,
                 strides=[1] * 4, padding="VALID")  # fmt: skip
    view, into, back = nodes_of(graph, graph.op("BatchToSpaceND", y, [2, 2], crops))
    assert padding_of_transposed(into, back, (3, 3), view) == wanted

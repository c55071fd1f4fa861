"""Zeros around x: SAME where the op cannot, and causal ones."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.extents import packed_rows
from modelfmt.layers.pads import same_sides, zeros_told


@pytest.mark.parametrize("sizes", [(9, 8), (None, None)], ids=str)
@pytest.mark.parametrize("strides", [(2, 1), (3, 2)], ids=str)
def test_same_is_told_again(sizes: Any, strides: Any) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, *sizes, 3))
    rows = same_sides(x, (3, 2), strides, (2, 3), graph)
    y = graph.op("Pad", x, packed_rows(rows, graph))
    view = View(graph, outputs=[y])
    extents = {0: (4, strides[0]), 1: (3, strides[1])}
    assert zeros_told(graph[y], {0: 1, 1: 2}, extents, view) == "same"
    other = {0: (6, strides[0]), 1: (3, strides[1])}
    assert zeros_told(graph[y], {0: 1, 1: 2}, other, view) is None


def test_causal() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, None, 3))
    y = graph.op("Pad", x, [[0, 0], [4, 0], [0, 0]])
    view = View(graph, outputs=[y])
    assert zeros_told(graph[y], {0: 1}, {0: (4, 1)}, view) == "causal"
    assert zeros_told(graph[y], {0: 1}, {0: (5, 1)}, view) is None

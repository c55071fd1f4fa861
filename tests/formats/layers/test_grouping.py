"""Groups: shares of one tensor, all of them and in order."""

from __future__ import annotations

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.grouping import in_groups, shared_out


def test_shares() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 5, 6))
    a, b, c = graph.ops("Split", -1, x, num_split=3)
    y = graph.op("ConcatV2", a, b, c, 2, N=3)
    view = View(graph, outputs=[y])
    found = shared_out([a, b, c], view)
    assert found is not None
    assert (found[0], found[1].name, found[2]) == (x, "Split", 2)
    assert shared_out([a, c, b], view) is None
    assert shared_out([a, b], view) is None
    assert shared_out([x, x], view) is None


def test_in_groups() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 5, 6))
    kernel = graph.placeholder("k", float32, (2, 2, 6))
    y = in_groups(x, kernel, 2, 3, graph, lambda share, _: graph.op("Relu", share))
    assert graph.shape(y) == (None, 5, 6)
    assert [node.op for node in graph.values()].count("Relu") == 3

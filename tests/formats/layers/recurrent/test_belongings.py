"""What belongs to a layer, and what others read as well."""

from __future__ import annotations

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.belongings import above, below, without_shared


def test_nodes_down_to_the_inputs() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 3))
    a = graph.op("Tanh", x, name="a")
    y = graph.op("AddV2", a, graph.op("Relu", a, name="b"), name="y")
    view = View(graph, outputs=[y])
    assert below([y], {"x"}, view) == {"a", "b", "y"}
    assert below([y], {"a"}, view) == {"b", "y"}
    assert above({"b"}, view) == {"x", "a", "b"}


def test_sizes_that_others_read_are_not_the_layers() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, None))
    size = graph.op("StridedSlice", graph.op("Shape", x), [0], [1], [1], shrink_axis_mask=1)
    pack = graph.op("Pack", size, 1, axis=0, name="pack")
    mine = graph.op("Reshape", x, pack, name="mine")
    other = graph.op("Tile", x, pack, name="other")
    view = View(graph, outputs=[mine, other])
    whole = below([mine], {"x"}, view)
    assert "pack" in whole
    assert "pack" not in without_shared([mine], whole, set(), view)

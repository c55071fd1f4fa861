"""Shape arithmetic, asked with numbers."""

from __future__ import annotations

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.supposing import same_scope, samples, supposed, supposed_ints
from modelfmt.graphs.view import View


def doubled() -> tuple[View, str, str]:
    """A vector of sizes, twice the rows of x among them."""
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, None, 4))
    shape = graph.op("Shape", graph.op("Relu", x))
    batch = graph.op("StridedSlice", shape, [0], [1], [1], shrink_axis_mask=1)
    rows = graph.op("StridedSlice", shape, [1], [2], [1], shrink_axis_mask=1)
    sizes = graph.op("Pack", batch, graph.op("Mul", rows, 2), 4, axis=0)
    y = graph.op("Reshape", graph.op("Tile", x, [1, 2, 1]), sizes, name="y")
    return View(graph, outputs=[y]), x, sizes


def test_sizes_follow_from_what_is_supposed() -> None:
    view, x, sizes = doubled()
    assert supposed_ints(view, sizes, {x: (3, 5, 4)}) == [3, 10, 4]
    assert supposed_ints(view, sizes, {x: (None, 5, 4)}) is None
    assert supposed(view, "y", {x: (3, 6, 4)}).shape == (3, 12, 4)


def test_nothing_is_known_where_the_graph_contradicts() -> None:
    view, x, _ = doubled()
    assert supposed(view, "y", {x: (3, 5)}).shape is None


def test_what_does_not_depend_on_it_stays_as_it_is() -> None:
    view, _, sizes = doubled()
    assert supposed(view, sizes, {"y": (1, 2, 3)}) is view.static(sizes)


def test_samples_differ_where_a_size_is_unknown() -> None:
    first, second = samples((None, 7, None))
    assert first[1] == second[1] == 7
    assert len({first[0], first[2], second[0], second[2]}) == 4
    assert samples((2, 3)) == [(2, 3)]
    assert samples(None) == []


def test_scopes() -> None:
    assert same_scope("a/b/Pad", "a/b/Conv2D:0")
    assert not same_scope("a/Pad", "a/b/Conv2D")
    assert not same_scope("Pad", "Conv2D")

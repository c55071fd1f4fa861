"""Where the elements of a shape tensor come from."""

from __future__ import annotations

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.sizes import Size, kept, sizes
from modelfmt.graphs.view import View


def looked_at(graph: GraphBuilder, *outputs: str) -> View:
    return View(graph, outputs=list(outputs))


def test_sizes_are_traced_to_the_tensor_they_belong_to() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, None, 4))
    shape = graph.op("Shape", x)
    batch = graph.op("StridedSlice", shape, [0], [1], [1], shrink_axis_mask=1)
    middle = graph.op("StridedSlice", shape, [-2], [-1], [1])
    packed = graph.op("Pack", batch, -1, axis=0)
    joined = graph.op("ConcatV2", middle, [7, 8], 0)
    gathered = graph.op("GatherV2", shape, [2, 0], 0)
    view = looked_at(graph, shape, packed, joined, gathered)
    assert sizes(view, shape) == [Size("x", 0), Size("x", 1), 4]
    assert sizes(view, packed) == [Size("x", 0), -1]
    assert sizes(view, joined) == [Size("x", 1), 7, 8]
    assert sizes(view, gathered) == [4, Size("x", 0)]


def test_what_cannot_be_traced_is_unknown() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, None, 4))
    shape = graph.op("Shape", x)
    doubled = graph.op("Mul", shape, 2)
    rankless = graph.op("Shape", graph.placeholder("y", float32, None))
    view = looked_at(graph, doubled, rankless)
    assert sizes(view, doubled) == [None, None, 8]
    assert sizes(view, rankless) is None


def test_a_reshape_keeps_axes_that_are_told_equal_but_for_one() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, None, 4))
    shape = graph.op("Shape", x)
    view = looked_at(graph, shape)
    batch, rows = Size("x", 0), Size("x", 1)
    assert kept(view, [batch, rows, 3], "x", 2)
    assert kept(view, [-1, rows, 3], "x", 2)
    assert kept(view, [batch, None, 3], "x", 2)
    assert not kept(view, [-1, None, 3], "x", 2)
    assert not kept(view, [rows, batch, 3], "x", 2)
    assert not kept(view, [batch], "x", 2)
    assert not kept(view, None, "x", 2)


def test_a_reshape_tells_its_free_size_where_the_unknown_ones_stay() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 7, 10, 8))
    shape = graph.op("Shape", x)
    batch = graph.op("StridedSlice", shape, [0], [1], [1], shrink_axis_mask=1)
    good = graph.op("Reshape", x, graph.op("Pack", batch, -1, 8, axis=0))
    y = graph.op("Shape", graph.placeholder("y", float32, (None, 2)))
    other = graph.op("StridedSlice", y, [0], [1], [1], shrink_axis_mask=1)
    bad = graph.op("Reshape", x, graph.op("Pack", other, -1, 8, axis=0))
    view = looked_at(graph, good, bad)
    assert view.shape(good) == (None, 70, 8)
    assert view.shape(bad) == (None, None, 8)

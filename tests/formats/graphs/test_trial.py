"""Nodes computed for sizes and indices of one's own choice."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.graphs.trial import tried


def test_places_follow_from_sizes() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, None, 3))
    length = graph.op("StridedSlice", graph.op("Shape", x), [1], [2], [1], shrink_axis_mask=1)
    rows = graph.op("Range", 0, length, 1)
    seen = graph.op("GreaterEqual", graph.op("ExpandDims", rows, -1), rows)
    graph.op("Identity", seen)
    value = tried(seen, look(graph), {}, lambda *asked: 4 if asked == ("x", 1) else 1)
    assert value is not None
    assert (value == np.tri(4, dtype=bool)).all()


@pytest.mark.parametrize("band", [(-1, 0), (0, -1), (1, 1)])
def test_bands(band: tuple[int, int]) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (3, 5))
    ones = graph.op("OnesLike", x)
    low, high = (graph.const(value, dtypes.int64) for value in band)
    y = graph.op("MatrixBandPart", ones, low, high)
    graph.op("Identity", y)
    value = tried(y, look(graph), {})
    assert value is not None
    distance = np.arange(3)[:, None] - np.arange(5)
    wanted = ((band[0] < 0) | (distance <= band[0])) & ((band[1] < 0) | (-distance <= band[1]))
    assert (value == wanted).all()


def test_a_table_in_parts_shows_its_rows() -> None:
    graph = GraphBuilder()
    ids = graph.placeholder("ids", dtypes.int32, (None,))
    place = graph.op("FloorMod", ids, 2)
    row = graph.op("FloorDiv", ids, 2)
    count = graph.op("Size", ids)
    parts = [f"{graph.op('DynamicPartition', row, place, num_partitions=2)}:{k}" for k in (0, 1)]
    order = graph.op("DynamicPartition", graph.op("Range", 0, count, 1), place, num_partitions=2)
    tables = [graph.const(np.arange(6.0).reshape(3, 2) + 10 * k, dtypes.float32) for k in (0, 1)]
    found = [graph.op("GatherV2", t, p, 0) for t, p in zip(tables, parts, strict=True)]
    y = graph.op("DynamicStitch", order, f"{order}:1", *found, N=2)
    graph.op("Identity", y)
    value = tried(y, look(graph), {"ids": np.arange(6, dtype=np.int32)})
    assert value is not None
    assert value.tolist() == [[0, 1], [10, 11], [2, 3], [12, 13], [4, 5], [14, 15]]


def test_data_is_not_made_up() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (2, 3))
    graph.op("Identity", graph.op("Greater", x, 0.0))
    view = look(graph)
    assert tried(view.outputs[0], view, {}) is None


def test_an_unknown_size_is_not_made_up() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 3))
    graph.op("Identity", graph.op("OnesLike", x))
    view = look(graph)
    assert tried(view.outputs[0], view, {}) is None
    assert tried(view.outputs[0], view, {}, lambda *_: 2) is not None


def test_too_large_a_trial_is_none() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 3))
    graph.op("Identity", graph.op("OnesLike", x))
    view = look(graph)
    assert tried(view.outputs[0], view, {}, lambda *_: 1 << 40) is None


def test_integers_are_divided_as_in_c() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.int32, (3,))
    made = graph.op("RealDiv", x, graph.const(2, dtypes.int32))
    graph.op("Identity", made)
    value = tried(made, look(graph), {"x": np.array([-3, 3, 5], np.int32)})
    assert value is not None
    assert value.tolist() == [-1, 1, 2]

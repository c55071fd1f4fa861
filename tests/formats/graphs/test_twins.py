"""Twins of younger ops: which ops stand for them, and what has none."""

from __future__ import annotations

import pytest

from modelfmt import dtypes
from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.retarget import retarget
from modelfmt.graphs.twins import ASKING_LESS, TWINS
from modelfmt.ops.opages import Version, age


def ops(graph: GraphBuilder, version: Version = (1, 2)) -> list[str]:
    made = retarget(graph, version, [list(graph)[-1]])
    return [node.op for node in made.values() if node.op not in ("Const", "Placeholder")]


def test_every_twin_stands_for_a_younger_op() -> None:
    for op in TWINS:
        born = age(op)
        assert born is not None, op
        assert born > (1, 0), op
    assert all(age(op) == (1, 0) for op in ASKING_LESS)


def test_add_and_batch_norm() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4, 4, 2))
    one = graph.const([1.0, 1.0], float32)
    y = graph.ops("FusedBatchNormV3", x, one, one, one, one, is_training=False)[0]
    graph.op("AddV2", y, y)
    assert ops(graph) == ["FusedBatchNorm", "Add"]
    assert ops(graph, (1, 12)) == ["FusedBatchNormV2", "AddV2"]


def test_select_of_equal_shapes_is_select() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (2, 3))
    shown = graph.placeholder("shown", dtypes.bool_, (2, 3))
    graph.op("SelectV2", shown, x, x)
    assert ops(graph) == ["Select"]


def test_select_of_others_is_brought_to_one_shape() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 3))
    shown = graph.placeholder("shown", dtypes.bool_, (None, 1))
    graph.op("SelectV2", shown, x, x)
    assert ops(graph).count("BroadcastArgs") == 2


def test_matmul_of_many() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 3, 3))
    graph.op("BatchMatMulV2", x, x)
    assert ops(graph) == ["BatchMatMul"]
    graph.op("BatchMatMulV2", x, graph.placeholder("y", float32, (3, 3)))
    with pytest.raises(ConversionError, match="ranks may differ has no older twin"):
        ops(graph)


@pytest.mark.parametrize(("axis", "fits"), [(0, True), (1, False)])
def test_gather_takes_rows(axis: int, fits: bool) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (3, 3))
    graph.op("GatherV2", x, [0, 1], axis)
    if fits:
        assert ops(graph) == ["Gather"]
    else:
        with pytest.raises(ConversionError, match="another axis"):
            ops(graph)


def test_nearest_by_whole_factors_needs_no_centers() -> None:
    for size, fits in (([8, 8], True), ([6, 6], False)):
        graph = GraphBuilder()
        x = graph.placeholder("x", float32, (None, 4, 4, 2))
        graph.op("ResizeNearestNeighbor", x, size, half_pixel_centers=True)
        if fits:
            assert ops(graph) == ["ResizeNearestNeighbor"]
        else:
            with pytest.raises(ConversionError, match="half_pixel_centers"):
                ops(graph)

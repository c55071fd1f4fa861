"""Sizes: numbers stay numbers, and only what is unknown becomes nodes."""

from __future__ import annotations

import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.extents import calculated, extent, packed, packed_rows, target


@pytest.fixture
def graph() -> GraphBuilder:
    graph = GraphBuilder()
    graph.placeholder("x", float32, (None, 5, None))
    graph.placeholder("any", float32, None)
    return graph


def test_a_known_size_is_a_number(graph: GraphBuilder) -> None:
    assert extent("x", 1, graph) == extent("x", -2, graph) == 5
    assert len(graph) == 2


def test_an_unknown_size_is_a_scalar_tensor(graph: GraphBuilder) -> None:
    size = extent("x", -1, graph)
    assert isinstance(size, str)
    assert graph.shape(size) == ()


def test_an_unknown_rank_is_named(graph: GraphBuilder) -> None:
    with pytest.raises(ConversionError, match="unknown rank"):
        extent("any", 0, graph)


@pytest.mark.parametrize(
    ("op", "wanted"),
    [("AddV2", 9), ("Sub", 5), ("Mul", 14), ("FloorDiv", 3), ("FloorMod", 1), ("Maximum", 7)],
)
def test_numbers_are_calculated_at_once(graph: GraphBuilder, op: str, wanted: int) -> None:
    assert calculated(op, 7, 2, graph) == wanted
    assert len(graph) == 2


def test_tensors_are_calculated_later(graph: GraphBuilder) -> None:
    made = calculated("Mul", extent("x", 0, graph), 3, graph)
    assert isinstance(made, str)
    assert graph[made].op == "Mul"


def test_what_is_known_of_a_vector_is_seen(graph: GraphBuilder) -> None:
    assert packed([1, 2], graph) == [1, 2]
    sizes = packed([extent("x", 0, graph), 5], graph)
    y = graph.op("Fill", sizes, 0.0)
    assert graph.shape(y) == (None, 5)


def test_rows_of_sizes(graph: GraphBuilder) -> None:
    assert packed_rows([[0, 1], [2, 3]], graph) == [[0, 1], [2, 3]]
    more = extent("x", 2, graph)
    padded = graph.op("Pad", "x", packed_rows([[0, 0], [1, 1], [0, more]], graph))
    assert graph.shape(padded) == (None, 7, None)


def test_one_unknown_size_is_left_to_reshape(graph: GraphBuilder) -> None:
    one, other = extent("x", 0, graph), extent("x", 2, graph)
    assert target([one, 5], graph) == [-1, 5]
    assert graph[target([one, 5, other], graph)].op == "Pack"

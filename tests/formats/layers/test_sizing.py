"""All sizes of a tensor, numbers and scalar tensors alike."""

from __future__ import annotations

import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.sizing import axes_of, known_shape, lengths, product, reshaped


def test_lengths_read_off_only_what_is_unknown() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 3, None))
    batch, three, last = lengths(x, graph)
    assert three == 3 and isinstance(batch, str) and isinstance(last, str)
    assert graph.shape(batch) == graph.shape(last) == ()
    assert [node.op for node in graph.values()].count("Shape") == 1
    assert lengths(graph.placeholder("y", float32, (2, 3)), graph) == [2, 3]


def test_product() -> None:
    graph = GraphBuilder()
    batch = lengths(graph.placeholder("x", float32, (None, 3)), graph)[0]
    assert product([], graph) == 1 and product([2, 3], graph) == 6
    assert product([1, batch, 1], graph) == batch
    assert graph[str(product([2, batch], graph))].op == "Mul"


def test_reshaped() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, None, 6))
    batch, time, _ = lengths(x, graph)
    assert graph.shape(reshaped(x, [batch, time, 2, 3], graph)) == (None, None, 2, 3)
    one = reshaped(x, [time, 6], graph)
    assert graph.static(graph[one].inputs[1]).value.tolist() == [-1, 6]  # type: ignore[union-attr]
    assert graph[graph[reshaped(x, [batch, 0], graph)].inputs[1]].op == "Pack"
    y = graph.placeholder("y", float32, (2, 3))
    assert reshaped(y, [2, 3], graph) == y


def test_axes_count_from_the_front() -> None:
    assert axes_of(-1, 4) == [3] and axes_of([2, -3], 4) == [2, 1]
    for axis in (4, -5, [1, 4], ["1"]):
        with pytest.raises(ConversionError, match="no such axis"):
            axes_of(axis, 4)  # type: ignore[arg-type]


def test_an_unknown_rank_is_named() -> None:
    graph = GraphBuilder()
    with pytest.raises(ConversionError, match="Dot needs an input of known rank"):
        known_shape(graph.placeholder("x", float32, None), graph, "Dot")

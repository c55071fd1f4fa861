"""Dot: shapes, and the length that vectors are divided by."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import write_network
from modelfmt.layers.dot import unit_length


@pytest.mark.parametrize(
    ("shapes", "axes", "wanted"),
    [
        ([(None, 4), (None, 4)], -1, (None, 1)), ([(None, 4), (None, 4)], 1, (None, 1)),
        ([(None, 4), (None, 3, 4)], [1, 2], (None, 3)),
        ([(None, 3, 4), (None, 5, 4)], 2, (None, 3, 5)),
        ([(None, 3, 4), (None, 3, 5)], 1, (None, 4, 5)),
        ([(None, 2, 3, 4), (None, 5, 4)], [3, 2], (None, 2, 3, 5)),
        ([(None, None, 4), (None, None, 4)], -1, (None, None, None)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("normalize", [True, False])
def test_shapes(single: Any, shapes: Any, axes: Any, wanted: Any, normalize: bool) -> None:
    graph = GraphBuilder()
    network = single("Dot", {"axes": axes, "normalize": normalize}, shapes)
    assert graph.shape(write_network(network, graph)[0]) == wanted
    assert [node.op for node in graph.values()].count("Rsqrt") == 2 * normalize


@pytest.mark.parametrize(
    ("axes", "error"),
    [(0, MismatchError), ([1], MismatchError), (None, MismatchError), (3, ConversionError),
     ([1, 2], MismatchError)],
)  # fmt: skip
def test_axes_that_make_no_sense(single: Any, axes: Any, error: type[Exception]) -> None:
    config = {} if axes is None else {"axes": axes}
    shapes = [(None, 3, 4), (None, 3, 5)]
    with pytest.raises(error, match=r'layer "it"'):
        write_network(single("Dot", config, shapes), GraphBuilder())


def test_the_smallest_length_depends_on_the_major() -> None:
    for major, op in ((2, "Maximum"), (3, "Minimum")):
        graph = GraphBuilder()
        graph.keras_major = major
        unit_length(graph.placeholder("x", float32, (None, 4)), [1], 1e-7, graph)
        assert op in [node.op for node in graph.values()]

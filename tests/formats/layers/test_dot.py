"""Dot: shapes, and the length that vectors are divided by."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError, MismatchError, UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import recognise, write_network
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


# -- recognising ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "axes"),
    [
        ([(None, 4), (None, 4)], [1, 1]), ([(None, 4), (None, 3, 4)], [1, 2]),
        ([(None, 3, 4), (None, 4)], [2, 1]), ([(None, 3, 4), (None, 5, 4)], [2, 2]),
        ([(None, 3, 4), (None, 3, 4)], [1, 1]), ([(None, 3, 4), (None, 4, 5)], [2, 1]),
        ([(None, 2, 3, 4), (None, 5, 4)], [3, 2]), ([(None, 3, 4), (None, 2, 4, 5)], [2, 2]),
        ([(None, 2, 3, 4), (None, 5, 3, 2)], [2, 2]), ([(None, None, 4), (None, None, 4)], [2, 2]),
        ([(None, 4, 4), (None, 4, 4)], [1, 2]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("major", [2, 3])
def test_what_is_written_is_recognised(
    single: Any, shapes: Any, axes: Any, normalize: bool, major: int
) -> None:
    network = single("Dot", {"axes": axes, "normalize": normalize}, shapes)
    network.keras_major = major
    graph = GraphBuilder()
    write_network(network, graph)
    (found,) = [x for x in recognise(View(graph)).layers if x.class_name != "InputLayer"]
    assert (found.class_name, found.config) == ("Dot", {"axes": axes, "normalize": normalize})
    assert [ref.layer for ref in found.calls[0].inputs] == ["in0", "in1"]


def test_a_sum_of_products_is_one() -> None:
    graph = GraphBuilder()
    a, b = (graph.placeholder(name, float32, (None, 4)) for name in "ab")
    graph.op("Sum", graph.op("Mul", a, b), [1], keep_dims=True, name="y")
    found = recognise(View(graph)).layers[-1]
    assert (found.class_name, found.config["axes"]) == ("Dot", [1, 1])


def test_the_cosine_of_keras_1() -> None:
    """a . b / max(sqrt((a . a) * (b . b)), 1e-7)"""
    graph = GraphBuilder()
    a, b = (graph.placeholder(name, float32, (None, 4)) for name in "ab")

    def product(x: str, y: str) -> str:
        return graph.op("Sum", graph.op("Mul", x, y), [1], keep_dims=True)

    length = graph.op("Sqrt", graph.op("Mul", product(a, a), product(b, b)))
    graph.op("RealDiv", product(a, b), graph.op("Maximum", length, 1e-7), name="y")
    found = recognise(View(graph)).layers[-1]
    assert (found.class_name, found.config) == ("Dot", {"axes": [1, 1], "normalize": True})


def test_vectors_of_length_1_that_are_read_elsewhere_stay_layers() -> None:
    graph = GraphBuilder()
    a, b = (graph.placeholder(name, float32, (None, 4)) for name in "ab")
    x, y = (unit_length(each, [1], 1e-7, graph) for each in (a, b))
    graph.op("Sum", graph.op("Mul", x, y), [1], keep_dims=True, name="y")
    found = recognise(View(graph, outputs=["y", x])).layers
    assert [layer.class_name for layer in found if layer.class_name != "InputLayer"] == [
        "UnitNormalization", "UnitNormalization", "Dot"
    ]


def test_products_over_the_batch_or_of_every_pair_are_none() -> None:
    graph = GraphBuilder()
    a, b = (graph.placeholder(name, float32, (4, 4)) for name in "ab")
    graph.op("MatMul", a, b, transpose_b=True, name="y")
    with pytest.raises(UnrecognisedGraphError, match="MatMul"):
        recognise(View(graph), layers_only=True)

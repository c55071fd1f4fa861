"""The batch dimension of inputs, fixed."""

from __future__ import annotations

import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.graph import Shape
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.network import Layer, Network, Ref
from modelfmt.surgery.batches import fix_batch, with_batch


def test_of_a_graph() -> None:
    graph = GraphBuilder()
    graph.placeholder("x", float32, (None, 4))
    graph.placeholder("rate", float32, ())
    made = with_batch(graph, 8)
    assert made["x"].attrs["shape"] == Shape((8, 4))
    assert made["rate"] is graph["rate"]
    assert graph["x"].attrs["shape"] == Shape((None, 4))


@pytest.mark.parametrize(("dims", "what"), [((3, 4), "another batch size"), (None, "unknown rank")])
def test_what_cannot_be_fixed(dims: tuple[int, ...] | None, what: str) -> None:
    graph = GraphBuilder()
    graph.placeholder("x", float32, dims)
    with pytest.raises(ConversionError, match=f"x.*{what}"):
        with_batch(graph, 8)


def test_of_a_network() -> None:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 4], "dtype": "float32"})
    network = Network("m", layers=[x], inputs=[Ref("x")], outputs=[Ref("x")])
    fix_batch(network, 2)
    assert x.config["batch_shape"] == [2, 4]
    with pytest.raises(ConversionError, match=r'"x".*another batch size'):
        fix_batch(network, 3)

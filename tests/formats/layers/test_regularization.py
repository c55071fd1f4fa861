"""Layers of training only: nothing is written, and what comes back was left behind."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import recognise, write_network
from modelfmt.layers.inference import inference_form
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor

CLASSES = [
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout",
    "GaussianDropout", "GaussianNoise", "ActivityRegularization",
]


@pytest.mark.parametrize("class_name", CLASSES)
def test_it_vanishes(law: Any, class_name: str) -> None:
    assert law(class_name, {"rate": 0.5}, [(None, 4)]) == []


@pytest.mark.parametrize("class_name", CLASSES)
def test_it_vanishes_between_layers(class_name: str) -> None:
    import numpy as np

    kernel = Tensor.from_numpy("kernel", np.ones((4, 4), "float32"))
    x = Layer("InputLayer", "x", {"batch_shape": [None, 4], "dtype": "float32"})
    drop = Layer(class_name, "drop", {}, calls=[Call([Ref("x")])])
    dense = Layer("Dense", "dense", {"use_bias": False}, {"kernel": kernel}, calls=[
        Call([Ref("drop")])
    ])
    last = Layer(class_name, "last", {}, calls=[Call([Ref("dense")])])
    network = Network("m", layers=[x, drop, dense, last], inputs=[Ref("x")], outputs=[Ref("last")])
    graph = GraphBuilder()
    assert write_network(network, graph) == ["last"]
    assert [node.op for node in graph.values()] == ["Placeholder", "Const", "MatMul", "Identity"]
    form = inference_form(network)
    assert [(layer.class_name, layer.yields) for layer in form] == [("Dense", ((0, 0),))]
    assert inference_form(recognise(View(graph))) == form


# -- what training graphs that were frozen leave --------------------------------------------------


def noisy(spelling: str, share: Any) -> GraphBuilder:
    """A Dropout of the given share that is kept, in the words of TensorFlow 1.0 and of 1.15."""
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4))
    kept = graph.placeholder("kept", float32, ()) if share is None else share
    drawn = graph.op("RandomUniform", graph.op("Shape", x), dtype=float32)
    drawn = graph.op("AddV2", graph.op("Mul", drawn, 1.0), 0.0)
    if spelling == "floor":
        mask = graph.op("Floor", graph.op("AddV2", drawn, kept))
        graph.op("Mul", graph.op("RealDiv", x, kept), mask, name="y")
    else:
        rate = graph.op("Sub", 1.0, kept)
        mask = graph.op("Cast", graph.op("GreaterEqual", drawn, rate), DstT=float32)
        scale = graph.op("RealDiv", 1.0, graph.op("Sub", 1.0, rate))
        graph.op("Mul", graph.op("Mul", x, scale), mask, name="y")
    return graph


@pytest.mark.parametrize("spelling", ["floor", "greater"])
def test_a_dropout_that_drops_nothing_is_recognised(spelling: str) -> None:
    network = recognise(View(noisy(spelling, 1.0)))
    assert [layer.class_name for layer in network.layers] == ["InputLayer", "Dropout"]
    assert network.layers[1].config["rate"] == 0.0


@pytest.mark.parametrize("spelling", ["floor", "greater"])
def test_a_share_that_nothing_gives_is_1(spelling: str) -> None:
    network = recognise(View(noisy(spelling, None), inputs=["x"]))
    assert [layer.class_name for layer in network.layers] == ["InputLayer", "Dropout"]


@pytest.mark.parametrize("spelling", ["floor", "greater"])
@pytest.mark.parametrize("share", [0.5, 0.999])
def test_a_dropout_that_drops_is_no_layer_of_inference(spelling: str, share: float) -> None:
    with pytest.raises(UnrecognisedGraphError, match="RandomUniform"):
        recognise(View(noisy(spelling, share)))

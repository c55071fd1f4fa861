"""Layers of training only: nothing is written, nothing can come back."""

from __future__ import annotations

from typing import Any

import pytest

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

"""The layers that keras.applications brings along."""

from __future__ import annotations

import numpy as np

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import codec_for
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def test_a_layer_scale_multiplies() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4))
    gamma = Tensor.from_numpy("gamma", np.arange(4, dtype=np.float32))
    layer = Layer(
        "LayerScale", "scale", {"init_values": 1e-6, "projection_dim": 4}, {"gamma": gamma}
    )
    (y,) = codec_for(layer).write(layer, [x], graph)
    assert graph[y].op == "Mul"
    assert graph[graph[y].inputs[1]].attrs["value"] is gamma
    assert graph.shape(y) == (None, 4)


def test_a_custom_scale_layer_adds_the_scaled_branch() -> None:
    graph = GraphBuilder()
    a, b = (graph.placeholder(name, float32, (None, 4)) for name in "ab")
    layer = Layer("CustomScaleLayer", "scale", {"scale": 0.17}, {})
    (y,) = codec_for(layer).write(layer, [a, b], graph)
    assert graph[y].op == "AddV2"
    assert graph[y].inputs[0] == "a"
    scaled = graph[graph[y].inputs[1]]
    assert (scaled.op, scaled.inputs[0]) == ("Mul", "b")
    value = graph[scaled.inputs[1]].attrs["value"]
    assert isinstance(value, Tensor)
    assert value.numpy() == np.float32(0.17)


def test_stochastic_depth_leaves_no_node() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4))
    layer = Layer("StochasticDepth", "depth", {"drop_path_rate": 0.5}, {})
    assert codec_for(layer).write(layer, [x], graph) == [x]
    assert len(graph) == 1

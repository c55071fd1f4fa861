"""Layers come back in the dtype that they compute in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import from_name
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.layers import recognise, write_network
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor


def tensors(kind: str, **shapes: tuple[int, ...]) -> dict[str, Tensor]:
    random = np.random.default_rng(0)
    return {
        name: Tensor.from_numpy(name, random.uniform(0.5, 1, shape).astype(from_name(kind).numpy))
        for name, shape in shapes.items()
    }


def chain(first: str, second: str, major: int = 3) -> Network:
    """Dense, BatchNormalization, Dense and an activation, of two policies."""

    def kept(policy: str) -> str:
        return "float32" if policy.startswith("mixed") else policy

    inputs = Layer("InputLayer", "x", {"batch_shape": [None, 4], "dtype": "float32"})
    normal = {"gamma": (3,), "beta": (3,), "moving_mean": (3,), "moving_variance": (3,)}
    layers = [
        Layer("Dense", "a", {"dtype": first, "activation": "relu"},
              tensors(kept(first), kernel=(4, 3), bias=(3,))),
        Layer("BatchNormalization", "b", {"dtype": first}, tensors(kept(first), **normal)),
        Layer("Dense", "c", {"dtype": second}, tensors(kept(second), kernel=(3, 2), bias=(2,))),
        Layer("Activation", "d", {"dtype": second, "activation": "tanh"}),
    ]
    for before, layer in zip([inputs, *layers], layers, strict=False):
        layer.calls = [Call([Ref(before.name)])]
    made = Network("m", layers=[inputs, *layers], inputs=[Ref("x")], outputs=[Ref("d")])
    made.keras_major = major
    return made


def back(made: Network) -> Network:
    graph = GraphBuilder()
    graph.keras_major = made.keras_major
    write_network(made, graph)
    return recognise(look(graph), layers_only=True)


POLICIES = ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64", "float32"]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("major", [2, 3])
def test_policies(policy: str, major: int) -> None:
    made = chain(policy, "float32", major)
    found = back(made)
    said = {layer.name: layer.config.get("dtype") for layer in found.layers}
    if policy == "float32":
        assert said == {"x": "float32", "a": None, "b": None, "c": None, "d": None}
        return
    assert (said["a"], said["c"], said["d"]) == (policy, "float32", "float32")
    assert said["b"] == policy
    for layer in (made.layer("a"), made.layer("c")):
        for name, weight in layer.weights.items():
            assert found.layer(layer.name).weight(name).sha256() == weight.sha256()
            assert found.layer(layer.name).weight(name).dtype is weight.dtype
    assert found.layer("a").config["activation"] == "relu"


def test_no_cast_is_a_layer_of_its_own() -> None:
    assert [layer.class_name for layer in back(chain("mixed_float16", "float32")).layers] == [
        "InputLayer", "Dense", "BatchNormalization", "Dense", "Activation"
    ]  # fmt: skip


def cast(graph: GraphBuilder, x: str, kind: str) -> str:
    return graph.op("Cast", x, DstT=from_name(kind))


def config_of(graph: GraphBuilder, *outputs: str) -> list[Any]:
    for output in outputs:
        graph.op("Identity", output)
    network = recognise(look(graph), layers_only=True)
    return [
        (layer.class_name, layer.config["activation"], layer.config.get("dtype"))
        for layer in network.layers[1:]
    ]


def test_a_cast_at_the_end_is_a_linear_activation() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", from_name("float32"), (None, 3))
    relu = graph.op("Relu", cast(graph, x, "float16"))
    assert config_of(graph, cast(graph, relu, "float32")) == [
        ("Activation", "relu", "float16"), ("Activation", "linear", "float32"),
    ]  # fmt: skip


def test_two_casts_in_a_row_round() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", from_name("float32"), (None, 3))
    twice = cast(graph, cast(graph, x, "float16"), "float32")
    kernel = graph.const(np.ones((3, 2)), from_name("float32"))
    assert config_of(graph, graph.op("MatMul", twice, kernel)) == [
        ("Activation", "linear", "float16"), ("Dense", "linear", "float32"),
    ]  # fmt: skip

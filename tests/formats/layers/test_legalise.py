"""Legalise: what one Keras major lacks, said in layers that it has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.layers import infer_specs
from modelfmt.layers.legalise import SPELLED, legalise
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor


def dense(activation: str, *sources: Ref, name: str = "d") -> Layer:
    weights = {
        "kernel": Tensor.from_numpy("kernel", np.ones((4, 4), "f4")),
        "bias": Tensor.from_numpy("bias", np.ones(4, "f4")),
    }
    calls = [Call([source]) for source in sources or (Ref("x"),)]
    return Layer("Dense", name, {"activation": activation}, weights, calls=calls)


def model(*layers: Layer, outputs: list[Ref] | None = None) -> Network:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 4], "dtype": "float32"})
    network = Network("m", layers=[x, *layers], inputs=[Ref("x")],
                      outputs=outputs or [Ref(layers[-1].name)])  # fmt: skip
    infer_specs(network)
    return network


def summary(network: Network) -> list[tuple[str, str, Any]]:
    return [
        (layer.class_name, layer.name, [ref.layer for call in layer.calls for ref in call.inputs])
        for layer in network.layers[1:]
    ]


@pytest.mark.parametrize(
    ("activation", "major", "scale"),
    [("hard_sigmoid_keras2", 3, 0.2), ("hard_sigmoid", 2, 1 / 6)],
)
def test_the_other_majors_hard_sigmoid_is_spelled_out(
    activation: str, major: int, scale: float
) -> None:
    network = legalise(model(dense(activation)), major)
    assert summary(network) == [
        ("Dense", "d", ["x"]), ("Rescaling", "d_rescaling", ["d"]),
        ("ReLU", "d_relu", ["d_rescaling"]),
    ]  # fmt: skip
    assert network.layer("d").config["activation"] == "linear"
    assert network.layer("d_rescaling").config == {"scale": scale, "offset": 0.5}
    assert network.layer("d_relu").config["max_value"] == 1.0
    assert network.outputs == [Ref("d_relu")]
    assert network.layer("d_relu").calls[0].outputs == network.layer("d").calls[0].outputs


@pytest.mark.parametrize(("activation", "major"), [("hard_sigmoid_keras2", 2), ("hard_sigmoid", 3),
                                                   ("relu", 2), ("relu", 3)])  # fmt: skip
def test_a_majors_own_functions_stay(activation: str, major: int) -> None:
    network = legalise(model(dense(activation)), major)
    assert len(network.layers) == 2 and network.layer("d").config["activation"] == activation


def test_readers_read_what_was_added() -> None:
    layers = [dense("hard_sigmoid_keras2"), dense("linear", Ref("d"), name="e"),
              Layer("Add", "s", calls=[Call([Ref("d"), Ref("e")], structure=True)])]  # fmt: skip
    network = legalise(model(*layers), 3)
    assert network.layer("e").calls[0].inputs == [Ref("d_relu")]
    assert network.layer("s").calls[0].inputs == [Ref("d_relu"), Ref("e")]
    assert [layer.name for layer in network.layers] == [
        "x", "d", "d_rescaling", "d_relu", "e", "s",
    ]  # fmt: skip


def test_a_shared_layer_has_shared_additions() -> None:
    shared = dense("hard_sigmoid_keras2", Ref("x"), Ref("x"))
    network = model(shared, outputs=[Ref("d", 1), Ref("d", 0)])
    legalise(network, 3)
    assert [call.inputs for call in network.layer("d_relu").calls] == [
        [Ref("d_rescaling", 0)], [Ref("d_rescaling", 1)],
    ]  # fmt: skip
    assert network.outputs == [Ref("d_relu", 1), Ref("d_relu", 0)]


def test_names_that_are_taken_are_not_taken_again() -> None:
    taken = Layer("Activation", "d_relu", {"activation": "relu"}, calls=[Call([Ref("d")])])
    network = legalise(model(dense("hard_sigmoid_keras2"), taken), 3)
    names = [layer.name for layer in network.layers]
    assert len(set(names)) == len(names) == 5


def test_thresholded_relu_is_a_relu_in_keras_3() -> None:
    def build() -> Network:
        layer = Layer("ThresholdedReLU", "t", {"theta": 0.5}, calls=[Call([Ref("x")])])
        return model(layer)

    layer = legalise(build(), 3).layer("t")
    assert (layer.class_name, layer.config["threshold"]) == ("ReLU", 0.5)
    assert legalise(build(), 2).layer("t").class_name == "ThresholdedReLU"


def test_nested_models_too() -> None:
    inner = model(dense("hard_sigmoid_keras2"))
    outer = Layer("Functional", "inner", network=inner, calls=[Call([Ref("x")])])
    legalise(model(outer), 3)
    assert inner.outputs == [Ref("d_relu")]


def test_what_is_added_computes_the_same() -> None:
    """clip(0.2 x + 0.5, 0, 1), by the nodes that the added layers write."""
    from modelfmt.graphs.builder import GraphBuilder
    from modelfmt.layers import write_network

    graph = GraphBuilder()
    write_network(legalise(model(dense("hard_sigmoid_keras2")), 3), graph)
    ops = [node.op for node in graph.values() if node.name.startswith(("d_rescaling/", "d_relu/"))]
    assert [op for op in ops if op != "Const"] == ["Mul", "AddV2", "Relu", "Minimum", "Maximum"]


def values(function: str, x: Any) -> Any:
    """An activation function of Keras 3, by its definition."""
    soft = np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0)
    return {
        "hard_silu": x * np.clip(x / 6 + 0.5, 0, 1),
        "leaky_relu": np.where(x < 0, 0.2 * x, x),
        "celu": np.where(x < 0, np.expm1(x), x),
        "log_sigmoid": -soft,
        "sparse_sigmoid": np.clip(0.5 * x + 0.5, 0, 1),
        "tanh_shrink": x - np.tanh(x),
        "soft_shrink": np.where(x > 0.5, x - 0.5, np.where(x < -0.5, x + 0.5, 0)),
        "hard_tanh": np.clip(x, -1, 1),
        "hard_sigmoid": np.clip(x / 6 + 0.5, 0, 1),
    }[function]


def run(layer: Layer, taken: list[Any]) -> Any:
    """What the simple layers of SPELLED compute."""
    x, config = taken[0], layer.config
    if layer.class_name == "Rescaling":
        return x * config["scale"] + config["offset"]
    if layer.class_name == "ReLU":
        return np.clip(x, config["threshold"], config["max_value"])
    if layer.class_name == "LeakyReLU":
        return np.where(x < 0, config["negative_slope"] * x, x)
    if layer.class_name == "Activation":
        return {"elu": np.where(x < 0, np.expm1(x), x), "tanh": np.tanh(x),
                "softplus": np.log1p(np.exp(x))}[config["activation"]]  # fmt: skip
    return x * taken[1] if layer.class_name == "Multiply" else x - taken[1]


@pytest.mark.parametrize("function", sorted(set(SPELLED[2]) - {"log_softmax"}))
def test_functions_of_keras_3_are_composed_for_keras_2(function: str) -> None:
    x = np.linspace(-5, 5, 41)
    network = legalise(model(dense(function)), 2)
    made = {"d": x}
    for layer in network.layers[2:]:
        made[layer.name] = run(layer, [made[ref.layer] for ref in layer.calls[0].inputs])
    np.testing.assert_allclose(made[network.outputs[0].layer], values(function, x), atol=1e-12)


def test_what_a_wrapper_ends_with_comes_after_the_wrapper() -> None:
    inner = {"class_name": "Dense", "config": {"units": 4, "activation": "hard_sigmoid_keras2"}}
    layer = Layer("TimeDistributed", "t", {"layer": inner}, calls=[Call([Ref("x")])])
    x = Layer("InputLayer", "x", {"batch_shape": [None, 3, 4], "dtype": "float32"})
    network = Network("m", layers=[x, layer], inputs=[Ref("x")], outputs=[Ref("t")])
    legalise(network, 3)
    assert network.outputs == [Ref("t_relu")]
    assert layer.config["layer"]["config"]["activation"] == "linear"


def test_the_activation_of_a_recurrent_layer_is_not_what_it_ends_with() -> None:
    layer = Layer("LSTM", "r", {"activation": "hard_sigmoid_keras2"}, calls=[Call([Ref("x")])])
    network = Network("m", layers=[layer], outputs=[Ref("r")])
    legalise(network, 3)
    assert network.layers == [layer] and layer.config["activation"] == "hard_sigmoid_keras2"

"""Inference form: one spelling for what computes the same, and only for that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.errors import UnknownLayerError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import write_network
from modelfmt.layers.inference import inference_form
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor


def source(name: str, *shape: int | None) -> Layer:
    return Layer("InputLayer", name, {"batch_shape": [None, *shape], "dtype": "float32"})


def dense(name: str, before: str | list[str], seed: int = 0, **config: Any) -> Layer:
    kernel = np.random.default_rng(seed).normal(size=(4, 4)).astype("float32")
    befores = [before] if isinstance(before, str) else before
    weights = {"kernel": Tensor.from_numpy("kernel", kernel)}
    return Layer("Dense", name, {"use_bias": False, **config}, weights,
                 calls=[Call([Ref(each)]) for each in befores])


def simple(class_name: str, name: str, *before: str, **config: Any) -> Layer:
    return Layer(class_name, name, config,
                 calls=[Call([Ref(each) for each in before], structure=len(before) > 1)])


def model(*layers: Layer, outputs: list[Ref] | None = None) -> Network:
    inputs = [Ref(layer.name) for layer in layers if layer.class_name == "InputLayer"]
    return Network("m", layers=list(layers), inputs=inputs,
                   outputs=outputs or [Ref(layers[-1].name)])


def test_an_activation_is_a_layer_of_its_own() -> None:
    inside = model(source("x", 4), dense("d", "x", activation="relu"))
    outside = model(source("x", 4), dense("d", "x"), simple("Activation", "a", "d",
                                                            activation="relu"))
    layer = model(source("x", 4), dense("d", "x"), simple("Dropout", "drop", "d", rate=0.5),
                  simple("ReLU", "r", "drop"))
    assert inference_form(inside) == inference_form(outside) == inference_form(layer)
    other = model(source("x", 4), dense("d", "x"), simple("Activation", "a", "d",
                                                          activation="tanh"))
    assert inference_form(other) != inference_form(inside)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ReLU", {"max_value": 6}), ("Activation", {"activation": "relu6"})),
        (("Softmax", {"axis": 1}), ("Activation", {"activation": "softmax"})),
        (("ELU", {"alpha": 1}), ("Activation", {"activation": "elu"})),
        (("ThresholdedReLU", {"theta": 0.5}), ("ReLU", {"threshold": 0.5})),
        (("ReLU", {"negative_slope": 0.2}), ("Activation", {"activation": "leaky_relu"})),
        (("Flatten", {}), ("Reshape", {"target_shape": [-1]})),
        (("Rescaling", {"scale": 1 / 6}), ("Rescaling", {"scale": 0.16666667})),
        (("Activation", {"activation": "linear"}), ("GaussianNoise", {"stddev": 1.0})),
    ],
    ids=str,
)
def test_spellings_of_one_layer(one: Any, other: Any) -> None:
    first = model(source("x", 4), simple(one[0], "first", "x", **one[1]))
    second = model(source("y", 4), simple(other[0], "second", "y", **other[1]))
    assert inference_form(first) == inference_form(second)


def test_weights_and_their_layers_names_count() -> None:
    form = inference_form(model(source("x", 4), dense("d", "x")))
    assert form[0].weights[0].shape == (4, 4) and form[0].weights[0].dtype == "float32"
    assert form[0].name == form[0].origin == "d"
    assert form != inference_form(model(source("x", 4), dense("d", "x", seed=1)))
    assert form != inference_form(model(source("x", 4), dense("e", "x")))


def test_idle_config_does_not_count() -> None:
    idle = {"kernel_initializer": "zeros", "trainable": False, "dtype": "float32",
            "kernel_regularizer": {"class_name": "L2"}}
    assert inference_form(model(source("x", 4), dense("d", "x", **idle))) == inference_form(
        model(source("x", 4), dense("d", "x"))
    )


def test_the_order_of_layers_is_that_of_the_outputs_needs() -> None:
    x, a, b = source("x", 4), dense("a", "x", 1), dense("b", "x", 2)
    c = simple("Subtract", "c", "a", "b")
    form = inference_form(model(x, a, b, c))
    assert [layer.class_name for layer in form] == ["Dense", "Dense", "Subtract"]
    assert form == inference_form(model(c, b, a, x, outputs=[Ref("c")]))
    assert form != inference_form(model(x, a, b, simple("Subtract", "c", "b", "a")))


def test_outputs_and_their_order_count() -> None:
    x, a, b = source("x", 4), dense("a", "x", 1), dense("b", "a", 2)
    both = inference_form(model(x, a, b, outputs=[Ref("a"), Ref("b")]))
    assert [layer.yields for layer in both] == [((0, 0),), ((1, 0),)]
    assert both != inference_form(model(x, a, b, outputs=[Ref("b"), Ref("a")]))
    assert both != inference_form(model(x, a, b))


def test_a_shared_layer_has_several_calls() -> None:
    x, y = source("x", 4), source("y", 4)
    both = dense("d", ["x", "y"])
    joined = Layer("Add", "sum", {}, calls=[Call([Ref("d", 0), Ref("d", 1)], structure=True)])
    form = inference_form(model(x, y, both, joined))
    assert form[0].calls == ((Ref("input", 0, 0),), (Ref("input", 0, 1),))
    assert form[1].calls == ((Ref("0", 0), Ref("0", 1)),)


def test_a_nested_model_is_spread_out() -> None:
    inner = model(source("i", 4), dense("a", "i", 1, activation="tanh"), dense("b", "a", 2))
    nested = Layer("Functional", "inner", network=inner, calls=[Call([Ref("x")])])
    flat = model(source("x", 4), dense("a", "x", 1, activation="tanh"), dense("b", "a", 2))
    assert inference_form(model(source("x", 4), nested)) == inference_form(flat)


def network_cases() -> dict[str, Network]:
    x, y = source("x", 4), source("y", 4)
    inner = model(source("i", 4), dense("a", "i", 1, activation="tanh"), dense("b", "a", 2))
    twice = Layer("Functional", "inner", network=inner,
                  calls=[Call([Ref("x")]), Call([Ref("y")])])
    of_calls = Layer("Add", "sum", {}, calls=[
        Call([Ref("inner", 0), Ref("inner", 1)], structure=True)])
    return {
        "an output consumed inside": model(
            x, dense("a", "x", 1), dense("b", "a", 2), outputs=[Ref("a"), Ref("b")]),
        "an activation as two outputs": model(
            x, dense("a", "x", 1, activation="relu"), outputs=[Ref("a"), Ref("a")]),
        "an input that is an output": model(
            x, dense("a", "x", 1), outputs=[Ref("x"), Ref("a")]),
        "inputs in another order": model(
            x, y, simple("Subtract", "s", "y", "x")),
        "a layer called twice": model(
            x, y, dense("d", ["x", "y"]),
            Layer("Add", "s", {}, calls=[Call([Ref("d", 0), Ref("d", 1)], structure=True)])),
        "a layer called on itself": model(
            x, Layer("Dense", "d", {"use_bias": False}, dense("d", "x").weights,
                     calls=[Call([Ref("x")]), Call([Ref("d", 0)])]), outputs=[Ref("d", 1)]),
        "a model called twice": model(x, y, twice, of_calls),
        "diamond": model(
            x, dense("a", "x", 1, activation="relu"), dense("b", "a", 2), dense("c", "a", 3),
            simple("Concatenate", "cat", "b", "c", "a")),
    }


@pytest.mark.parametrize("case", sorted(network_cases()))
def test_networks_are_recognised_in_inference_form(case: str, network_law: Any) -> None:
    assert network_law(network_cases()[case])


def test_a_layer_without_a_codec_is_named() -> None:
    with pytest.raises(UnknownLayerError, match=r'layer "w".*Warp'):
        inference_form(model(source("x", 4), simple("Warp", "w", "x")))


def test_what_no_output_needs_is_not_written() -> None:
    inner = model(source("i", 4), dense("a", "i", 1), dense("b", "a", 2),
                  outputs=[Ref("a"), Ref("b")])
    nested = Layer("Functional", "inner", network=inner, calls=[Call([Ref("x")])])
    network = model(source("x", 4), nested, outputs=[Ref("inner", 0, 0)])
    graph = GraphBuilder()
    write_network(network, graph)
    assert [node.op for node in graph.values()] == ["Placeholder", "Const", "MatMul", "Identity"]
    assert [layer.name for layer in inference_form(network)] == ["a"]

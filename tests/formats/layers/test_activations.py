"""Activation functions: what is written is recognised, in one spelling."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import codec_for, write_network
from modelfmt.layers.activations import FUNCTIONS, function_name, write_activation
from modelfmt.layers.inference import inference_form


@pytest.mark.parametrize("shape", [(None, 4), (None, 2, 3, 4)], ids=str)
@pytest.mark.parametrize("function", [*sorted(FUNCTIONS), "swish", "hard_swish"])
def test_activation(law: Any, function: str, shape: Any) -> None:
    form = law("Activation", {"activation": function}, [shape])
    spelled = {
        "leaky_relu": ["LeakyReLU"], "hard_sigmoid_keras2": ["Rescaling", "ReLU"],
    }.get(function, ["Activation"])
    assert [layer.class_name for layer in form] == spelled


def test_linear_leaves_nothing(law: Any) -> None:
    assert law("Activation", {"activation": "linear"}, [(None, 4)]) == []


def test_the_two_hard_sigmoids_are_two_functions(law: Any) -> None:
    old = law("Activation", {"activation": "hard_sigmoid_keras2"}, [(None, 4)])
    new = law("Activation", {"activation": "hard_sigmoid"}, [(None, 4)])
    assert old != new


@pytest.mark.parametrize("function", ["warp", {"class_name": "Custom"}, 3])
def test_an_unknown_function_is_named(function: Any, single: Any) -> None:
    with pytest.raises(ConversionError, match="unknown activation function"):
        function_name(function)
    with pytest.raises(ConversionError, match=r'layer "it": unknown activation function'):
        write_network(single("Activation", {"activation": function}, [(None, 4)]), GraphBuilder())


def test_no_function_is_linear() -> None:
    assert function_name(None) == "linear"
    graph = GraphBuilder()
    assert write_activation(None, "x", graph) == "x" and not graph


def test_a_layer_serves_as_activation(single: Any) -> None:
    inner = {"class_name": "LeakyReLU", "config": {"name": "bent", "negative_slope": 0.25}}
    sizes = {"kernel": (4, 3), "bias": (3,)}
    network = single("Dense", {"units": 3, "activation": inner}, [(None, 4)], **sizes)
    graph = GraphBuilder()
    write_network(network, graph)
    bent = [node for node in graph.values() if node.op == "LeakyRelu"]
    assert [(node.name, node.attrs["alpha"]) for node in bent] == [("it/bent/LeakyRelu", 0.25)]
    assert [layer.class_name for layer in inference_form(network)] == ["Dense", "LeakyReLU"]


def test_a_layer_with_weights_has_them_after_the_others(single: Any) -> None:
    inner = {"class_name": "PReLU", "config": {"name": "bent"}}
    network = single(
        "Dense", {"units": 3, "activation": inner}, [(None, 4)],
        **{"kernel": (4, 3), "bias": (3,), "activation/alpha": (3,)},
    )
    codec = codec_for(network.layer("it"))
    whole = codec.completed(network.layer("it").config, {})
    assert codec.weight_names(whole) == ("kernel", "bias", "activation/alpha")
    write_network(network, GraphBuilder())
    dense, bent = inference_form(network)
    assert [weight.name for weight in dense.weights] == ["kernel", "bias"]
    assert [weight.name for weight in bent.weights] == ["alpha"]
    with pytest.raises(ConversionError, match="PReLU with weights cannot serve"):
        write_activation(inner, "x", GraphBuilder())

"""Recogniser: every node claimed by a layer, or named in the error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.dtypes import float32
from modelfmt.errors import MissingError, UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.graphs.function_builder import while_loop
from modelfmt.graphs.view import View
from modelfmt.layers import recognise
from modelfmt.network import Network, Ref
from modelfmt.tensor import Tensor


@pytest.fixture
def graph() -> GraphBuilder:
    graph = GraphBuilder()
    graph.placeholder("x", float32, (None, 4))
    return graph


def weight(*shape: int, name: str = "w") -> Tensor:
    return Tensor.from_numpy(name, np.ones(shape, "f4"))


def dense(graph: GraphBuilder, x: str, *tensors: Tensor, scope: str = "d") -> str:
    kernel, bias = tensors or (weight(4, 4, name="kernel"), weight(4, name="bias"))
    with graph.scope(scope):
        return graph.op("BiasAdd", graph.op("MatMul", x, kernel), bias)


def layers(network: Network) -> list[tuple[str, str]]:
    return [(layer.class_name, layer.name) for layer in network.layers]


def test_a_chain(graph: GraphBuilder) -> None:
    y = graph.op("Softmax", dense(graph, "x"), name="probabilities")
    network = recognise(View(graph, outputs=[y]))
    assert layers(network) == [
        ("InputLayer", "x"), ("Dense", "d"), ("Activation", "probabilities"),
    ]  # fmt: skip
    assert (network.inputs, network.outputs) == ([Ref("x")], [Ref("probabilities")])
    assert network.layer("x").config == {"batch_shape": [None, 4], "dtype": "float32"}
    found = network.layer("d")
    assert found.calls[0].inputs == [Ref("x")] and not found.calls[0].structure
    assert found.calls[0].outputs[0].shape == (None, 4)
    assert list(found.weights) == ["kernel", "bias"]


def test_unclaimed_nodes_are_all_named_with_their_ops(graph: GraphBuilder) -> None:
    a = graph.op("Floor", dense(graph, "x"), name="odd")
    graph.op("AddV2", graph.op("Rint", "x", name="strange"), graph.op("Relu", a), name="sum")
    with pytest.raises(UnrecognisedGraphError) as caught:
        recognise(View(graph), layers_only=True)
    assert set(caught.value.nodes) == {"odd", "strange"}
    assert "odd (Floor)" in str(caught.value) and "strange (Rint)" in str(caught.value)
    assert "--custom" in str(caught.value) and caught.value.exit_status == 4


def test_many_unclaimed_nodes_are_counted(graph: GraphBuilder) -> None:
    y = "x"
    for _ in range(12):
        y = graph.op("Floor", y)
    with pytest.raises(UnrecognisedGraphError, match=r"12 node\(s\): .* and 4 more") as caught:
        recognise(View(graph), layers_only=True)
    assert len(caught.value.nodes) == 12


def test_a_claim_whose_inside_escapes_is_refused(graph: GraphBuilder) -> None:
    """The product before the bias is read by something else: no Dense with a bias."""
    product = graph.op("MatMul", "x", weight(4, 4))
    biased = graph.op("BiasAdd", product, weight(4))
    graph.op("AddV2", biased, graph.op("Tanh", product))
    found = {layer.class_name: layer for layer in recognise(View(graph)).layers}
    assert not found["Dense"].config["use_bias"]
    assert found["BatchNormalization"].calls[0].inputs == [Ref(found["Dense"].name)]


def test_an_inside_that_is_an_output_escapes(graph: GraphBuilder) -> None:
    product = graph.op("MatMul", "x", weight(4, 4))
    biased = graph.op("BiasAdd", product, weight(4))
    whole = recognise(View(graph, outputs=[biased]))
    assert [name for name, _ in layers(whole)] == ["InputLayer", "Dense"]
    parts = recognise(View(graph, outputs=[biased, product]))
    assert [name for name, _ in layers(parts)] == ["InputLayer", "Dense", "BatchNormalization"]


def test_reading_only_the_shape_is_no_escape(graph: GraphBuilder) -> None:
    product = graph.op("MatMul", "x", weight(4, 4))
    biased = graph.op("BiasAdd", product, weight(4))
    graph.op("Reshape", biased, graph.op("Shape", product), name="r")
    found = recognise(View(graph, outputs=["BiasAdd"]))
    assert ("Dense", "biasadd") in layers(found)


def test_the_longest_claim_wins(graph: GraphBuilder) -> None:
    """x * sigmoid(x) is one silu, not a sigmoid and a product."""
    graph.op("Mul", "x", graph.op("Sigmoid", "x"))
    network = recognise(View(graph))
    assert [layer.class_name for layer in network.layers] == ["InputLayer", "Activation"]
    assert network.layers[1].config == {"activation": "silu"}


def test_equal_weights_and_config_are_one_layer_with_two_calls(graph: GraphBuilder) -> None:
    graph.placeholder("z", float32, (None, 4))
    shared = weight(4, 4, name="kernel"), weight(4, name="bias")
    a, b = dense(graph, "x", *shared, scope="s"), dense(graph, "z", *shared, scope="s_1")
    graph.op("AddV2", a, b, name="sum")
    network = recognise(View(graph))
    assert layers(network)[2:] == [("Dense", "s"), ("Add", "sum")]
    assert [call.inputs for call in network.layer("s").calls] == [[Ref("x")], [Ref("z")]]
    assert network.layer("sum").calls[0].inputs == [Ref("s", 0), Ref("s", 1)]
    assert network.layer("sum").calls[0].structure


def test_equal_values_of_other_tensors_are_two_layers(graph: GraphBuilder) -> None:
    a, b = dense(graph, "x", scope="a"), dense(graph, "x", scope="b")
    graph.op("AddV2", a, b, name="sum")
    assert [name for _, name in layers(recognise(View(graph)))] == ["x", "a", "b", "sum"]


def test_a_part_of_shared_weights_is_no_shared_layer(graph: GraphBuilder) -> None:
    kernel = weight(4, 4, name="kernel")
    a = dense(graph, "x", kernel, weight(4, name="bias"), scope="a")
    b = dense(graph, a, kernel, weight(4, name="bias"), scope="b")
    network = recognise(View(graph, outputs=[b]))
    assert [name for _, name in layers(network)] == ["x", "a", "b"]


def test_layers_without_weights_are_never_shared(graph: GraphBuilder) -> None:
    graph.op("AddV2", graph.op("Relu", "x"), graph.op("Relu", "x"), name="sum")
    network = recognise(View(graph))
    assert [name for _, name in layers(network)] == ["x", "relu", "relu_1", "sum"]


# -- activations ----------------------------------------------------------------------------------


def test_an_activation_in_the_layers_scope_is_fused(graph: GraphBuilder) -> None:
    y = dense(graph, "x")
    with graph.scope("d"):
        y = graph.op("Relu", y)
    network = recognise(View(graph, outputs=[y]))
    assert layers(network) == [("InputLayer", "x"), ("Dense", "d")]
    assert network.layer("d").config["activation"] == "relu"
    assert network.outputs == [Ref("d")]


def test_an_activation_in_a_scope_of_its_own_stays_a_layer(graph: GraphBuilder) -> None:
    y = dense(graph, "x")
    with graph.scope("act"):
        y = graph.op("Relu", y)
    network = recognise(View(graph, outputs=[y]))
    assert layers(network) == [("InputLayer", "x"), ("Dense", "d"), ("Activation", "act")]
    assert network.layer("d").config["activation"] == "linear"


@pytest.mark.parametrize("why", ["read twice", "an output"])
def test_an_activation_is_not_fused_where_its_input_is_needed(
    graph: GraphBuilder, why: str
) -> None:
    before = dense(graph, "x")
    with graph.scope("d"):
        after = graph.op("Relu", before)
    outputs = [after, before]
    if why == "read twice":
        outputs = [after, graph.op("Tanh", before, name="other")]
    network = recognise(View(graph, outputs=outputs))
    assert network.layer("d").config["activation"] == "linear"
    assert len(network.layers) == 3 + (why == "read twice")


# -- inputs and outputs ---------------------------------------------------------------------------


def test_inputs_and_outputs_may_be_named(graph: GraphBuilder) -> None:
    a = dense(graph, "x", scope="a")
    b = dense(graph, a, scope="b")
    c = dense(graph, b, scope="c")
    network = recognise(View(graph, inputs=[a], outputs=[b]))
    assert layers(network) == [("InputLayer", "a_BiasAdd"), ("Dense", "b")]
    assert c in graph


def test_several_outputs_keep_their_order(graph: GraphBuilder) -> None:
    for name in ("b", "a"):
        graph.op("Tanh", dense(graph, "x", scope=f"d{name}"), name=name)
    assert recognise(View(graph, outputs=["a", "b"])).outputs == [Ref("a"), Ref("b")]
    assert recognise(View(graph, outputs=["b", "a"])).outputs == [Ref("b"), Ref("a")]


def test_an_identity_output_is_the_layer_behind_it(graph: GraphBuilder) -> None:
    graph.op("Identity", dense(graph, "x"), name="Identity")
    network = recognise(View(graph))
    assert network.outputs == [Ref("d")]


def test_no_outputs(graph: GraphBuilder) -> None:
    with pytest.raises(UnrecognisedGraphError, match=r"no outputs.*--outputs"):
        recognise(View(graph))


def test_an_output_that_is_a_constant(graph: GraphBuilder) -> None:
    graph.const(np.ones(3, "f4"), name="c")
    with pytest.raises(UnrecognisedGraphError) as caught:
        recognise(View(graph, outputs=["c"]))
    assert caught.value.nodes == ["c"]


def test_a_missing_output(graph: GraphBuilder) -> None:
    with pytest.raises(MissingError):
        recognise(View(graph, outputs=["nobody"]))


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scopes", "names"),
    [
        (["a", "b"], ["a", "b"]),
        (["model/a", "model/b"], ["a", "b"]),
        (["functional_1/a_1", "functional_1/b_1"], ["a", "b"]),  # Keras 3 numbers every scope
        (["functional_1/a_1", "functional_1/b_2", "functional_1/c_1"], ["a", "b_2", "c"]),
        (["model/a_1", "model/b_2"], ["a_1", "b_2"]),
        (["conv_1", "conv_2"], ["conv_1", "conv_2"]),
        (["a", "deep/a"], ["a", "a_1"]),
    ],
)
def test_names_come_from_scopes(graph: GraphBuilder, scopes: list[str], names: Any) -> None:
    y = "x"
    for scope in scopes:
        y = dense(graph, y, scope=scope)
    found = [name for kind, name in layers(recognise(View(graph))) if kind == "Dense"]
    assert found == names


def test_a_name_is_never_given_twice(graph: GraphBuilder) -> None:
    y = dense(graph, "x", scope="x")
    network = recognise(View(graph, outputs=[y]))
    assert len({layer.name for layer in network.layers}) == 2


def test_a_loop_that_is_no_layer_is_named_as_one_thing() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 3))
    with graph.scope("model"):
        limit = graph.const(4, dtypes.int32)
        (y,) = while_loop(
            graph, limit, [x], lambda body, _, state: [body.op("Mul", state[0], state[0])],
            shapes=[(None, 3)],
        )  # fmt: skip
    with pytest.raises(UnrecognisedGraphError) as caught:
        recognise(look(graph, outputs=[y]))
    assert 'the loop "model/while"' in str(caught.value)
    assert "Mul" not in str(caught.value)
    assert any(name.endswith("Mul") for name in caught.value.nodes)

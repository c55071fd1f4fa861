"""Leftovers: what no layer claims becomes operations, and never hides a layer."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt.dtypes import float32, string
from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import infer_specs, recognise
from modelfmt.network import ARGS, Network, Ref
from modelfmt.tensor import Tensor


@pytest.fixture
def graph() -> GraphBuilder:
    graph = GraphBuilder()
    graph.placeholder("x", float32, (None, 4))
    return graph


def classes(network: Network) -> list[str]:
    infer_specs(network)
    return [layer.class_name for layer in network.layers if layer.class_name != "InputLayer"]


def test_operations_between_layers_leave_the_layers_alone(graph: GraphBuilder) -> None:
    kernel, bias = np.ones((4, 4), "f4"), np.ones(4, "f4")
    y = graph.op("BiasAdd", graph.op("MatMul", "x", Tensor.from_numpy("k", kernel)), bias)
    y = graph.op("Floor", graph.op("Pow", graph.op("Rsqrt", y), 3.0))
    y = graph.op("BiasAdd", graph.op("MatMul", y, Tensor.from_numpy("k2", kernel)), bias)
    assert classes(recognise(View(graph))) == ["Dense", "Rsqrt", "Power", "Floor", "Dense"]


def test_a_node_of_several_outputs_is_one_call(graph: GraphBuilder) -> None:
    values, places = graph.ops("TopKV2", "x", 2)
    graph.op("Mul", values, graph.op("Cast", places, DstT=float32), name="y")
    network = recognise(View(graph))
    assert classes(network) == ["TopK", "Cast", "Multiply"]
    assert network.layer("cast").calls[0].inputs == [Ref("topkv2", 0, 1)]
    assert [spec.dtype for spec in network.layer("topkv2").calls[0].outputs] == [
        "float32", "int32",
    ]  # fmt: skip


def test_numbers_and_arrays_stand_in_the_call(graph: GraphBuilder) -> None:
    graph.op("Atan2", 2.0, graph.op("Floor", "x"), name="a")
    graph.op("Pow", "a", np.arange(4, dtype="f4"), name="b")
    network = recognise(View(graph))
    assert network.layer("a").calls[0].kwargs[ARGS] == [2.0, Ref("floor")]
    array = network.layer("b").calls[0].kwargs[ARGS][1]
    assert array["class_name"] == "__numpy__" and array["config"]["value"] == [0, 1, 2, 3]


def test_a_large_constant_becomes_the_weight_of_an_embedding(graph: GraphBuilder) -> None:
    table = Tensor.from_numpy("table", np.arange(7000, dtype="f4").reshape(70, 100))
    graph.op("Maximum", graph.op("Max", "x", [0, 1]), table, name="y")
    network = recognise(View(graph, outputs=["y"]))
    (holder,) = (layer for layer in network.layers if layer.weights)
    assert holder.class_name == "Embedding" and holder.weight("embeddings").shape == (1, 7000)
    assert holder.weight("embeddings").sha256() == table.sha256()
    assert classes(network)[-2:] == ["Reshape", "Maximum"]
    assert network.layers[-1].calls[0].outputs[0].shape == (70, 100)


def test_constants_alone_hang_on_an_input(graph: GraphBuilder) -> None:
    made = graph.op("Atanh", graph.op("Acosh", np.full((2, 4), 1.5, "f4")))
    graph.op("AddV2", graph.op("Sum", "x", [0]), made, name="y")
    found = classes(recognise(View(graph)))
    assert {"Arccosh", "Arctanh", "Sum"} <= set(found) and found[-1] == "Add"


def test_small_constants_are_computed(graph: GraphBuilder) -> None:
    made = graph.op("Exp", graph.op("Neg", np.zeros((2, 4), "f4")))
    graph.op("Atan2", "x", made, name="y")
    (layer,) = recognise(View(graph)).layers[1:]
    assert layer.calls[0].kwargs[ARGS][1]["config"]["value"] == [[1.0] * 4] * 2


def test_sizes_that_another_tensor_has(graph: GraphBuilder) -> None:
    shape = graph.op("Shape", "x")
    rows = graph.op("StridedSlice", shape, [0], [1], [1], shrink_axis_mask=1)
    filled = graph.op("Fill", graph.op("Pack", rows, 3, axis=0), 7.0)
    steps = graph.op("Cast", graph.op("Range", 0, rows, 1), DstT=float32)
    graph.op("Mul", filled, graph.op("ExpandDims", steps, 1), name="y")
    network = recognise(View(graph))
    assert not {"Fill", "Range", "Shape"} & set(classes(network))
    assert network.layers[-1].calls[0].outputs[0].shape == (None, 3)


def test_an_op_of_keras_3_without_words_is_one_of_tf_keras(graph: GraphBuilder) -> None:
    graph.op("Lgamma", "x", name="y")
    network = recognise(View(graph))
    assert [(layer.class_name, layer.config.get("function")) for layer in network.layers[1:]] == [
        ("TFOpLambda", "math.lgamma")
    ]


def test_lrn_is_said_in_several_steps() -> None:
    graph = GraphBuilder()
    graph.placeholder("x", float32, (None, 5, 5, 8))
    graph.op("LRN", "x", depth_radius=2, bias=1.0, alpha=0.1, beta=0.75, name="y")
    found = classes(recognise(View(graph)))
    assert found == ["Square", "ExpandDims", "Conv", "Squeeze", "Multiply", "Add", "Power",
                     "Divide"]  # fmt: skip


def test_strings_and_chance_are_named() -> None:
    graph = GraphBuilder()
    graph.placeholder("s", string, (None,))
    hashed = graph.op("StringToHashBucketFast", "s", num_buckets=7, name="hashed")
    graph.op("Cast", hashed, DstT=float32, name="y")
    with pytest.raises(UnrecognisedGraphError) as caught:
        recognise(View(graph))
    assert caught.value.nodes == ["hashed"] and caught.value.exit_status == 4

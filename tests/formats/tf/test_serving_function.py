"""A model's computation moved into a function."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from modelfmt import dtypes, proto
from modelfmt.errors import MismatchError, UnsupportedError
from modelfmt.graph import parse_input
from modelfmt.graphs.inline import inline
from modelfmt.graphs.variable_builder import VariableGraphBuilder
from modelfmt.storage.files import piece_bytes
from modelfmt.tensor import Tensor
from modelfmt.tf.functiondef import write_function
from modelfmt.tf.metagraph import Signature, TensorInfo
from modelfmt.tf.metagraph_writer import Model
from modelfmt.tf.serving_function import served


def model() -> Model:
    """z, a = split(x + y) @ w; the keys stand in another order than the Placeholders."""
    graph = VariableGraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 2))
    y = graph.placeholder("Y-1", dtypes.float32, (None, 2))
    kernel = graph.weight(Tensor.from_numpy("w", np.ones((2, 4), "f4")), "d/kernel")
    graph.weight(Tensor.from_numpy("idle", np.ones(1, "f4")), "d/idle")
    product = graph.op("MatMul", graph.op("AddV2", x, y), kernel)
    low, high = graph.ops("Split", 1, product, num_split=2)
    ends = {"z": graph.op("Identity", high, name="z"), "A a": graph.op("Identity", low, name="a")}

    def info(tensor: str) -> TensorInfo:
        return TensorInfo(tensor, graph.dtype(tensor), graph.shape(tensor))

    signature = Signature(
        {"x": info(x), "Y-1": info(y)}, {key: info(tensor) for key, tensor in ends.items()}
    )
    return Model(graph, graph.variables(), signature)


def definition() -> proto.FunctionDef:
    calling = served(model())
    raw = write_function(calling.model.graph.functions[calling.function])
    return proto.FunctionDef.FromString(b"".join(map(piece_bytes, raw)))


def test_what_is_left_calls_the_function() -> None:
    calling = served(model())
    graph = calling.model.graph
    assert sorted(graph) == [
        "StatefulPartitionedCall", "d/idle", "d/idle/Read/ReadVariableOp", "d/kernel",
        "d/kernel/Read/ReadVariableOp", "serving_default_Y-1", "serving_default_x",
    ]  # fmt: skip
    call = graph["StatefulPartitionedCall"]
    assert call.inputs == ["serving_default_Y-1", "serving_default_x", "d/kernel"]
    assert calling.captured == ["d/kernel"]
    signature = calling.model.signature
    assert {k: i.tensor for k, i in signature.inputs.items()} == {
        "Y-1": "serving_default_Y-1", "x": "serving_default_x"
    }  # fmt: skip
    assert {k: i.tensor for k, i in signature.outputs.items()} == {
        "A a": "StatefulPartitionedCall", "z": "StatefulPartitionedCall:1"
    }  # fmt: skip
    assert signature.outputs["z"].shape == (None, 2)


def test_arguments_and_results_stand_in_order_of_their_keys() -> None:
    message = definition()
    assert [a.name for a in message.signature.input_arg] == ["y_1", "x", "d_kernel"]
    assert [a.name for a in message.signature.output_arg] == ["a_a", "z"]
    assert message.ret == {"a_a": "a:output:0", "z": "z:output:0"}
    assert message.arg_attr[0].attr["_user_specified_name"].s == b"Y-1"
    assert message.signature.is_stateful


def test_a_captured_variable_is_described() -> None:
    handle = definition().signature.input_arg[2]
    assert handle.type == proto.DataType.DT_RESOURCE
    (data,) = handle.handle_data
    assert (data.dtype, [d.size for d in data.shape.dim]) == (1, [2, 4])


def test_edges_name_output_arguments() -> None:
    nodes = {node.name: node for node in definition().node_def}
    assert list(nodes["AddV2"].input) == ["x", "y_1"]
    assert list(nodes["d/kernel/Read/ReadVariableOp"].input) == ["d_kernel"]
    assert list(nodes["z"].input) == ["Split:output:1"]
    assert "x" not in nodes and "d/kernel" not in nodes


def test_inlined_it_is_the_graph_that_it_was() -> None:
    calling = served(model())
    graph = inline(calling.model.graph)
    z = graph["StatefulPartitionedCall"].inputs[1]
    ops = []
    while (node := graph[parse_input(z).node]).op != "MatMul":
        ops.append(node.op)
        z = node.data_inputs[-1]
    assert ops == ["Identity", "Split"]


def test_what_cannot_be_a_function_is_refused() -> None:
    whole = model()
    with pytest.raises(UnsupportedError, match="tables or of variables of TensorFlow 1"):
        served(dataclasses.replace(whole, table_initializers=["init"]))
    inputs = {"x": dataclasses.replace(whole.signature.inputs["x"], tensor="AddV2")}
    signature = dataclasses.replace(whole.signature, inputs=inputs)
    with pytest.raises(MismatchError, match='the input "x" is no Placeholder'):
        served(dataclasses.replace(whole, signature=signature))

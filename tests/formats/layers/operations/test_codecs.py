"""Operations among layers: which codec speaks for them, how their calls are written, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import bind, codec_for, write_network
from modelfmt.layers.inference import inference_form
from modelfmt.layers.operations.codecs import KerasOperation, TFOpLambda
from modelfmt.network import ARGS, Call, Layer, Network, Ref

X = Ref("x")


def network(
    class_name: str, call: Call, config: dict[str, Any] | None = None, *, module: str = ""
) -> Network:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 5, 4], "dtype": "float32"})
    extras = {"module": f"keras.src.ops.{module}"} if module else {}
    y = Layer(class_name, "y", config or {}, calls=[call], extras=extras)
    return bind(Network("model", layers=[x, y], inputs=[X], outputs=[Ref("y")]))


def written(*args: Any, **kwargs: Any) -> GraphBuilder:
    graph = GraphBuilder()
    write_network(network(*args, **kwargs), graph)
    return graph


def op_types(graph: GraphBuilder) -> list[str]:
    return [n.op for n in graph.values() if n.op not in ("Placeholder", "Const", "Identity")]


def test_an_operation_is_no_layer_of_the_same_name() -> None:
    add = Layer("Add", "a", extras={"module": "keras.src.ops.numpy"})
    assert isinstance(codec_for(add), KerasOperation)
    assert not isinstance(codec_for(Layer("Add", "a")), KerasOperation)
    assert isinstance(codec_for(Layer("TFOpLambda", "a")), TFOpLambda)


@pytest.mark.parametrize(("args", "first"), [([X, 2.0], "x"), ([2, X], "y/AddV2/x")])
def test_numbers_stand_at_their_place(args: list[Any], first: str) -> None:
    graph = written("Add", Call([X], kwargs={ARGS: args}), module="numpy")
    node = next(n for n in graph.values() if n.op == "AddV2")
    other = next(n for n in graph.values() if n.op == "Const")
    assert sorted(node.inputs) == sorted(["x", other.name])
    assert (node.inputs[0] == "x") == (first == "x")
    assert graph.dtype(other.name).name == "float32"


def test_the_config_says_the_rest() -> None:
    graph = written("Sum", Call([X]), {"axis": [1], "keepdims": True}, module="numpy")
    assert op_types(graph) == ["Sum"]
    assert graph.shape("y") == (None, 1, 4)


def test_a_key_of_slices() -> None:
    every = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": None}}
    graph = written("GetItem", Call([X], kwargs={ARGS: [X, [every, 1]]}), module="numpy")
    assert graph.shape("y") == (None, 4)


def test_functions_of_tensorflow() -> None:
    call = Call([X], kwargs={"y": 2.0})
    graph = written("TFOpLambda", call, {"function": "math.multiply"})
    assert op_types(graph) == ["Mul"]
    call = Call([X], kwargs={"slice_spec": [{"start": 1, "stop": None, "step": None}]})
    graph = written("SlicingOpLambda", call, {"function": "__operators__.getitem"})
    assert op_types(graph) == ["StridedSlice"]


def test_one_node() -> None:
    node = {"op": "Mul", "input": ["x", "c"], "attr": {"T": {"type": "DT_FLOAT"}}}
    config = {"node_def": node, "constants": {"1": 2.0}}
    assert op_types(written("TensorFlowOpLayer", Call([X]), config)) == ["Mul"]


@pytest.mark.parametrize(
    ("class_name", "config", "module", "sentence"),
    [
        ("ISTFT", {}, "math", "the operation ISTFT"),
        ("TFOpLambda", {"function": "signal.stft"}, "", "tf.signal.stft"),
        ("TFOpLambda", {"function": "Add"}, "", "tf.Add"),
        ("TFOpLambda", {"function": "math.add"}, "", "does not say its 'y'"),
        ("TFOpLambda", {"function": "einsum"}, "", "saves the first only"),
        ("InstanceProperty", {"attr_name": "flat_values"}, "", "InstanceProperty .*flat_values"),
        ("TensorFlowOpLayer", {}, "", "without a node_def"),
    ],
)
def test_what_cannot_be_written_is_named(
    class_name: str, config: dict[str, Any], module: str, sentence: str
) -> None:
    with pytest.raises(ConversionError, match=sentence):
        written(class_name, Call([X]), config, module=module)


def test_the_inference_form_tells_literals_apart() -> None:
    def form(number: float) -> Any:
        call = Call([X], kwargs={ARGS: [X, number]})
        return inference_form(network("Add", call, module="numpy"))

    assert form(2.0) == form(2.0)
    assert form(2.0) != form(3.0)

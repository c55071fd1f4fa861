"""Operations of one Keras in the words of another: the same nodes, or a refusal by name."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import infer_specs, write_network
from modelfmt.layers.legalise import legalise
from modelfmt.network import Call, Config, Layer, Network, Ref


def operation(name: str, args: list[Any], config: Config | None = None) -> Layer:
    extras = {"module": "keras.ops", "registered_name": name}
    return Layer(name, name.lower(), config or {}, calls=[Call.of(args)], extras=extras)


def function(name: str, args: list[Any], kwargs: Config | None = None) -> Layer:
    kind = "SlicingOpLambda" if name.endswith("getitem") else "TFOpLambda"
    return Layer(kind, f"tf.{name}", {"function": name}, calls=[Call.of(args, kwargs)])


def network(major: int, *layers: Layer, shape: Any = (None, 4), dtype: str = "float32") -> Network:
    source = Layer("InputLayer", "x", {"batch_shape": list(shape), "dtype": dtype})
    ends = [Ref(layers[-1].name)]
    made = Network("m", layers=[source, *layers], inputs=[Ref("x")], outputs=ends)
    made.keras_major = major
    infer_specs(made)
    return made


def said(found: Network) -> list[str]:
    infer_specs(found)
    return [str(layer.config.get("function", layer.class_name)) for layer in found.layers[1:]]


def ops(found: Network) -> list[str]:
    graph = GraphBuilder()
    write_network(found, graph)
    return [node.op for node in graph.values() if node.op != "Const"]


X = Ref("x")
SLICES = [{"start": None, "stop": 3, "step": None}, 1]

PAIRS: list[tuple[Layer, list[str]]] = [
    (function("math.add", [X], {"y": 2.0}), ["Add"]),
    (function("__operators__.add", [X], {"y": X}), ["Add"]),
    (function("math.truediv", [X], {"y": 3.0}), ["Divide"]),
    (function("__operators__.getitem", [X], {"slice_spec": SLICES}), ["GetItem"]),
    (function("math.reduce_mean", [X], {"axis": 1, "keepdims": True}), ["Mean"]),
    (function("concat", [[X, X]], {"axis": -1}), ["Concatenate"]),
    (function("expand_dims", [X], {"axis": 1}), ["ExpandDims"]),
    (function("math.argmax", [X], {"axis": 1}), ["Argmax", "Cast"]),
    (function("math.squared_difference", [X], {"y": 1.0}), ["Subtract", "Square"]),
    (function("nn.leaky_relu", [X], {"alpha": 0.3}), ["LeakyRelu"]),
    (function("split", [X], {"num_or_size_splits": 2, "axis": 1}), ["Split"]),
    (function("clip_by_value", [X], {"clip_value_min": 0.0, "clip_value_max": 1.0}), ["Clip"]),
    (function("cast", [X], {"dtype": "int32"}), ["Cast"]),
]


@pytest.mark.parametrize(("layer", "classes"), PAIRS, ids=lambda v: getattr(v, "name", ""))
def test_functions_of_tensorflow_for_keras_3(layer: Layer, classes: list[str]) -> None:
    found = network(2, layer)
    before = ops(found)
    assert said(legalise(found, 3)) == classes
    if len(classes) == 1:
        assert ops(found) == before
    assert found.outputs == [Ref(layer.name)]


@pytest.mark.parametrize(
    ("layer", "functions"),
    [
        (operation("Multiply", [X, 2.0]), ["math.multiply"]),
        (operation("Multiply", [2.0, X]), ["math.multiply"]),
        (operation("Mean", [X], {"axis": 1}), ["math.reduce_mean"]),
        (operation("Concatenate", [[X, X]], {"axis": -1}), ["concat"]),
        (operation("Divide", [X, 3.0]), ["math.truediv"]),
        (operation("Relu", [X]), ["nn.relu"]),
        (operation("Argmax", [X], {"axis": 1}), ["math.argmax"]),
        (operation("Hypot", [X, X]), ["math.abs", "math.minimum", "math.maximum"]),
    ],
    ids=lambda v: getattr(v, "name", ""),
)
def test_operations_for_tf_keras(layer: Layer, functions: list[str]) -> None:
    found = network(3, layer)
    legalise(found, 2)
    names = said(found)
    assert names == functions or set(functions) <= set(names)
    assert all(each.class_name == "TFOpLambda" for each in found.layers[1:])


def test_there_and_back_is_the_same_model() -> None:
    layers = [function("math.add", [X], {"y": 2.0}), function("nn.relu", [Ref("tf.math.add")])]
    found = network(2, *layers)
    before = [(layer.class_name, layer.config, layer.calls) for layer in found.layers]
    legalise(found, 3)
    infer_specs(found)
    legalise(found, 2)
    infer_specs(found)
    assert [(layer.class_name, layer.config, layer.calls) for layer in found.layers] == before


def test_a_size_taken_from_a_shape_becomes_the_size_that_it_is() -> None:
    """tf.reshape(x, [tf.shape(x)[0], 2, 2]) is one operation of Keras 3."""
    found = network(
        2, function("shape", [X]),
        function("__operators__.getitem", [Ref("tf.shape")], {"slice_spec": 0}),
        function("reshape", [X], {"shape": [Ref("tf.__operators__.getitem"), 2, 2]}),
    )  # fmt: skip
    assert said(legalise(found, 3)) == ["Reshape"]
    assert found.layers[-1].config["newshape"] == [-1, 2, 2]


def test_a_node_of_tf_keras_2_0() -> None:
    node = {
        "name": "Mul", "op": "Mul", "input": ["x", "Mul/y"], "attr": {"T": {"type": "DT_FLOAT"}},
    }  # fmt: skip
    config = {"node_def": node, "constants": {"1": 2.0}}
    layer = Layer("TensorFlowOpLayer", "tf_op_layer_Mul", config, calls=[Call.of([X])])
    found = network(2, layer)
    assert said(legalise(found, 3)) == ["Multiply"]
    assert found.outputs == [Ref("tf_op_layer_Mul")]


def test_a_layer_called_twice_is_two_operations() -> None:
    layer = function("math.add", [X], {"y": 2.0})
    layer.calls.append(Call.of([Ref(layer.name, 0)], {"y": 3.0}))
    found = network(2, layer)
    found.outputs = [Ref(layer.name, 1)]
    legalise(found, 3)
    assert [each.calls[0].arguments()[0] for each in found.layers[1:]] == [
        [X, 2.0], [Ref("tf.math.add"), 3.0],
    ]  # fmt: skip


def test_no_words() -> None:
    found = network(2, function("math.lgamma", [X]))
    with pytest.raises(ConversionError, match=r'layer "tf\.math\.lgamma": Keras 3 has no op'):
        legalise(found, 3)


def test_other_rules_for_dtypes_are_another_meaning() -> None:
    """Keras 3 adds up int8 in 32 bits, TensorFlow does not: the sum is cast back."""
    found = network(2, function("math.reduce_sum", [X], {"axis": 1}), dtype="int8")
    assert said(legalise(found, 3)) == ["Sum", "Cast"]
    assert found.layers[-1].calls[0].outputs[0].dtype == "int8"

"""What tf.keras is told of a model's objects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modelfmt.errors import ConversionError
from modelfmt.keras.metadata import SavedObject, SavedWeight, attribute_paths, describe
from modelfmt.network import Call, Layer, Network, Ref, Spec
from modelfmt.tensor import Tensor


def tensor(name: str, *shape: int) -> Tensor:
    return Tensor.from_numpy(name, np.ones(shape, "f4"))


def call(*sources: str, shape: tuple[int | None, ...] = (None, 4), structure: bool = False) -> Call:
    return Call([Ref(s) for s in sources], structure, outputs=[Spec(shape)])


def norm(name: str, source: str, **config: object) -> Layer:
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return Layer("BatchNormalization", name, dict(config), {n: tensor(n, 4) for n in names},
                 names[2:], [call(source)])


def network(*layers: Layer, name: str = "m", source: str = "x") -> Network:
    x = Layer("InputLayer", source, {"batch_shape": [None, 4], "dtype": "float32"})
    return Network(name, layers=[x, *layers], inputs=[Ref(source)], outputs=[Ref(layers[-1].name)])


def child(parent: SavedObject, *names: str) -> SavedObject:
    for name in names:
        found = parent.children[name]
        assert isinstance(found, SavedObject)
        parent = found
    return parent


def test_a_model_and_its_layers() -> None:
    add = Layer("Add", "sum", calls=[call("bn", "x", structure=True)])
    root = describe(network(norm("bn", "x"), add))
    assert root.identifier == "_tf_keras_network"
    assert list(root.children) == [
        "layer-0", "layer_with_weights-0", "layer-1", "layer-2", "keras_api"
    ]  # fmt: skip
    assert root.children["layer-1"] is root.children["layer_with_weights-0"]
    stated = root.metadata
    assert (stated["class_name"], stated["is_graph_network"]) == ("Functional", True)
    assert (stated["keras_version"], stated["backend"]) == ("2.15.0", "tensorflow")
    assert [row["name"] for row in stated["config"]["layers"]] == ["x", "bn", "sum"]
    layers = child(root, "keras_api", "layers")
    assert [layers.children[k] for k in "012"] == [root.children[f"layer-{k}"] for k in range(3)]


def test_a_layer_states_what_it_is_built_for() -> None:
    add = Layer("Add", "sum", calls=[call("bn", "x", structure=True)])
    root = describe(network(norm("bn", "x", epsilon=0.1), add))
    shape = {"class_name": "TensorShape", "items": [None, 4]}
    stated = child(root, "layer-1").metadata
    assert stated["build_input_shape"] == shape and stated["must_restore_from_config"]
    assert (stated["name"], stated["class_name"]) == ("bn", "BatchNormalization")
    assert stated["config"] == {"name": "bn", "epsilon": 0.1}
    assert child(root, "layer-2").metadata["build_input_shape"] == [shape, shape]
    given = child(root, "layer-0")
    assert given.identifier == "_tf_keras_input_layer"
    assert given.metadata["batch_input_shape"] == [None, 4]


def test_a_layer_lists_its_weights_trained_ones_first() -> None:
    layer = child(describe(network(norm("bn", "x"))), "layer-1")
    assert list(layer.children) == [
        "gamma", "beta", "moving_mean", "moving_variance",
        "variables", "trainable_variables", "non_trainable_variables",
    ]  # fmt: skip
    mean = layer.children["moving_mean"]
    assert isinstance(mean, SavedWeight) and (mean.name, mean.trainable) == (
        "bn/moving_mean", False,
    )  # fmt: skip
    lists = {n: list(child(layer, n).children.values()) for n in list(layer.children)[4:]}
    assert lists["variables"] == lists["trainable_variables"] + lists["non_trainable_variables"]
    assert lists["non_trainable_variables"][0] is mean and len(lists["variables"]) == 4


@pytest.mark.parametrize("which", ["layer", "model"])
def test_a_frozen_layer_lists_none_as_trained(which: str) -> None:
    inner = Layer("Functional", "inner", calls=[call("x")])
    inner.network = network(norm("bn", "i", trainable=which != "layer"), name="inner", source="i")
    if which == "model":
        inner.config["trainable"] = False
    layer = child(describe(network(inner)), "layer-1", "layer-1")
    assert layer.metadata["trainable"] is (which == "model")
    assert len(child(layer, "non_trainable_variables").children) == 4
    assert child(layer, "trainable_variables").children == {}


def test_a_nested_model_is_a_model() -> None:
    inner = Layer("Sequential", "inner", calls=[call("x")])
    inner.network = network(norm("bn", "i"), name="inner", source="i")
    inner.network.kind = "Sequential"
    root = describe(network(inner))
    made = child(root, "layer_with_weights-0")
    assert made.identifier == "_tf_keras_sequential" and "keras_version" not in made.metadata
    assert list(made.children) == ["layer_with_weights-0", "layer-0", "keras_api"]


def test_attention_is_built_by_its_config() -> None:
    names = [f"{p}/{w}" for p in ("query", "key", "value", "attention_output")
             for w in ("kernel", "bias")]
    layer = Layer("MultiHeadAttention", "mha", {"num_heads": 1, "key_dim": 2},
                  {n: tensor(n, 4) for n in names}, calls=[call("x", "x")])
    made = child(describe(network(layer)), "layer-1")
    shape = {"class_name": "TensorShape", "items": [None, 4]}
    config = made.metadata["config"]
    assert config["query_shape"] == config["key_shape"] == config["value_shape"] == shape
    inner = child(made, "_output_dense")
    assert inner.identifier == "_tf_keras_layer" and list(inner.children) == ["kernel", "bias"]


def test_a_shape_that_nobody_knows() -> None:
    layer = norm("b", "a")
    first = norm("a", "x")
    first.calls[0].outputs = []
    with pytest.raises(ConversionError, match=r'layer "b".*shape of output 0 of layer "a"'):
        describe(network(first, layer))


@pytest.mark.parametrize(
    ("class_name", "config", "names", "paths"),
    [
        ("Dense", {}, ["kernel"], ["kernel"]),
        ("DepthwiseConv2D", {}, ["kernel", "bias"], ["depthwise_kernel", "bias"]),
        ("LSTM", {}, ["a", "b"], ["cell/kernel", "cell/recurrent_kernel"]),
        ("RNN", {"cell": {"class_name": "StackedRNNCells", "config": {"cells": [
            {"class_name": "LSTMCell", "config": {"use_bias": False}}, {"class_name": "GRUCell"},
        ]}}}, list("abcde"), [
            "cell/cells/0/kernel", "cell/cells/0/recurrent_kernel", "cell/cells/1/kernel",
            "cell/cells/1/recurrent_kernel", "cell/cells/1/bias",
        ]),
        ("Bidirectional", {"layer": {"class_name": "GRU", "config": {}}}, list("abcdef"), [
            f"{side}_layer/cell/{name}" for side in ("forward", "backward")
            for name in ("kernel", "recurrent_kernel", "bias")
        ]),
        ("TimeDistributed", {"layer": {"class_name": "Dense", "config": {}}}, ["td/kernel"],
         ["layer/kernel"]),
    ],
)  # fmt: skip
def test_attributes(
    class_name: str, config: dict[str, object], names: list[str], paths: list[str]
) -> None:
    assert attribute_paths(class_name, config, names) == paths


@pytest.mark.parametrize(
    ("class_name", "config", "names", "message"),
    [
        ("LSTM", {}, ["a"], "another number of weights"),
        ("TimeDistributed", {}, ["a"], "without the config"),
        ("SpectralNormalization", {"layer": {"class_name": "Dense", "config": {}}}, ["a"],
         "where SpectralNormalization keeps"),
        ("TimeDistributed", {"layer": {"class_name": "Sequential", "config": {"layers": []}}},
         ["a"], "a whole model in a wrapper"),
    ],
)  # fmt: skip
def test_attributes_that_nobody_knows(
    class_name: str, config: dict[str, object], names: list[str], message: str
) -> None:
    with pytest.raises(ConversionError, match=message):
        attribute_paths(class_name, config, names)


@pytest.mark.oracle
def test_tf_keras_has_these_attributes() -> None:
    """For every layer of oracle_attributes.py the ways lead to the very weights."""
    script = Path(__file__).with_name("oracle_attributes.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [line.split(maxsplit=2)[1:] for line in done.stdout.splitlines() if "LAYER" in line]
    assert len(rows) == 40 and [row for row in rows if row[1] != "good"] == []

"""Weights of layers by the object graph of a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt.errors import MissingError
from modelfmt.layers import bind
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.surgery.convert import convert
from modelfmt.surgery.object_weights import give_by_objects, optimizer_of
from modelfmt.tensor import Tensor
from modelfmt.tf.objects import VALUE, ObjectGraph, ObjectNode, Slot

GOLDEN = Path(__file__).parents[3] / "golden"
NESTED = GOLDEN / "keras-h5" / "tfkeras-tf2.15.1-nested" / "model.h5"


def test_a_genuine_checkpoint_holds_what_the_model_does(tmp_path: Path) -> None:
    """tf.train.Checkpoint(model=..., optimizer=...) of tf.keras 2.15, nested models in it."""
    checkpoint = GOLDEN / "checkpoint" / "tfkeras-tf2.15.1-nested_train" / "ckpt-1"
    convert(checkpoint, tmp_path / "made.h5", config=NESTED, strip=["optimizer"])
    convert(NESTED, tmp_path / "whole.h5", strip=["optimizer"])
    assert (tmp_path / "made.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_of_keras_3_the_model_is_found_below_its_operations(tmp_path: Path) -> None:
    """There the optimizer's ways to the variables are those that have the keys."""
    checkpoint = GOLDEN / "checkpoint" / "keras3.15.1-tf2.21.0-nested_train" / "ckpt-1"
    convert(checkpoint, tmp_path / "made.h5", config=NESTED)
    with modelfmt.open(checkpoint) as stored, modelfmt.open(tmp_path / "made.h5") as made:
        kernel = bind(made.network).layer("outer_dense").weight("kernel").numpy()
        found = [t.numpy() for k, t in stored.tensors.items() if "_trainable_variables" in k]
        assert any(x.shape == kernel.shape and (x == kernel).all() for x in found)


def network() -> Network:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 3]})
    a = Layer("Dense", "a", {"units": 2}, calls=[Call([Ref("x")])])
    r = Layer("ReLU", "r", calls=[Call([Ref("a")])])
    b = Layer("Dense", "b", {"units": 2, "use_bias": False}, calls=[Call([Ref("r")])])
    return Network("m", "Functional", [x, a, r, b], [Ref("x")], [Ref("b")])


def graph(*nodes: tuple[dict[str, int], str]) -> tuple[ObjectGraph, dict[str, Tensor]]:
    made = [
        ObjectNode(children, {VALUE: name} if name else {}, full_name=name)
        for children, name in nodes
    ]
    names = [name for _, name in nodes if name]
    return ObjectGraph(made), {
        n: Tensor.from_numpy(n, np.full((2,), k, np.float32)) for k, n in enumerate(names)
    }


def values(made: Network) -> dict[str, list[str]]:
    return {layer.name: [str(t.numpy()[0]) for t in layer.weights.values()]
            for layer in made.layers if layer.weights}  # fmt: skip


VARIABLES: list[Any] = [({}, "k0"), ({}, "b0"), ({}, "k1")]


@pytest.mark.parametrize("children", [
    {"layer-0": 5, "layer-1": 4, "layer-2": 5, "layer-3": 6},
    {"layer_with_weights-0": 4, "layer_with_weights-1": 6},
    {"layer_with_weights-0": 4, "layer_with_weights-1": 6, "layer-0": 4, "layer-1": 6},
    {"_operations": 7},
])  # fmt: skip
def test_the_ways_of_each_keras(children: Any) -> None:
    nodes = [({"any": 8}, ""), *VARIABLES, ({"kernel": 1, "bias": 2}, ""), ({}, ""),
             ({"_kernel": 3}, ""), ({"0": 5, "1": 4, "2": 5, "3": 6}, ""), (children, "")]
    made = network()
    give_by_objects(made, *graph(*nodes))
    assert values(made) == {"a": ["0.0", "1.0"], "b": ["2.0"]}


def test_a_layer_that_is_missing() -> None:
    made = network()
    with pytest.raises(MissingError, match='no layer 3 of the model, "b"'):
        give_by_objects(made, *graph(({"layer-0": 2, "layer-1": 2}, ""), *VARIABLES[:1],
                                     ({"kernel": 1, "bias": 1}, "")))  # fmt: skip


def test_a_weight_that_is_missing() -> None:
    made = network()
    with pytest.raises(MissingError, match=r'layer "a": the checkpoint has no .bias. of a Dense'):
        give_by_objects(made, *graph(
            ({"layer_with_weights-0": 2, "layer_with_weights-1": 2}, ""), *VARIABLES[:1],
            ({"kernel": 1}, ""),
        ))  # fmt: skip


def test_where_no_model_is_the_variables_names_tell() -> None:
    nodes = [({"x": 1, "y": 2, "z": 3}, ""), ({}, "a/kernel"), ({}, "a/bias"), ({}, "b/kernel")]
    made = network()
    give_by_objects(made, *graph(*nodes))
    assert values(made) == {"a": ["0.0", "1.0"], "b": ["2.0"]}


@pytest.mark.parametrize("place", [
    "tfkeras-tf2.3.4-linear_regression_train/ckpt-1", "tfkeras-tf2.12.1-linear_regression/weights",
])  # fmt: skip
def test_the_optimizer_comes_with_them(place: str, tmp_path: Path) -> None:
    """Its variables are the checkpoint's; which optimizer it is, the file of the layers states."""
    layer = {"class_name": "Dense", "config": {
        "name": "line", "units": 1, "batch_input_shape": [None, 4]}}  # fmt: skip
    (tmp_path / "arch.json").write_text(json.dumps({
        "class_name": "Sequential", "config": {"name": "s", "layers": [layer]},
        "keras_version": "2.12.0", "compile_config": {
            "optimizer": {"class_name": "SGD", "config": {"momentum": 0.9}}, "loss": "mse"},
    }))  # fmt: skip
    checkpoint = GOLDEN / "checkpoint" / place
    done = convert(checkpoint, tmp_path / "made.keras", config=tmp_path / "arch.json")
    assert done.notes == ()
    with modelfmt.open(checkpoint) as stored, modelfmt.open(tmp_path / "made.keras") as made:
        ours: Any = made
        state = [tensor.numpy() for tensor in ours.optimizer.values()]
        assert [array.shape for array in state] == [(), (), (4, 1), (1,)] and state[0] > 0
        for array in (state[2], state[3]):
            assert array.any() and any(
                t.shape == array.shape and (t.numpy() == array).all()
                for t in stored.tensors.values() if t.strings is None
            )  # fmt: skip


def test_slots_of_older_optimizers_are_grouped() -> None:
    names = ["w", "b", "iter", "wm", "wv", "bm", "bv"]
    slots = tuple(Slot(w, name, n) for w, name, n in
                  [(1, "m", 4), (1, "v", 5), (2, "m", 6), (2, "v", 7)])  # fmt: skip
    nodes = [ObjectNode({"model": 8, "optimizer": 9}, {}),
             *(ObjectNode({}, {VALUE: name}) for name in names),
             ObjectNode({"layer-0": 1}, {}), ObjectNode({"iter": 3}, {}, slots=slots)]  # fmt: skip
    tensors = {n: Tensor.from_numpy(n, np.zeros(1, np.float32)) for n in names}
    found, version = optimizer_of(ObjectGraph(nodes), tensors)
    assert list(found) == ["iter", "wm", "bm", "wv", "bv"] and version == "2.10"
    assert optimizer_of(ObjectGraph([ObjectNode({}, {})]), tensors) == ({}, "")

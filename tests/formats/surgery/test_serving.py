"""Networks as models with variables, and the two kinds they are written as."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt.layers import bind
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.surgery.serving import model_of_network, write_model
from modelfmt.tensor import Tensor


def norm(name: str, source: str, **config: object) -> Layer:
    weights = {
        f"{name}/{w}:0": Tensor.from_numpy(w, np.ones(4, "f4"))
        for w in ("gamma", "beta", "moving_mean", "moving_variance")
    }
    return Layer("BatchNormalization", name, config, weights, calls=[Call([Ref(source)])])


def network(*layers: Layer, outputs: tuple[str, ...]) -> Network:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 4], "dtype": "float32"})
    return bind(
        Network("m", layers=[x, *layers], inputs=[Ref("x")], outputs=[Ref(o) for o in outputs])
    )


def test_variables_are_named_after_layers_and_averages_are_not_trained() -> None:
    model = model_of_network(network(norm("bn", "x"), outputs=("bn",)))
    assert {v.name: v.trainable for v in model.variables} == {
        "bn/gamma": True, "bn/beta": True, "bn/moving_mean": False, "bn/moving_variance": False,
    }  # fmt: skip


def test_a_frozen_layer_is_not_trained() -> None:
    model = model_of_network(network(norm("bn", "x", trainable=False), outputs=("bn",)))
    assert len(model.variables) == 4 and not any(v.trainable for v in model.variables)


def test_the_layers_of_a_frozen_model_are_not_trained() -> None:
    inner = Layer("Functional", "inner", {"trainable": False}, calls=[Call([Ref("x")])])
    inner.network = network(norm("bn", "x"), outputs=("bn",))
    model = model_of_network(network(inner, norm("last", "inner"), outputs=("last",)))
    assert sorted(v.name for v in model.variables if v.trainable) == ["last/beta", "last/gamma"]


def test_the_signature_has_keras_names() -> None:
    layers = norm("a", "x"), norm("b", "a")
    model = model_of_network(network(*layers, outputs=("b", "a")))
    assert list(model.signature.inputs) == ["x"] and list(model.signature.outputs) == ["b", "a"]
    assert model.signature.outputs["b"].shape == (None, 4)


def test_an_output_given_twice_has_two_keys() -> None:
    model = model_of_network(network(norm("a", "x"), outputs=("a", "a")))
    assert list(model.signature.outputs) == ["a", "a_1"]


@pytest.mark.parametrize(("kind", "name"), [("metagraph", "m.meta"), ("savedmodel", "m")])
def test_either_kind_is_read_back(tmp_path: Path, kind: str, name: str) -> None:
    write_model(
        model_of_network(network(norm("bn", "x"), outputs=("bn",))), str(tmp_path / name), kind
    )
    with modelfmt.open(str(tmp_path / name)) as file:
        assert file.kind == kind and sorted(file.tensors) == [
            "bn/beta", "bn/gamma", "bn/moving_mean", "bn/moving_variance",
        ]  # fmt: skip

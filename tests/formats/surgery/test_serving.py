"""Networks as models with variables, and the two kinds they are written as."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt.layers import bind, infer_specs
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.surgery.convert import network_of
from modelfmt.surgery.serving import model_of_network, write_keras2_savedmodel, write_model
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


def test_for_keras_2_a_savedmodel_states_its_layers(tmp_path: Path) -> None:
    inner = Layer("Functional", "inner", {}, calls=[Call([Ref("x")])])
    inner.network = network(norm("bn", "x"), outputs=("bn",))
    whole = network(inner, norm("bn", "inner"), outputs=("bn",))
    infer_specs(whole)
    write_keras2_savedmodel(whole, str(tmp_path / "m"))
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [
        "keras_metadata.pb", "saved_model.pb", "variables",
    ]  # fmt: skip
    with modelfmt.open(str(tmp_path / "m")) as file:
        keys = {key.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE") for key in file.tensors}
        names = ("beta", "gamma", "moving_mean", "moving_variance")
        assert keys == {"_CHECKPOINTABLE_OBJECT_GRAPH"} | {
            f"layer_with_weights-{way}/{name}" for way in ("0/layer_with_weights-0", "1")
            for name in names
        }  # fmt: skip
        assert "StatefulPartitionedCall/bn/AddV2" in file.graph
        assert sorted(network_of(file).layer("inner").network.layer("bn").weights) == list(names)


def test_weights_that_the_graph_does_without_are_kept(tmp_path: Path) -> None:
    inner = Layer("Functional", "inner", {}, calls=[Call([Ref("x")])])
    inner.network = network(norm("used", "x"), norm("idle", "x"), outputs=("used", "idle"))
    whole = network(inner, outputs=("inner",))
    infer_specs(whole)
    write_keras2_savedmodel(whole, str(tmp_path / "m"))
    with modelfmt.open(str(tmp_path / "m")) as file:
        assert len(file.tensors) == 9 and not any("idle" in name for name in file.graph)


def test_for_keras_2_the_same_model_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        whole = network(norm("bn", "x"), outputs=("bn",))
        infer_specs(whole)
        write_keras2_savedmodel(whole, str(tmp_path / name))
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*")]
    assert len(files) == 4
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


@pytest.mark.oracle
def test_tf_keras_loads_and_trains_what_we_write(tmp_path: Path) -> None:
    """Every model of keras2_savedmodels.py: bits of the weights, outputs, signatures, training;
    and back in an .h5 it is the same again."""
    script = str(Path(__file__).with_name("keras2_savedmodels.py"))

    def child(task: str) -> list[list[str]]:
        done = subprocess.run([sys.executable, script, task, str(tmp_path)], capture_output=True,
                              text=True, timeout=580)
        assert done.returncode == 0, done.stderr[-3000:]
        return [row.split(maxsplit=2)[1:] for row in done.stdout.splitlines() if "CASE" in row]

    child("make")
    for source in sorted(tmp_path.glob("*.h5")):
        folder, back = source.with_suffix(""), source.with_suffix(".again")
        modelfmt.convert(source, folder, to="savedmodel", keras=2)
        modelfmt.convert(folder, back, to="keras-h5", keras=2)
        assert modelfmt.diff(source, back, inference_form=True) == []
    rows = child("load")
    assert len(rows) == 11 and [row for row in rows if row[1] != "good"] == []

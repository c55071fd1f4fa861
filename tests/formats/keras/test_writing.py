"""Networks written as configs."""

from __future__ import annotations

import json

import pytest

from modelfmt.errors import ConversionError, MissingError
from modelfmt.keras.config import read_config
from modelfmt.keras.writing import spec_of, write_config
from modelfmt.network import Call, Layer, Network, Ref, Spec, model_order


def shared_network() -> Network:
    """x -> s -> deep -> out; x -> s again; written in no good order."""
    return Network("m", "Functional", [
        Layer("Dense", "out", {"units": 1}, calls=[Call([Ref("deep")])]),
        Layer("Dense", "s", {"units": 4}, calls=[
            Call([Ref("x")], outputs=[Spec((None, 4))]),
            Call([Ref("s", 0)], outputs=[Spec((None, 4))])]),
        Layer("Dense", "deep", {"units": 3}, calls=[
            Call([Ref("s", 1)], outputs=[Spec((None, 3))])]),
        Layer("InputLayer", "x", {"batch_shape": (None, 4), "dtype": "float32"}),
    ], [Ref("x")], [Ref("out")])


@pytest.mark.parametrize("major", [2, 3])
def test_written_configs_read_back(major: int) -> None:
    network = shared_network()
    text = json.dumps(write_config(network, major=major))
    again = read_config(json.loads(text), keras_version=f"{major}.0.0")
    assert [n.name for n in again.layers] == [n.name for n in model_order(network)]
    assert [n.name for n in again.layers] == ["x", "s", "deep", "out"]
    for layer in network.layers:
        found = again.layer(layer.name)
        assert json.dumps(found.config) == json.dumps(layer.config)
        assert [c.inputs for c in found.calls] == [c.inputs for c in layer.calls]
    assert again.outputs == network.outputs and again.inputs == network.inputs


def test_keras_3_needs_shapes() -> None:
    network = shared_network()
    network.layer("deep").calls[0].outputs = []
    write_config(network, major=2)
    with pytest.raises(ConversionError, match=r'layer "out".*output 0 of layer "deep"'):
        write_config(network, major=3)


def test_custom_layers_keep_module_and_registered_name() -> None:
    network = shared_network()
    layer = network.layer("deep")
    layer.class_name, layer.config = "Scale", {"by": 2}
    layer.extras = {"module": "mine.layers", "registered_name": "mine>Scale"}
    row = next(r for r in write_config(network, major=3)["config"]["layers"]
               if r["name"] == "deep")
    assert (row["module"], row["class_name"], row["registered_name"]) == (
        "mine.layers", "Scale", "mine>Scale")
    row = next(r for r in write_config(network, major=2)["config"]["layers"]
               if r["name"] == "deep")
    assert row["class_name"] == "mine>Scale"
    again = read_config(write_config(network, major=2), keras_version="2.15.0").layer("deep")
    assert (again.class_name, again.extras["registered_name"]) == ("Scale", "mine>Scale")


@pytest.mark.parametrize("major", [1, 4])
def test_other_majors_are_refused(major: int) -> None:
    with pytest.raises(ConversionError, match="expected 2 or 3"):
        write_config(shared_network(), major=major)


def test_a_reference_to_nowhere_is_named() -> None:
    with pytest.raises(MissingError, match='no layer "gone"'):
        spec_of(shared_network(), Ref("gone"))


def test_bytecode_stays_with_its_writer() -> None:
    network = shared_network()
    layer = network.layer("deep")
    layer.class_name, layer.config = "Lambda", {"function": ["4wEAAA", None, None]}
    with pytest.raises(ConversionError, match="bytecode"):
        write_config(network, major=2)
    layer.config = {"function": "named"}
    rows = write_config(network, major=2)["config"]["layers"]
    assert rows[2]["config"] == {"name": "deep", "function": "named"}

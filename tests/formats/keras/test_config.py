"""Keras configs of all majors, read and written."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import CorruptFileError, UnknownLayerError
from modelfmt.keras.config import major_of, read_config
from modelfmt.keras.writing import write_config
from modelfmt.network import Call, Ref, Spec


def dense(name: str, units: int = 2, **more: Any) -> dict[str, Any]:
    return {"class_name": "Dense", "config": {"name": name, "units": units, **more}}


def functional(layers: list[Any], outputs: Any, inputs: Any = None, **more: Any) -> dict[str, Any]:
    return {"class_name": "Functional", "config": {
        "name": "m", "layers": layers, "output_layers": outputs,
        "input_layers": inputs or [["x", 0, 0]], **more}}


def entry(row: dict[str, Any], nodes: list[Any]) -> dict[str, Any]:
    return {**row, "name": row["config"]["name"], "inbound_nodes": nodes}


def input2(name: str = "x", shape: Any = (None, 4)) -> dict[str, Any]:
    return entry({"class_name": "InputLayer",
                  "config": {"name": name, "batch_input_shape": list(shape)}}, [])


def input3(name: str = "x", shape: Any = (None, 4)) -> dict[str, Any]:
    return entry({"class_name": "InputLayer",
                  "config": {"name": name, "batch_shape": list(shape)}}, [])


def tensor3(layer: str, node: int = 0, shape: Any = (None, 4)) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {
        "shape": list(shape), "dtype": "float32", "keras_history": [layer, node, 0]}}


def call3(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"args": list(args), "kwargs": kwargs}


# -- Sequential ---------------------------------------------------------------------------------


def test_a_list_is_a_sequential_and_gets_its_input_layer() -> None:
    rows = [dense("a", batch_input_shape=[None, 3], dtype="float32"), dense("b")]
    network = read_config({"class_name": "Sequential", "config": rows}, keras_version="2.1.2")
    assert [layer.name for layer in network.layers] == ["a_input", "a", "b"]
    assert network.layers[0].config == {"batch_shape": [None, 3], "dtype": "float32"}
    assert "batch_input_shape" not in network.layers[1].config
    assert network.inputs == [Ref("a_input")] and network.outputs == [Ref("b")]
    assert network.layers[2].calls == [Call([Ref("a")])]


def test_a_sequential_that_begins_with_a_model_takes_its_input() -> None:
    inner = {"class_name": "Sequential", "config": {
        "name": "tower", "layers": [dense("d", batch_input_shape=[None, 7])]}}
    network = read_config({"class_name": "Sequential", "config": [inner, dense("e")]},
                          keras_version="2.2.4")
    assert network.layers[0].name == "tower_input"
    assert network.layers[0].config["batch_shape"] == [None, 7]


def test_an_input_of_unknown_shape_is_not_written() -> None:
    network = read_config({"class_name": "Sequential", "config": [dense("a")]},
                          keras_version="2.1.2")
    assert "batch_shape" not in network.layers[0].config
    rows = write_config(network, major=2)["config"]["layers"]
    assert [row["class_name"] for row in rows] == ["Dense"]


# -- calls --------------------------------------------------------------------------------------


def test_a_nested_model_counts_its_calls_from_1_in_keras_2() -> None:
    inner = functional([input2(), entry(dense("in_d"), [[["x", 0, 0, {}]]])],
                       [["in_d", 0, 0]])
    inner["config"]["name"] = "inner"
    layers = [input2(), entry(inner, [[["x", 0, 0, {}]], [["inner", 1, 0, {}]]]),
              entry(dense("d"), [[["inner", 2, 0, {}]]])]
    network = read_config(functional(layers, [["d", 0, 0], ["inner", 1, 0]]),
                          keras_version="2.3.1")
    nested = network.layers[1]
    assert nested.network is not None and nested.class_name == "Functional"
    assert [call.inputs for call in nested.calls] == [[Ref("x")], [Ref("inner", 0)]]
    assert network.layers[2].calls[0].inputs == [Ref("inner", 1)]
    assert network.outputs == [Ref("d"), Ref("inner", 0)]
    written = write_config(network, major=2)["config"]
    assert written["output_layers"] == [["d", 0, 0], ["inner", 1, 0]]
    assert written["layers"][1]["inbound_nodes"] == [[["x", 0, 0, {}]], [["inner", 1, 0, {}]]]


def test_keras_3_counts_a_nested_models_calls_from_1_at_the_ends_only() -> None:
    inner = functional([input3(), entry(dense("in_d"), [call3(tensor3("x"))])], ["in_d", 0, 0])
    inner["config"]["name"] = "inner"
    layers = [input3(), entry(inner, [call3(tensor3("x"))]),
              entry(dense("d"), [call3(tensor3("inner", shape=(None, 2)))])]
    config = functional(layers, [["d", 0, 0], ["inner", 1, 0]])
    network = read_config(config, keras_version="3.15.1")
    assert network.layers[2].calls[0].inputs == [Ref("inner", 0)]
    assert network.outputs == [Ref("d"), Ref("inner", 0)]
    assert network.layers[1].calls[0].outputs == [Spec((None, 2))]
    written = write_config(network, major=3)["config"]
    assert written["output_layers"] == [["d", 0, 0], ["inner", 1, 0]]
    assert written["layers"][2]["inbound_nodes"] == layers[2]["inbound_nodes"]


def test_outputs_in_a_dict_keep_names_and_order() -> None:
    layers = [input3(), *(entry(dense(n), [call3(tensor3("x"))]) for n in "ab")]
    outputs = {"second": ["b", 0, 0], "first": ["a", 0, 0]}
    network = read_config(functional(layers, outputs), keras_version="3.15.1")
    assert network.outputs == [Ref("b"), Ref("a")]
    assert network.extras["output_names"] == ["second", "first"]
    assert list(write_config(network, major=3)["config"]["output_layers"].items()) == list(
        outputs.items())


def test_an_operation_is_no_layer_of_keras_2() -> None:
    row = {"module": "keras.src.ops.numpy", **dense("mul")}
    row["class_name"], row["config"] = "Multiply", {"name": "mul"}
    layers = [input3(), entry(row, [call3(tensor3("x"), 2.0)])]
    network = read_config(functional(layers, ["mul", 0, 0]), keras_version="3.15.1")
    written = write_config(network, major=3)["config"]["layers"][1]
    assert written["module"] == "keras.src.ops.numpy"
    assert written["inbound_nodes"] == layers[1]["inbound_nodes"]
    with pytest.raises(UnknownLayerError, match="Multiply"):
        write_config(network, major=2)


# -- majors and damage --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "config", "major"),
    [
        ("1.2.2", {}, 1), ("2.2.4-tf", {}, 2), ("3.15.1", {}, 3), ("4.0", {}, 3),
        (None, {"batch_shape": [None]}, 3),
        (None, {"a": [{"border_mode": "same"}]}, 1),
        (None, {"batch_input_shape": [None]}, 2),
    ],
)
def test_major_of(version: str | None, config: Any, major: int) -> None:
    assert major_of(config, version) == major


@pytest.mark.parametrize(
    "config",
    [
        {"class_name": "Dense", "config": {"name": "d"}},
        {"class_name": "Sequential", "config": {"name": "s", "layers": 3}},
        {"class_name": "Sequential", "config": [{"class_name": "Dense"}]},
        {"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {}}]},
        {"class_name": "Sequential"},
        functional([input2()], [["y", 0, 0]]),
        functional([input2()], [["x", 3, 0]]),
        functional([input2()], [["x", "0", 0]]),
        functional([input2()], None),
        functional([input2(), input2()], [["x", 0, 0]]),
        functional([input2(), entry(dense("d"), ["x"])], [["d", 0, 0]]),
        functional([input2(), entry(dense("d"), [{"args": 3}])], [["d", 0, 0]]),
        functional([input2(), {**entry(dense("d"), []), "inbound_nodes": 3}], [["d", 0, 0]]),
    ],
)
def test_damage_is_named(config: Any) -> None:
    with pytest.raises(CorruptFileError, match="model_config"):
        read_config(config, keras_version="2.3.1")


def test_endless_nesting_is_named() -> None:
    config: Any = dense("d")
    for _ in range(3000):
        config = {"class_name": "Sequential", "config": {"name": "s", "layers": [config]}}
    with pytest.raises(CorruptFileError, match="nested too deeply"):
        read_config(config, keras_version="2.3.1")


def test_models_without_a_name_are_numbered() -> None:
    inner = {"class_name": "Sequential", "config": [dense("a", batch_input_shape=[None, 3])]}
    rows = [inner, {**inner, "config": [dense("b", batch_input_shape=[None, 2])]}]
    network = read_config({"class_name": "Sequential", "config": rows}, keras_version="2.1.2")
    assert [layer.name for layer in network.layers[1:]] == ["sequential", "sequential_1"]
    assert network.layers[2].calls == [Call([Ref("sequential")])]

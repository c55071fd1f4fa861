"""Layers renamed in configs, of every dialect of references."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import NOWHERE, MismatchError, MissingError
from modelfmt.surgery.layer_names import LayerNames, set_in_config
from modelfmt.surgery.renaming import Renaming


def layer(name: str, inbound: list[Any], **config: Any) -> dict[str, Any]:
    return {"class_name": "Dense", "name": name, "config": {"name": name, **config},
            "inbound_nodes": inbound}


INNER = {"class_name": "Model", "name": "inner", "config": {
    "name": "inner", "layers": [layer("i", []), layer("d", [[["i", 0, 0, {}]]])],
    "input_layers": [["i", 0, 0]], "output_layers": [["d", 0, 0]]},
    "inbound_nodes": [[["a", 0, 0, {}]]]}
CONFIG = {"class_name": "Model", "config": {
    "name": "m",
    "layers": [
        layer("a", []), INNER,
        layer("b", [[["inner", 1, 0, {"mask": ["a", 0, 0]}]]]),
        layer("c", [{"args": [{"class_name": "__keras_tensor__", "config": {
            "shape": [None, 2], "keras_history": ["b", 0, 0]}}], "kwargs": {"b": "b"}}]),
        layer("w", [], layer={"class_name": "Dense", "config": {"name": "d"}}),
    ],
    "input_layers": [["a", 0, 0]], "output_layers": {"x": ["b", 0, 0]}}}


def test_a_config() -> None:
    names = LayerNames(CONFIG, Renaming({"b": "B", "a": "A", "d": "D"}), NOWHERE)
    made = names.config(CONFIG)["config"]
    rows = made["layers"]
    assert [row["name"] for row in rows] == ["A", "inner", "B", "c", "w"]
    assert rows[2]["config"]["name"] == "B"
    assert rows[2]["inbound_nodes"] == [[["inner", 1, 0, {"mask": ["A", 0, 0]}]]]
    tensor = rows[3]["inbound_nodes"][0]["args"][0]["config"]
    assert tensor == {"shape": [None, 2], "keras_history": ["B", 0, 0]}
    assert rows[3]["inbound_nodes"][0]["kwargs"] == {"b": "b"}
    assert rows[4]["config"]["layer"]["config"]["name"] == "d"
    assert made["input_layers"] == [["A", 0, 0]]
    assert made["output_layers"] == {"x": ["B", 0, 0]}
    inner = rows[1]["config"]
    assert [row["name"] for row in inner["layers"]] == ["i", "D"]
    assert inner["output_layers"] == [["D", 0, 0]]
    assert CONFIG["config"]["layers"][0]["name"] == "a"  # type: ignore[index]


def test_weights_and_slots() -> None:
    names = LayerNames(CONFIG, Renaming({"b": "B", "d": "D"}), NOWHERE)
    assert names.weight("b/kernel:0", "b") == "B/kernel:0"
    assert names.weight("inner/d/kernel:0", "inner") == "inner/D/kernel:0"
    assert names.weight("b_W", "b") == "B_W"
    assert names.weight("a/b/kernel:0", "a") == "a/b/kernel:0"
    weights = {"b/kernel:0": "B/kernel:0"}
    assert names.slot("training/Adam/b/kernel/m:0", weights) == "training/Adam/B/kernel/m:0"
    assert names.slot("Adam/m/b/kernel:0", weights) == "Adam/m/B/kernel:0"
    assert names.slot("adam/b_kernel_momentum", weights) == "adam/B_kernel_momentum"
    assert names.slot("adam/ab_kernel_momentum", weights) == "adam/ab_kernel_momentum"
    assert names.slot("iterations:0", weights) == "iterations:0"


def test_training() -> None:
    names = LayerNames(CONFIG, Renaming({"b": "B"}), NOWHERE)
    config = {"loss": {"b": "mse", "c": "mae"}, "metrics": {"b": ["acc"]}, "optimizer_config": {},
              "loss_weights": None}
    assert names.training(config) == {**config, "loss": {"B": "mse", "c": "mae"},
                                      "metrics": {"B": ["acc"]}}
    serialised = {"loss": {"class_name": "b", "config": {"b": 1}}}
    assert names.training(serialised) == serialised


def test_a_clash() -> None:
    with pytest.raises(MismatchError, match='there is a "c" already'):
        LayerNames(CONFIG, Renaming({"b": "c"}), NOWHERE)
    LayerNames(CONFIG, Renaming({"b": "d"}), NOWHERE)  # that one is in another model


def test_set() -> None:
    config = {"class_name": "Sequential", "config": [layer("a", [], units=3)]}
    made = set_in_config(config, "a", "units", 4, NOWHERE)
    assert made["config"][0]["config"]["units"] == 4
    with pytest.raises(MissingError, match="no layer 'x'"):
        set_in_config(config, "x", "units", 4, NOWHERE)
    with pytest.raises(MissingError, match="no key 'unit'"):
        set_in_config(config, "a", "unit", 4, NOWHERE)
    with pytest.raises(MismatchError, match="--rename"):
        set_in_config(config, "a", "name", "b", NOWHERE)

"""Rows of a config as it was written."""

from __future__ import annotations

from typing import Any

from modelfmt.network import Call, Ref
from modelfmt.surgery.config_rows import (
    besides_layers,
    call_tree,
    ref_text,
    row_at,
    rows_of,
    without_addresses,
    without_layers,
)

DENSE = {"class_name": "Dense", "config": {"name": "d", "units": 1}}
INNER = {"class_name": "Functional", "name": "in", "config": {"name": "in", "layers": [DENSE]}}
MODEL: dict[str, Any] = {
    "class_name": "Functional", "keras_version": "2.15.0", "compile_config": {"loss": "mse"},
    "config": {"name": "m", "layers": [INNER], "trainable": True, "output_layers": []},
}  # fmt: skip


def test_rows_are_found_by_the_way_to_them() -> None:
    assert rows_of(MODEL) == [INNER]
    assert row_at(MODEL, ("in", "d")) is DENSE
    assert row_at(MODEL, ("in",)) is INNER
    assert row_at(MODEL, ("nobody",)) is None is row_at(MODEL, ("in", "d", "deeper"))


def test_the_sequentials_of_keras_1() -> None:
    assert rows_of({"class_name": "Sequential", "config": [DENSE]}) == [DENSE]
    assert rows_of({"config": {"layers": "none"}}) == rows_of(3) == []
    assert without_layers({"class_name": "Sequential", "config": [DENSE]})["config"] is None


def test_what_is_left_of_a_row() -> None:
    assert without_layers(DENSE) == {"class_name": "Dense", "config": {"units": 1}}
    assert besides_layers(MODEL) == {"config": {"trainable": True}}


def test_addresses() -> None:
    value = {"a": [{"shared_object_id": 1, "b": 2}], "shared_object_id": 3}
    assert without_addresses(value) == {"a": [{"b": 2}]}


def test_calls_as_values() -> None:
    call = Call([Ref("a"), Ref("b", 1, 2)], structure=True, kwargs={"mask": [Ref("a")], "k": 1})
    assert call_tree(call, {"a": "z"}) == {
        "inputs": ["z", "b, call 1:2"], "as a list": True, "kwargs": {"mask": ["z"], "k": 1},
    }  # fmt: skip
    assert ref_text(Ref("a", 0, 1)) == "a:1"

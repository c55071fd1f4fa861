"""Operations of Keras 3 in configs."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.keras.config import read_config
from modelfmt.keras.operations import is_operation, is_unmarked, module_of
from modelfmt.network import Layer


@pytest.mark.parametrize(
    ("class_name", "module"),
    [("Multiply", "numpy"), ("GetItem", "numpy"), ("Relu", "nn"), ("Cast", "core"),
     ("Rsqrt", "math"), ("Norm", "linalg")],
)
def test_modules(class_name: str, module: str) -> None:
    assert module_of(class_name) == f"keras.src.ops.{module}"


def test_operations_are_known_by_their_module() -> None:
    assert is_operation(Layer("Multiply", "m", extras={"module": "keras.src.ops.numpy"}))
    assert not is_operation(Layer("Multiply", "m", extras={"module": "keras.layers"}))
    assert not is_operation(Layer("Multiply", "m"))


@pytest.mark.parametrize(
    ("config", "unmarked"),
    [({"name": "multiply"}, True), ({"name": "mean", "axis": 1}, True),
     ({"name": "multiply", "trainable": True, "dtype": "float32"}, False),
     ({"name": "spatial_dropout1d", "rate": 0.5, "dtype": "float32"}, False)],
)
def test_an_operation_of_a_h5_file_states_no_dtype(config: Any, unmarked: bool) -> None:
    row = {"class_name": "Multiply", "config": config}
    assert is_unmarked(row) is unmarked
    assert not is_unmarked({**row, "module": "keras.layers"})


def test_the_reader_marks_them() -> None:
    tensor = {"class_name": "__keras_tensor__", "config": {
        "shape": [None, 2], "dtype": "float32", "keras_history": ["x", 0, 0]}}
    rows = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 2], "name": "x"},
         "name": "x", "inbound_nodes": []},
        {"class_name": "Add", "config": {"name": "add"}, "name": "add",
         "inbound_nodes": [{"args": [tensor, 1.0], "kwargs": {}}]}]
    config = {"class_name": "Functional", "config": {
        "name": "m", "layers": rows, "input_layers": ["x", 0, 0], "output_layers": ["add", 0, 0]}}
    x, add = read_config(config, keras_version="3.15.1").layers
    assert not is_operation(x) and is_operation(add)

"""A hard_sigmoid of the other Keras major, by scaled weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.layers.gate_scaling import scale_gates
from modelfmt.network import Layer
from modelfmt.tensor import Tensor

GATES = {"LSTM": [1.2, 1.2, 1.0, 1.2], "GRU": [1.2, 1.2, 1.0]}


def weights(class_name: str, start: str = "") -> dict[str, Tensor]:
    columns = 2 * len(GATES[class_name])
    shapes = {"kernel": (3, columns), "recurrent_kernel": (2, columns), "bias": (columns,)}
    return {
        start + name: Tensor.from_numpy(name, np.ones(shape, np.float32))
        for name, shape in shapes.items()
    }


def config() -> dict[str, Any]:
    return {"recurrent_activation": "hard_sigmoid_keras2", "units": 2}


@pytest.mark.parametrize("class_name", GATES)
def test_the_columns_of_the_gates_take_the_factor(class_name: str) -> None:
    layer = Layer(class_name, "it", config(), weights(class_name))
    scale_gates(layer, 3)
    assert layer.config["recurrent_activation"] == "hard_sigmoid"
    wanted = np.repeat(GATES[class_name], 2).astype(np.float32)
    for weight in layer.weights.values():
        assert (weight.numpy() == wanted).all()


def test_both_functions_are_one() -> None:
    v = np.linspace(-6, 6, 101)
    keras2 = np.clip(0.2 * v + 0.5, 0, 1)
    np.testing.assert_allclose(np.clip(1.2 * v / 6 + 0.5, 0, 1), keras2, atol=1e-15)


@pytest.mark.parametrize("stated", [False, True])
def test_both_ways_of_a_bidirectional_once_each(stated: bool) -> None:
    inner = {"class_name": "LSTM", "config": config()}
    tensors = {**weights("LSTM", "forward_layer/"), **weights("LSTM", "backward_layer/")}
    whole = {"layer": inner, **({"backward_layer": inner} if stated else {})}
    layer = Layer("Bidirectional", "it", whole, tensors)
    scale_gates(layer, 3)
    assert layer.config["layer"]["config"]["recurrent_activation"] == "hard_sigmoid"
    wanted = np.repeat(GATES["LSTM"], 2).astype(np.float32)
    for weight in layer.weights.values():
        assert (weight.numpy() == wanted).all()


def test_what_the_target_has_stays() -> None:
    layer = Layer("LSTM", "it", config(), weights("LSTM"))
    scale_gates(layer, 2)
    assert layer.config == config()
    assert all((weight.numpy() == 1).all() for weight in layer.weights.values())


def cell(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": config}


def ones(*names: str) -> dict[str, Tensor]:
    return {n: Tensor.from_numpy(n, np.ones((3, 12), np.float32)) for n in names}


def test_cells_within_cells() -> None:
    function = "hard_sigmoid_keras2"
    stacked = cell("StackedRNNCells", cells=[
        cell("LSTMCell", recurrent_activation=function), cell("SimpleRNNCell", activation="tanh"),
        cell("GRUCell", activation=function),
    ])  # fmt: skip
    tensors = ones("cell/cells/0/kernel", "cell/cells/1/kernel", "cell/cells/2/kernel")
    layer = Layer("RNN", "it", {"cell": stacked}, tensors)
    scale_gates(layer, 3)
    cells = layer.config["cell"]["config"]["cells"]
    assert cells[0]["config"] == {"recurrent_activation": "hard_sigmoid"}
    assert cells[2]["config"] == {"activation": "hard_sigmoid"}
    columns = [tensor.numpy()[0].tolist() for tensor in layer.weights.values()]
    np.testing.assert_allclose(columns[0], np.repeat(GATES["LSTM"], 3), rtol=1e-6)
    assert columns[1] == [1.0] * 12
    np.testing.assert_allclose(columns[2], np.repeat([1.0, 1.0, 1.2], 4), rtol=1e-6)
    assert stacked["config"]["cells"][0]["config"]["recurrent_activation"] == function  # a copy


def test_a_convolutional_lstm() -> None:
    layer = Layer("ConvLSTM2D", "it", config(), ones("kernel"))
    scale_gates(layer, 3)
    wanted = np.repeat(GATES["LSTM"], 3).astype(np.float32)
    assert (layer.weights["kernel"].numpy() == wanted).all()


def test_an_lstms_own_activation_is_left_to_be_refused() -> None:
    layer = Layer("LSTM", "it", {"activation": "hard_sigmoid_keras2"}, ones("kernel"))
    scale_gates(layer, 3)
    assert layer.config == {"activation": "hard_sigmoid_keras2"}
    assert (layer.weights["kernel"].numpy() == 1).all()

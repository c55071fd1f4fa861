"""What dump says of layers and of how a model was compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.network import Layer, Network
from modelfmt.surgery.layer_rows import layer_rows, training_row, unlike_config
from modelfmt.tensor import Tensor


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (
            {"optimizer_config": {"class_name": "Adam", "config": {"lr": 1}}, "loss": "mse",
             "metrics": ["acc", None]},
            {"optimizer": "Adam", "loss": ["mse"], "metrics": ["acc"]},
        ),
        (
            {"optimizer": {"module": "keras.optimizers", "class_name": "SGD", "config": {}},
             "loss": {"a": "mse", "b": {"class_name": "MeanSquaredError", "config": {}}},
             "metrics": [["mae"], {"class_name": "function", "config": "hinge"}]},
            {"optimizer": "SGD", "loss": ["a: mse", "b: MeanSquaredError"],
             "metrics": ["mae", "hinge"]},
        ),
        ({"optimizer": "rmsprop", "loss": None},
         {"optimizer": "rmsprop", "loss": [], "metrics": []}),
    ],
)  # fmt: skip
def test_how_it_was_compiled(config: dict[str, Any], found: dict[str, Any]) -> None:
    assert training_row(config) == found


def dense(*weights: str) -> Layer:
    tensors = {n: Tensor.from_numpy(n, np.zeros((2, 2), np.float32)) for n in weights}
    return Layer("Dense", "d", {"units": 2, "use_bias": True}, tensors)


def test_weights_that_the_config_does_not_ask_for() -> None:
    layers = [dense("kernel"), Layer("Sorcery", "s", {}), dense("kernel", "bias")]
    (error,) = unlike_config(Network("m", "Sequential", layers))
    assert 'layer "d"' in str(error) and error.expected == "2 (kernel, bias)"
    assert list(layers[0].weights) == ["kernel"]  # as it was
    assert list(unlike_config(Network("m", "Sequential", layers, keras_major=1))) == []


def test_nested_layers() -> None:
    inner = Layer("Sequential", "in", {})
    inner.network = Network("in", "Sequential", [dense("kernel", "bias")])
    network = Network("m", "Sequential", [inner])
    assert [row["name"] for row in layer_rows(network, None)] == ["in", "in/d"]
    assert [row["name"] for row in layer_rows(network, 1)] == ["in"]

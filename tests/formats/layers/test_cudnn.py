"""CuDNNLSTM and CuDNNGRU: names, layouts, and what wraps them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.errors import MismatchError
from modelfmt.layers.binding import bind
from modelfmt.network import Layer, Network
from modelfmt.tensor import Tensor

IN, UNITS = 2, 3


def arrays(gates: int, seed: int = 0) -> list[Any]:
    """Of a plain layer: kernel, recurrent_kernel, bias; a GRU's bias has two rows."""
    random = np.random.default_rng(seed)
    bias = (gates * UNITS,) if gates == 4 else (2, gates * UNITS)
    shapes = [(IN, gates * UNITS), (UNITS, gates * UNITS), bias]
    return [random.normal(size=shape).astype(np.float32) for shape in shapes]


def on_a_gpu(plain: list[Any], gates: int) -> list[Any]:
    """The inverse: how a cuDNN layer stores these weights."""
    kernel, recurrent, bias = plain
    refilled = [k.T.reshape(k.shape, order="C") for k in np.split(kernel, gates, axis=1)]
    turned = [k.T for k in np.split(recurrent, gates, axis=1)]
    flat = np.tile(bias / 2, 2) if gates == 4 else bias.reshape(-1)
    return [np.hstack(refilled), np.hstack(turned), flat.astype(np.float32)]


def bound(class_name: str, config: dict[str, Any], stored: list[Any]) -> Layer:
    weights = {
        f"w_{k}": Tensor.from_numpy(f"w_{k}", np.ascontiguousarray(array))
        for k, array in enumerate(stored)
    }
    network = Network("m", layers=[Layer(class_name, "r", config, weights)], keras_major=2)
    return bind(network).layers[0]


@pytest.mark.parametrize(("name", "gates"), [("LSTM", 4), ("GRU", 3)])
def test_a_layer(name: str, gates: int) -> None:
    plain = arrays(gates)
    layer = bound(f"CuDNN{name}", {"units": UNITS, "return_state": True}, on_a_gpu(plain, gates))
    assert layer.class_name == name
    assert layer.config["recurrent_activation"] == "sigmoid"
    assert layer.config["return_state"] is True
    assert layer.config.get("reset_after", True) is True
    for tensor, array in zip(layer.weights.values(), plain, strict=True):
        assert tensor.shape == array.shape
        np.testing.assert_allclose(tensor.numpy(), array, rtol=1e-6)


def test_both_ways() -> None:
    there, back = arrays(4), arrays(4, 1)
    config = {"layer": {"class_name": "CuDNNLSTM", "config": {"units": UNITS}}}
    layer = bound("Bidirectional", config, [*on_a_gpu(there, 4), *on_a_gpu(back, 4)])
    assert layer.config["layer"]["class_name"] == "LSTM"
    for tensor, array in zip(layer.weights.values(), [*there, *back], strict=True):
        np.testing.assert_allclose(tensor.numpy(), array, rtol=1e-6)


def test_a_plain_layer_stays() -> None:
    plain = arrays(4)
    layer = bound("LSTM", {"units": UNITS}, plain)
    for tensor, array in zip(layer.weights.values(), plain, strict=True):
        np.testing.assert_array_equal(tensor.numpy(), array)


def test_a_bias_of_another_layout() -> None:
    with pytest.raises(MismatchError, match="cuDNN"):
        bound("CuDNNLSTM", {"units": UNITS}, arrays(4))

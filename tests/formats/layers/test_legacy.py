"""Weights of Keras 1, made canonical."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.errors import MismatchError
from modelfmt.layers.binding import bind
from modelfmt.layers.legacy import is_theano, joined, modernise, transposed
from modelfmt.network import Layer, Network, Ref
from modelfmt.tensor import Tensor

RANDOM = np.random.default_rng(0)


def array(*shape: int) -> Any:
    return RANDOM.normal(size=shape).astype("float32")


def stored(**arrays: Any) -> dict[str, Tensor]:
    return {f"it_{n}:0": Tensor.from_numpy(f"it_{n}:0", value) for n, value in arrays.items()}


def changed(class_name: str, config: Any, version: str = "1.2.2", **arrays: Any) -> list[Any]:
    layer = Layer(class_name, "it", config, stored(**arrays))
    modernise(layer, version)
    return [tensor.numpy() for tensor in layer.weights.values()]


@pytest.mark.parametrize(
    ("class_name", "config", "shape", "axes"),
    [
        ("Conv2D", {"data_format": "channels_last"}, (2, 3, 4, 5), (0, 1, 2, 3)),
        ("Conv2D", {"data_format": "channels_first"}, (5, 4, 2, 3), (2, 3, 1, 0)),
        ("Conv3D", {"data_format": "channels_first"}, (5, 4, 1, 2, 3), (2, 3, 4, 1, 0)),
        ("SeparableConv2D", {"data_format": "channels_first"}, (2, 4, 3, 3), (2, 3, 1, 0)),
        ("Conv2DTranspose", {"data_format": "channels_last"}, (2, 3, 4, 5), (0, 1, 3, 2)),
        ("Conv2DTranspose", {"data_format": "channels_first"}, (5, 4, 2, 3), (2, 3, 0, 1)),
    ],
)
def test_kernels(class_name: str, config: Any, shape: Any, axes: Any) -> None:
    kernel, bias = array(*shape), array(5)
    found = changed(class_name, config, W=kernel, b=bias)
    np.testing.assert_array_equal(found[0], kernel.transpose(axes))
    np.testing.assert_array_equal(found[1], bias)


@pytest.mark.parametrize("old", [False, True])
def test_a_kernel_over_one_axis(old: bool) -> None:
    kernel = array(3, 2, 5)
    as_stored = kernel.transpose(2, 1, 0)[..., None] if old else kernel[:, None]
    found = changed("Conv1D", {"filters": 5}, W=as_stored, b=array(5))
    np.testing.assert_array_equal(found[0], kernel)


@pytest.mark.parametrize(("class_name", "order", "wanted"), [
    ("LSTM", "icfo", "ifco"), ("GRU", "zrh", "zrh")])
def test_gates_are_joined(class_name: str, order: str, wanted: str) -> None:
    parts = {f"{w}_{g}": array(*s) for g in order for w, s in
             (("W", (3, 2)), ("U", (2, 2)), ("b", (2,)))}
    found = changed(class_name, {}, **parts)
    for made, letter in zip(found, "WUb", strict=True):
        expected = np.concatenate([parts[f"{letter}_{g}"] for g in wanted], axis=-1)
        np.testing.assert_array_equal(made, expected)


def test_gates_stored_together_stay() -> None:
    kernel, recurrent, bias = array(3, 8), array(2, 8), array(8)
    found = changed("LSTM", {}, W=kernel, U=recurrent, b=bias)
    for made, expected in zip(found, (kernel, recurrent, bias), strict=True):
        np.testing.assert_array_equal(made, expected)


def test_both_ways_of_a_bidirectional() -> None:
    config = {"layer": {"class_name": "GRU", "config": {}}}
    parts = {f"{way}_{w}_{g}": array(*s) for way in ("forward", "backward") for g in "zrh"
             for w, s in (("W", (3, 2)), ("U", (2, 2)), ("b", (2,)))}
    found = changed("Bidirectional", config, **parts)
    assert [x.shape for x in found] == [(3, 6), (2, 6), (6,)] * 2
    np.testing.assert_array_equal(found[3][:, 2:4], parts["backward_W_r"])


def test_convolutional_gates_channels_first() -> None:
    parts = {f"{w}_{g}": array(*s) for g in "icfo" for w, s in
             (("W", (2, 3, 4, 5)), ("U", (2, 2, 4, 5)), ("b", (2,)))}
    found = changed("ConvLSTM2D", {"data_format": "channels_first"}, **parts)
    assert [x.shape for x in found] == [(4, 5, 3, 8), (4, 5, 2, 8), (8,)]
    np.testing.assert_array_equal(found[0][..., 2:4], parts["W_f"].transpose(2, 3, 1, 0))


@pytest.mark.parametrize("order", [("W", "b", "W_carry", "b_carry"),
                                   ("W", "W_carry", "b", "b_carry")])
def test_a_highway_is_bound_by_name(order: tuple[str, ...]) -> None:
    values = {"W": array(2, 2), "b": array(2), "W_carry": array(2, 2), "b_carry": array(2)}
    found = changed("Highway", {}, **{name: values[name] for name in order})
    for made, expected in zip(found, values.values(), strict=True):
        np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize(("version", "squared"), [("1.0.5", True), ("1.0.6", False),
                                                  ("1.2.2", False), ("", False)])
def test_early_normalization_holds_deviations(version: str, squared: bool) -> None:
    deviation, epsilon, x = np.float32([0.5, 2.0]), 1e-3, 3.0
    found = changed("BatchNormalization", {"epsilon": epsilon}, version, g=array(2), b=array(2),
                    m=array(2), running_std=deviation)[3]
    if not squared:
        np.testing.assert_array_equal(found, deviation)
    else:
        np.testing.assert_allclose(x / np.sqrt(found + epsilon), x / (deviation + epsilon),
                                   rtol=1e-6)


def test_shared_axes_follow_from_the_weight() -> None:
    layer = Layer("PReLU", "it", {}, stored(alphas=array(1, 1, 3)))
    modernise(layer, None)
    assert layer.config["shared_axes"] == [1, 2]


def test_tensors_are_made_when_they_are_read() -> None:
    tensor = Tensor.from_numpy("w", array(2, 3))
    assert transposed(tensor, (1, 0)).shape == (3, 2)
    assert joined([tensor, tensor]).shape == (2, 6)
    with pytest.raises(MismatchError, match="do not fit together"):
        joined([tensor, Tensor.from_numpy("w", array(3, 3))])


def test_theano_names_have_no_number() -> None:
    network = Network("m", layers=[Layer("Dense", "d", {}, {"d_W": Tensor.from_numpy("d_W", 0.0)})])
    assert is_theano(network)
    network.layers[0].weights = stored(W=array(2, 2))
    assert not is_theano(network)
    network.layers[0].weights = {}
    assert not is_theano(network)


def nested(*inner: Layer, weights: dict[str, Tensor]) -> Layer:
    x = Layer("InputLayer", "x", {})
    network = Network("n", "Sequential", [x, *inner], [Ref("x")], [Ref(inner[-1].name)],
                      keras_major=1)
    return Layer("Sequential", "n", {}, weights, network=network)


def test_a_nested_model_lists_trainable_weights_first() -> None:
    gates = {f"l_{w}_{g}:0": Tensor.from_numpy("", array(*s)) for g in "icfo" for w, s in
             (("W", (3, 2)), ("U", (2, 2)), ("b", (2,)))}
    values = [array(2), array(2), array(2, 4), array(4), array(2), array(2)]
    names = ["b_gamma:0", "b_beta:0", "d_W:0", "d_b:0", "b_running_mean:0", "b_running_std:0"]
    rest = {n: Tensor.from_numpy(n, v) for n, v in zip(names, values, strict=True)}
    model = nested(Layer("LSTM", "l"), Layer("BatchNormalization", "b"), Layer("Dense", "d"),
                   weights={**gates, **rest})
    outer = Network("m", layers=[model], keras_major=1)
    bind(outer)
    inner = {layer.name: layer for layer in outer.walk()}
    assert inner["l"].weights["kernel"].shape == (3, 8)
    np.testing.assert_array_equal(inner["b"].weights["moving_mean"].numpy(), values[4])
    np.testing.assert_array_equal(inner["d"].weights["kernel"].numpy(), values[2])


def test_a_nested_model_with_too_few_weights() -> None:
    model = nested(Layer("Dense", "d"), weights=stored(W=array(2, 2)))
    with pytest.raises(MismatchError, match="another number of weights"):
        bind(Network("m", layers=[model], keras_major=1))

"""Every activation function, by name, in a layer and as a layer; advanced activation layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from grid import Model, alone

BOTH = (
    "elu exponential gelu hard_sigmoid linear mish relu selu sigmoid softmax softplus softsign "
    "swish tanh"
)
NEWEST = (
    "celu glu hard_shrink hard_silu hard_swish hard_tanh leaky_relu log_sigmoid log_softmax relu6 "
    "silu soft_shrink sparse_plus sparse_sigmoid sparsemax squareplus tanh_shrink"
)


def models(keras: Any, major: int) -> Iterator[Model]:
    layers = keras.layers
    for name in (f"{BOTH} {NEWEST}" if major == 3 else BOTH).split():
        yield f"Activation_{name}", lambda name=name: wide(keras, layers.Activation(name))
        yield f"Dense_{name}", lambda name=name: wide(keras, layers.Dense(6, activation=name))
    for name, layer in (
        ("leaky", lambda: layers.LeakyReLU(0.1)), ("relu", lambda: layers.ReLU(1.0, 0.1)),
        ("elu", lambda: layers.ELU(0.5)), ("softmax", lambda: layers.Softmax()),
        ("prelu", lambda: layers.PReLU()),
    ):  # fmt: skip
        yield f"Dense_layer_{name}", lambda layer=layer: wide(
            keras, layers.Dense(6, activation=layer())
        )
        yield f"Conv_layer_{name}", lambda layer=layer: wide(
            keras, layers.Conv1D(6, 2, activation=layer())
        )
        if name != "prelu":
            yield f"Activation_layer_{name}", lambda layer=layer: wide(
                keras, layers.Activation(layer())
            )
            yield f"LSTM_layer_{name}", lambda layer=layer: wide(
                keras, layers.LSTM(6, activation=layer())
            )
    slope = "negative_slope" if major == 3 else "alpha"
    for value in (0.0, 0.3, 1.5):
        yield alone(keras, "LeakyReLU", (3, 4), **{slope: value})
    for value in (1.0, 0.5, 2.0):
        yield alone(keras, "ELU", (3, 4), alpha=value)
    for highest in (None, 0.5, 6.0):
        for below in (0.0, 0.2):
            for threshold in (0.0, 0.3):
                yield alone(
                    keras, "ReLU", (3, 4), max_value=highest, negative_slope=below,
                    threshold=threshold,
                )  # fmt: skip
    if major == 2:
        yield alone(keras, "ThresholdedReLU", (3, 4), theta=0.4)
    for shape, shared in (((4,), None), ((3, 4), None), ((3, 4), [1]), ((2, 3, 4), [1, 2])):
        yield alone(keras, "PReLU", shape, shared_axes=shared)
    yield alone(keras, "PReLU", (None, 4), shared_axes=[1])
    for shape, axis in (
        ((4,), -1), ((3, 4), -1), ((3, 4), 1), ((3, 4), -2), ((None, 4), 1), ((3, 4), [-1]),
        ((2, 3, 4), [1, 2]), ((2, 3, 4), [-1, -2, -3]), ((None, 3, 4), [1, 3]),
    ):  # fmt: skip
        yield alone(keras, "Softmax", shape, axis=axis)
    for robust in ([{}, {"robust_masking": True}] if major == 2 else [{}]):
        for axis in (-1, 1, [1, 2]):
            yield f"Softmax_masked_{axis}_{len(robust)}", lambda axis=axis, robust=robust: masked(
                keras, layers.Softmax(axis, **robust)
            )


def wide(keras: Any, layer: Any) -> Any:
    """On values from far below to far above zero, and on those where functions bend."""
    x = keras.Input((6, 6), name="x")
    model = keras.Model(x, layer(x))
    array = np.random.default_rng(0).normal(0, 3, (3, 6, 6)).astype("float32")
    array[0, 0] = [0, 0.5, -0.5, 1, -1, 3]
    array[0, 1] = [-3, 6, -2.5, 2.5, 30, -30]
    model.arrays = [array]
    return model


def masked(keras: Any, layer: Any) -> Any:
    x = keras.Input((5, 4), name="x")
    mask = keras.Input((5, 4), name="mask", dtype="bool")
    model = keras.Model([x, mask], layer(x, mask=mask))
    random = np.random.default_rng(0)
    seen = random.uniform(size=(3, 5, 4)) < 0.6
    seen[0] = False
    seen[1, :, 1] = False
    model.arrays = [random.normal(size=(3, 5, 4)).astype("float32"), seen]
    return model

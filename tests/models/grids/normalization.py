"""Normalization by stored statistics and by those of the sample."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from grid import Model, alone

REFUSED = {"BatchNormalization of virtual batches": "its weights have an axis more than the input"}
RANKS: list[tuple[int | None, ...]] = [
    (4,), (3, 4), (None, 4), (3, 5, 4), (None, None, 4), (2, 3, 5, 4), (None, 3, None, 4),
]  # fmt: skip


def models(keras: Any, major: int) -> Iterator[Model]:
    layers = keras.layers
    for shape in RANKS:
        yield alone(keras, "BatchNormalization", shape)
    for shape, axis in (((4, 3), 1), ((4, 3, 5), 1), ((4, 3, 5), 2), ((4, 3, 5, 2), 1),
                        ((4, 3, 5, 2), 3), ((4, None, None), 1)):
        # tf_keras has a fused kernel for the first and the last axis of images only.
        if major == 3 or (len(shape), axis) != (3, 2):
            yield f"BatchNormalization_{len(shape)}_{axis}_{shape[1]}", lambda s=shape, a=axis: (
                eager_nchw(keras, s, layers.BatchNormalization(axis=a), a)
            )
    for scale, center in itertools.product([True, False], repeat=2):
        for shape in ((4,), (3, 5, 4)):
            more = {"scale": scale, "center": center, "epsilon": 1e-6}
            yield alone(keras, "BatchNormalization", shape, **more)
    yield alone(keras, "BatchNormalization", (3, 4), renorm=True)
    if major == 2:
        yield alone(keras, "BatchNormalization", (3, 4), axis=[1, 2])
        yield alone(keras, "BatchNormalization", (3, 4, 2), axis=[1, 3], renorm=True)
        yield alone(keras, "BatchNormalization", (3, 4), virtual_batch_size=3)
    for shape in RANKS:
        yield alone(keras, "LayerNormalization", shape)
        yield alone(keras, "UnitNormalization", shape)
        yield alone(keras, "GroupNormalization", shape, groups=2)
    for scale, center in itertools.product([True, False], repeat=2):
        for name, more in (("LayerNormalization", {}), ("GroupNormalization", {"groups": 2})):
            yield alone(keras, name, (3, 4), scale=scale, center=center, **more)
    for axis in (1, [1, 2], [2, 3], [-1, -2], [1, 3], [3, 1], [1, 2, 3], [-1, 1]):
        yield alone(keras, "LayerNormalization", (3, 5, 4), axis=axis)
    for epsilon in (1e-3, 1e-5, 1e-7):
        yield alone(keras, "LayerNormalization", (3, 4), epsilon=epsilon)
    yield alone(
        keras, "LayerNormalization", (None, None, 4), axis=[1, 2, 3], scale=False, center=False
    )
    for groups, axis, shape in (
        (1, -1, (3, 4)), (4, -1, (3, 4)), (-1, -1, (3, 5, 4)), (2, 1, (4, 3, 5)),
        (2, 2, (3, 4, 5)), (2, -2, (3, 4, 5)), (2, 1, (4, None, None)), (2, -1, (None, None, 4)),
        (-1, 1, (4, 3)),
    ):  # fmt: skip
        # tf_keras gives -1 back as a number; a model of it is the same.
        yield alone(keras, "GroupNormalization", shape, groups=groups, axis=axis)
    for axis in (1, [1, 2], [2, 3], [-1, -2]):
        yield alone(keras, "UnitNormalization", (3, 5, 4), axis=axis)
    yield "UnitNormalization_small", lambda: small(keras, layers.UnitNormalization())
    if major == 3:
        yield from newest(keras)


def newest(keras: Any) -> Iterator[Model]:
    for shape in RANKS:
        yield alone(keras, "RMSNormalization", shape)
    yield alone(keras, "RMSNormalization", (3, 4), epsilon=1e-2)
    yield alone(keras, "RMSNormalization", (3, 5, 4), axis=[2, 3])
    yield alone(keras, "RMSNormalization", (3, 5, 4), axis=[-1, -2])
    for axis in (-1, 1, [1, 2]):
        yield alone(keras, "LayerNormalization", (3, 4), axis=axis, rms_scaling=True)


def eager_nchw(keras: Any, shape: Any, layer: Any, axis: int) -> Any:
    """A model of one layer; TensorFlow's fused kernels of channels first do not run on a CPU."""
    x = keras.Input(shape, name="x")
    model = keras.Model(x, layer(x))
    if keras.__version__.startswith("2") and len(shape) > 2 and axis == 1:
        model.twin = channels_last_twin
    return model


def channels_last_twin(model: Any, inputs: list[Any]) -> list[Any]:
    layer = model.layers[-1]
    gamma, beta, mean, variance = (
        weight.reshape([-1] + [1] * (inputs[0].ndim - 2)) for weight in layer.get_weights()
    )
    y = gamma * (inputs[0] - mean) / np.sqrt(variance + np.float32(layer.epsilon)) + beta
    return [y.astype("float32")]


def small(keras: Any, layer: Any) -> Any:
    """Vectors of length zero and of nearly zero."""
    x = keras.Input((4,), name="x")
    model = keras.Model(x, layer(x))
    array = np.ones((3, 4), "float32")
    array[0] = 0
    array[1] = 1e-8
    model.arrays = [array]
    return model

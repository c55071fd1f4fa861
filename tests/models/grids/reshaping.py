"""Layers that move elements, with sizes known and unknown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from grid import Model, alone


def models(keras: Any, major: int) -> Iterator[Model]:
    layers = keras.layers
    for shape in ((), (4,), (3, 4), (2, 3, 4), (None, 4), (None, 3, None, 2), (2, 3, 4, 5)):
        for data_format in ("channels_last", "channels_first"):
            yield alone(keras, "Flatten", shape, data_format=data_format)
    yield "Flatten_fixed_batch", lambda: fixed(keras, (3, None, 4), layers.Flatten())
    for shape, target in (
        ((12,), (3, 4)), ((12,), (3, -1)), ((3, 4), (12,)), ((3, 4), (-1,)), ((3, 4), (2, -1, 3)),
        ((None, 4), (-1, 2)), ((None, 4), (-1,)), ((None, None, 4), (-1, 4)), ((3, 4), (4, 3)),
        ((1,), ()), ((None,), (-1, 1)), ((None, 4), (6, 2, 2)),
    ):  # fmt: skip
        yield alone(keras, "Reshape", shape, target_shape=target)
    yield "Reshape_fixed_batch", lambda: fixed(keras, (3, 4, 6), layers.Reshape((-1, 2)))
    for shape, dims in (
        ((3, 4), (2, 1)), ((3, 4), (1, 2)), ((2, 3, 4), (3, 1, 2)), ((None, 3, None), (2, 3, 1)),
        ((2, 3, 4, 5), (4, 2, 3, 1)),
    ):  # fmt: skip
        yield alone(keras, "Permute", shape, dims=dims)
    for n in (1, 3):
        yield alone(keras, "RepeatVector", (4,), n=n)
    yield "RepeatVector_any", lambda: after_unknown(keras)
    yield "chain", lambda: chain(keras)


def fixed(keras: Any, shape: Any, layer: Any) -> Any:
    x = keras.Input(batch_shape=shape, name="x")
    return keras.Model(x, layer(x))


def after_unknown(keras: Any) -> Any:
    x = keras.Input((None,), name="x")
    return keras.Model(x, keras.layers.RepeatVector(2)(x))


def chain(keras: Any) -> Any:
    """Sizes that are unknown at first must be known where a Dense needs them."""
    layers = keras.layers
    x = keras.Input((None, 4), name="x")
    y = layers.Permute((2, 1))(layers.Reshape((6, 4))(x))
    y = layers.Dense(3)(layers.Flatten()(y))
    model = keras.Model(x, layers.Dense(2)(layers.RepeatVector(3)(y)))
    model.arrays = [np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")]
    return model

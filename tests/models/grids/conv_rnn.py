"""Convolutional LSTMs over one, two and three axes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from grid import Model, alone, compiled

SHAPES = {1: (3, 7, 2), 2: (3, 6, 7, 2), 3: (2, 5, 6, 4, 2)}
UNKNOWN = {1: (None, None, 2), 2: (None, None, None, 2), 3: (None, None, None, None, 2)}


def models(keras: Any, major: int) -> Iterator[Model]:
    for rank, shape in SHAPES.items():
        name = f"ConvLSTM{rank}D"
        configs: list[dict[str, Any]] = [
            {}, {"return_sequences": True}, {"return_state": True, "return_sequences": True},
            {"padding": "same", "strides": 2}, {"strides": 2, "return_sequences": True},
            {"use_bias": False, "go_backwards": True, "return_sequences": True},
            {"recurrent_activation": "hard_sigmoid", "activation": "relu"}, {"dropout": 0.2},
            {"dilation_rate": 2}, {"dilation_rate": 2, "padding": "same"},
            {"unit_forget_bias": False, "return_state": True},
        ]  # fmt: skip
        for config in configs:
            yield alone(keras, name, shape, filters=2, kernel_size=2, **config)
        for config in ({}, {"return_sequences": True, "return_state": True, "strides": 2}):
            # Keras 2 turns channels first by itself, over one and two axes.
            model = first(keras, name, shape, config)
            yield model if major == 2 and rank < 3 else compiled(*model)
        if major == 2:  # Keras 3 takes known sizes only
            for config in (
                {}, {"padding": "same", "strides": 2, "return_sequences": True},
                {"strides": 2, "return_state": True},
            ):  # fmt: skip
                yield unknown(keras, rank, config)
        else:
            yield alone(
                keras, name, (None, *shape[1:]), filters=2, kernel_size=2, return_sequences=True
            )
        yield f"{name}_masked", lambda name=name, shape=shape: masked(keras, name, shape)
        yield f"{name}_state", lambda name=name, shape=shape: with_state(keras, name, shape)
    yield "ConvLSTM2D_stacked", lambda: stacked(keras)
    yield "ConvLSTM2D_both_ways", lambda: both_ways(keras)


def first(keras: Any, name: str, shape: Any, config: Any) -> Model:
    time, *sizes, channels = shape
    return alone(
        keras, name, (time, channels, *sizes), filters=2, kernel_size=2,
        data_format="channels_first", **config,
    )  # fmt: skip


def unknown(keras: Any, rank: int, config: Any) -> Model:
    name, build = alone(
        keras, f"ConvLSTM{rank}D", UNKNOWN[rank], filters=2, kernel_size=2, **config
    )

    def built() -> Any:
        model = build()
        random = np.random.default_rng(0)
        model.arrays = [random.normal(size=(3, *SHAPES[rank])).astype("float32")]
        return model

    return name, built


def masked(keras: Any, name: str, shape: Any) -> Any:
    """Steps left out at the end and at the beginning."""
    x = keras.Input(shape, name="x")
    mask = keras.Input(shape[:1], dtype="bool", name="mask")
    layer = getattr(keras.layers, name)
    ends = [
        layer(2, 2, return_sequences=True)(x, mask=mask),
        layer(2, 2, go_backwards=True)(x, mask=mask),
    ]
    model = keras.Model([x, mask], ends)
    seen = np.ones((3, shape[0]), bool)
    seen[0, 1:] = False
    seen[1, :1] = False
    model.arrays = [np.random.default_rng(0).normal(size=(3, *shape)).astype("float32"), seen]
    return model


def with_state(keras: Any, name: str, shape: Any) -> Any:
    x = keras.Input(shape, name="x")
    h, c = (keras.Input((*shape[1:-1], 2), name=state) for state in "hc")
    layer = getattr(keras.layers, name)(2, 2, padding="same")
    return keras.Model([x, h, c], layer(x, initial_state=[h, c]))


def stacked(keras: Any) -> Any:
    x = keras.Input(SHAPES[2], name="x")
    y = keras.layers.ConvLSTM2D(3, 3, padding="same", return_sequences=True)(x)
    y = keras.layers.BatchNormalization()(y)
    y = keras.layers.ConvLSTM2D(2, (1, 2), strides=(2, 1))(y)
    return keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten()(y)))


def both_ways(keras: Any) -> Any:
    x = keras.Input(SHAPES[2], name="x")
    layer = keras.layers.ConvLSTM2D(2, 2, return_sequences=True)
    return keras.Model(x, keras.layers.Bidirectional(layer)(x))

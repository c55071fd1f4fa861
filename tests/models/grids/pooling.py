"""Pools over windows, over all positions, and to a given size."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from grid import Model, alone, compiled

LAST = {1: (9, 4), 2: (9, 8, 4), 3: (7, 6, 6, 4)}
FIRST = {rank: (shape[-1], *shape[:-1]) for rank, shape in LAST.items()}
NONE = {rank: (None,) * rank + (4,) for rank in LAST}


def models(keras: Any, major: int) -> Iterator[Model]:
    for rank, kind in itertools.product([1, 2, 3], ["Max", "Average"]):
        name = f"{kind}Pooling{rank}D"
        for size, strides, padding in itertools.product([2, 3], [None, 1, 2], ["valid", "same"]):
            config = {"pool_size": size, "strides": strides, "padding": padding}
            yield alone(keras, name, LAST[rank], **config)
        yield alone(keras, name, NONE[rank], pool_size=2)
        yield alone(keras, name, NONE[rank], pool_size=2, padding="same", strides=3)
        for config in (
            {"pool_size": 2}, {"pool_size": 3, "strides": 1, "padding": "same"},
        ):  # fmt: skip
            model = alone(keras, name, FIRST[rank], data_format="channels_first", **config)
            yield compiled(*model) if major == 2 else model
        for keep, layout in itertools.product([True, False], ["last", "first"]):
            for shape in ((LAST if layout == "last" else FIRST)[rank], any_size(rank, layout)):
                yield alone(keras, f"Global{name}", shape, keepdims=keep,
                            data_format=f"channels_{layout}")  # fmt: skip
    yield alone(keras, "MaxPooling2D", LAST[2], pool_size=(2, 3), strides=(3, 1))
    for keep in (True, False):
        yield f"masked_{keep}", lambda keep=keep: masked(keras, keep)
    yield "masked_first", lambda: masked_first(keras)
    if hasattr(keras.layers, "AdaptiveMaxPooling1D"):
        yield from adaptive(keras)


def any_size(rank: int, layout: str) -> Any:
    return NONE[rank] if layout == "last" else (4,) + (None,) * rank


def adaptive(keras: Any) -> Iterator[Model]:
    for rank, kind in itertools.product([1, 2, 3], ["Max", "Average"]):
        name = f"Adaptive{kind}Pooling{rank}D"
        for size in (1, 2, 3, 4, 5, 6, 11):
            yield alone(keras, name, LAST[rank], output_size=size)
        yield alone(keras, name, FIRST[rank], output_size=3, data_format="channels_first")
    yield alone(keras, "AdaptiveMaxPooling2D", LAST[2], output_size=(4, 3))
    yield alone(keras, "AdaptiveAveragePooling3D", LAST[3], output_size=(7, 1, 4))


def masked(keras: Any, keep: bool) -> Any:
    """A mean over the steps that are shown."""
    x = keras.Input((5, 4), name="x")
    seen = keras.layers.Masking()(x)
    model = keras.Model(x, keras.layers.GlobalAveragePooling1D(keepdims=keep)(seen))
    array = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    array[0, 3:] = 0
    array[1, :2] = 0
    model.arrays = [array]
    return model


def masked_first(keras: Any) -> Any:
    """The mask as an argument of the call, channels first."""
    x, mask = keras.Input((4, 5), name="x"), keras.Input((5,), dtype="bool", name="mask")
    layer = keras.layers.GlobalAveragePooling1D(data_format="channels_first")
    model = keras.Model([x, mask], layer(x, mask=mask))
    random = np.random.default_rng(0)
    model.arrays = [
        random.normal(size=(3, 4, 5)).astype("float32"),
        np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [1, 1, 1, 1, 1]], bool),
    ]
    return model

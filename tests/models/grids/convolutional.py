"""Convolutions of every kind, over one, two and three axes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from grid import Model, alone, compiled

LAST = {1: (9, 4), 2: (9, 8, 4), 3: (7, 6, 6, 4)}
#: Longer than any layer here has filters: Keras 3 adds a bias along the last axis, whatever the
#: data format, where that is as long as the bias (keras 3.15.1, backend/tensorflow/numpy.py, add).
FIRST = {1: (4, 23), 2: (4, 9, 23), 3: (4, 5, 6, 17)}
ANY = {1: (None, 4), 2: (None, 8, 4), 3: (None, 6, None, 4)}
NONE = {rank: (None,) * rank + (4,) for rank in LAST}


def models(keras: Any, major: int) -> Iterator[Model]:
    yield from plain(keras, major)
    yield from transposed(keras, major)
    yield from of_each_channel(keras, major)
    if major == 3:
        for rank in (1, 2, 3):
            yield f"Conv{rank}D_lora", lambda rank=rank: adapted(keras, rank)
    if major == 2:
        yield from locally_connected(keras)


def plain(keras: Any, major: int) -> Iterator[Model]:
    for rank in (1, 2, 3):
        name = f"Conv{rank}D"
        for strides, rate, padding in itertools.product([1, 2], [1, 2], ["valid", "same"]):
            if strides == 1 or rate == 1:
                config = {"strides": strides, "dilation_rate": rate, "padding": padding}
                yield alone(keras, name, LAST[rank], filters=6, kernel_size=3, **config)
                yield alone(keras, name, ANY[rank], filters=6, kernel_size=2, **config)
                yield alone(keras, name, LAST[rank], filters=6, kernel_size=2, groups=2, **config)
        for config in (
            {"use_bias": False}, {"activation": "relu"}, {"groups": 2, "use_bias": False},
            {"groups": 4, "activation": "softmax"},
        ):  # fmt: skip
            yield alone(keras, name, NONE[rank], filters=4, kernel_size=2, **config)
        for config in ({}, {"strides": 2, "padding": "same"}, {"dilation_rate": 2}, {"groups": 2}):
            yield compiled(
                *alone(keras, name, FIRST[rank], filters=6, kernel_size=3, **config,
                       data_format="channels_first", activation="softmax")
            )  # fmt: skip
        if major == 2:
            for config in ({}, {"padding": "same"}, {"dilation_rate": 2}):
                yield alone(keras, name, (3, *LAST[rank]), filters=2, kernel_size=3, **config)
            yield alone(keras, name, (None, *NONE[rank]), filters=2, kernel_size=3)
    yield alone(keras, "Conv2D", LAST[2], filters=3, kernel_size=(2, 3), strides=(1, 2))
    yield alone(keras, "Conv3D", NONE[3], filters=3, kernel_size=2, dilation_rate=(1, 3, 2))
    for config in ({}, {"strides": 2}, {"dilation_rate": 2}, {"groups": 2}):
        for shape in (LAST[1], ANY[1]):
            yield alone(keras, "Conv1D", shape, filters=4, kernel_size=3, padding="causal",
                        **config)  # fmt: skip
    yield compiled(
        *alone(keras, "Conv1D", FIRST[1], filters=4, kernel_size=3, padding="causal",
               data_format="channels_first")
    )  # fmt: skip


def transposed(keras: Any, major: int) -> Iterator[Model]:
    for rank in (1, 2, 3):
        name = f"Conv{rank}DTranspose"
        for size, strides, padding in itertools.product([2, 3], [1, 2, 3], ["valid", "same"]):
            config = {"kernel_size": size, "strides": strides, "padding": padding}
            yield alone(keras, name, LAST[rank], filters=3, **config)
            if strides > 1:
                yield alone(keras, name, ANY[rank], filters=3, output_padding=1, **config)
        for shape in (ANY[rank], NONE[rank]):
            yield alone(keras, name, shape, filters=3, kernel_size=3, strides=2)
        yield alone(keras, name, NONE[rank], filters=3, kernel_size=3, use_bias=False,
                    activation="tanh")  # fmt: skip
        for config in ({}, {"strides": 2, "padding": "same", "activation": "softmax"}):
            yield compiled(
                *alone(keras, name, FIRST[rank], filters=3, kernel_size=3, **config,
                       data_format="channels_first")
            )  # fmt: skip
        for size, padding in itertools.product([2, 3], ["valid", "same"]):
            # tf_keras leaves the dilation out of a Conv3DTranspose, and out of its config.
            model = alone(keras, name, LAST[rank], filters=3, kernel_size=size, padding=padding,
                          dilation_rate=2)  # fmt: skip
            runs = major == 2 and rank > 1
            yield model if runs else compiled(*model)
    yield alone(keras, "Conv2DTranspose", LAST[2], filters=3, kernel_size=(2, 3), strides=(3, 2),
                output_padding=(2, 1))  # fmt: skip


def of_each_channel(keras: Any, major: int) -> Iterator[Model]:
    for rank, kind in itertools.product([1, 2], ["DepthwiseConv", "SeparableConv"]):
        name = f"{kind}{rank}D"
        own: dict[str, Any] = {"filters": 5} if kind == "SeparableConv" else {}
        for strides, rate, padding in itertools.product([1, 2], [1, 2], ["valid", "same"]):
            if major == 3 or strides == 1 or rate == 1:
                config = {"strides": strides, "dilation_rate": rate, "padding": padding, **own}
                for shape in (LAST[rank], NONE[rank]):
                    yield alone(keras, name, shape, kernel_size=3, depth_multiplier=2, **config)
        for config in ({"use_bias": False}, {"activation": "relu", "depth_multiplier": 3}):
            yield alone(keras, name, ANY[rank], kernel_size=2, **config, **own)
        for config in ({}, {"strides": 2, "padding": "same"}, {"dilation_rate": 2}):
            yield compiled(
                *alone(keras, name, FIRST[rank], kernel_size=2, **config, **own,
                       data_format="channels_first")
            )  # fmt: skip
        if rank == 2 and major == 3:
            for padding in ("valid", "same"):
                yield alone(keras, name, ANY[2], kernel_size=(2, 3), strides=(2, 1),
                            dilation_rate=(1, 2), padding=padding, **own)  # fmt: skip
    if major == 2:
        for config in ({}, {"dilation_rate": 2}, {"strides": 2}):
            yield alone(keras, "SeparableConv1D", ANY[1], filters=3, kernel_size=3,
                        padding="causal", **config)  # fmt: skip


def adapted(keras: Any, rank: int) -> Any:
    """A convolution that was fine-tuned: low-rank matrices beside its kernel."""
    x, layer = keras.Input(LAST[rank], name="x"), getattr(keras.layers, f"Conv{rank}D")(4, 2)
    model = keras.Model(x, layer(x))
    layer.enable_lora(2, lora_alpha=3)
    return model


def locally_connected(keras: Any) -> Iterator[Model]:
    for rank, way, layout in itertools.product([1, 2], [1, 2, 3], ["last", "first"]):
        shape = LAST[rank] if layout == "last" else (4, *LAST[rank][:-1])
        for config in (
            {}, {"strides": 2, "activation": "relu"}, {"padding": "same", "strides": 2},
            {"padding": "same", "use_bias": False, "kernel_size": 2},
        ):  # fmt: skip
            if way > 1 or "padding" not in config:
                yield alone(
                    keras, f"LocallyConnected{rank}D", shape, filters=3, implementation=way,
                    data_format=f"channels_{layout}", **{"kernel_size": 3, **config},
                )  # fmt: skip
    yield alone(keras, "LocallyConnected2D", (5, 6, 2), filters=3, kernel_size=(2, 3),
                strides=(2, 1))  # fmt: skip

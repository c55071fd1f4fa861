"""Small models of one layer each, for either framework; imported by frameworks.py in a child."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

IMAGE, ROWS, FLAT = (9, 10, 3), (5, 4), (6,)

#: name -> layer class, config, input shapes without batch; a name's prefix tells the framework.
Case = tuple[str, dict[str, Any], list[tuple[Any, ...]]]

FUNCTIONS = [
    "relu", "sigmoid", "tanh", "softmax", "elu", "selu", "softplus", "softsign", "hard_sigmoid",
    "exponential", "gelu", "swish", "linear",
]
FUNCTIONS_3 = ["silu", "relu6", "leaky_relu", "mish", "log_softmax", "hard_silu"]


def cases(major: int) -> dict[str, Case]:
    found: dict[str, Case] = {}

    def add(class_name: str, shapes: Any, **config: Any) -> None:
        rows = shapes if isinstance(shapes, list) else [shapes]
        found[f"case{len(found)}_{class_name}"] = (class_name, config, rows)

    for shape, bias in itertools.product(
        [FLAT, ROWS, (None, 4), (2, 3, 4), (None, None, 4)], [True, False]
    ):
        add("Dense", shape, units=3, use_bias=bias)
    for function in [*FUNCTIONS, *(FUNCTIONS_3 if major == 3 else ["mish"])]:
        add("Activation", FLAT, activation=function)
        add("Dense", FLAT, units=4, activation=function)
        add("Conv2D", IMAGE, filters=4, kernel_size=3, activation=function)
    for top, slope, threshold in itertools.product([None, 6.0, 1.5], [0.0, 0.1], [0.0, 0.25]):
        add("ReLU", FLAT, max_value=top, negative_slope=slope, threshold=threshold)
    add("LeakyReLU", IMAGE)
    add("LeakyReLU", FLAT, **{"negative_slope" if major == 3 else "alpha": 0.15})
    add("ELU", FLAT)
    add("ELU", IMAGE, alpha=0.4)
    if major == 2:
        add("ThresholdedReLU", FLAT, theta=0.4)
    for shape, axes in [(FLAT, None), (IMAGE, [1, 2]), (IMAGE, None), (IMAGE, [2]), (ROWS, [1])]:
        add("PReLU", shape, shared_axes=axes)
    for shape, axis in [(FLAT, -1), (ROWS, -1), (ROWS, 1), (IMAGE, 1), (IMAGE, 2), (IMAGE, -1)]:
        add("Softmax", shape, axis=axis)
    for strides, padding, rate, bias in itertools.product(
        [1, 2, (1, 2)], ["valid", "same"], [1, 2, (1, 3)], [True, False]
    ):
        if strides == 1 or (rate == 1 and bias):
            add("Conv2D", IMAGE, filters=4, kernel_size=(3, 2), strides=strides, padding=padding,
                dilation_rate=rate, use_bias=bias)
    add("Conv2D", (None, None, 3), filters=4, kernel_size=3, padding="same")
    add("Conv2D", (None, None, 3), filters=4, kernel_size=3, padding="same", dilation_rate=2)
    add("Conv2D", (None, None, 3), filters=4, kernel_size=3, dilation_rate=(2, 1))
    add("Conv2D", IMAGE, filters=5, kernel_size=1)
    for shape, axis in [(FLAT, -1), (ROWS, -1), (ROWS, 1), (IMAGE, -1), (IMAGE, 1), (IMAGE, 2),
                        ((None, None, 3), -1), ((None, 4), -1)]:
        for scale, center in itertools.product([True, False], [True, False]):
            add("BatchNormalization", shape, axis=axis, scale=scale, center=center, epsilon=0.01)
    for pool, (size, strides), padding in itertools.product(
        ["MaxPooling2D", "AveragePooling2D"], [(2, None), ((3, 2), 1), (2, (2, 3))],
        ["valid", "same"],
    ):
        add(pool, IMAGE, pool_size=size, strides=strides, padding=padding)
    for pool, keep, shape in itertools.product(
        ["GlobalMaxPooling2D", "GlobalAveragePooling2D"], [True, False], [IMAGE, (None, None, 3)]
    ):
        add(pool, shape, keepdims=keep)
        add(pool, shape, keepdims=keep, data_format="channels_first")
    for padding in [1, (1, 2), ((1, 0), (0, 3))]:
        add("ZeroPadding2D", IMAGE, padding=padding)
    add("ZeroPadding2D", IMAGE, padding=((1, 0), (0, 3)), data_format="channels_first")
    for shape in [FLAT, ROWS, IMAGE, (None, 4), (None, None, 3)]:
        add("Flatten", shape)
    add("Flatten", IMAGE, data_format="channels_first")
    for shape, target in [(FLAT, (2, 3)), (FLAT, (-1, 2)), (ROWS, (20,)), (ROWS, (-1,)),
                          (IMAGE, (30, 9)), ((None, 4), (-1, 2)), ((None, 4), (2, 2, -1)),
                          ((None, None, 4), (-1, 4)), (ROWS, (5, 4))]:
        add("Reshape", shape, target_shape=target)
    for shape, dims in [(ROWS, (2, 1)), (IMAGE, (3, 1, 2)), (IMAGE, (2, 1, 3)), (ROWS, (1, 2))]:
        add("Permute", shape, dims=dims)
    add("Rescaling", IMAGE, scale=1 / 127.5, offset=-1.0)
    add("Rescaling", IMAGE, scale=0.5)
    add("Rescaling", IMAGE, scale=[0.5, 2.0, 1.5], offset=[0.1, 0.2, 0.3])
    for kin in ["Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout"]:
        add(kin, IMAGE, **{"stddev" if kin == "GaussianNoise" else "rate": 0.5})
    for merge, count in itertools.product(
        ["Add", "Multiply", "Maximum", "Minimum", "Average"], [2, 3, 4]
    ):
        add(merge, [ROWS] * count)
    add("Subtract", [IMAGE, IMAGE])
    for count, axis in itertools.product([2, 3], [-1, 1, 2]):
        add("Concatenate", [IMAGE] * count, axis=axis)
    add("Concatenate", [(3,), (5,), (1,)])
    add("Add", [(None, 4), (None, 4)])
    for config in [{}, {"padding": "same", "activation": "relu"}, {"strides": 2},
                   {"dilation_rate": 2, "activation": "softmax"}]:
        add("Conv2D", (3, 9, 10), filters=4, kernel_size=3, data_format="channels_first", **config)
    for pool in ["MaxPooling2D", "AveragePooling2D"]:
        add(pool, (3, 9, 10), pool_size=2, data_format="channels_first")
    return found


def models(keras: Any, part: str = "all") -> Iterator[tuple[str, Callable[[], Any]]]:
    """Name and builder of every case; ``part`` keeps the cases that hold this text."""
    major = int(keras.__version__.split(".")[0])
    for name, case in cases(major).items():
        if part in ("all", name) or part in name:
            yield name, lambda case=case: build(keras, *case)


def build(keras: Any, class_name: str, config: dict[str, Any], shapes: list[Any]) -> Any:
    inputs = [keras.Input(shape, name=f"in{k}") for k, shape in enumerate(shapes)]
    layer = getattr(keras.layers, class_name)(**config, name="it")
    model = keras.Model(inputs if len(inputs) > 1 else inputs[0],
                        layer(inputs if len(inputs) > 1 else inputs[0]), name="single")
    if config.get("data_format") == "channels_first" and hasattr(layer, "strides"):
        model.twin = turned_around(keras, layer)
    return model


def turned_around(keras: Any, layer: Any) -> Callable[[Any, list[Any]], list[Any]]:
    """The outputs of a channels_first window layer, which TensorFlow cannot run on a CPU.

    The same layer in channels last, without activation, between two transposes.
    """

    def outputs(model: Any, inputs: list[Any]) -> list[Any]:
        config = {**layer.get_config(), "data_format": "channels_last"}
        activation = getattr(layer, "activation", None)
        if activation is not None:
            config["activation"] = "linear"
        twin = type(layer).from_config(config)
        x = inputs[0].transpose(0, 2, 3, 1)
        twin.build(x.shape)
        twin.set_weights(layer.get_weights())
        y = np.asarray(twin(x)).transpose(0, 3, 1, 2)
        return [np.asarray(activation(tf.constant(y)) if activation else y)]

    return outputs

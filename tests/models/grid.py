"""Grids of small models, one module a family of layers; made in a child by frameworks.py.

``models(keras, major)`` yields (name, builder). ``REFUSED`` maps a pattern of our error's text to
the reason why a model cannot be converted: what matches none is a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Model = tuple[str, Callable[[], Any]]


def alone(keras: Any, class_name: str, *shapes: Any, **config: Any) -> Model:
    """A model of one layer, on inputs of these shapes without batch."""
    words = [f"{key}={value}" for key, value in config.items()]
    name = "_".join([class_name, "x".join(map(str, shapes[0])), *words])
    safe = "".join(letter if letter.isalnum() or letter in "_-" else "." for letter in name)

    def build() -> Any:
        inputs = [keras.Input(shape, name=f"x{k}") for k, shape in enumerate(shapes)]
        layer = getattr(keras.layers, class_name)(**config)
        return keras.Model(inputs, layer(inputs if len(inputs) > 1 else inputs[0]))

    return safe[:120], build


def compiled(name: str, build: Callable[[], Any]) -> Model:
    """A model that no CPU kernel runs; XLA says what it computes."""

    def twin(model: Any, inputs: list[Any]) -> list[Any]:
        import numpy as np
        import tensorflow as tf

        def call(*x: Any) -> Any:
            return model(list(x) if len(x) > 1 else x[0], training=False)

        made = tf.function(call, jit_compile=True)(*map(tf.constant, inputs))
        return [np.asarray(each) for each in tf.nest.flatten(made)]

    def built() -> Any:
        model = build()
        model.twin = twin
        return model

    return f"{name[:110]}_xla", built

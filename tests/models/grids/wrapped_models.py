"""TimeDistributed around whole models: Sequential, Functional, nested, in one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grid import Model


def models(keras: Any, major: int) -> Iterator[Model]:
    layers = keras.layers

    def sequential(*rows: Any) -> Any:
        return keras.Sequential(list(rows))

    def pictures() -> Any:
        return sequential(
            keras.Input((8, 8, 3)), layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(), layers.MaxPooling2D(), layers.Flatten(),
            layers.Dropout(0.5), layers.Dense(5, activation="tanh"),
        )  # fmt: skip

    def branches(width: int = 6) -> Any:
        x = keras.Input((width,), name="inner_x")
        left = layers.Dense(4, activation="relu", name="left")(x)
        left = layers.BatchNormalization(name="norm")(left)
        right = layers.Dense(4, name="right")(x)
        return keras.Model(x, layers.Concatenate()([left, layers.Multiply()([left, right])]))

    def deep() -> Any:
        x = keras.Input((6,))
        inner = branches(5)
        return keras.Model(x, layers.Dense(3)(inner(layers.Dense(5)(x))), name="deep")

    def words() -> Any:
        x = keras.Input((4, 3))
        y = layers.LSTM(4, return_sequences=True)(layers.Masking()(x))
        y = layers.GRU(3, return_sequences=True)(y)
        return keras.Model(x, layers.GlobalAveragePooling1D()(y))

    def over(shape: Any, *wrapped: Any, after: Any = None) -> Any:
        x = keras.Input(shape, name="x")
        y = x
        for each in wrapped:
            y = layers.TimeDistributed(each)(y)
        return keras.Model(x, y if after is None else after(y))

    rows = {
        "pictures": lambda: over((3, 8, 8, 3), pictures(), after=layers.LSTM(4)),
        "pictures_unknown": lambda: over((None, 8, 8, 3), pictures()),
        "sequential": lambda: over((5, 6), sequential(layers.Dense(4), layers.PReLU())),
        "branches": lambda: over((5, 6), branches()),
        "two_in_a_row": lambda: over((None, 6), branches(), branches(8)),
        "deep": lambda: over((5, 6), deep()),
        "words": lambda: over((None, 4, 3), words(), after=layers.LSTM(2)),
        "twice": lambda: over((2, 3, 6), layers.TimeDistributed(branches())),
        "frozen": lambda: over((5, 6), frozen(branches())),
    }

    def frozen(model: Any) -> Any:
        model.get_layer("left").trainable = False
        return model

    def within() -> Any:
        x = keras.Input((5, 6), name="x")
        inner = over((5, 6), branches())
        y = layers.Dense(3)(inner(x))
        return keras.Model(x, y)

    rows["within_a_model"] = within

    def shared() -> Any:
        x, z = keras.Input((5, 6), name="x"), keras.Input((5, 6), name="z")
        both = layers.TimeDistributed(branches())
        return keras.Model([x, z], layers.Add()([both(x), both(z)]))

    rows["shared"] = shared
    if major == 3:
        def mixing() -> Any:
            x = keras.Input((6,))
            y = layers.Dense(4)(x)
            return keras.Model(x, y - keras.ops.mean(y, axis=0, keepdims=True) * 2.0)

        rows["mixing"] = lambda: over((5, 6), mixing())
        rows["mixing_deep"] = lambda: over((2, 3, 6), layers.TimeDistributed(mixing()))
    else:
        def scaled() -> Any:
            import tensorflow as tf

            x = keras.Input((6,))
            y = layers.Dense(4)(x)
            return keras.Model(x, y * 2.0 + tf.reduce_sum(y, axis=-1, keepdims=True))

        rows["scaled"] = lambda: over((5, 6), scaled())
    yield from rows.items()

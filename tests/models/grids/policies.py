"""Dtype policies: half precision, mixed and double, in layers of every family."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grid import Model

#: Patterns of our errors' text -> what Keras can do here and we refuse.
REFUSED = {
    "opaque elements": "a .h5 file does not say that its elements are bfloat16; Keras cannot "
    "read it either",
}

POLICIES = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")
#: Two steps of what a dtype tells apart: sums in another order are rounded another way.
STEPS = {"float16": 2.0**-9, "bfloat16": 2.0**-6}


def models(keras: Any, major: int) -> Iterator[Model]:
    layers = keras.layers

    def chain(policy: str, shape: tuple[int | None, ...], *makes: Any) -> Any:
        inputs = x = keras.Input(shape, name="x")
        for make in makes:
            x = make(policy)(x)
        # npz files cannot hold bfloat16: all comes out in float32.
        return keras.Model(inputs, layers.Activation("linear", dtype="float32")(x))

    def dense(p: str) -> Any:
        return chain(p, (6,), lambda d: layers.Dense(5, activation="relu", dtype=d),
                     lambda d: layers.BatchNormalization(dtype=d),
                     lambda d: layers.LayerNormalization(dtype=d),
                     lambda d: layers.Dropout(0.5, dtype=d),
                     lambda d: layers.Dense(4, activation="softmax", dtype=d))

    def image(p: str) -> Any:
        return chain(p, (8, 8, 3),
                     lambda d: layers.Conv2D(4, 3, padding="same", activation="relu", dtype=d),
                     lambda d: layers.BatchNormalization(dtype=d),
                     lambda d: layers.MaxPooling2D(dtype=d),
                     lambda d: layers.PReLU(shared_axes=[1, 2], dtype=d),
                     lambda d: layers.GlobalAveragePooling2D(dtype=d),
                     lambda d: layers.Dense(3, dtype=d))

    def sequence(kind: str) -> Any:
        def build(p: str) -> Any:
            return chain(p, (5, 3),
                         lambda d: layers.Masking(dtype=d),
                         lambda d: getattr(layers, kind)(4, return_sequences=True, dtype=d),
                         lambda d: layers.Bidirectional(
                             getattr(layers, kind)(3, dtype=d), dtype=d))
        return build

    def distributed(p: str) -> Any:
        return chain(p, (5, 3), lambda d: layers.TimeDistributed(
            layers.Dense(4, activation="tanh", dtype=d), dtype=d))

    def mixed_within(p: str) -> Any:
        return chain(p, (6,), lambda d: layers.Dense(5, dtype=d),
                     lambda d: layers.Dense(4, dtype="float32"),
                     lambda d: layers.Dense(3, dtype=d))

    def attention(p: str) -> Any:
        inputs = keras.Input((5, 6), name="x")
        y = layers.MultiHeadAttention(2, 3, dtype=p)(inputs, inputs)
        y = layers.Add(dtype=p)([inputs, y])
        return keras.Model(inputs, layers.Activation("linear", dtype="float32")(y))

    builders = {
        "dense": dense, "image": image, "lstm": sequence("LSTM"), "gru": sequence("GRU"),
        "simple": sequence("SimpleRNN"), "distributed": distributed, "within": mixed_within,
        "attention": attention,
    }  # fmt: skip
    def tolerant(build: Any, policy: str) -> Any:
        model = build(policy)
        step = STEPS.get(policy.removeprefix("mixed_"))
        # Attention is four products and a softmax in a row. Its float16 is itself 0.002 from its
        # float32 (measured in Keras), and either of two roundings may be so.
        model.tolerance = step and step * (2 if build is attention else 1)
        return model

    for name, build in builders.items():
        for policy in POLICIES:
            # No initializer of Keras makes a recurrent kernel in bfloat16.
            if policy != "bfloat16" or name not in ("lstm", "gru", "simple"):
                yield f"{name}_{policy}", lambda b=build, p=policy: tolerant(b, p)

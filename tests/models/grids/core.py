"""Dense, EinsumDense, Embedding, Masking, Identity and what wraps a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from grid import Model, alone

REFUSED = {"a Lambda layer holds code": "code is never executed"}
SHAPES: list[tuple[int | None, ...]] = [(4,), (3, 4), (None, 4), (2, 3, 4), (None, None, 4)]
EQUATIONS: list[tuple[str, Any, str | None, tuple[int | None, ...]]] = [
    ("ab,bc->ac", 5, "c", (4,)),
    ("ab,bc->ac", 5, None, (4,)),
    ("abc,cd->abd", (None, 5), "d", (None, 4)),
    ("...x,xy->...y", 5, "y", (3, 4)),
    ("...x,xy->...y", 5, None, (None, 3, 4)),
    ("abc,bc->ac", 4, "c", (3, 4)),
    ("abc,cde->abde", (3, 2, 5), "de", (3, 4)),
    ("abcd,cde->abe", (None, 5), "e", (None, 3, 4)),
    ("abc,cde->adbe", (2, None, 5), "de", (None, 4)),
    ("abc,cbd->abd", (3, 5), "bd", (3, 4)),
    ("ab...,bc->ac...", 5, "c", (4, 2, 3)),
    ("abc,bd->adc", (5, 4), "d", (3, 4)),
]


def models(keras: Any, major: int) -> Iterator[Model]:
    layers = keras.layers
    for shape in SHAPES:
        yield alone(keras, "Dense", shape, units=3)
    for config in ({"use_bias": False}, {"activation": "tanh"}, {"units": 1}):
        yield alone(keras, "Dense", (4,), **{"units": 3, **config})
        yield alone(keras, "Dense", (None, 4), **{"units": 3, **config})
    for k, (equation, output_shape, bias_axes, shape) in enumerate(EQUATIONS):
        yield f"EinsumDense_{k}", lambda e=equation, o=output_shape, b=bias_axes, s=shape: around(
            keras, s, layers.EinsumDense(e, o, bias_axes=b, activation="sigmoid")
        )
    for dtype in ("int32", "int64", "uint8", "float32"):
        yield f"Embedding_{dtype}", lambda dtype=dtype: indexed(
            keras, layers.Embedding(7, 3), dtype
        )
    yield "Embedding_scalar", lambda: indexed(keras, layers.Embedding(7, 3), "int32", ())
    yield "Embedding_matrix", lambda: indexed(keras, layers.Embedding(7, 3), "int32", (None, 4))
    yield "Embedding_masked", lambda: remembered(keras, layers.Embedding(7, 3, mask_zero=True))
    yield "Embedding_unmasked", lambda: remembered(keras, layers.Embedding(7, 3))
    yield "Masking_value", lambda: masked(keras, layers.Masking(2.0))
    yield "Masking_through", lambda: masked(
        keras, layers.Masking(), layers.Dense(3), layers.Activation("tanh"), layers.Dropout(0.5),
        layers.LeakyReLU(0.1), layers.SpatialDropout1D(0.1), layers.GaussianNoise(1.0),
        layers.LayerNormalization(), layers.BatchNormalization(), layers.PReLU(), layers.ReLU(),
        layers.ELU(), layers.ActivityRegularization(0.1),
    )  # fmt: skip
    for inner, shape in (
        (lambda: layers.Dense(3, activation="relu"), (4,)),
        (lambda: layers.Conv2D(3, 2, use_bias=False), (4, 5, 2)),
        (lambda: layers.EinsumDense("abc,cd->abd", (None, 3)), (5, 4)),
    ):
        for trainable in (True, False):
            yield f"Spectral_{len(shape)}_{trainable}", lambda i=inner, s=shape, t=trainable: (
                around(keras, s, layers.SpectralNormalization(i(), trainable=t))
            )
    yield "Spectral_Embedding", lambda: indexed(
        keras, layers.SpectralNormalization(layers.Embedding(7, 3)), "float32"
    )
    yield alone(keras, "Identity", (3, 4))
    yield "Lambda", lambda: around(keras, (4,), layers.Lambda(lambda x: x * 2))
    for name, config in (
        ("Dropout", {"rate": 0.5}), ("GaussianNoise", {"stddev": 0.5}),
        ("GaussianDropout", {"rate": 0.5}), ("AlphaDropout", {"rate": 0.5}),
        ("ActivityRegularization", {"l1": 0.1}),
    ):  # fmt: skip
        yield alone(keras, name, (3, 4), **config)
    for rank in (1, 2, 3):
        yield alone(keras, f"SpatialDropout{rank}D", (2, 3, 4, 5)[: rank + 1], rate=0.5)
    yield "trained_Dense_frozen", lambda: around(keras, (4,), layers.Dense(3, trainable=False))
    if major == 3:
        yield from newest(keras)


def newest(keras: Any) -> Iterator[Model]:
    layers = keras.layers
    yield "Embedding_negative", lambda: indexed(keras, layers.Embedding(7, 3), "int32", (5,), -7)
    for name, layer, shape in (
        ("Dense", lambda: layers.Dense(5, lora_rank=2), (4,)),
        ("Dense_bare", lambda: layers.Dense(5, lora_rank=2, use_bias=False), (3, 4)),
        ("Dense_alpha", lambda: layers.Dense(5, lora_rank=2, lora_alpha=5), (4,)),
        ("Einsum", lambda: layers.EinsumDense("abc,cde->abde", (3, 2, 5), bias_axes="de",
                                              lora_rank=2), (3, 4)),
        ("Conv", lambda: layers.Conv2D(4, 2, lora_rank=2), (4, 5, 3)),
    ):
        yield f"lora_{name}", lambda layer=layer, shape=shape: around(keras, shape, layer())
    yield "lora_Embedding", lambda: indexed(keras, layers.Embedding(7, 3, lora_rank=2), "int32")
    yield "Dense_of_integers", lambda: indexed(keras, layers.Dense(3), "int32", (5, 4))
    for tied in (True, False):
        for cap in (None, 3.0):
            yield f"Reversible_{tied}_{cap}", lambda tied=tied, cap=cap: reversible(
                keras, tie_weights=tied, logit_soft_cap=cap
            )
    yield "Reversible_masked", lambda: remembered(
        keras, layers.ReversibleEmbedding(7, 3, mask_zero=True)
    )


def around(keras: Any, shape: Any, layer: Any) -> Any:
    x = keras.Input(shape, name="x")
    return keras.Model(x, layer(x))


def indices(shape: Any, least: int = 0) -> Any:
    size = [3, *(6 if size is None else size for size in shape)]
    return np.random.default_rng(0).integers(least, 7, size)


def indexed(keras: Any, layer: Any, dtype: str, shape: Any = (5,), least: int = 0) -> Any:
    x = keras.Input(shape, name="x", dtype=dtype)
    model = keras.Model(x, layer(x))
    model.arrays = [indices(shape, least).astype(dtype)]
    return model


def remembered(keras: Any, layer: Any) -> Any:
    """A layer after it tells whether there is a mask."""
    x = keras.Input((6,), name="x", dtype="int32")
    model = keras.Model(x, keras.layers.LSTM(3, return_sequences=True)(layer(x)))
    array = indices((6,)).astype("int32")
    array[:, 3:] *= np.array([[0], [1], [1]], "int32")
    array[1, :2] = 0
    model.arrays = [array]
    return model


def masked(keras: Any, *layers: Any) -> Any:
    x = keras.Input((6, 4), name="x")
    y = x
    for layer in layers:
        y = layer(y)
    model = keras.Model(x, [keras.layers.GRU(3, return_sequences=True)(y), y])
    array = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
    array[0, 3:] = 0
    array[1, :2] = 2
    model.arrays = [array]
    return model


def reversible(keras: Any, **config: Any) -> Any:
    x = keras.Input((None,), name="x", dtype="int32")
    layer = keras.layers.ReversibleEmbedding(7, 3, **config)
    model = keras.Model(x, layer(keras.layers.Dense(3)(layer(x)), reverse=True))
    model.arrays = [indices((5,)).astype("int32")]
    return model

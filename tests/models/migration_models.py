"""Small models of tf_keras, nearly all of one layer: what users have as .h5 and .keras files.

Every class of ``tf_keras.layers`` that a file can hold, and every form of one that Keras 3 fails to
load. Imported by frameworks.py in a child.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

IMAGE, ROWS, FLAT, VOLUME = (8, 8, 3), (6, 4), (5,), (5, 6, 7, 2)
MOVIE = (4, 6, 6, 2)

Build = Callable[[], Any]


def simple(layers: Any) -> dict[str, tuple[Any, Any]]:
    """name -> (layer, shape or shapes): the layer is called on inputs of these shapes."""
    found: dict[str, tuple[Any, Any]] = {}

    def add(class_name: str, shape: Any, suffix: str = "", **config: Any) -> None:
        found[class_name + suffix] = (lambda: getattr(layers, class_name)(**config), shape)

    add("Dense", FLAT, units=3, activation="relu")
    add("Dense", FLAT, "_hard_sigmoid", units=3, activation="hard_sigmoid")
    add("Dense", FLAT, "_swish", units=3, activation="swish")
    add("EinsumDense", ROWS, equation="abc,cd->abd", output_shape=(None, 7), bias_axes="d")
    for function in ("hard_sigmoid", "gelu", "elu", "softmax", "mish"):
        add("Activation", FLAT, f"_{function}", activation=function)
    add("ActivityRegularization", FLAT, l2=0.1)
    add("Identity", FLAT)
    add("Flatten", IMAGE)
    add("Reshape", ROWS, target_shape=(3, -1))
    add("Permute", ROWS, dims=(2, 1))
    add("RepeatVector", FLAT, n=3)
    add("Masking", ROWS, mask_value=0.5)
    add("Conv1D", ROWS, filters=3, kernel_size=2, padding="causal")
    add("Conv2D", IMAGE, filters=3, kernel_size=3, strides=2, padding="same")
    add("Conv3D", VOLUME, filters=3, kernel_size=2)
    add("Conv1DTranspose", ROWS, filters=3, kernel_size=3, strides=2)
    add("Conv2DTranspose", IMAGE, filters=3, kernel_size=3, strides=2, padding="same")
    add("Conv3DTranspose", VOLUME, filters=2, kernel_size=2)
    add("DepthwiseConv1D", ROWS, kernel_size=3, depth_multiplier=2)
    add("DepthwiseConv2D", IMAGE, kernel_size=3, activation="hard_sigmoid")
    add("SeparableConv1D", ROWS, filters=3, kernel_size=3)
    add("SeparableConv2D", IMAGE, filters=3, kernel_size=3)
    add("LocallyConnected1D", ROWS, filters=3, kernel_size=2)
    add("LocallyConnected2D", IMAGE, filters=3, kernel_size=2)
    for kind in ("Max", "Average"):
        for rank, shape in enumerate((ROWS, IMAGE, VOLUME), 1):
            add(f"{kind}Pooling{rank}D", shape, pool_size=2)
            add(f"Global{kind}Pooling{rank}D", shape)
    for rank, shape in enumerate((ROWS, IMAGE, VOLUME), 1):
        add(f"Cropping{rank}D", shape, cropping=1)
        add(f"ZeroPadding{rank}D", shape, padding=1)
        add(f"UpSampling{rank}D", shape, size=2)
        add(f"SpatialDropout{rank}D", shape, rate=0.2)
    add("UpSampling2D", IMAGE, "_bilinear", interpolation="bilinear")
    add("Dropout", FLAT, rate=0.2)
    add("GaussianDropout", FLAT, rate=0.2)
    add("GaussianNoise", FLAT, stddev=0.2)
    add("AlphaDropout", FLAT, rate=0.2)
    add("BatchNormalization", IMAGE)
    add("LayerNormalization", ROWS)
    add("GroupNormalization", (8, 8, 4), groups=2)
    add("UnitNormalization", ROWS)
    found["SpectralNormalization"] = (
        lambda: layers.SpectralNormalization(layers.Dense(3)), FLAT
    )
    add("ReLU", FLAT, max_value=1.0, negative_slope=0.1)
    add("LeakyReLU", FLAT, alpha=0.2)
    add("PReLU", IMAGE, shared_axes=[1, 2])
    add("ELU", FLAT, alpha=0.7)
    add("ThresholdedReLU", FLAT, theta=0.5)
    add("Softmax", ROWS, axis=1)
    for merge in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
        add(merge, [FLAT, FLAT])
    add("Concatenate", [FLAT, (3,)], axis=-1)
    add("Dot", [ROWS, ROWS], axes=2)
    add("Attention", [ROWS, ROWS])
    add("Attention", [ROWS, ROWS], "_scaled", use_scale=True, score_mode="concat")
    add("AdditiveAttention", [ROWS, ROWS])
    add("MultiHeadAttention", [ROWS, ROWS], num_heads=2, key_dim=3)
    add("LSTM", ROWS, units=3)
    add("LSTM", ROWS, "_sequences", units=3, return_sequences=True, go_backwards=True)
    add("LSTM", ROWS, "_hard_sigmoid", units=3, recurrent_activation="hard_sigmoid")
    add("LSTM", ROWS, "_unrolled", units=3, unroll=True)
    add("GRU", ROWS, units=3)
    add("GRU", ROWS, "_v1", units=3, reset_after=False, recurrent_activation="hard_sigmoid")
    add("SimpleRNN", ROWS, units=3)
    add("SimpleRNN", ROWS, "_hard_sigmoid", units=3, activation="hard_sigmoid")
    for name in ("LSTM", "GRU", "SimpleRNN"):
        cell = getattr(layers, f"{name}Cell")
        found[f"RNN_{name}Cell"] = (lambda cell=cell: layers.RNN(cell(3)), ROWS)
    found["RNN_stacked"] = (
        lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_sequences=True), ROWS
    )
    found["RNN_hard_sigmoid"] = (
        lambda: layers.RNN([layers.LSTMCell(3, recurrent_activation="hard_sigmoid"),
                            layers.GRUCell(2, recurrent_activation="hard_sigmoid")]), ROWS
    )
    found["Bidirectional"] = (lambda: layers.Bidirectional(layers.LSTM(3)), ROWS)
    found["Bidirectional_hard_sigmoid"] = (
        lambda: layers.Bidirectional(
            layers.GRU(3, recurrent_activation="hard_sigmoid", return_sequences=True),
            merge_mode="sum"), ROWS
    )
    found["TimeDistributed"] = (lambda: layers.TimeDistributed(layers.Dense(3)), ROWS)
    found["TimeDistributed_hard_sigmoid"] = (
        lambda: layers.TimeDistributed(layers.Dense(3, activation="hard_sigmoid")), ROWS
    )
    found["TimeDistributed_Conv2D"] = (
        lambda: layers.TimeDistributed(layers.Conv2D(3, 2)), MOVIE
    )
    add("ConvLSTM1D", (4, 6, 2), filters=2, kernel_size=2)
    add("ConvLSTM2D", MOVIE, filters=2, kernel_size=2)
    add("ConvLSTM3D", (3, 4, 4, 4, 2), filters=2, kernel_size=2)
    add("Rescaling", IMAGE, scale=1 / 255, offset=-1.0)
    add("Resizing", IMAGE, height=5, width=4)
    add("CenterCrop", IMAGE, height=5, width=4)
    add("RandomCrop", IMAGE, height=5, width=4)
    for name, config in {
        "RandomFlip": {}, "RandomRotation": {"factor": 0.1}, "RandomContrast": {"factor": 0.1},
        "RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1},
        "RandomZoom": {"height_factor": 0.1}, "RandomBrightness": {"factor": 0.1},
    }.items():  # fmt: skip
        add(name, IMAGE, **config)
    add("Discretization", FLAT, bin_boundaries=[-0.5, 0.0, 0.5])
    add("Normalization", FLAT, mean=1.5, variance=2.0)
    return found


def models(keras: Any) -> Iterator[tuple[str, Build]]:
    layers = keras.layers
    for name, (layer, shapes) in simple(layers).items():
        rows = shapes if isinstance(shapes, list) else [shapes]

        def build(layer: Any = layer, rows: Any = rows) -> Any:
            inputs = [layers.Input(shape) for shape in rows]
            made = layer()
            attends = type(made).__name__ == "MultiHeadAttention"
            called = made(*inputs) if attends else made(inputs if len(rows) > 1 else inputs[0])
            return keras.Model(inputs, called)

        yield name, build
    for more in (embedding, integers, texts, trained, time_major, sequential, operators, slicing,
                 lambda_code, shared, nested, frozen_sequential, frozen_functional, compiled,
                 masked, twice_nested):  # fmt: skip
        yield from more(keras)


def embedding(keras: Any) -> Iterator[tuple[str, Build]]:
    def build(mask: bool = False) -> Any:
        tokens = keras.Input((6,), dtype="int32")
        x = keras.layers.Embedding(9, 4, input_length=6, mask_zero=mask)(tokens)
        model = keras.Model(tokens, keras.layers.LSTM(3)(x) if mask else x)
        model.arrays = [np.arange(18).reshape(3, 6).astype("int32") % 9]
        return model

    yield "Embedding", build
    yield "Embedding_masked", lambda: build(True)


def integers(keras: Any) -> Iterator[tuple[str, Build]]:
    for name, config in {
        "CategoryEncoding": {"num_tokens": 5, "output_mode": "multi_hot"},
        "Hashing": {"num_bins": 7},
        "IntegerLookup": {"vocabulary": [3, 1, 4]},
    }.items():

        def build(name: str = name, config: Any = config) -> Any:
            numbers = keras.Input((4,), dtype="int64")
            model = keras.Model(numbers, getattr(keras.layers, name)(**config)(numbers))
            model.arrays = [np.arange(12).reshape(3, 4).astype("int64") % 5]
            return model

        yield name, build

    def crossed() -> Any:
        numbers = [keras.Input((1,), dtype="int64") for _ in range(2)]
        model = keras.Model(numbers, keras.layers.HashedCrossing(9)(numbers))
        model.arrays = [np.arange(k, k + 3).reshape(3, 1).astype("int64") for k in range(2)]
        return model

    yield "HashedCrossing", crossed


def texts(keras: Any) -> Iterator[tuple[str, Build]]:
    for name, config in {
        "StringLookup": {"vocabulary": ["b", "a"]},
        "TextVectorization": {"vocabulary": ["b", "a"], "output_sequence_length": 3},
    }.items():

        def build(name: str = name, config: Any = config) -> Any:
            words = keras.Input((1,), dtype="string")
            model = keras.Model(words, getattr(keras.layers, name)(**config)(words))
            model.arrays = [np.array([["a"], ["b"], ["c"]], object)]
            return model

        yield name, build


def trained(keras: Any) -> Iterator[tuple[str, Build]]:
    def build() -> Any:
        layer = keras.layers.Normalization()
        layer.adapt(np.arange(20.0).reshape(4, 5))
        model = keras.Sequential([keras.Input((5,)), layer])
        model.trained = True
        return model

    yield "Normalization_adapted", build


def time_major(keras: Any) -> Iterator[tuple[str, Build]]:
    layers = keras.layers
    for name in ("LSTM", "GRU", "SimpleRNN"):
        for whole in (False, True):

            def build(name: str = name, whole: bool = whole) -> Any:
                steps = keras.Input((4, 3), batch_size=6)
                made = getattr(layers, name)(2, time_major=True, return_sequences=whole)
                model = keras.Model(steps, made(steps))
                model.arrays = [
                    np.random.default_rng(0).normal(size=(6, 4, 3)).astype("float32")
                ]
                return model

            yield f"{name}_time_major{'_sequences' if whole else ''}", build

    def both_ways() -> Any:
        steps = keras.Input((4, 3), batch_size=6)
        made = layers.Bidirectional(layers.LSTM(2, time_major=True, return_sequences=True))
        model = keras.Model(steps, made(steps))
        model.arrays = [np.random.default_rng(0).normal(size=(6, 4, 3)).astype("float32")]
        return model

    yield "Bidirectional_time_major", both_ways


def sequential(keras: Any) -> Iterator[tuple[str, Build]]:
    layers = keras.layers
    yield "Sequential", lambda: keras.Sequential([
        layers.Dense(4, activation="relu", input_shape=(5,)), layers.Dropout(0.5),
        layers.BatchNormalization(), layers.Dense(2, activation="softmax"),
    ])
    yield "Sequential_stacked_RNN", lambda: keras.Sequential([
        layers.LSTM(4, return_sequences=True, input_shape=ROWS), layers.LSTM(3), layers.Dense(1),
    ])


def operators(keras: Any) -> Iterator[tuple[str, Build]]:
    def build() -> Any:
        x = keras.Input(FLAT)
        return keras.Model(x, x * 2.0 + 1.0)

    yield "TFOpLambda", build


def slicing(keras: Any) -> Iterator[tuple[str, Build]]:
    def build() -> Any:
        x = keras.Input(ROWS)
        return keras.Model(x, x[:, 1:3])

    yield "SlicingOpLambda", build


def lambda_code(keras: Any) -> Iterator[tuple[str, Build]]:
    def build() -> Any:
        x = keras.Input(FLAT)
        return keras.Model(x, keras.layers.Lambda(lambda t: t * 2.0)(x))

    yield "Lambda", build


def shared(keras: Any) -> Iterator[tuple[str, Build]]:
    def build() -> Any:
        a, b = keras.Input(FLAT), keras.Input(FLAT)
        dense = keras.layers.Dense(3)
        return keras.Model([a, b], keras.layers.Concatenate()([dense(a), dense(b)]))

    yield "shared", build


def body(keras: Any, name: str) -> Any:
    return keras.Sequential([
        keras.layers.Dense(4, input_shape=FLAT, name=f"{name}_dense"),
        keras.layers.BatchNormalization(name=f"{name}_bn"),
        keras.layers.Dense(3, name=f"{name}_last"),
    ], name=name)  # fmt: skip


def nested(keras: Any) -> Iterator[tuple[str, Build]]:
    def build() -> Any:
        x = keras.Input(FLAT)
        return keras.Model(x, keras.layers.Dense(2)(body(keras, "inner")(x)))

    yield "nested", build


def frozen_sequential(keras: Any) -> Iterator[tuple[str, Build]]:
    def build() -> Any:
        inner = body(keras, "inner")
        inner.layers[0].trainable = False
        return keras.Sequential([keras.Input(FLAT), inner, keras.layers.Dense(2)])

    def whole() -> Any:
        inner = body(keras, "inner")
        inner.trainable = False
        return keras.Sequential([keras.Input(FLAT), inner, keras.layers.Dense(2)])

    yield "nested_frozen_layer", build
    yield "nested_frozen", whole


def frozen_functional(keras: Any) -> Iterator[tuple[str, Build]]:
    def build() -> Any:
        x, y = keras.Input(FLAT), keras.Input(FLAT)
        h = keras.layers.BatchNormalization(name="inner_bn")(y)
        inner = keras.Model(y, keras.layers.Dense(3, name="inner_dense")(h), name="inner")
        inner.layers[1].trainable = False
        return keras.Model(x, keras.layers.Dense(2)(inner(x)))

    yield "nested_frozen_functional", build


def compiled(keras: Any) -> Iterator[tuple[str, Build]]:
    for loss, optimizer, fit in (("mse", "adam", True), ("mae", "sgd", False),
                                 ("binary_crossentropy", "rmsprop", True)):

        def build(loss: str = loss, optimizer: str = optimizer, fit: bool = fit) -> Any:
            model = keras.Sequential([keras.layers.Dense(2, input_shape=FLAT),
                                      keras.layers.Dense(1, activation="sigmoid")])
            model.compile(optimizer, loss, metrics=["mse", "accuracy"])
            if fit:
                model.fit(np.ones((4, 5)), np.ones((4, 1)), verbose=0)
            return model

        yield f"compiled_{loss}", build


def masked(keras: Any) -> Iterator[tuple[str, Build]]:
    def build() -> Any:
        x = keras.Input(ROWS)
        h = keras.layers.Bidirectional(keras.layers.GRU(3, return_sequences=True))(
            keras.layers.Masking()(x))
        return keras.Model(x, keras.layers.TimeDistributed(keras.layers.Dense(2))(h))

    yield "masked", build


def twice_nested(keras: Any) -> Iterator[tuple[str, Build]]:
    def build() -> Any:
        outer = keras.Sequential([keras.Input(FLAT), body(keras, "deep"),
                                  keras.layers.Dense(4, name="outer_dense")], name="outer")
        outer.layers[0].layers[2].trainable = False
        x = keras.Input(FLAT)
        return keras.Model(x, keras.layers.Dense(2)(outer(x)))

    yield "nested_twice_frozen", build

"""Recurrent layers, alone and together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from grid import Model, alone

SEQUENCE = (5, 4)


def models(keras: Any, major: int) -> Iterator[Model]:
    layers = keras.layers
    for name in ("SimpleRNN", "LSTM", "GRU"):
        for config in (
            {}, {"return_sequences": True}, {"go_backwards": True, "return_sequences": True},
            {"use_bias": False}, {"unroll": True}, {"activation": "relu"},
            {"return_state": True, "return_sequences": True}, {"dropout": 0.3},
        ):  # fmt: skip
            yield alone(keras, name, SEQUENCE, units=3, **config)
        yield alone(keras, name, (None, 4), units=3, return_sequences=True)
        yield f"{name}_masked", lambda name=name: masked(keras, getattr(layers, name))
        yield f"{name}_masked_state", lambda name=name: masked_state(keras, getattr(layers, name))
        yield f"{name}_positional_state", lambda name=name: positional_state(
            keras, getattr(layers, name)
        )
        yield f"{name}_initial_state", lambda name=name: initial(keras, getattr(layers, name))
    for config in ({"reset_after": False}, {"reset_after": False, "use_bias": False}):
        yield alone(keras, "GRU", SEQUENCE, units=3, **config)
    for name in ("LSTM", "GRU"):
        yield alone(keras, name, SEQUENCE, units=3, recurrent_activation="hard_sigmoid")
    for name in ("SimpleRNN", "LSTM", "GRU"):
        for mode in ("concat", "sum", "mul", "ave", None):
            yield f"Bidirectional_{name}_{mode}", lambda name=name, mode=mode: around(
                keras, SEQUENCE,
                layers.Bidirectional(getattr(layers, name)(3, return_sequences=True), mode),
            )  # fmt: skip
    for config in ({}, {"return_state": True}, {"return_state": True, "return_sequences": True}):
        yield f"Bidirectional_{len(config)}", lambda config=config: around(
            keras, SEQUENCE, layers.Bidirectional(layers.LSTM(3, **config))
        )
    yield "Bidirectional_other", lambda: around(
        keras, SEQUENCE,
        layers.Bidirectional(
            layers.LSTM(3, return_sequences=True),
            backward_layer=layers.GRU(3, return_sequences=True, go_backwards=True),
        ),
    )  # fmt: skip
    yield "Bidirectional_masked", lambda: masked(
        keras, lambda units, **config: layers.Bidirectional(
            layers.GRU(units, return_sequences=config.get("return_sequences", False))
        ),
    )  # fmt: skip
    for name, shape, inner in (
        ("Dense", (5, 4), lambda: layers.Dense(3, activation="tanh")),
        ("Dense_any", (None, 4), lambda: layers.Dense(3)),
        ("Conv2D", (2, 6, 7, 3), lambda: layers.Conv2D(2, 3)),
        ("BatchNormalization", (5, 4), lambda: layers.BatchNormalization()),
        ("LSTM", (3, 5, 4), lambda: layers.LSTM(3)),
        ("Bidirectional", (3, 5, 4), lambda: layers.Bidirectional(layers.GRU(2))),
        ("Flatten", (3, 5, 4), lambda: layers.Flatten()),
    ):
        yield f"TimeDistributed_{name}", lambda shape=shape, inner=inner: around(
            keras, shape, layers.TimeDistributed(inner())
        )
    yield "TimeDistributed_masked", lambda: texts(keras)
    if major == 2:
        for name in ("LSTM", "GRU"):
            for config in ({}, {"return_sequences": True, "go_backwards": True}):
                yield f"CuDNN{name}_{len(config)}", lambda name=name, config=config: cudnn(
                    keras, name, lambda layer: layer, **config
                )
            yield f"Bidirectional_CuDNN{name}", lambda name=name: cudnn(
                keras, name, keras.layers.Bidirectional, return_sequences=True
            )
            yield f"TimeDistributed_CuDNN{name}", lambda name=name: cudnn(
                keras, name, keras.layers.TimeDistributed, (3, *SEQUENCE)
            )
    yield "stateful", lambda: stateful(keras)
    yield "RNN_stacked", lambda: around(
        keras, SEQUENCE,
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_sequences=True),
    )  # fmt: skip
    yield "RNN_state", lambda: around(
        keras, SEQUENCE, layers.RNN(layers.SimpleRNNCell(3, activation="relu"), return_state=True)
    )


def around(keras: Any, shape: Any, layer: Any) -> Any:
    x = keras.Input(shape, name="x")
    return keras.Model(x, layer(x))


def masked(keras: Any, layer: Any) -> Any:
    """Two ways to leave steps out: at the end and at the beginning."""
    x = keras.Input(SEQUENCE, name="x")
    seen = keras.layers.Masking()(x)
    ends = [layer(3, return_sequences=True)(seen), layer(2, go_backwards=True)(seen)]
    model = keras.Model(x, ends)
    array = np.random.default_rng(0).normal(size=(3, *SEQUENCE)).astype("float32")
    array[0, 3:] = 0
    array[1, :2] = 0
    model.arrays = [array]
    return model


def initial(keras: Any, layer: Any) -> Any:
    x, h = keras.Input(SEQUENCE, name="x"), keras.Input((3,), name="h")
    c = keras.Input((3,), name="c")
    states = [h, c] if layer is keras.layers.LSTM else [h]
    return keras.Model([x, *states], layer(3)(x, initial_state=states))


def masked_state(keras: Any, layer: Any) -> Any:
    """A mask and a state to start from; and what sees the output's mask."""
    x, h = keras.Input(SEQUENCE, name="x"), keras.Input((3,), name="h")
    states = [h, h] if layer is keras.layers.LSTM else h
    y = layer(3, return_sequences=True)(keras.layers.Masking()(x), initial_state=states)
    model = keras.Model([x, h], [y, keras.layers.GlobalAveragePooling1D()(y)])
    random = np.random.default_rng(0)
    array = random.normal(size=(3, *SEQUENCE)).astype("float32")
    array[0, 3:] = 0
    array[1, :2] = 0
    model.arrays = [array, random.normal(size=(3, 3)).astype("float32")]
    return model


def positional_state(keras: Any, layer: Any) -> Any:
    x, h = keras.Input(SEQUENCE, name="x"), keras.Input((3,), name="h")
    states = [h, h] if layer is keras.layers.LSTM else h
    return keras.Model([x, h], layer(3)(x, states))


def texts(keras: Any) -> Any:
    """Words in sentences in a text, with words and sentences left out."""
    layers = keras.layers
    x = keras.Input((3, 4), dtype="int32", name="x")
    words = layers.TimeDistributed(layers.Embedding(5, 3, mask_zero=True))(x)
    sentences = layers.TimeDistributed(layers.LSTM(2))(words)
    model = keras.Model(x, [sentences, layers.GRU(2)(sentences)])
    model.arrays = [np.random.default_rng(0).integers(0, 2, (3, 3, 4)).astype("int32")]
    model.arrays[0][0, 1:] = 0
    return model


def cudnn(keras: Any, name: str, wrap: Any, shape: Any = SEQUENCE, **config: Any) -> Any:
    """A layer that runs on a GPU only; Keras loads its weights into the plain one, which tells."""
    import importlib
    import tempfile

    module = importlib.import_module(f"tf_keras.src.layers.rnn.cudnn_{name.lower()}")
    model = around(keras, shape, wrap(getattr(module, f"CuDNN{name}")(3, name="r", **config)))
    more = {"reset_after": True} if name == "GRU" else {}
    plain = around(keras, shape, wrap(getattr(keras.layers, name)(3, name="r", **more, **config)))

    def twin(model: Any, inputs: list[Any]) -> list[Any]:
        with tempfile.TemporaryDirectory() as folder:
            model.save_weights(f"{folder}/w.h5")
            plain.load_weights(f"{folder}/w.h5")
        return [np.asarray(plain(inputs[0], training=False))]

    model.twin = twin
    return model


def stateful(keras: Any) -> Any:
    x = keras.Input(batch_shape=(3, *SEQUENCE), name="x")
    model = keras.Model(x, keras.layers.LSTM(3, stateful=True)(x))
    model.twin = fresh
    return model


def fresh(model: Any, inputs: list[Any]) -> list[Any]:
    """The first call's outputs: a graph starts from zeros every time."""
    return [np.asarray(model(inputs[0], training=False))]

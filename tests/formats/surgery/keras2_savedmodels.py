"""Run in a child by the oracle test: tf.keras models as .h5, and what modelfmt made SavedModels of.

    keras2_savedmodels.py make FOLDER    NAME.h5, and NAME.npz with inputs and outputs
    keras2_savedmodels.py load FOLDER    loads each SavedModel NAME in several ways, and trains it

Works with tf_keras, and with the tf.keras of older versions of TensorFlow where that is not there.
"""

from __future__ import annotations

import glob
import importlib
import importlib.util
import os
import sys
from typing import Any

LEGACY = importlib.util.find_spec("tf_keras") is not None
os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1",
    TF_USE_LEGACY_KERAS=str(int(LEGACY)),
)  # fmt: skip

import numpy as np  # noqa: E402  after the environment
import tensorflow as tf  # noqa: E402

keras: Any = importlib.import_module("tf_keras") if LEGACY else tf.keras
L = keras.layers


def sequential() -> Any:
    return keras.Sequential(
        [keras.Input((8, 8, 3), name="img"), L.ZeroPadding2D(1),
         L.Conv2D(4, 3, activation="relu", name="c1", kernel_regularizer="l2"),
         L.BatchNormalization(name="bn"), L.LeakyReLU(), L.PReLU(shared_axes=[1, 2]),
         L.MaxPooling2D(), L.Dropout(0.3), L.Conv2D(3, 2, use_bias=False, activation="swish"),
         L.AveragePooling2D(padding="same"), L.GlobalAveragePooling2D(), L.Reshape((3, 1)),
         L.Permute((2, 1)), L.Flatten(), L.Dense(5, activation="hard_sigmoid"), L.ELU(),
         L.Dense(3, activation="softmax", name="out")], name="line")


def deferred() -> Any:
    """A Sequential model without an InputLayer in its config."""
    return keras.Sequential([L.Dense(4, input_shape=(5,), name="a"), L.Dense(2, name="b")])


def normalised() -> Any:
    """BatchNorms without scale or center, and on another axis."""
    i = keras.Input((4, 6), name="x")
    x = L.BatchNormalization(scale=False, name="shifted")(i)
    x = L.BatchNormalization(center=False, axis=1, name="scaled")(x)
    return keras.Model(i, L.BatchNormalization(name="both")(x), name="normalised")


def branches() -> Any:
    """Several inputs and outputs, a shared layer, creation order unlike ``model.layers``."""
    late = L.Dense(4, name="late")
    a, b = keras.Input((5,), name="a"), keras.Input((5,), name="B-in")
    shared = L.Dense(6, activation="tanh", name="shared")
    x, y = shared(a), shared(b)
    z = L.Add(name="sum")([L.Dense(6, name="deep2")(L.Dense(7, name="deep1")(x)), y])
    side = L.Subtract(name="diff")([x, y])
    rest = [L.Multiply()([x, y]), L.Maximum()([x, y]), L.Minimum()([x, y]), L.Average()([x, y])]
    z = L.Concatenate(name="all")([z, *rest])
    return keras.Model([b, a], [L.Dense(2, name="z_out")(z), late(side), side], name="branches")


def tower(tag: str, frozen: bool) -> Any:
    seq = keras.Sequential(
        [keras.Input((8,), name=f"{tag}_in"), L.Dense(7, activation="relu", name=f"{tag}_d"),
         L.BatchNormalization(name=f"{tag}_bn"), L.Dense(6, name=f"{tag}_e")], name=tag)
    if frozen:
        seq.layers[0].trainable = False
    return seq


def nested(frozen: bool = False) -> Any:
    """Models in models, called more than once; one layer stays frozen."""
    deep, wide = tower("deep", frozen), tower("wide", False)
    m_in = keras.Input((8,), name="m_in")
    middle = keras.Model(m_in, L.Dense(5, name="md")(deep(m_in)), name="middle")
    left, right = keras.Input((8,), name="left"), keras.Input((8,), name="right")
    joined = L.Concatenate(name="both")([middle(left), middle(right), wide(left), wide(right)])
    return keras.Model([left, right], [L.Dense(3, name="top")(joined), middle(right)], name="nest")


def unused() -> Any:
    """An inner model with an output that nobody takes: its weights are in no graph."""
    i = keras.Input((4,), name="i")
    two = keras.Model(i, [L.Dense(3, name="taken")(i), L.Dense(2, name="left_out")(i)], name="two")
    x = keras.Input((4,), name="x")
    return keras.Model(x, L.Dense(2, name="last")(two(x)[0]), name="unused")


def same_names() -> Any:
    """The layers of two inner models are called the same."""
    def inner(name: str) -> Any:
        return keras.Sequential(
            [keras.Input((4,)), L.Dense(4, name="d"), L.BatchNormalization(name="n")], name=name)
    x = keras.Input((4,), name="x")
    return keras.Model(x, L.Add(name="sum")([inner("one")(x), inner("two")(x)]), name="same_names")


def keyword() -> Any:
    x = keras.Input((3,), name="in")
    return keras.Model(x, L.Dense(2, name="class")(x), name="for")


def no_weights() -> Any:
    x = keras.Input((3,), name="x")
    return keras.Model(x, L.Activation("relu", name="y")(x), name="no_weights")


def recurrent() -> Any:
    i = keras.Input((6, 4), name="seq")
    x = L.LSTM(5, return_sequences=True, name="lstm")(i)
    x = L.GRU(4, return_sequences=True, name="gru")(x)
    x = L.SimpleRNN(3, use_bias=False, name="simple")(x)
    return keras.Model(i, x, name="recurrent")


CASES = {
    "sequential": sequential, "deferred": deferred, "normalised": normalised,
    "branches": branches, "nested": nested, "frozen": lambda: nested(True), "unused": unused,
    "same_names": same_names, "keyword": keyword, "no_weights": no_weights,
    "recurrent": recurrent,
}  # fmt: skip


def listed(value: Any) -> list[Any]:
    return [np.asarray(v) for v in (value if isinstance(value, (list, tuple)) else [value])]


def make(folder: str) -> None:
    random = np.random.default_rng(7)
    for name, build in CASES.items():
        keras.backend.clear_session()
        model = build()
        model.set_weights([random.uniform(0.1, 0.9, w.shape) for w in model.get_weights()])
        inputs = [random.normal(size=(4, *t.shape[1:])).astype("float32") for t in model.inputs]
        outputs = listed(model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0))
        arrays = {f"w{k}": w for k, w in enumerate(model.get_weights())}
        arrays.update({f"x{k}": x for k, x in enumerate(inputs)})
        arrays.update({f"y{k}": y for k, y in enumerate(outputs)})
        arrays["names"] = np.array([layer.name for layer in model.layers])
        arrays["inputs"] = np.array(model.input_names)
        arrays["outputs"] = np.array(model.output_names)
        arrays["trained"] = np.array(len(model.trainable_weights))
        np.savez(os.path.join(folder, f"{name}.npz"), **arrays)
        model.save(os.path.join(folder, f"{name}.h5"))


def load(folder: str) -> None:
    for path in sorted(glob.glob(os.path.join(folder, "*.npz"))):
        name, data = os.path.basename(path)[:-4], dict(np.load(path))
        given = [data[f"x{k}"] for k in range(len(data["inputs"]))]
        wanted = [data[k] for k in sorted(data) if k.startswith("y")]
        try:
            judge(os.path.join(folder, name), data, given, wanted)
            print(f"CASE {name} good", flush=True)
        except Exception as error:  # the parent reports it
            print(f"CASE {name} {type(error).__name__}: {error}".replace("\n", " "), flush=True)


def judge(path: str, data: Any, given: list[Any], wanted: list[Any]) -> None:
    keras.backend.clear_session()
    x = given if len(given) > 1 else given[0]
    model = keras.models.load_model(path)
    assert type(model).__name__ in ("Sequential", "Functional", "Model"), type(model)
    assert [layer.name for layer in model.layers] == list(data["names"]), model.layers
    assert not any(type(layer).__module__.endswith("saved_model.load") for layer in model.layers)
    weights = model.get_weights()
    assert len(weights) == sum(key[0] == "w" for key in data)
    for k, weight in enumerate(weights):
        assert weight.tobytes() == data[f"w{k}"].tobytes(), f"weight {k}"
    assert len(model.trainable_weights) == data["trained"], model.trainable_weights
    close(listed(model.predict(x, verbose=0)), wanted, "predict")
    serve(path, data, given, wanted)
    if weights:
        train(model, x, wanted)


def serve(path: str, data: Any, given: list[Any], wanted: list[Any]) -> None:
    """The signatures, as TensorFlow 2 and 1 call them."""
    loaded = tf.saved_model.load(path)
    for key in ("serving_default", "serve"):
        function = loaded.signatures[key]
        named = dict(zip(data["inputs"], given))  # noqa: B905
        keys = {name: f"{name}_" if name == "in" else name for name in named}
        made = function(**{keys[n]: tf.constant(v) for n, v in named.items()})
        assert sorted(made) == sorted(data["outputs"]), made
        close([made[name].numpy() for name in data["outputs"]], wanted, key)
        if len(given) == 1:  # as keras.layers.TFSMLayer calls it
            made = function(tf.constant(given[0]))
            close([made[name].numpy() for name in data["outputs"]], wanted, f"{key}, no keyword")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], path)
        signature = graph.signature_def["serving_default"]
        feed = {signature.inputs[keys[n]].name: v for n, v in named.items()}
        made = session.run([signature.outputs[n].name for n in data["outputs"]], feed)
        close(made, wanted, "session")


def train(model: Any, x: Any, wanted: list[Any]) -> None:
    before = [w.numpy().copy() for w in model.trainable_weights]
    model.compile("sgd", "mse")
    targets = [np.zeros_like(y) for y in wanted]
    model.fit(x, targets if len(targets) > 1 else targets[0], verbose=0)
    moved = [
        bool((a != b.numpy()).any()) for a, b in zip(before, model.trainable_weights)  # noqa: B905
    ]
    assert sum(moved) >= 1, moved


def close(found: list[Any], wanted: list[Any], what: str) -> None:
    for a, b in zip(found, wanted):  # noqa: B905
        worst = float(np.abs(a - b).max())
        assert a.shape == b.shape and worst <= 1e-5, f"{what} differs by {worst}"


if __name__ == "__main__":
    {"make": make, "load": load}[sys.argv[1]](sys.argv[2])

"""Run in a child by the oracle tests: real Keras builds and saves, modelfmt rewrites, Keras loads.

    oracle_models.py 2|3 FOLDER        prints one line a case: name, kind, greatest difference
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import numpy as np

from modelfmt.keras.archive import KerasArchive, write_archive_model
from modelfmt.keras.h5 import KerasH5, write_h5
from modelfmt.network import Layer, Network

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
MAJOR = int(sys.argv[1])
os.environ["TF_USE_LEGACY_KERAS"] = str(int(MAJOR == 2))
keras: Any = importlib.import_module("tf_keras" if MAJOR == 2 else "keras")

L = keras.layers
STATISTICS = ("moving_mean", "moving_variance")


def sequential() -> Any:
    return keras.Sequential(
        [keras.Input((8, 8, 3), name="img"), L.Conv2D(4, 3, activation="relu", name="c1"),
         L.BatchNormalization(name="bn"), L.DepthwiseConv2D(3, name="dw"), L.LeakyReLU(name="lr"),
         L.Conv2DTranspose(3, 2, activation="swish", name="ct"),
         L.SpatialDropout2D(0.2, name="sd"), L.Flatten(), L.Dense(3, name="out")], name="line")


def branches() -> Any:
    """Several inputs and outputs, a shared layer, creation order unlike ``model.layers``."""
    late = L.Dense(4, name="late")
    a, b = keras.Input((5,), name="a"), keras.Input((5,), name="b")
    shared = L.Dense(6, activation="tanh", name="shared")
    x, y = shared(a), shared(b)
    z = L.Add(name="sum")([L.Dense(6, name="deep2")(L.Dense(7, name="deep1")(x)), y])
    side = L.Subtract(name="diff")([x, y])
    return keras.Model([b, a], [L.Dense(2, name="z_out")(z), late(side)], name="branches")


def tower(tag: str, frozen: bool) -> Any:
    seq = keras.Sequential(
        [keras.Input((8,), name=f"{tag}_in"), L.Dense(7, activation="relu", name=f"{tag}_d"),
         L.BatchNormalization(name=f"{tag}_bn"), L.Dense(6, name=f"{tag}_e")], name=tag)
    if frozen:
        seq.layers[0].trainable = False
    return seq


def nested(frozen: bool = False) -> Any:
    """Models in models, called more than once; a model is an output itself."""
    deep, wide = tower("deep", frozen), tower("wide", False)
    m_in = keras.Input((8,), name="m_in")
    middle = keras.Model(m_in, L.Dense(5, name="md")(deep(m_in)), name="middle")
    left, right = keras.Input((8,), name="left"), keras.Input((8,), name="right")
    joined = L.Concatenate(name="both")([middle(left), middle(right), wide(left), wide(right)])
    return keras.Model([left, right], [L.Dense(3, name="top")(joined), middle(right)], name="nest")


def recurrent() -> Any:
    i = keras.Input((6, 4), name="seq")
    x = L.Bidirectional(L.LSTM(5, return_sequences=True), name="bi")(i)
    x = L.GRU(4, return_sequences=True, name="gru")(x)
    x = L.TimeDistributed(L.Dense(6), name="td")(x)
    x = L.MultiHeadAttention(2, 3, name="mha")(x, x)
    return keras.Model(i, L.LSTM(3, name="lstm")(x), name="recurrent")


def operations() -> Any:
    """Operators on tensors: TFOpLambda in Keras 2, keras.ops in Keras 3."""
    i = keras.Input((6, 4), name="x")
    return keras.Model(i, L.Dense(2, name="d")((i * 2.0 + 1.0)[:, 1:, ::2] - i[:, :-1, :2]),
                       name="operations")


class Scale(keras.layers.Layer):  # type: ignore[misc, name-defined]
    """A custom layer: y = x * s."""

    def __init__(self, start: float = 1.0, **more: Any) -> None:
        super().__init__(**more)
        self.start = start

    def build(self, shape: Any) -> None:
        self.s = self.add_weight(name="s", shape=(shape[-1],), initializer="ones")
        super().build(shape)

    def call(self, x: Any) -> Any:
        return x * self.s

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "start": self.start}


def custom() -> Any:
    i = keras.Input((4,), name="x")
    return keras.Model(i, L.Dense(2, name="d")(Scale(name="scale")(i)), name="custom")


CASES = {"sequential": sequential, "branches": branches, "nested": nested,
         "frozen": lambda: nested(True), "recurrent": recurrent,
         "custom": custom, "operations": operations}


def bound(network: Network) -> Network:
    """What modelfmt.layers.bind does, by names alone: enough for the models above."""
    by_leaf: dict[str, Layer] = {}
    for layer in network.walk():
        by_leaf.setdefault(layer.name, layer)
    for layer in list(network.layers):
        if layer.network is not None and any(":" in k or "/" in k for k in layer.weights):
            flat, layer.weights = layer.weights, {}
            for name, tensor in flat.items():
                *_, owner, weight = name.split(":")[0].split("/")
                by_leaf[owner].weights[weight] = tensor
    for layer in network.walk():
        if layer.network is None and not all("vars/" in n for n in layer.weights):
            names = [n.split(":")[0] for n in layer.weights]
            short = [n.rsplit("/", 1)[-1] for n in names]
            keys = short if len(set(short)) == len(short) else names
            order = {"gamma": 0, "beta": 1, "moving_mean": 2, "moving_variance": 3}
            rows = sorted(zip(keys, layer.weights.values(), strict=True),
                          key=lambda r: order.get(r[0], 0))
            layer.weights = dict(rows)
            layer.non_trainable = tuple(k for k in keys if k in STATISTICS)
        elif layer.class_name == "BatchNormalization" and "vars/0" in layer.weights:
            layer.weights = dict(zip(("gamma", "beta", *STATISTICS), layer.weights.values(),
                                     strict=True))
            layer.non_trainable = STATISTICS
    return network


def run(folder: str) -> None:
    random = np.random.default_rng(7)
    for name, build in CASES.items():
        keras.utils.set_random_seed(3)
        model = build()
        model.set_weights([random.uniform(0.1, 0.9, w.shape).astype(w.dtype)
                           for w in model.get_weights()])
        inputs = [random.normal(size=(4, *t.shape[1:])).astype("float32") for t in model.inputs]
        wanted = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
        sources = [f"{folder}/{name}.h5"] + ([f"{folder}/{name}.keras"] if MAJOR == 3 else [])
        for source in sources:
            model.save(source)
            container = KerasH5(source) if source.endswith(".h5") else KerasArchive(source)
            network = bound(container.network)
            for kind in ("h5", "keras") if MAJOR == 3 else ("h5",):
                target = f"{source}.out.{kind}"
                if kind == "h5":
                    write_h5(network, target, major=MAJOR)
                else:
                    write_archive_model(network, target)
                again = keras.models.load_model(
                    target, compile=False, custom_objects={"Scale": Scale})
                assert [x.name for x in again.layers] == [x.name for x in model.layers]
                got = again.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
                pairs = zip(wanted, got, strict=True) if isinstance(wanted, list) else [
                    (wanted, got)]
                worst = max(float(np.abs(w - g).max()) for w, g in pairs)
                print(f"{name} {source.rsplit('.', 1)[1]}->{kind} {worst:.3g}", flush=True)


if __name__ == "__main__":
    run(sys.argv[2])

"""Run in a child by test_stated: tf_keras saves models; either Keras loads what we made of them.

    oracle_stated.py 2 make FOLDER       NAME.saved, NAME.h5, NAME.npz (inputs by name, outputs)
    oracle_stated.py 2|3 judge FOLDER    NAME.saved.MAJOR.KIND -> the same with .json: the error
                                         relative to the largest output, and whether the layers'
                                         names and the weights' bytes are the same
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
MAJOR = int(sys.argv[1])
os.environ["TF_USE_LEGACY_KERAS"] = str(int(MAJOR == 2))
keras: Any = importlib.import_module("tf_keras" if MAJOR == 2 else "keras")
L = keras.layers


def sequential() -> Any:
    return keras.Sequential(
        [keras.Input((8, 8, 3), name="img"), L.Conv2D(4, 3, activation="relu", name="c1"),
         L.BatchNormalization(name="bn"), L.Flatten(name="flat"), L.Dense(3, name="out")],
        name="line")


def branches() -> Any:
    """Inputs and outputs in another order than their names', a shared layer, one output twice."""
    a, b = keras.Input((5,), name="a"), keras.Input((5,), name="b")
    shared = L.Dense(6, activation="tanh", name="shared")
    x, y = shared(a), shared(b)
    z = L.Add(name="sum")([L.Dense(6, name="deep")(x), y])
    return keras.Model([b, a], [L.Dense(2, name="z_out")(z), L.Subtract(name="diff")([x, y]), y],
                       name="branches")


def nested(frozen: bool = False) -> Any:
    deep = keras.Sequential(
        [keras.Input((8,)), L.Dense(7, activation="relu", name="d"),
         L.BatchNormalization(name="bn"), L.Dense(6, name="e")], name="deep")
    deep.layers[0].trainable = not frozen
    m_in = keras.Input((8,), name="m_in")
    middle = keras.Model(m_in, L.Dense(5, name="md")(deep(m_in)), name="middle")
    left, right = keras.Input((8,), name="left"), keras.Input((8,), name="right")
    both = L.Concatenate(name="both")([middle(left), middle(right)])
    return keras.Model([left, right], [L.Dense(3, name="top")(both), middle(right)], name="nest")


def recurrent() -> Any:
    i = keras.Input((6, 4), name="seq")
    x = L.Bidirectional(L.LSTM(5, return_sequences=True), name="bi")(i)
    x = L.GRU(4, return_sequences=True, name="gru")(x)
    x = L.TimeDistributed(L.Dense(6), name="td")(x)
    cells = [L.LSTMCell(3, name="c1"), L.GRUCell(2, name="c2")]
    x = L.RNN(cells, return_sequences=True, name="rnn")(x)
    return keras.Model(i, L.LSTM(3, name="lstm")(x), name="recurrent")


def attention() -> Any:
    i = keras.Input((6, 4), name="seq")
    x = L.MultiHeadAttention(2, 3, name="mha")(i, i)
    x = L.LayerNormalization(name="ln")(L.Add(name="add")([x, i]))
    return keras.Model(i, L.Dense(2, name="out")(x), name="attention")


def embedding() -> Any:
    i = keras.Input((6,), dtype="int32", name="tokens")
    x = L.GlobalAveragePooling1D(name="gap")(L.Embedding(11, 4, name="emb")(i))
    return keras.Model(i, L.Dense(2, name="out")(x), name="embedding")


CASES = {"sequential": sequential, "branches": branches, "nested": nested,
         "frozen": lambda: nested(True), "recurrent": recurrent, "attention": attention,
         "embedding": embedding}


def outputs(model: Any, inputs: list[Any]) -> list[Any]:
    made = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    return made if isinstance(made, list) else [made]


def digests(model: Any) -> list[str]:
    return sorted(hashlib.sha256(w.tobytes()).hexdigest() for w in model.get_weights())


def make(folder: Path) -> None:
    random = np.random.default_rng(7)
    for name, build in CASES.items():
        model = build()
        model.set_weights([random.uniform(0.1, 0.9, w.shape).astype(w.dtype)
                           for w in model.get_weights()])
        inputs = [random.integers(0, 11, (4, *t.shape[1:])).astype("int32")
                  if t.dtype == "int32" else random.normal(size=(4, *t.shape[1:])).astype("f4")
                  for t in model.inputs]
        model.save(folder / f"{name}.saved", save_format="tf")
        model.save(folder / f"{name}.h5")
        arrays = {f"in_{k}": v for k, v in enumerate(inputs)}
        arrays |= {f"out_{k}": v for k, v in enumerate(outputs(model, inputs))}
        np.savez(folder / f"{name}.npz", **arrays)
        said = {"layers": [x.name for x in model.layers], "weights": digests(model)}
        (folder / f"{name}.json").write_text(json.dumps(said))


def judge(folder: Path) -> None:
    for path in sorted(folder.glob(f"*.saved.{MAJOR}.*")):
        if path.suffix not in (".h5", ".keras"):
            continue
        name = path.name.split(".")[0]
        arrays, said = np.load(folder / f"{name}.npz"), json.loads(
            (folder / f"{name}.json").read_text())
        model = keras.models.load_model(path, compile=False)
        got = outputs(model, [arrays[k] for k in arrays if k.startswith("in_")])
        wanted = [arrays[k] for k in arrays if k.startswith("out_")]
        error = max(float(np.abs(w - g).max() / np.abs(w).max())
                    for w, g in zip(wanted, got, strict=True))
        layers = [x.name for x in model.layers]
        (folder / f"{path.name}.json").write_text(json.dumps(
            {"error": error, "names": layers == said["layers"],
             "weights": digests(model) == said["weights"]}))


if __name__ == "__main__":
    {"make": make, "judge": judge}[sys.argv[2]](Path(sys.argv[3]))

"""The optimizer carried from file to file, and trained further with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt.surgery.convert import convert

GOLDEN = Path(__file__).parents[3] / "golden"
CNN = GOLDEN / "keras-h5" / "tfkeras-tf2.3.4-cnn" / "model.h5"  # RMSprop
NESTED = GOLDEN / "keras-h5" / "tfkeras-tf2.15.1-nested" / "model.h5"


def state(path: Path) -> list[Any]:
    with modelfmt.open(path) as model:
        found: Any = model
        return [tensor.numpy() for tensor in found.optimizer.values()]


def test_from_keras_2_to_3_and_back(tmp_path: Path) -> None:
    done = convert(CNN, tmp_path / "new.keras")
    assert done.notes == ()
    convert(tmp_path / "new.keras", tmp_path / "old.h5", keras=2)
    before, after = state(CNN), state(tmp_path / "old.h5")
    assert len(before) == len(after) == 16
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    with h5py.File(CNN) as a, h5py.File(tmp_path / "old.h5") as b:
        stated = [json.loads(f.attrs["training_config"]) for f in (a, b)]
    assert stated[0]["loss"] == stated[1]["loss"]
    for key, value in stated[1]["optimizer_config"]["config"].items():
        assert stated[0]["optimizer_config"]["config"][key] == value


def test_keras_3_cannot_use_state_from_an_h5(tmp_path: Path) -> None:
    done = convert(CNN, tmp_path / "new.h5")
    assert done.notes == ("the optimizer's state is left out: Keras 3 cannot use it from an .h5",)
    with modelfmt.open(tmp_path / "new.h5") as model:
        found: Any = model
        assert found.training_config["optimizer_config"]["class_name"] == "RMSprop"
        assert not found.optimizer


def test_stripped(tmp_path: Path) -> None:
    assert convert(CNN, tmp_path / "new.keras", strip=["optimizer"]).notes == ()
    with modelfmt.open(tmp_path / "new.keras") as model:
        found: Any = model
        assert found.training_config is None and not found.optimizer
    with pytest.raises(modelfmt.ModelFormatError, match="nothing to strip"):
        convert(CNN, tmp_path / "other.keras", strip=["weights"])


def test_where_there_is_no_place_for_it(tmp_path: Path) -> None:
    done = convert(CNN, tmp_path / "w.weights.h5")
    assert done.notes == ("a keras-weights file has no place for the optimizer",)
    assert convert(CNN, tmp_path / "g.pb").notes == ()


SCRIPT = """
import os, sys, json
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1")
import importlib, numpy as np, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)  # sums in one order
tf.config.experimental.enable_op_determinism()
tf.keras.utils.set_random_seed(7)
keras = importlib.import_module(sys.argv[1])
x, y = np.linspace(-1, 1, 40).reshape(8, 5), np.linspace(0, 1, 8).reshape(8, 1)
if sys.argv[2] == "make":
    for name, optimizer in {"adam": "adam", "sgd": keras.optimizers.SGD(0.1, momentum=0.9),
                            "rms": "rmsprop", "ada": "adagrad"}.items():
        model = keras.Sequential([keras.layers.Dense(3, input_shape=(5,)), keras.layers.Dense(1)])
        model.compile(optimizer, "mse", metrics=["mae"])
        model.fit(x, y, epochs=2, verbose=0, shuffle=False)
        model.save(f"{sys.argv[3]}/{name}.h5")
        model.fit(x, y, epochs=2, verbose=0, shuffle=False)
        np.savez(f"{sys.argv[3]}/{name}.npz", *model.get_weights())
else:
    worst = {}
    for path in sys.argv[3:]:
        model = keras.models.load_model(path)
        model.fit(x, y, epochs=2, verbose=0, shuffle=False)
        with np.load(path.rsplit(".", 2)[0] + ".npz") as wanted:
            pairs = zip(model.get_weights(), wanted.values(), strict=True)
            worst[path] = max(float(np.abs(a - b).max()) for a, b in pairs)
    print(json.dumps(worst))
"""


@pytest.mark.oracle
def test_training_goes_on(tmp_path: Path) -> None:
    """Two epochs by tf_keras, two more by each: the same weights."""

    def run(*arguments: str) -> str:
        done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments],
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    run("tf_keras", "make", str(tmp_path))
    made: dict[str, list[str]] = {"tf_keras": [], "keras": []}
    for name in ("adam", "sgd", "rms", "ada"):
        convert(tmp_path / f"{name}.h5", tmp_path / f"{name}.3.keras")
        convert(tmp_path / f"{name}.3.keras", tmp_path / f"{name}.2.h5", keras=2)
        made["keras"].append(str(tmp_path / f"{name}.3.keras"))
        made["tf_keras"].append(str(tmp_path / f"{name}.2.h5"))
    for keras, paths in made.items():
        found = json.loads(run(keras, "go on", *paths).splitlines()[-1])
        assert len(found) == 4 and max(found.values()) < 1e-6, found

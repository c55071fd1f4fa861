"""Run in a child process: a framework loads weights that modelfmt wrote into models that it builds.

    weights_models.py MAJOR FOLDER NAME...    MAJOR 2: tf_keras, 3: Keras 3

FOLDER has

    NAME.config.h5 (.keras for Keras 3)  the model that is built, and given other weights
    NAME.weights.h5, NAME.layers.h5      weights alone, in the tree and in the layer_names layout
    NAME.ckpt                            an object-based checkpoint

Prints, as JSON, for each NAME and way of loading the largest difference from the weights that the
model has in its file, or what was raised.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

MAJOR, FOLDER = int(sys.argv[1]), sys.argv[2]
os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1",
    TF_USE_LEGACY_KERAS=str(int(MAJOR == 2)), KERAS_BACKEND="tensorflow",
)

import importlib  # noqa: E402  after the environment

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

keras: Any = importlib.import_module("tf_keras" if MAJOR == 2 else "keras")


def built(name: str) -> tuple[Any, list[Any]]:
    """The model with all weights changed, and what they were."""
    ending = "h5" if MAJOR == 2 else "keras"
    model = keras.models.load_model(f"{FOLDER}/{name}.config.{ending}", compile=False)
    before = model.get_weights()
    for weight in model.weights:
        weight.assign(np.full_like(weight.numpy(), 0.25))
    return model, before


def load_tree(model: Any, name: str) -> None:
    model.load_weights(f"{FOLDER}/{name}.weights.h5")


def load_layers(model: Any, name: str) -> None:
    model.load_weights(f"{FOLDER}/{name}.layers.h5")


def load_checkpoint(model: Any, name: str) -> None:
    model.load_weights(f"{FOLDER}/{name}.ckpt").assert_existing_objects_matched()


def restore(model: Any, name: str) -> None:
    status = tf.train.Checkpoint(model=model).restore(f"{FOLDER}/{name}.ckpt")
    if MAJOR == 2:
        status.assert_consumed()
    else:
        status.assert_nontrivial_match()


WAYS: dict[int, Any] = {2: (load_tree, load_layers, load_checkpoint, restore),
        3: (load_tree, load_layers, restore)}  # fmt: skip


def difference(found: list[Any], wanted: list[Any]) -> float:
    pairs = zip(found, wanted, strict=True)
    return max(float(np.abs(f.astype("f8") - w.astype("f8")).max(initial=0)) for f, w in pairs)


results: dict[str, dict[str, Any]] = {}
for name in sys.argv[3:]:
    results[name] = {}
    for way in WAYS[MAJOR]:
        try:
            model, before = built(name)
            way(model, name)
            results[name][way.__name__] = difference(model.get_weights(), before)
        except Exception as raised:
            text = str(raised).strip().splitlines() or [""]
            results[name][way.__name__] = f"{type(raised).__name__}: {text[0][:300]}"
print(json.dumps(results))

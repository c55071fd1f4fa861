"""verify's child process: one model file, run in TensorFlow or Keras.

The only module that imports them, and only here, in a process of its own: Keras 2 and Keras 3 do
not share one, and a crash of theirs is no crash of ours. A task is one JSON document:

    {"path", "kind", "legacy": Keras 2, "inputs": .npz, "outputs": .npz, "layers": each layer's too,
     "feed": tensors by input name, "fetch": [[name, tensor]], "signature": key or null}
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Arrays = dict[str, npt.NDArray[Any]]

#: Before a layer's name, among the outputs: what the layer yields.
LAYER = "layer:"


def run(task: Mapping[str, Any]) -> None:
    """Load the file, feed it, store what it yields."""
    import numpy as np

    with np.load(task["inputs"], allow_pickle=False) as stored:
        feeds = {name: stored[name] for name in stored.files}
    np.savez(task["outputs"], allow_pickle=False, **_RUNNERS[task["kind"]](task, feeds))


def _graphdef(task: Mapping[str, Any], feeds: Arrays) -> Arrays:
    import tensorflow as tf

    definition = tf.compat.v1.GraphDef()
    with open(task["path"], "rb") as file:
        data = file.read()
    if task["path"].endswith(".pbtxt"):
        from google.protobuf import text_format

        text_format.Parse(data.decode(), definition)
    else:
        definition.ParseFromString(data)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return _fetched(session, task, feeds)


def _metagraph(task: Mapping[str, Any], feeds: Arrays) -> Arrays:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        saver = tf.compat.v1.train.import_meta_graph(task["path"], clear_devices=True)
        if saver is not None:
            saver.restore(session, task["path"].removesuffix(".meta"))
        session.run(tf.compat.v1.tables_initializer())
        return _fetched(session, task, feeds)


def _fetched(session: Any, task: Mapping[str, Any], feeds: Arrays) -> Arrays:
    fed = {_tensor(task["feed"][name]): array for name, array in feeds.items()}
    names = [name for name, _ in task["fetch"]]
    got = session.run([_tensor(tensor) for _, tensor in task["fetch"]], fed)
    return dict(zip(names, got, strict=True))


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def _savedmodel(task: Mapping[str, Any], feeds: Arrays) -> Arrays:
    import tensorflow as tf

    signatures = tf.saved_model.load(task["path"]).signatures
    call = signatures[task["signature"]]
    got = call(**{name: tf.constant(array) for name, array in feeds.items()})
    return {name: got[name].numpy() for name, _ in task["fetch"]}


def _keras(task: Mapping[str, Any], feeds: Arrays) -> Arrays:
    import numpy as np

    if task["legacy"]:
        import tf_keras as keras
    else:
        import keras
    for path in task["custom"]:
        with open(path) as file:
            exec(compile(file.read(), path, "exec"), {"keras": keras})  # the user's own
    model = keras.models.load_model(task["path"], compile=False)
    arguments: Any = [feeds[name] for name in feeds]
    arguments = arguments[0] if len(arguments) == 1 else arguments
    got = _flat(model(arguments, training=False))
    names = [name for name, _ in task["fetch"]]
    found = {name: np.asarray(value) for name, value in zip(names, got, strict=True)}
    if task["layers"]:
        yields = {layer.name: layer.output for layer in model.layers if _has_output(layer)}
        inner = keras.Model(model.inputs, list(yields.values()))
        for name, value in zip(yields, inner(arguments, training=False), strict=True):
            found |= {f"{LAYER}{name}:{k}": np.asarray(v) for k, v in enumerate(_flat(value))}
    return found


def _has_output(layer: Any) -> bool:
    try:
        return layer.output is not None
    except (AttributeError, ValueError, RuntimeError):  # never called, or called several times
        return False


def _flat(value: Any) -> list[Any]:
    values = value.values() if isinstance(value, dict) else value
    return list(values) if isinstance(value, list | tuple | dict) else [value]


_RUNNERS: dict[str, Callable[[Mapping[str, Any], Any], Any]] = {
    "graphdef": _graphdef, "metagraph": _metagraph, "savedmodel": _savedmodel,
    "keras-h5": _keras, "keras": _keras,
}  # fmt: skip

if __name__ == "__main__":
    run(json.loads(sys.argv[1]))

"""Run in a child process: one genuine framework makes models, or judges what modelfmt made.

    frameworks.py MAJOR TASK.json      MAJOR 2: tf_keras, 3: Keras 3; results go to TASK.json.out

    {"make": MODULE, "arguments": {...}, "folder": F}
        MODULE.models(keras, **arguments) yields (name, builder); several modules have spaces
        between them, and "some": N takes at most so many models of each. For each, F holds NAME.h5,
        NAME.keras (of tf_keras only with "archive": true), NAME.pb (frozen by TensorFlow) and
        NAME.npz (inputs by name, outputs as out_0, out_1, ...); the result says the rest. With
        "freeze": false there are no NAME.pb. Attributes of a model: ``twin`` computes the outputs
        of one that cannot run here, which has no NAME.pb; ``archive_only`` says that Keras cannot
        save it as .h5; ``arrays`` are the inputs, where random numbers make no sense; ``trained``
        says that its weights mean something and stay as they are; ``tolerance`` is for models
        that compute in half precision.
    {"judge": [{"path", "kind", "arrays", "fetch", "inputs", "compile"}, ...]}
        Runs each file on the arrays' inputs; the result has the error relative to the largest
        output, and the digests of the weights that the framework loaded. With "compile": true it
        is loaded to be trained further.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import sys
import traceback
from typing import Any

MAJOR = int(sys.argv[1])
os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1",
    TF_USE_LEGACY_KERAS=str(int(MAJOR == 2)), KERAS_BACKEND="tensorflow",
)

import numpy as np  # noqa: E402  after the environment
import tensorflow as tf  # noqa: E402
from tensorflow.python.framework.convert_to_constants import (  # noqa: E402
    convert_variables_to_constants_v2,
)

keras: Any = importlib.import_module("tf_keras" if MAJOR == 2 else "keras")


def leaves(model: Any) -> list[Any]:
    """All layers that are no models, nested ones in their place, shared ones once."""
    found: list[Any] = []
    for layer in model.layers:
        inner = leaves(layer) if isinstance(layer, keras.Model) else [layer]
        found += [each for each in inner if all(each is not other for other in found)]
    return found


def randomise(model: Any, random: Any) -> None:
    """Give every weight random values; variances positive ones."""
    for weight in model.weights:
        if "float" not in str(weight.dtype):
            continue
        value = random.normal(0.0, 0.5, weight.shape)
        if "variance" in weight.name:
            value = random.uniform(0.3, 2.0, weight.shape)
        weight.assign(value.astype("float32"))


def run(model: Any, inputs: list[Any]) -> list[Any]:
    """The outputs of a model as a list of arrays."""
    made = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return [np.asarray(each) for each in tf.nest.flatten(made)]


def freeze(model: Any, names: list[str], lower: bool = True) -> Any:
    """The frozen GraphDef of a model, made as users make it, with an unknown batch."""
    specs = [
        tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype, name=name)
        for tensor, name in zip(model.inputs, names, strict=True)
    ]
    function = tf.function(
        lambda *x: model(list(x) if len(x) > 1 else x[0], training=False)
    ).get_concrete_function(*specs)
    made = convert_variables_to_constants_v2(function, lower_control_flow=lower)
    return made.graph.as_graph_def()


def needed_constants(frozen: Any) -> set[str]:
    """The digests of the Consts that the outputs depend on."""
    nodes = {node.name: node for node in frozen.node}
    todo = [name for name in nodes if name.split("_")[0] == "Identity" and "/" not in name]
    needed: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += [i.split(":")[0] for i in nodes[name].input if not i.startswith("^")]
    return {digest(tf.make_ndarray(nodes[name].attr["value"].tensor))
            for name in needed if nodes[name].op == "Const"}


def leaves_a_node(layer: Any) -> bool:
    if getattr(layer, "activation", None) is keras.activations.linear:
        return type(layer).__name__ != "Activation"
    return type(layer).__name__ not in ("InputLayer", "Dropout", "SpatialDropout2D")


def classes(config: Any) -> set[str]:
    """The class names that a config states, of layers within layers too."""
    if isinstance(config, dict):
        found = {config["class_name"]} if isinstance(config.get("class_name"), str) else set()
        return found.union(*map(classes, config.values()))
    return set().union(*map(classes, config)) if isinstance(config, list | tuple) else set()


def input_names(model: Any) -> list[str]:
    """The names of the input layers; Keras 3 gives the tensors other ones."""
    return [tensor._keras_history[0].name for tensor in model.inputs]


def is_count(weight: Any) -> bool:
    """Whether a weight is one whole number, as is kept while a layer is adapted to data."""
    return not weight.shape and weight.dtype.kind in "iu"


def digest(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def make(
    name: str, model: Any, folder: str, freezes: bool = True, archived: bool = False,
    lower: bool = True,
) -> dict[str, Any]:
    random = np.random.default_rng(list(name.encode()))
    if not getattr(model, "trained", False):
        randomise(model, random)
    names = input_names(model)
    inputs = getattr(model, "arrays", None) or [
        random.normal(size=[3 if k == 0 else size or 6 for k, size in enumerate(tensor.shape)])
        .astype("float32")
        for tensor in model.inputs
    ]
    twin = getattr(model, "twin", None)
    outputs = twin(model, inputs) if twin else run(model, inputs)
    outputs = [each.astype("S") if each.dtype == object else each for each in outputs]
    arrays = {key.replace("/", "|"): value for key, value in zip(names, inputs, strict=True)}
    arrays = {k: v.astype("S") if v.dtype == object else v for k, v in arrays.items()}
    arrays.update({f"out_{k}": array for k, array in enumerate(outputs)})
    np.savez(f"{folder}/{name}.npz", **arrays)
    constants: set[str] = set()
    if twin is None and freezes:
        frozen = freeze(model, names, lower)
        with open(f"{folder}/{name}.pb", "wb") as file:
            file.write(frozen.SerializeToString())
        constants = needed_constants(frozen)
    kinds = ["h5", "keras"] if MAJOR == 3 or archived else ["h5"]
    if getattr(model, "archive_only", False):
        kinds = ["keras"]
    for kind in kinds:
        model.save(f"{folder}/{name}.{kind}")
    shown = io.StringIO()
    model.summary(expand_nested=True, print_fn=lambda line, **_: shown.write(line + "\n"))
    return {
        "inputs": names,
        "outputs": len(outputs),
        "frozen": twin is None and freezes,
        "tolerance": getattr(model, "tolerance", None),
        # What no output needs is not in a frozen graph.
        "weights": sorted(
            digest(w) for w in model.get_weights() if not is_count(w) and digest(w) in constants
        ),
        "summary": shown.getvalue(),
        "classes": sorted(classes(model.get_config())),
        "kinds": kinds,
        "layers": [
            [type(layer).__name__, layer.name, [digest(w) for w in layer.get_weights()]]
            for layer in leaves(model)
            if leaves_a_node(layer)
        ],
    }


def run_graph(path: str, feeds: dict[str, Any], fetch: list[str]) -> list[Any]:
    definition = tf.compat.v1.GraphDef()
    with open(path, "rb") as file:
        definition.ParseFromString(file.read())
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return list(session.run([f"{name}:0" for name in fetch],
                                {f"{name}:0": array for name, array in feeds.items()}))


def judge(task: dict[str, Any]) -> dict[str, Any]:
    with np.load(task["arrays"]) as stored:
        feeds = {name: stored[name.replace("/", "|")] for name in task["inputs"]}
        wanted = [stored[f"out_{k}"] for k in range(len(stored.files) - len(feeds))]
    verdict: dict[str, Any] = {}
    if task["kind"] == "graphdef":
        got = run_graph(task["path"], feeds, task["fetch"])
    else:
        model = keras.models.load_model(task["path"], compile=task.get("compile", False))
        # No layer of Keras 3 has a slash in its name.
        feeds = {name.replace("/", "_"): array for name, array in feeds.items()}
        got = run(model, [feeds[name.replace("/", "_")] for name in input_names(model)])
        # How much a Normalization has seen is in no graph.
        verdict["weights"] = sorted(digest(w) for w in model.get_weights() if not is_count(w))
    if [x.shape for x in got] != [x.shape for x in wanted]:
        raise AssertionError(f"shapes {[x.shape for x in got]}, {[x.shape for x in wanted]}")
    verdict["error"] = max(difference(g, w) for g, w in zip(got, wanted, strict=True))
    return verdict


def difference(got: Any, wanted: Any) -> float:
    """The largest difference, relative to the largest value; what is no number must be equal."""
    if wanted.dtype.kind not in "fiu":
        return float(not np.array_equal(got, wanted))
    if not wanted.size:
        return 0.0
    got, wanted = got.astype("float64"), wanted.astype("float64")
    if not np.array_equal(np.isfinite(got), np.isfinite(wanted)):
        return float("inf")
    apart = np.abs(np.where(np.isfinite(wanted), got - wanted, 0.0)).max()
    return float(apart / (np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0) or 1.0))


def guarded(work: Any, *arguments: Any) -> dict[str, Any]:
    """What a framework raises is a verdict too."""
    try:
        return dict(work(*arguments))
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        where = traceback.extract_tb(error.__traceback__)[-1]
        return {"raised": f"{type(error).__name__}: {lines[0][:500]} ({where.name})"}


def chosen(task: dict[str, Any]) -> list[Any]:
    """The models of a task: all of its modules', or at most "some" of each module, so that the
    name's first words (the classes) take turns."""
    rows: list[Any] = []
    for name in task["make"].split():
        module = importlib.import_module(name)
        models = list(module.models(keras, **task["arguments"]))
        if task.get("some"):
            turns: dict[str, int] = {}
            ranked = []
            for place, row in enumerate(models):
                first = row[0].split("_")[0]
                turns[first] = turns.get(first, -1) + 1
                ranked.append((turns[first], place, row))
            models = [row for _, _, row in sorted(ranked, key=lambda r: r[:2])[: task["some"]]]
        rows += [(f"{name.rpartition('.')[2]}.{row[0]}", row[1]) for row in models] if (
            len(task["make"].split()) > 1
        ) else models
    return rows


def main() -> None:
    with open(sys.argv[2]) as file:
        task = json.load(file)
    if "make" in task:
        found = {}
        for name, build in chosen(task):
            keras.utils.set_random_seed(0)
            if task.get("fresh_names"):
                keras.backend.clear_session()
            found[name] = guarded(
                lambda name=name, build=build: make(
                    name, build(), task["folder"], task.get("freeze", True),
                    task.get("archive", False), task.get("lower", True),
                )
            )
        result: Any = found
    else:
        result = [guarded(judge, each) for each in task["judge"]]
    with open(sys.argv[2] + ".out", "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()

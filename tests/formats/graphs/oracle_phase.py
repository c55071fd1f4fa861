"""A Keras model in a TensorFlow 1 graph whose learning phase goes to functional conditionals.

    oracle_phase.py make FOLDER     model.ckpt.*, by_hand.pb, io.npz
    oracle_phase.py judge FOLDER    loads session.h5, frozen.h5, by_hand.h5 and compares outputs
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras

v1 = tf.compat.v1


def model() -> Any:
    layers = tf_keras.layers
    x = tf_keras.Input((8, 8, 3), name="img")
    y = layers.Conv2D(4, 3, padding="same", name="conv")(x)
    y = layers.BatchNormalization(name="bn")(y)
    y = layers.Activation("relu", name="act")(y)
    y = layers.Dropout(0.5, name="drop")(y)
    y = layers.GlobalAveragePooling2D(name="gap")(y)
    y = layers.Dense(5, name="dense")(y)
    y = layers.BatchNormalization(name="bn2")(y)
    y = layers.Dropout(0.3, name="drop2")(y)
    return tf_keras.Model(x, layers.Dense(2, activation="softmax", name="out")(y))


def make(folder: Path) -> None:
    v1.enable_control_flow_v2()
    random = np.random.default_rng(1)
    with v1.Graph().as_default() as graph, v1.Session() as session:
        v1.keras.backend.set_session(session)
        made = model()
        made.set_weights([random.uniform(0.1, 0.9, w.shape) for w in made.get_weights()])
        ops = {node.op for node in graph.as_graph_def().node}
        assert "If" in ops and "Switch" not in ops and "PlaceholderWithDefault" in ops
        x = random.random((3, 8, 8, 3), np.float32)
        y = session.run(made.outputs[0], {made.inputs[0]: x})
        np.savez(folder / "io.npz", x=x, y=y)
        v1.train.Saver().save(session, str(folder / "model.ckpt"))
        values = {v.op.name: session.run(v) for v in v1.global_variables()}
        by_hand(graph.as_graph_def(), values, folder / "by_hand.pb", (x, y))


def by_hand(message: Any, values: dict[str, Any], path: Path, io: tuple[Any, Any]) -> None:
    """The graph as it is, learning phase and conditionals, but with values for its handles.

    TensorFlow's own freezing of such a graph (2.21) yields one that it refuses to load.
    """
    kept = v1.graph_util.extract_sub_graph(message, ["out/Softmax"])
    for node in kept.node:
        if node.op == "VarHandleOp":
            value = tf.make_tensor_proto(values[node.name])
            node.op = "Const"
            node.attr.clear()
            node.attr["dtype"].type = value.dtype
            node.attr["value"].tensor.CopyFrom(value)
        unhandled(node)
    for function in kept.library.function:
        for arg in function.signature.input_arg:
            if arg.type == tf.resource.as_datatype_enum:
                arg.type = tf.float32.as_datatype_enum
        reads = {n.name for n in function.node_def if n.op == "ReadVariableOp"}
        for node in function.node_def:
            unhandled(node)
            node.input[:] = [spelled(text, reads) for text in node.input]
        for key in function.ret:
            function.ret[key] = spelled(function.ret[key], reads)
    with v1.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(kept, name="")
        np.testing.assert_allclose(session.run("out/Softmax:0", {"img:0": io[0]}), io[1], rtol=1e-5)
    path.write_bytes(kept.SerializeToString())


def unhandled(node: Any) -> None:
    """A read of a variable as an Identity; float among the inputs of a conditional."""
    if node.op == "ReadVariableOp":
        node.op = "Identity"
        node.attr["T"].CopyFrom(node.attr.pop("dtype"))
        node.attr.pop("_output_shapes", None)
    types = node.attr["Tin"].list.type if "Tin" in node.attr else []
    for index, kind in enumerate(types):
        if kind == tf.resource.as_datatype_enum:
            types[index] = tf.float32.as_datatype_enum


def spelled(text: str, reads: set[str]) -> str:
    name = text.split(":")[0]
    return text.replace(":value:", ":output:") if name in reads else text


def judge(folder: Path) -> None:
    io = np.load(folder / "io.npz")
    for name in ("session", "frozen", "by_hand"):
        loaded = tf_keras.models.load_model(folder / f"{name}.h5", compile=False)
        np.testing.assert_allclose(loaded.predict(io["x"], verbose=0), io["y"], rtol=1e-5)


if __name__ == "__main__":
    {"make": make, "judge": judge}[sys.argv[1]](Path(sys.argv[2]))

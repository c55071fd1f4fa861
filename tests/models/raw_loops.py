"""Run in a child process: TensorFlow makes graphs with loops that no Keras wrote, and freezes them.

    raw_loops.py FOLDER STEP     for every STEPth, FOLDER/NAME.pb and NAME.npz; the last line
                                 printed is JSON: {NAME: {"inputs": [...], "outputs": N, ...}}
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1",
    TF_USE_LEGACY_KERAS="1",
)

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
v1.disable_eager_execution()
v1.disable_control_flow_v2()

STEPS, FEATURES, UNITS = 6, 4, 3
Graph = Callable[[], list[Any]]


def sequence(steps: int | None = STEPS) -> Any:
    return v1.placeholder(tf.float32, [None, steps, FEATURES], name="x")


def lengths() -> Any:
    return v1.placeholder(tf.int32, [None], name="lengths")


def cells() -> Iterator[tuple[str, Callable[[], Any]]]:
    cell = v1.nn.rnn_cell
    yield "BasicRNNCell", lambda: cell.BasicRNNCell(UNITS)
    yield "BasicLSTMCell", lambda: cell.BasicLSTMCell(UNITS)
    yield "BasicLSTMCell_forget", lambda: cell.BasicLSTMCell(UNITS, forget_bias=0.5)
    yield "LSTMCell", lambda: cell.LSTMCell(UNITS, name="cell")
    yield "GRUCell", lambda: cell.GRUCell(UNITS)
    yield "MultiRNNCell", lambda: cell.MultiRNNCell(
        [cell.BasicLSTMCell(UNITS), cell.GRUCell(UNITS + 1)]
    )


def graphs() -> Iterator[tuple[str, Graph]]:
    for name, cell in cells():
        yield f"{name}_all", lambda cell=cell: [run(cell())[0]]
        yield f"{name}_states", lambda cell=cell: [*flat(run(cell())[1])]
        yield f"{name}_both", lambda cell=cell: [*flat(run(cell()))]
        yield f"{name}_lengths", lambda cell=cell: [*flat(run(cell(), sequence_length=lengths()))]
        yield f"{name}_any_steps", lambda cell=cell: [run(cell(), None)[0]]
        yield f"{name}_static", lambda cell=cell: [static(cell())]
    for name, cell in list(cells())[:5]:
        yield f"{name}_two_ways", lambda cell=cell: [two_ways(cell)]
        yield f"{name}_two_ways_lengths", lambda cell=cell: [two_ways(cell, lengths())]
        yield f"{name}_dense", lambda cell=cell: [dense(run(cell())[0])]
    yield "joint_state", joint
    yield "LSTMCell_started", started
    yield "two_layers", two_layers


def run(cell: Any, steps: int | None = STEPS, **more: Any) -> Any:
    return v1.nn.dynamic_rnn(cell, sequence(steps), dtype=tf.float32, **more)


def flat(results: Any) -> list[Any]:
    return tf.nest.flatten(results)


def static(cell: Any) -> Any:
    outputs, _ = v1.nn.static_rnn(cell, tf.unstack(sequence(), axis=1), dtype=tf.float32)
    return tf.stack(outputs, axis=1)


def two_ways(cell: Callable[[], Any], seen: Any = None) -> Any:
    outputs, _ = v1.nn.bidirectional_dynamic_rnn(
        cell(), cell(), sequence(), sequence_length=seen, dtype=tf.float32
    )
    return tf.concat(outputs, 2)


def dense(outputs: Any) -> Any:
    kernel = v1.get_variable("dense/kernel", [outputs.shape[-1], 2])
    return tf.tanh(tf.tensordot(outputs, kernel, [[2], [0]]))


def joint() -> list[Any]:
    cell = v1.nn.rnn_cell.BasicLSTMCell(UNITS, state_is_tuple=False)
    return [run(cell)[0]]


def started() -> list[Any]:
    cell = v1.nn.rnn_cell.LSTMCell(UNITS)
    c, h = (v1.placeholder(tf.float32, [None, UNITS], name=name) for name in "ch")
    state = v1.nn.rnn_cell.LSTMStateTuple(c, h)
    return flat(v1.nn.dynamic_rnn(cell, sequence(), initial_state=state))


def two_layers() -> list[Any]:
    x = sequence()
    with v1.variable_scope("first"):
        below = v1.nn.dynamic_rnn(v1.nn.rnn_cell.GRUCell(UNITS), x, dtype=tf.float32)[0]
    with v1.variable_scope("second"):
        cell = v1.nn.rnn_cell.BasicLSTMCell(UNITS + 1)
        return [v1.nn.dynamic_rnn(cell, below, dtype=tf.float32)[1].h]


def make(name: str, build: Graph, folder: str) -> dict[str, Any]:
    random = np.random.default_rng(list(name.encode()))
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        outputs = [tf.identity(y, name=f"out_{k}") for k, y in enumerate(build())]
        for variable in v1.global_variables():
            value = random.normal(0.0, 0.5, variable.shape).astype("float32")
            variable.load(value, session)
        names = [op.name for op in graph.get_operations() if op.type == "Placeholder"]
        feeds: dict[str, Any] = {}
        for placeholder in names:
            tensor = graph.get_tensor_by_name(f"{placeholder}:0")
            shape = [
                3 if k == 0 else 5 if size is None else size
                for k, size in enumerate(tensor.shape.as_list())
            ]
            feeds[placeholder] = (
                np.array([2, STEPS, 4], "int32") if tensor.dtype == tf.int32
                else random.normal(size=shape).astype("float32")
            )  # fmt: skip
        made = session.run(outputs, {f"{n}:0": value for n, value in feeds.items()})
        frozen = v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), [y.op.name for y in outputs]
        )
    np.savez(f"{folder}/{name}.npz", **feeds, **{f"out_{k}": y for k, y in enumerate(made)})
    with open(f"{folder}/{name}.pb", "wb") as file:
        file.write(frozen.SerializeToString())
    return {
        "inputs": names, "outputs": len(made), "frozen": True, "kinds": [], "tolerance": None,
        "weights": [],
    }  # fmt: skip


if __name__ == "__main__":
    rows = list(graphs())[:: int(sys.argv[2])]
    print(json.dumps({name: make(name, build, sys.argv[1]) for name, build in rows}))

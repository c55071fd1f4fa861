"""Functions and loops that are built: what they hold, and what TensorFlow computes with them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.function_builder import FunctionBuilder, while_loop
from modelfmt.graphs.variable_builder import VariableGraphBuilder
from modelfmt.tensor import Tensor


def powers(graph: GraphBuilder, kernel: Tensor, turns: int) -> tuple[str, str]:
    """x and x @ kernel @ kernel ..., so many times, plus x at every turn."""
    x = graph.placeholder("x", dtypes.float32, (None, 2))

    def turn(body: FunctionBuilder, counter: str, state: list[str]) -> list[str]:
        product = body.op("MatMul", state[0], kernel)
        return [body.op("AddV2", product, body.capture(x))]

    with graph.scope("rnn"):
        (y,) = while_loop(graph, graph.const(turns, dtypes.int32), [x], turn)
    return x, graph.op("Identity", y, name="y")


def expected(x: Any, kernel: Any, turns: int) -> Any:
    y = x
    for _ in range(turns):
        y = y @ kernel + x
    return y


KERNEL = np.array([[1.0, 2.0], [0.5, -1.0]], np.float32)
X = np.array([[1.0, 3.0], [-2.0, 0.25]], np.float32)


def test_a_loop_carries_counter_limit_state_and_what_it_captured() -> None:
    graph = GraphBuilder()
    _, y = powers(graph, Tensor.from_numpy("kernel", KERNEL), 3)
    loop = graph["rnn/while"]
    assert loop.op == "StatelessWhile"
    body, condition = graph.functions["rnn_while_body"], graph.functions["rnn_while_cond"]
    assert body.arguments == ["counter", "limit", "state_0", "rnn_kernel", "x"]
    assert condition.arguments == body.arguments
    assert loop.inputs[2:] == ["x", "rnn/kernel", "x"]
    assert list(body.results.values()) == [
        "next:z:0", "limit", "AddV2:z:0", "rnn_kernel", "x",
    ]  # fmt: skip
    assert graph.shape(y) == (None, 2)


def test_functions_that_nothing_calls_any_more_go_with_their_nodes() -> None:
    graph = GraphBuilder()
    x, _ = powers(graph, Tensor.from_numpy("kernel", KERNEL), 3)
    graph.keep_only([x])
    assert dict(graph.functions) == {}


def test_names_of_functions_are_unique_and_arguments_no_nodes() -> None:
    graph = GraphBuilder()
    first, second = FunctionBuilder(graph), FunctionBuilder(graph)
    for builder in (first, second):
        given = builder.argument("x", dtypes.float32, ())
        builder.finished("f", [builder.op("Neg", given, name="x")])
    assert list(graph.functions) == ["f", "f_1"]
    body = graph.functions["f_1"]
    assert list(body) == ["x_1"]
    assert body["x_1"].inputs == ["x"]


@pytest.mark.oracle
def test_tensorflow_runs_the_loop(tmp_path: Path) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    tf = pytest.importorskip("tensorflow")
    from modelfmt.tf.graphdef import write_graphdef

    graph = GraphBuilder()
    powers(graph, Tensor.from_numpy("kernel", KERNEL), 4)
    write_graphdef(graph, str(tmp_path / "loop.pb"))
    message = tf.compat.v1.GraphDef.FromString((tmp_path / "loop.pb").read_bytes())
    with tf.Graph().as_default() as imported, tf.compat.v1.Session() as session:
        tf.import_graph_def(message, name="")
        y = session.run("y:0", {"x:0": X})
    assert imported.get_tensor_by_name("y:0").shape.as_list() == [None, 2]
    np.testing.assert_allclose(y, expected(X, KERNEL, 4), rtol=1e-6)


@pytest.mark.oracle
def test_tensorflow_trains_through_the_loop(tmp_path: Path) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    tf = pytest.importorskip("tensorflow")
    from modelfmt.tf.metagraph import Signature, TensorInfo
    from modelfmt.tf.metagraph_writer import Model, write_metagraph

    graph = VariableGraphBuilder()
    powers(graph, Tensor.from_numpy("kernel", KERNEL), 2)
    info = TensorInfo("x", dtypes.float32, (None, 2))
    signature = Signature({"x": info}, {"y": TensorInfo("y", dtypes.float32, (None, 2))})
    write_metagraph(Model(graph, graph.variables(), signature), str(tmp_path / "loop.meta"))
    v1 = tf.compat.v1
    with tf.Graph().as_default() as imported:
        saver = v1.train.import_meta_graph(str(tmp_path / "loop.meta"))
        (kernel,) = v1.trainable_variables()
        loss = tf.reduce_sum(imported.get_tensor_by_name("y:0"))
        (gradient,) = tf.gradients(loss, [kernel])
        with v1.Session() as session:
            saver.restore(session, str(tmp_path / "loop"))
            found = session.run(gradient, {"x:0": X})
    # d/dK sum(x K K + x K + x), by central differences
    step, difference = 1e-2, np.zeros_like(KERNEL)
    for index in np.ndindex(*KERNEL.shape):
        high, low = KERNEL.copy(), KERNEL.copy()
        high[index] += step
        low[index] -= step
        rise = expected(X, high, 2).sum() - expected(X, low, 2).sum()
        difference[index] = rise / (2 * step)
    np.testing.assert_allclose(found, difference, rtol=1e-3, atol=1e-3)

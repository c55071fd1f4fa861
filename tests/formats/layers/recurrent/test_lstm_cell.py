"""Cells as TensorFlow 1 writes them: one kernel for [x, h], gates i, j, f, o, forget_bias."""

from __future__ import annotations

import numpy as np

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.graphs.function_builder import FunctionBuilder, while_loop
from modelfmt.layers import recognise

IN, UNITS = 4, 3
RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.normal(size=(IN + UNITS, 4 * UNITS)).astype("float32")
BIAS = RANDOM.normal(size=4 * UNITS).astype("float32")


def basic_lstm(wrong: bool = False) -> GraphBuilder:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 5, IN))
    with graph.scope("rnn"):
        turned = graph.op("Transpose", x, [1, 0, 2])
        batch = graph.op("StridedSlice", graph.op("Shape", x), [0], [1], [1], shrink_axis_mask=1)
        size = graph.op("Pack", batch, UNITS, axis=0)
        zero = graph.const(0.0, dtypes.float32)
        start = [graph.op("Fill", size, zero), graph.op("Fill", size, zero)]
        start.append(graph.op("TensorListReserve", [-1, UNITS], 5, element_dtype=dtypes.float32))
        rows = graph.op("TensorListFromTensor", turned, [-1, IN])
        kernel, bias = graph.const(KERNEL), graph.const(BIAS)

        def turn(body: FunctionBuilder, counter: str, state: list[str]) -> list[str]:
            c, h, out = state
            row = body.op(
                "TensorListGetItem",
                body.capture(rows),
                counter,
                [-1, IN],
                element_dtype=dtypes.float32,
            )
            beside = body.op("ConcatV2", row, h, 1, N=2)
            total = body.op(
                "BiasAdd", body.op("MatMul", beside, body.capture(kernel)), body.capture(bias)
            )
            i, j, f, o = body.ops("Split", 1, total, num_split=4)
            kept = body.op("Mul", c, body.op("Sigmoid", body.op("AddV2", f, 1.0)))
            new = body.op("Mul", body.op("Sigmoid", i), body.op("Tanh", j))
            c = body.op("AddV2", kept, new)
            h = body.op("Mul", body.op("Tanh", c), body.op("Sigmoid", h if wrong else o))
            return [c, h, body.op("TensorListSetItem", out, counter, h)]

        shapes = [(None, UNITS), (None, UNITS), ()]
        limit = graph.const(5, dtypes.int32)
        ended = while_loop(graph, limit, start, turn, shapes=shapes)
        stack = graph.op("TensorListStack", ended[-1], [-1, UNITS], element_dtype=dtypes.float32)
        graph.op("Transpose", stack, [1, 0, 2])
    return graph


def test_a_basic_lstm_cell_of_tensorflow_1() -> None:
    (_, layer) = recognise(look(basic_lstm())).layers
    assert layer.class_name == "LSTM"
    assert layer.config["return_sequences"] is True
    assert layer.config["units"] == UNITS
    i, j, f, o = np.split(KERNEL, 4, axis=1)
    wanted = np.concatenate([i, f, j, o], axis=1)
    assert (layer.weights["kernel"].numpy() == wanted[:IN]).all()
    assert (layer.weights["recurrent_kernel"].numpy() == wanted[IN:]).all()
    i, j, f, o = np.split(BIAS, 4)
    bias = np.concatenate([i, f + np.float32(1), j, o])
    assert (layer.weights["bias"].numpy() == bias).all()


def test_another_formula_is_no_lstm() -> None:
    import pytest

    from modelfmt.errors import UnrecognisedGraphError

    with pytest.raises(UnrecognisedGraphError):
        recognise(look(basic_lstm(wrong=True)))

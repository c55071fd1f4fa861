"""A Dense on every step of a sequence, as Keras 1 and 2 write it in a TimeDistributed."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.layers import recognise

KERNEL = np.arange(12, dtype=np.float32).reshape(4, 3)
BIAS = np.arange(3, dtype=np.float32)


def stepwise(steps: int, sizes: list[int], bias: bool = True) -> GraphBuilder:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, steps, 4))
    with graph.scope("td"):
        y = graph.op("MatMul", graph.op("Reshape", x, [-1, 4]), graph.const(KERNEL))
        if bias:
            y = graph.op("BiasAdd", y, graph.const(BIAS))
        graph.op("Reshape", graph.op("Relu", y), sizes)
    return graph


@pytest.mark.parametrize("bias", [True, False])
def test_a_dense_on_every_step(bias: bool) -> None:
    network = recognise(look(stepwise(5, [-1, 5, 3], bias)))
    (_, layer) = network.layers
    assert layer.class_name == "TimeDistributed"
    inner = layer.config["layer"]
    assert inner["class_name"] == "Dense"
    assert inner["config"]["activation"] == "relu"
    assert inner["config"]["use_bias"] is bias
    assert (layer.weights["layer/kernel"].numpy() == KERNEL).all()


def test_rows_that_become_other_steps_are_no_time_distributed() -> None:
    with pytest.raises(UnrecognisedGraphError):
        recognise(look(stepwise(6, [-1, 3, 3])), layers_only=True)

"""Layers of which every step stands in the graph for itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.layers import recognise
from modelfmt.layers.binding import prepared
from modelfmt.layers.recurrent.cells import cell_codec
from modelfmt.network import Layer
from modelfmt.tensor import Tensor

GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
STEPS, IN, UNITS = 4, 5, 3


def unrolled(
    class_name: str, *, sequences: bool = False, backwards: bool = False, state: bool = False,
    skip: int | None = None, given: bool = False,
) -> tuple[GraphBuilder, dict[str, Any]]:  # fmt: skip
    graph, random = GraphBuilder(), np.random.default_rng(0)
    columns = GATES[class_name] * UNITS
    shapes = {
        "kernel": (IN, columns), "recurrent_kernel": (UNITS, columns),
        "bias": (2, columns) if class_name == "GRU" else (columns,),
    }  # fmt: skip
    weights = {
        name: Tensor.from_numpy(name, random.normal(size=shape).astype("float32"))
        for name, shape in shapes.items()
    }
    cell = prepared(Layer(f"{class_name}Cell", "cell", {}, weights))
    x = graph.placeholder("x", dtypes.float32, (None, STEPS, IN))
    rows = graph.ops("Unpack", graph.op("Transpose", x, [1, 0, 2]), num=STEPS, axis=0)
    if given:
        count = len(cell_codec(cell).state_sizes(cell))
        shape = (None, UNITS)
        states = [graph.placeholder(f"s{k}", dtypes.float32, shape) for k in range(count)]
    else:
        batch = graph.op("StridedSlice", graph.op("Shape", x), [0], [1], [1], shrink_axis_mask=1)
        states = cell_codec(cell).initial(cell, rows[0], batch, graph)
    outputs = []
    for k, row in enumerate(rows[::-1] if backwards else rows):
        if k != skip:
            output, states = cell_codec(cell).step(cell, row, states, graph)
            outputs.append(output)
    y = outputs[-1]
    if sequences:
        y = graph.op("Transpose", graph.op("Pack", *outputs, axis=0), [1, 0, 2])
    graph.op("Relu", y, name="y")
    if state:
        graph.op("Relu", states[-1], name="z")
    return graph, {name: tensor.numpy() for name, tensor in weights.items()}


@pytest.mark.parametrize("class_name", GATES)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_steps_are_a_layer(class_name: str, sequences: bool, backwards: bool) -> None:
    graph, weights = unrolled(class_name, sequences=sequences, backwards=backwards)
    network = recognise(look(graph), layers_only=True)
    (layer,) = [layer for layer in network.layers if layer.class_name == class_name]
    assert layer.config["return_sequences"] is sequences
    assert layer.config["go_backwards"] is backwards
    for name, value in weights.items():
        assert (layer.weights[name].numpy() == value).all()


@pytest.mark.parametrize("class_name", GATES)
def test_a_state_that_leaves(class_name: str) -> None:
    graph, _ = unrolled(class_name, sequences=True, state=True, given=True)
    network = recognise(look(graph), layers_only=True)
    (layer,) = [layer for layer in network.layers if layer.class_name == class_name]
    assert layer.config["return_state"] is True
    assert len(layer.calls[0].kwargs["initial_state"]) == (2 if class_name == "LSTM" else 1)
    assert network.outputs[1].layer != network.outputs[0].layer
    last = network.layer(network.outputs[1].layer).calls[0].inputs
    assert [ref.index for ref in last] == [2 if class_name == "LSTM" else 1]


def test_a_step_that_is_left_out() -> None:
    graph, _ = unrolled("GRU", sequences=True, skip=2)
    with pytest.raises(UnrecognisedGraphError):
        recognise(look(graph), layers_only=True)

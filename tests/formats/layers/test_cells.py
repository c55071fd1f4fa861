"""Cells: sizes, and what is none. What they compute is judged by the frameworks (models/grids)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.cells import cell_codec
from modelfmt.layers.parts import part
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def cell(class_name: str, gates: int, units: int = 2, **config: Any) -> Layer:
    shapes = {"kernel": (4, gates * units), "recurrent_kernel": (units, gates * units)}
    weights = {n: Tensor.from_numpy(n, np.ones(s, np.float32)) for n, s in shapes.items()}
    inner = {"class_name": class_name, "config": {"use_bias": False, **config}}
    held = {f"cell/{name}": tensor for name, tensor in weights.items()}
    return part(Layer("RNN", "rnn", {"cell": inner}, held), "cell")


@pytest.mark.parametrize(
    ("class_name", "gates", "states"),
    [("SimpleRNNCell", 1, [2]), ("GRUCell", 3, [2]), ("LSTMCell", 4, [2, 2])],
)
def test_sizes_follow_from_the_kernel(class_name: str, gates: int, states: list[int]) -> None:
    layer = cell(class_name, gates)
    assert cell_codec(layer).state_sizes(layer) == states
    assert cell_codec(layer).output_size(layer) == 2


def test_a_step_of_a_simple_cell() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 4))
    h = graph.placeholder("h", dtypes.float32, (None, 2))
    layer = cell("SimpleRNNCell", 1)
    output, states = cell_codec(layer).step(layer, x, [h], graph)
    assert states == [output]
    assert graph.shape(output) == (None, 2)
    assert graph[output].op == "Tanh"


def test_a_layer_that_is_no_cell() -> None:
    with pytest.raises(ConversionError, match="Dense is no cell"):
        cell_codec(Layer("Dense", "dense"))


def test_a_stack_without_a_cell() -> None:
    layer = Layer("StackedRNNCells", "stack", {"cells": []})
    with pytest.raises(MismatchError, match="without a cell"):
        cell_codec(layer).state_sizes(layer)


def test_with_reset_after_a_bias_has_two_rows() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 4))
    h = graph.placeholder("h", dtypes.float32, (None, 2))
    layer = cell("GRUCell", 3)
    layer.weights["bias"] = Tensor.from_numpy("bias", np.zeros(6, np.float32))
    with pytest.raises(MismatchError, match="two rows"):
        cell_codec(layer).step(layer, x, [h], graph)

"""SimpleRNNCell: one step."""

from __future__ import annotations

from typing import Any

import numpy as np

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.parts import part
from modelfmt.layers.recurrent.cells import cell_codec
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def cell(class_name: str, gates: int, units: int = 2, **config: Any) -> Layer:
    shapes = {"kernel": (4, gates * units), "recurrent_kernel": (units, gates * units)}
    weights = {n: Tensor.from_numpy(n, np.ones(s, np.float32)) for n, s in shapes.items()}
    inner = {"class_name": class_name, "config": {"use_bias": False, **config}}
    held = {f"cell/{name}": tensor for name, tensor in weights.items()}
    return part(Layer("RNN", "rnn", {"cell": inner}, held), "cell")


def test_a_step_of_a_simple_cell() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 4))
    h = graph.placeholder("h", dtypes.float32, (None, 2))
    layer = cell("SimpleRNNCell", 1)
    output, states = cell_codec(layer).step(layer, x, [h], graph)
    assert states == [output]
    assert graph.shape(output) == (None, 2)
    assert graph[output].op == "Tanh"

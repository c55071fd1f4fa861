"""Several cells as one: sizes, and a step through all of them."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.recurrent.cells import cell_codec
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def stack() -> Layer:
    """An LSTMCell of 3 on top of a GRUCell of 2, without biases."""
    shapes = {
        "cells/0/kernel": (4, 6), "cells/0/recurrent_kernel": (2, 6),
        "cells/1/kernel": (2, 12), "cells/1/recurrent_kernel": (3, 12),
    }  # fmt: skip
    weights = {n: Tensor.from_numpy(n, np.ones(s, np.float32)) for n, s in shapes.items()}
    gru = {"units": 2, "use_bias": False}
    lstm = {"units": 3, "use_bias": False}
    cells = [
        {"class_name": "GRUCell", "config": gru}, {"class_name": "LSTMCell", "config": lstm},
    ]  # fmt: skip
    return Layer("StackedRNNCells", "stack", {"cells": cells}, weights)


def test_states_stand_in_the_order_of_the_cells() -> None:
    layer = stack()
    assert cell_codec(layer).state_sizes(layer) == [2, 3, 3]
    assert cell_codec(layer).output_size(layer) == 3


def test_each_output_is_the_input_of_the_next_cell() -> None:
    graph, layer = GraphBuilder(), stack()
    x = graph.placeholder("x", dtypes.float32, (None, 4))
    sizes = {"a": 2, "h": 3, "c": 3}
    states = [graph.placeholder(n, dtypes.float32, (None, size)) for n, size in sizes.items()]
    output, following = cell_codec(layer).step(layer, x, states, graph)
    assert [graph.shape(state) for state in following] == [(None, 2), (None, 3), (None, 3)]
    assert output == following[1]


def test_a_stack_without_a_cell() -> None:
    layer = Layer("StackedRNNCells", "stack", {"cells": []})
    with pytest.raises(MismatchError, match="without a cell"):
        cell_codec(layer).state_sizes(layer)

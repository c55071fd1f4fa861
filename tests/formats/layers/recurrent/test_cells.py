"""Cells: sizes, and what is none. What they compute is judged by the frameworks (models/grids)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.errors import ConversionError
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


@pytest.mark.parametrize(
    ("class_name", "gates", "states"),
    [("SimpleRNNCell", 1, [2]), ("GRUCell", 3, [2]), ("LSTMCell", 4, [2, 2])],
)
def test_sizes_follow_from_the_kernel(class_name: str, gates: int, states: list[int]) -> None:
    layer = cell(class_name, gates)
    assert cell_codec(layer).state_sizes(layer) == states
    assert cell_codec(layer).output_size(layer) == 2


def test_a_layer_that_is_no_cell() -> None:
    with pytest.raises(ConversionError, match="Dense is no cell"):
        cell_codec(Layer("Dense", "dense"))

"""The loop that a layer is written as."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.recurrent.writing import flat
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def test_states_may_be_nested() -> None:
    assert flat([["a", "b"], ["c"]]) == ["a", "b", "c"]
    assert flat("a") == ["a"]
    assert flat(None) == []
    with pytest.raises(ConversionError):
        flat(3)


def test_a_loop_reads_its_weights_from_outside() -> None:
    shapes = {"kernel": (4, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
    weights = {n: Tensor.from_numpy("", np.ones(s, np.float32)) for n, s in shapes.items()}
    layer = prepared(Layer("LSTM", "lstm", {}, weights))
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 5, 4))
    codec_for(layer).write(layer, [x], graph)
    (loop,) = [node for node in graph.values() if node.op == "StatelessWhile"]
    assert set(shapes) <= set(loop.inputs)

"""TimeDistributed: shapes. The numbers are judged by the frameworks (models/grids)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def distributed(graph: GraphBuilder, shape: Any) -> str:
    x = graph.placeholder("x", dtypes.float32, shape)
    config = {"layer": {"class_name": "Dense", "config": {"use_bias": False, "name": "inner"}}}
    kernel = Tensor.from_numpy("kernel", np.ones((4, 3), np.float32))
    layer = prepared(Layer("TimeDistributed", "td", config, {"layer/kernel": kernel}))
    (y,) = codec_for(layer).write(layer, [x], graph)
    return y


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((2, 5, 4), (2, 5, 3)), ((None, 5, 4), (None, 5, 3)), ((None, None, 4), (None, None, 3))],
)
def test_the_shape_of_the_result(shape: Any, expected: Any) -> None:
    graph = GraphBuilder()
    assert graph.shape(distributed(graph, shape)) == expected


def test_the_layer_within_has_a_scope_of_its_own() -> None:
    graph = GraphBuilder()
    distributed(graph, (None, 5, 4))
    assert "inner/MatMul" in graph


@pytest.mark.parametrize("shape", [None, (None,)])
def test_only_sequences_are_taken(shape: Any) -> None:
    with pytest.raises(MismatchError, match="takes a sequence"):
        distributed(GraphBuilder(), shape)

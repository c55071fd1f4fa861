"""Recurrent layers: shapes, states and masks. The numbers are judged by the frameworks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def weight(*shape: int) -> Tensor:
    return Tensor.from_numpy("", np.ones(shape, np.float32))


def lstm(**config: Any) -> Layer:
    weights = {"kernel": weight(4, 12), "recurrent_kernel": weight(3, 12), "bias": weight(12)}
    return prepared(Layer("LSTM", "lstm", config, weights))


def written(
    layer: Layer, shape: Dims, masked: bool = False, **arguments: Any
) -> tuple[GraphBuilder, list[str], list[str | None]]:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, shape)
    if masked:
        seen = None if shape is None else shape[:2]
        graph.masks[x] = graph.placeholder("mask", dtypes.bool_, seen)
    codec: Any = codec_for(layer)
    made = codec.write(layer, [x], graph, **arguments)
    return graph, made, codec.masks(layer, [x], made, graph)


@pytest.mark.parametrize(
    ("config", "shapes"),
    [
        ({}, [(None, 3)]),
        ({"return_sequences": True}, [(None, 5, 3)]),
        ({"return_state": True}, [(None, 3)] * 3),
    ],
)
def test_outputs_and_their_shapes(config: Any, shapes: Any) -> None:
    graph, made, _ = written(lstm(**config), (None, 5, 4))
    assert [graph.shape(tensor) for tensor in made] == shapes


def test_a_mask_goes_along_with_a_sequence_only() -> None:
    _, made, masks = written(
        lstm(return_sequences=True, return_state=True), (None, 5, 4), masked=True
    )
    assert len(made) == 3
    assert masks == ["mask", None, None]
    assert written(lstm(), (None, 5, 4), masked=True)[2] == [None]


@pytest.mark.parametrize("shape", [None, (None, 4)])
def test_only_sequences_are_taken(shape: Dims) -> None:
    with pytest.raises(MismatchError, match="takes a sequence"):
        written(lstm(), shape)


def test_another_number_of_states() -> None:
    with pytest.raises(MismatchError, match="another number of states"):
        written(lstm(), (None, 5, 4), initial_state="x")

"""Convolutional LSTMs: shapes, states and errors. The numbers are judged by the frameworks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def weight(*shape: int) -> Tensor:
    return Tensor.from_numpy("", np.ones(shape, np.float32))


def conv_lstm(rank: int = 2, **config: Any) -> Layer:
    window = (2,) * rank
    weights = {
        "kernel": weight(*window, 3, 16), "recurrent_kernel": weight(*window, 4, 16),
        "bias": weight(16),
    }  # fmt: skip
    return prepared(Layer(f"ConvLSTM{rank}D", "conv", config, weights))


def written(layer: Layer, shape: Dims, **arguments: Any) -> tuple[GraphBuilder, list[Dims]]:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, shape)
    codec: Any = codec_for(layer)
    made = codec.write(layer, [x], graph, **arguments)
    return graph, [graph.shape(y) for y in made]


@pytest.mark.parametrize(
    ("config", "sizes"),
    [
        ({}, (6, 7)),
        ({"padding": "same"}, (7, 8)),
        ({"padding": "same", "strides": 2}, (4, 4)),
        ({"strides": [2, 3]}, (3, 3)),
        ({"dilation_rate": 3}, (4, 5)),
    ],
)
def test_sizes(config: Any, sizes: Any) -> None:
    layer = conv_lstm(return_state=True, return_sequences=True, **config)
    _, shapes = written(layer, (None, 5, 7, 8, 3))
    assert shapes == [(None, 5, *sizes, 4), (None, *sizes, 4), (None, *sizes, 4)]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_ranks(rank: int) -> None:
    _, shapes = written(conv_lstm(rank), (None, 5, *(6,) * rank, 3))
    assert shapes == [(None, *(5,) * rank, 4)]


def test_channels_first() -> None:
    layer = conv_lstm(data_format="channels_first", return_sequences=True, return_state=True)
    _, shapes = written(layer, (None, 5, 3, 7, 8))
    assert shapes == [(None, 5, 4, 6, 7), (None, 4, 6, 7), (None, 4, 6, 7)]


def test_unknown_sizes() -> None:
    graph, shapes = written(conv_lstm(strides=2), (None, None, None, None, 3))
    assert shapes == [(None, None, None, 4)]
    assert "StatelessWhile" in {node.op for node in graph.values()}


def test_config_from_the_weights() -> None:
    config = conv_lstm().config
    assert (config["filters"], config["kernel_size"]) == (4, [2, 2])


def test_errors() -> None:
    with pytest.raises(MismatchError, match="rank of 5"):
        written(conv_lstm(), (None, 5, 7, 3))
    with pytest.raises(ConversionError):
        written(conv_lstm(padding="full"), (None, 5, 7, 8, 3))

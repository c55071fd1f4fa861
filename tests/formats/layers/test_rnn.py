"""Recurrent layers: shapes, states and masks. The numbers are judged by the frameworks."""

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
from modelfmt.layers.rnn import flat
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


def test_a_loop_reads_its_weights_from_outside() -> None:
    graph, _, _ = written(lstm(), (None, 5, 4))
    (loop,) = [node for node in graph.values() if node.op == "StatelessWhile"]
    assert {"kernel", "recurrent_kernel", "bias"} <= set(loop.inputs)


@pytest.mark.parametrize("shape", [None, (None, 4)])
def test_only_sequences_are_taken(shape: Dims) -> None:
    with pytest.raises(MismatchError, match="takes a sequence"):
        written(lstm(), shape)


def test_another_number_of_states() -> None:
    with pytest.raises(MismatchError, match="another number of states"):
        written(lstm(), (None, 5, 4), initial_state="x")


def test_states_may_be_nested() -> None:
    assert flat([["a", "b"], ["c"]]) == ["a", "b", "c"]
    assert flat("a") == ["a"]
    assert flat(None) == []
    with pytest.raises(ConversionError):
        flat(3)


def bidirectional(inner: Any, **config: Any) -> Layer:
    config = {"layer": {"class_name": "LSTM", "config": inner}, **config}
    weights = {
        f"{way}/{name}": tensor
        for way in ("forward_layer", "backward_layer")
        for name, tensor in lstm().weights.items()
    }
    return prepared(Layer("Bidirectional", "both", config, weights))


def test_both_ways_have_their_weights() -> None:
    layer = bidirectional({"units": 3})
    assert codec_for(layer).weight_names(layer.config) == tuple(layer.weights)


@pytest.mark.parametrize(
    ("mode", "shapes"),
    [("concat", [(None, 6)]), ("ave", [(None, 3)]), (None, [(None, 3), (None, 3)])],
)
def test_how_both_ways_are_merged(mode: str | None, shapes: Any) -> None:
    graph, made, _ = written(bidirectional({"units": 3}, merge_mode=mode), (None, 5, 4))
    assert [graph.shape(tensor) for tensor in made] == shapes


def test_an_unknown_way_to_merge() -> None:
    with pytest.raises(ConversionError, match="merge_mode"):
        written(bidirectional({"units": 3}, merge_mode="max"), (None, 5, 4))


def test_only_recurrent_layers_go_both_ways() -> None:
    config = {"layer": {"class_name": "Flatten", "config": {}}}
    with pytest.raises(ConversionError, match="no recurrent layer"):
        written(prepared(Layer("Bidirectional", "both", config)), (None, 5, 4))

"""Preprocessing of numbers: structure and errors. The numbers are judged by the frameworks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.preprocessing import boundaries
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def written(
    class_name: str, config: dict[str, Any], shape: Any, dtype: str = "float32", **given: Any
) -> tuple[GraphBuilder, str]:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.from_name(dtype), shape)
    weights = {name: Tensor.from_numpy(name, value) for name, value in given.items()}
    layer = prepared(Layer(class_name, "it", config, weights))
    (y,) = codec_for(layer).write(layer, [x], graph)
    return graph, y


def ops(graph: GraphBuilder) -> list[str]:
    return [node.op for node in graph.values() if node.op not in ("Const", "Placeholder")]


ONES = np.ones(4, np.float32)


def test_normalization_of_the_last_axis_needs_no_reshape() -> None:
    graph, y = written("Normalization", {}, (None, 4), mean=ONES, variance=ONES)
    assert ops(graph) == ["Sqrt", "Maximum", "Sub", "RealDiv"] and graph.shape(y) == (None, 4)
    graph, y = written("Normalization", {"axis": 1}, (None, 4, 3), mean=ONES, variance=ONES)
    assert ops(graph).count("Reshape") == 2 and graph.shape(y) == (None, 4, 3)


def test_normalization_with_given_mean_has_no_weights() -> None:
    codec = codec_for(Layer("Normalization", ""))
    assert codec.weight_names({"mean": 1.0}) == ()
    assert codec.weight_names({"mean": None}) == ("mean", "variance", "count")


@pytest.mark.parametrize(
    ("config", "shape", "said"),
    [
        ({}, (None, 5), "does not fit its input"), ({"axis": 1}, (None, None, 4), "must be known"),
        ({"axis": 2}, (None, 4), "no such axis"), ({}, None, "known rank"),
    ],
)  # fmt: skip
def test_normalization_that_does_not_fit(config: dict[str, Any], shape: Any, said: str) -> None:
    with pytest.raises((MismatchError, ConversionError), match=said):
        written("Normalization", config, shape, mean=ONES, variance=ONES)
    with pytest.raises(MismatchError, match="does not fit its input"):
        written("Normalization", {"mean": [1.0, 2.0], "variance": [1.0, 2.0]}, (None, 4))


def test_the_bounds_that_keras_2_learnt() -> None:
    summary = np.array([[0, 1, 2, 3, 4, 5], [1, 1, 1, 1, 1, 1]], np.float32)
    assert boundaries(summary, 2) == [2.0]
    assert boundaries(summary, 3) == pytest.approx([1.0, 3.0])
    assert boundaries(summary[:, :2], 5) == [0.0]
    for nothing in (np.zeros((2, 0), np.float32), summary):
        with pytest.raises(MismatchError, match="learnt no bounds"):
            boundaries(nothing, None if nothing.size else 3)


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "float16"])
def test_discretization_of_any_number(dtype: str) -> None:
    graph, y = written("Discretization", {"bin_boundaries": [0.5]}, (None, 3), dtype)
    assert "Bucketize" in ops(graph) and graph.shape(y) == (None, 3)


def test_count_weights_are_for_counts() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.int32, (None, 3))
    layer = prepared(Layer("CategoryEncoding", "it", {"num_tokens": 4}))
    codec: Any = codec_for(layer)
    with pytest.raises(ConversionError, match="for output_mode count only"):
        codec.write(layer, [x], graph, count_weights=x)
    with pytest.raises(ConversionError, match="without num_tokens"):
        written("CategoryEncoding", {}, (None, 3), "int32")

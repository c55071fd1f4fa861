"""Categories as vectors: shapes, dtypes, and what Keras refuses too."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.encoding import encoded, output_mode
from modelfmt.network import Layer

MODES = ("int", "one_hot", "multi_hot", "count")


def shape(mode: str, given: Any, major: int = 3, dtype: str = "int64") -> Any:
    graph = GraphBuilder()
    graph.keras_major = major
    x = graph.placeholder("x", dtypes.from_name(dtype), given)
    y = encoded(x, mode, 7, dtypes.float32, graph)
    assert graph.dtype(y) is dtypes.float32
    return graph.shape(y)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("major", [2, 3])
def test_a_vector_for_each_sample(major: int, dtype: str) -> None:
    assert shape("int", (None, 4), major, dtype) == (None, 4)
    assert shape("one_hot", (None, 1), major, dtype) == (None, 7)
    assert shape("one_hot", (None,), major, dtype) == (None, 7)
    for mode in ("multi_hot", "count"):
        assert shape(mode, (None, 4), major, dtype) == (None, 7)
        assert shape(mode, (None, None), major, dtype) == (None, 7)
        assert shape(mode, (None,), major, dtype) == (7,)
        assert shape(mode, (), major, dtype) == (7,)


def test_one_hot_of_more_axes() -> None:
    assert shape("one_hot", (None, 4)) == (None, 4, 7)
    assert shape("one_hot", (None, 4, 1)) == (None, 4, 7)
    assert shape("count", (None, 4, 5)) == (None, 5, 7)


@pytest.mark.parametrize(("mode", "given"), [("one_hot", (None, 4)), ("count", (None, 4, 5))])
def test_keras_2_takes_one_axis_of_samples(mode: str, given: Any) -> None:
    with pytest.raises(ConversionError, match="samples of one axis only"):
        shape(mode, given, 2)


def test_an_unknown_rank_is_refused() -> None:
    with pytest.raises(ConversionError, match="known rank"):
        shape("count", None)


def test_the_mode_of_a_layer() -> None:
    assert output_mode(Layer("Hashing", "", {"output_mode": "binary"}), *MODES) == "multi_hot"
    with pytest.raises(ConversionError, match="sparse tensors"):
        output_mode(Layer("Hashing", "", {"output_mode": "count", "sparse": True}), *MODES)
    with pytest.raises(ConversionError, match='no such output_mode; expected int, one_hot'):
        output_mode(Layer("Hashing", "", {"output_mode": "tf_idf"}), *MODES)

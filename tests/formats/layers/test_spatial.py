"""Windows, strides and paddings, in configs and in attrs."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.graph import Node
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.spatial import (
    DATA_FORMAT,
    PADDING,
    canonical_channels_last,
    channels_last,
    rows,
    spread,
    window_attrs,
)
from modelfmt.layers.template import Match
from modelfmt.network import Layer

STRIDES = window_attrs(2, "strides")["strides"]


def layer(**config: Any) -> Layer:
    return Layer("MaxPooling2D", "p", {"data_format": "channels_last", **config})


def read(field: Any, value: Any, data_format: str = "NHWC") -> Any:
    match = field.match_attr(value, Node("n", "MaxPool", attrs={"data_format": data_format}),
                             Match())  # fmt: skip
    return None if match is None else match.config[field.name]


@pytest.mark.parametrize(("value", "wanted"), [(2, [2, 2]), ([2, 3], [2, 3]), ((1, 4), [1, 4])])
def test_one_number_or_two(value: Any, wanted: list[int]) -> None:
    assert spread(value, 2) == wanted


def test_another_count_of_sizes_is_named() -> None:
    with pytest.raises(ConversionError, match=r"each spatial axis.*expected 3"):
        spread([1, 2], 3)


@pytest.mark.parametrize(
    ("data_format", "tf", "attr"),
    [("channels_last", "NHWC", [1, 2, 3, 1]), ("channels_first", "NCHW", [1, 1, 2, 3])],
)
def test_a_window_both_ways(data_format: str, tf: str, attr: list[int]) -> None:
    assert STRIDES.value(layer(strides=(2, 3), data_format=data_format)) == attr
    assert read(STRIDES, attr, tf) == [2, 3]


@pytest.mark.parametrize(
    ("rank", "sizes", "attr"), [(1, [3], [1, 1, 3, 1]), (3, [2, 3, 4], [1, 2, 3, 4, 1])]
)
def test_a_window_over_other_axes(rank: int, sizes: list[int], attr: list[int]) -> None:
    field = window_attrs(rank, "ksize")["ksize"]
    assert field.value(layer(pool_size=sizes)) == attr
    assert read(field, attr) == sizes


def test_a_window_over_two_axes_is_none_over_one() -> None:
    assert read(window_attrs(1, "ksize")["ksize"], [1, 2, 3, 1]) is None


@pytest.mark.parametrize("attr", [[2, 1, 1, 1], [1, 2, 2, 3], [1, 2], None, 3, "SAME", [1] * 6])
def test_a_window_that_keras_cannot_say(attr: Any) -> None:
    assert read(STRIDES, attr) is None


@pytest.mark.parametrize(("keras", "tf"), [("same", "SAME"), ("valid", "VALID")])
def test_padding_both_ways(keras: str, tf: str) -> None:
    assert PADDING.value(layer(padding=keras)) == tf
    assert read(PADDING, tf) == keras


def test_other_paddings() -> None:
    assert read(PADDING, "EXPLICIT") is None
    with pytest.raises(ConversionError, match="unknown padding"):
        PADDING.value(layer(padding="causal"))


@pytest.mark.parametrize(("keras", "tf"), [("channels_last", "NHWC"), ("channels_first", "NCHW")])
def test_data_format_both_ways(keras: str, tf: str) -> None:
    assert DATA_FORMAT.value(layer(data_format=keras)) == tf
    assert read(DATA_FORMAT, tf) == keras
    assert read(DATA_FORMAT, "NCHW_VECT_C") is None


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1, [[1, 1], [1, 1]]),
        ((1, 2), [[1, 1], [2, 2]]),
        (((1, 2), (3, 4)), [[1, 2], [3, 4]]),
        ([[1, 2], 3], [[1, 2], [3, 3]]),
    ],
)
def test_rows_of_a_padding(value: Any, wanted: list[list[int]]) -> None:
    assert rows(value, 2) == wanted


def test_rows_over_one_axis_and_over_three() -> None:
    assert rows((1, 2), 1) == [[1, 2]] == rows([[1, 2]], 1)
    assert rows(2, 3) == [[2, 2]] * 3
    with pytest.raises(ConversionError, match="two sides"):
        rows([[1, 2]], 2)


def test_channels_first_is_written_between_transposes() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 3, 8, 9))
    seen = []

    def write(inner: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        seen.append((inner.config["data_format"], graph.shape(inputs[0])))
        return [graph.op("Relu", inputs[0])]

    (y,) = channels_last(write, layer(data_format="channels_first"), [x], graph)
    assert seen == [("channels_last", (None, 8, 9, 3))]
    assert graph.shape(y) == (None, 3, 8, 9)
    (z,) = channels_last(write, layer(), [x], graph)
    assert graph[z].inputs == ["x"]


def test_the_inference_form_has_the_same_transposes() -> None:
    first = canonical_channels_last(layer(data_format="channels_first"), 2)
    assert [found.class_name for found in first] == ["Permute", "MaxPooling2D", "Permute"]
    assert first[1].config["data_format"] == "channels_last"
    assert first[0].config == {"dims": [2, 3, 1]}
    assert len(canonical_channels_last(layer(), 3)) == 1

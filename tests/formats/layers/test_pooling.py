"""Pooling: what is written is recognised."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import bool_, float32
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import codec_for, recognise, write_network
from modelfmt.network import Layer

SHAPES = {"channels_last": (None, 9, 10, 3), "channels_first": (None, 3, 9, 10)}


@pytest.mark.parametrize("class_name", ["MaxPooling2D", "AveragePooling2D"])
@pytest.mark.parametrize("pool_size", [2, (3, 2), [1, 1]])
@pytest.mark.parametrize("strides", [None, 1, (2, 1)])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("data_format", sorted(SHAPES))
def test_pooling(
    law: Any, class_name: str, pool_size: Any, strides: Any, padding: str, data_format: str
) -> None:
    config = {
        "pool_size": pool_size, "strides": strides, "padding": padding, "data_format": data_format,
    }
    form = law(class_name, config, [SHAPES[data_format]])
    turned = ["Permute", class_name, "Permute"]
    assert [f.class_name for f in form] == (
        [class_name] if data_format == "channels_last" else turned
    )


@pytest.mark.parametrize("class_name", ["GlobalMaxPooling2D", "GlobalAveragePooling2D"])
@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize("data_format", sorted(SHAPES))
@pytest.mark.parametrize("sized", [True, False])
def test_global_pooling(
    law: Any, class_name: str, keepdims: bool, data_format: str, sized: bool
) -> None:
    shape = SHAPES[data_format] if sized else tuple(
        size if size == 3 else None for size in SHAPES[data_format]
    )
    form = law(class_name, {"keepdims": keepdims, "data_format": data_format}, [shape])
    assert form[0].config == {"data_format": data_format, "keepdims": keepdims}


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize("first", [True, False])
def test_pooling_over_one_axis_and_three(law: Any, rank: int, kind: str, first: bool) -> None:
    name = f"{kind}Pooling{rank}D"
    shape = (None, 3, *[9] * rank) if first else (None, *[9] * rank, 3)
    layout = {"data_format": f"channels_{'first' if first else 'last'}"}
    form = law(name, {"pool_size": 3, "strides": 2, "padding": "same", **layout}, [shape])
    assert [f.class_name for f in form] == (["Permute", name, "Permute"] if first else [name])
    (form,) = law(f"Global{name}", layout, [shape])
    assert form.config == {**layout, "keepdims": False}


def test_pooling_over_one_axis_as_keras_2_spells_it() -> None:
    graph = GraphBuilder()
    x = graph.op("ExpandDims", graph.placeholder("x", float32, (None, 9, 4)), 2)
    y = graph.op("AvgPool", x, ksize=[1, 3, 1, 1], strides=[1, 2, 1, 1], padding="SAME")
    graph.op("Identity", graph.op("Squeeze", y, squeeze_dims=[2]), name="out")
    (layer,) = recognise(View(graph)).layers[1:]
    assert layer.class_name == "AveragePooling1D"
    assert (layer.config["pool_size"], layer.config["strides"]) == ([3], [2])


def masked(graph: GraphBuilder, data_format: str, keepdims: bool) -> str:
    """A mean over the steps that a mask shows."""
    last = data_format == "channels_last"
    x = graph.placeholder("x", float32, (None, 5, 4) if last else (None, 4, 5))
    graph.masks[x] = graph.placeholder("mask", bool_, (None, 5))
    config = {"data_format": data_format, "keepdims": keepdims}
    layer = Layer("GlobalAveragePooling1D", "it", config)
    return codec_for(layer).write(layer, [x], graph)[0]


@pytest.mark.parametrize("data_format", sorted(SHAPES))
def test_a_mask_leaves_steps_out_of_the_mean(data_format: str) -> None:
    graph = GraphBuilder()
    y = masked(graph, data_format, keepdims=True)
    assert graph.shape(y) == ((None, 1, 4) if data_format == "channels_last" else (None, 4, 1))
    assert graph[y].op == "RealDiv"


def test_the_mask_goes_no_further() -> None:
    graph = GraphBuilder()
    y = masked(graph, "channels_last", keepdims=False)
    assert graph.shape(y) == (None, 4)
    assert y not in graph.masks


def test_an_unknown_padding_is_named(single: Any) -> None:
    network = single("MaxPooling2D", {"padding": "full"}, [(None, 9, 9, 3)])
    with pytest.raises(ConversionError, match=r'layer "it": unknown padding.*found full'):
        write_network(network, GraphBuilder())

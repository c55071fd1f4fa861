"""Pooling: what is written is recognised."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import write_network

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


def test_an_unknown_padding_is_named(single: Any) -> None:
    network = single("MaxPooling2D", {"padding": "full"}, [(None, 9, 9, 3)])
    with pytest.raises(ConversionError, match=r'layer "it": unknown padding.*found full'):
        write_network(network, GraphBuilder())

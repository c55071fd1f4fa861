"""Contrast of images: structure and errors. The numbers are judged by the frameworks."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer

CLAHE = "ContrastLimitedAdaptiveHistogramEqualization"


def written(name: str, shape: Any, dtype: str = "float32", **config: Any) -> tuple[Any, str]:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.from_name(dtype), shape)
    it = prepared(Layer(name, "it", config))
    (y,) = codec_for(it).write(it, [x], graph)
    return graph.shape(y), graph.dtype(y).name


def test_the_shape_stays() -> None:
    assert written("AutoContrast", (None, None, None, 3), "uint8")[1] == "float32"
    assert written("AutoContrast", (6, 7, 3)) == ((6, 7, 3), "float32")
    assert written(CLAHE, (None, 17, 19, 3), "uint8") == ((None, 17, 19, 3), "uint8")
    first = {"data_format": "channels_first", "value_range": (0.0, 1.0)}
    assert written(CLAHE, (None, 3, 17, 19), **first)[0] == (None, 3, 17, 19)


@pytest.mark.parametrize(
    ("name", "shape", "config", "said"),
    [
        ("AutoContrast", (None, 4), {}, "takes images"),
        ("AutoContrast", (None, 4, 4, 3), {"value_range": [0]}, "a value_range is two numbers"),
        (CLAHE, (None, None, 8, 3), {}, "needs to know the size"),
        (CLAHE, (None, 8, 8, 3), {"tile_grid_size": [8]}, "two sizes of its grid"),
    ],
)
def test_what_cannot_be_written(name: str, shape: Any, config: Any, said: str) -> None:
    with pytest.raises(ConversionError, match=said):
        written(name, shape, **config)

"""Resizing: written and told again; what Keras has no layer for is told of nothing."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.resizing import ANTIALIASED, RESIZERS, SCALING, resized, resizing

METHODS = [
    *((method, False) for method in [*RESIZERS, *SCALING]),
    *((method, True) for method in ANTIALIASED),
]


@pytest.mark.parametrize(("method", "antialias"), METHODS)
@pytest.mark.parametrize("sizes", [(7, 9), (None, None)], ids=str)
def test_to_a_size(method: str, antialias: bool, sizes: Any) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, *sizes, 3))
    y = resized(x, 5, 12, method, graph, antialias=antialias)
    found = resizing(y, View(graph, outputs=[y]))
    assert found is not None
    assert (found.source, found.method, found.antialias) == (x, method, antialias)
    assert (found.size, found.factors) == ([5, 12], None)


@pytest.mark.parametrize("name", ["UpSampling2D", "Resizing"])
@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic", "area", "lanczos3"])
@pytest.mark.parametrize("shape", [(None, 6, 9, 3), (None, None, None, 3)], ids=str)
def test_layers(law: Any, name: str, method: str, shape: Any) -> None:
    own: Any = {"size": (2, 3)} if name == "UpSampling2D" else {"height": 5, "width": 9}
    (form,) = law(name, {**own, "interpolation": method}, [shape])
    assert form.class_name == name


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("ResizeBilinear", {"align_corners": True}),
        ("ResizeBilinear", {}),
        ("ResizeNearestNeighbor", {}),
    ],
)
def test_what_keras_has_no_layer_for(op: str, attrs: Any) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, None, 9, 3))
    y = graph.op(op, x, [5, 12], **attrs)
    assert resizing(y, View(graph, outputs=[y])) is None


def test_corners_do_not_matter_to_whole_factors_of_the_nearest() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 6, 9, 3))
    y = graph.op("ResizeNearestNeighbor", x, [12, 27])
    found = resizing(y, View(graph, outputs=[y]))
    assert found is not None
    assert found.factors == [2, 3]

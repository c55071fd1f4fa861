"""Where elements come from: each op against numpy, and chains of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.moving import ZERO, backwards, moved
from modelfmt.graphs.view import View

X = np.arange(24).reshape(2, 3, 4)


def followed(build: Callable[[GraphBuilder, str], str], shape: Any = (None, 3, 4)) -> Any:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, shape)
    y = build(graph, x)
    return moved(View(graph, outputs=[y]), y, x, X.shape)


@pytest.mark.parametrize(
    ("build", "wanted"),
    [
        (lambda g, x: g.op("Transpose", x, [0, 2, 1]), X.transpose(0, 2, 1)),
        (lambda g, x: g.op("ExpandDims", x, 1), X[:, None]),
        (lambda g, x: g.op("Reshape", x, [-1, 12]), X.reshape(2, 12)),
        (lambda g, x: g.op("Tile", x, [1, 2, 1]), np.tile(X, (1, 2, 1))),
        (lambda g, x: g.op("GatherV2", x, [2, 0, 0], 1), X[:, [2, 0, 0]]),
        (lambda g, x: g.op("GatherV2", x, 2, 1), X[:, 2]),
        (lambda g, x: g.op("Slice", x, [0, 1, 0], [-1, 2, -1]), X[:, 1:]),
        (lambda g, x: g.op("ReverseV2", x, [1]), X[:, ::-1]),
        (lambda g, x: g.op("ConcatV2", x, x, 2, N=2), np.concatenate([X, X], 2)),
        (lambda g, x: g.op("Pack", x, x, axis=1), np.stack([X, X], 1)),
        (lambda g, x: g.op("Pad", x, [[0, 0], [1, 0], [0, 0]]),
         np.pad(X, [(0, 0), (1, 0), (0, 0)], constant_values=ZERO)),
        (lambda g, x: g.op("StridedSlice", x, [0, 1, 0], [0, -1, 0], [1, 1, 2], begin_mask=5,
                           end_mask=5), X[:, 1:-1, ::2]),
        (lambda g, x: g.op("StridedSlice", x, [0, 1], [0, 2], [1, 1], begin_mask=1, end_mask=1,
                           shrink_axis_mask=2), X[:, 1]),
        (lambda g, x: g.ops("Split", 2, x, num_split=2)[1], X[:, :, 2:]),
        (lambda g, x: g.ops("Unpack", x, num=3, axis=1)[1], X[:, 1]),
    ],
)  # fmt: skip
def test_an_op(build: Any, wanted: Any) -> None:
    np.testing.assert_array_equal(followed(build), wanted)


def test_what_computes_is_not_followed() -> None:
    assert followed(lambda g, x: g.op("ExpandDims", g.op("Relu", x), 1)) is None
    assert followed(lambda g, x: g.op("Reshape", x, [-1, 7]), (None, None, None)) is None


def test_backwards_sees_parts_of_one_tensor_as_one_step() -> None:
    graph = GraphBuilder()
    x = graph.op("Relu", graph.placeholder("x", float32, (None, 3, 4)))
    a, b, c = graph.ops("Split", 1, x, num_split=3)
    wide = graph.op("ConcatV2", a, a, b, b, c, c, 1, N=6)
    y = graph.op("Transpose", wide, [0, 2, 1])
    found = list(backwards(View(graph, outputs=[y]), y, 5))
    assert found == [(wide, (y,)), (x, (y, wide, "Split"))]
    other = graph.op("ConcatV2", a, graph.op("Relu", b), 1, N=2)
    assert list(backwards(View(graph, outputs=[other]), other, 5)) == []

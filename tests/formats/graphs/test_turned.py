"""Constants in another order."""

from __future__ import annotations

import numpy as np

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.turned import turned
from modelfmt.graphs.view import View

VALUE = np.arange(24, dtype="float32").reshape(2, 3, 4)


def test_turns_and_reshapes_one_after_another() -> None:
    graph = GraphBuilder()
    stored = graph.const(VALUE)
    y = graph.op("ReverseV2", graph.op("Transpose", stored, [2, 0, 1]), [0])
    z = graph.op("Transpose", graph.op("ExpandDims", y, 0), [1, 0, 2, 3])
    out = graph.op("Relu", z)
    view = View(graph, outputs=[out])
    found = turned(view, z)
    assert found is not None
    assert found.shape == (4, 1, 2, 3)
    np.testing.assert_array_equal(found.root.numpy(), VALUE.transpose(2, 0, 1)[::-1][:, None])
    again = turned(view, z)
    assert again is not None
    assert again.root is found.root
    # A plain View shows what is stored, not how it is turned.
    assert view.constant(z) is None


def test_what_is_computed_is_no_constant() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (2, 3))
    y = graph.op("Transpose", x, [1, 0])
    assert turned(View(graph, outputs=[y]), y) is None

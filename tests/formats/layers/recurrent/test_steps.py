"""Numbers of steps."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.loops import loop_of
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.steps import is_length_of, lasts, steps_of


@pytest.mark.parametrize("steps", [5, None])
def test_a_loop_lasts_as_long_as_its_sequence(looked: Any, steps: int | None) -> None:
    view = looked("GRU", steps=steps)
    (exit_,) = [name for name, node in view.live.items() if node.op == "Exit"][:1]
    left = loop_of(exit_, view)
    assert left is not None
    assert lasts(left[0], "in0")
    assert steps_of("in0", view) == steps


def test_what_keeps_the_steps_has_as_many() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 5, 4))
    y = graph.op("Tanh", x)
    assert steps_of(y, View(graph, outputs=[y])) == 5


@pytest.mark.parametrize(("place", "is_length"), [(1, True), (0, False), (2, False)])
def test_a_length_read_from_a_shape(place: int, is_length: bool) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, None, None))
    shape = graph.op("Shape", x)
    n = graph.op("StridedSlice", shape, [place], [place + 1], [1], shrink_axis_mask=1)
    assert is_length_of(n, "x", View(graph, outputs=[n, x])) is is_length

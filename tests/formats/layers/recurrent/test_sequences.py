"""Sequences that loops go through."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.loops import loop_of
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.sequences import BACKWARDS, batch_first, sources


@pytest.mark.parametrize("first", [True, False])
def test_time_first_and_backwards(first: bool) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 5, 4))
    if first:
        y = graph.op("ReverseV2", graph.op("Transpose", x, [1, 0, 2]), [0])
    else:
        y = graph.op("Transpose", graph.op("ReverseV2", x, [1]), [1, 0, 2])
    assert batch_first(y, View(graph, outputs=[y])) == ("x", BACKWARDS + "x")


def test_the_batch_backwards_is_no_sequence_backwards() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 5, 4))
    y = graph.op("Transpose", graph.op("ReverseV2", x, [0]), [1, 0, 2])
    found = batch_first(y, View(graph, outputs=[y]))
    assert found is not None and found[0] != "x"


@pytest.mark.parametrize("backwards", [False, True])
def test_the_sequences_that_a_loop_reads(looked: Any, backwards: bool) -> None:
    view = looked("LSTM", go_backwards=backwards)
    exits = [name for name, node in view.live.items() if node.op == "Exit"]
    left = loop_of(exits[0], view)
    assert left is not None
    assert sources(left[0]) == [(BACKWARDS if backwards else "") + "in0"]

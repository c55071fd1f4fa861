"""Softmax and what hides scores, in the spellings of all majors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.layers.attention_recognition import (
    Hiding,
    Role,
    factor_of,
    hiding_of,
    is_inverse_root,
    scores_below,
)

ROLES: list[Role] = [("b", 0), "N", ("q", 1), ("k", 1)]


def start() -> tuple[GraphBuilder, str, str]:
    graph = GraphBuilder()
    scores = graph.placeholder("scores", dtypes.float32, (None, 2, 5, 7))
    return graph, scores, graph.placeholder("mask", dtypes.bool_, (None, 1, 5, 7))


def hidden(kind: str, graph: GraphBuilder, scores: str, mask: str) -> str:
    if kind == "select":
        return graph.op("SelectV2", mask, scores, -1e9)
    if kind == "added":
        off = graph.op("Sub", 1.0, graph.op("Cast", mask, DstT=dtypes.float32))
        return graph.op("AddV2", scores, graph.op("Mul", off, -1e9))
    if kind == "taken off":
        off = graph.op("Cast", graph.op("LogicalNot", mask), DstT=dtypes.float32)
        return graph.op("Sub", scores, graph.op("Mul", 1e9, off))
    lowered = graph.op("Sub", scores, 1e9)
    return graph.op("SelectV2", graph.op("LogicalNot", mask), lowered, scores)


def read(graph: GraphBuilder, tensor: str, sizes: Any = None) -> Hiding | None:
    graph.op("Identity", tensor)
    view = look(graph)
    found = scores_below(tensor, view)
    assert found is not None
    assert found.tensor == "scores"
    return hiding_of(found, ROLES, sizes or {}, view)


@pytest.mark.parametrize("kind", ["select", "added", "taken off", "lowered"])
def test_every_way_to_hide(kind: str) -> None:
    graph, scores, mask = start()
    found = read(graph, graph.op("Softmax", hidden(kind, graph, scores, mask)))
    assert found is not None
    assert found.masks == [("mask", (("b", 0), ("q", 1), ("k", 1)))]
    assert not found.zeroed


def test_hidden_scores_set_to_0() -> None:
    graph, scores, mask = start()
    softmax = graph.op("Softmax", hidden("select", graph, scores, mask))
    found = read(graph, graph.op("SelectV2", mask, softmax, 0.0))
    assert found is not None
    assert found.zeroed


def test_factors_and_axes() -> None:
    graph, scores, _ = start()
    made = graph.op("Softmax", graph.op("RealDiv", graph.op("Mul", scores, 3.0), 6.0))
    graph.op("Identity", made)
    view = look(graph)
    found = scores_below(made, view)
    assert found is not None
    assert found.axes is None
    assert factor_of(found.constants, view) == 0.5
    assert is_inverse_root(found.constants, 4, view)
    assert not is_inverse_root(found.constants, 3, view)


@pytest.mark.parametrize(
    ("square", "wanted"),
    [
        (np.tri(5, 7), Hiding(causal=True)),
        (np.abs(np.arange(5)[:, None] - np.arange(7)) < 2, Hiding(window=2)),
        (np.ones((5, 7)), Hiding()),
        (1 - np.tri(5, 7), None),
    ],
)
def test_masks_of_places(square: Any, wanted: Hiding | None) -> None:
    graph, scores, _ = start()
    mask = graph.const(np.asarray(square, bool)[None, None], dtypes.bool_)
    found = read(graph, graph.op("Softmax", graph.op("SelectV2", mask, scores, -1e9)))
    assert found == wanted


def test_masks_in_one() -> None:
    graph, scores, _ = start()
    steps = graph.placeholder("steps", dtypes.bool_, (None, 7))
    causal = graph.const(np.tri(5, 7)[None].astype(bool), dtypes.bool_)
    both = graph.op("LogicalAnd", graph.op("ExpandDims", steps, 1), causal)
    found = read(
        graph,
        graph.op("Softmax", hidden("select", graph, scores, graph.op("ExpandDims", both, 1))),
    )
    assert found is not None
    assert found.causal
    assert found.masks == [("steps", (("b", 0), ("k", 1)))]

"""Activation functions that split or sort."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import write_network
from modelfmt.layers.functions import WRITTEN, written_function


def written(name: str, shape: Any) -> Any:
    graph = GraphBuilder()
    made = WRITTEN[name](graph.placeholder("x", float32, shape), graph)
    return graph.shape(made)


@pytest.mark.parametrize("shape", [(None, 4), (None, None, 4)], ids=str)
def test_glu_halves_the_last_axis(shape: Any) -> None:
    assert written("glu", shape) == (*shape[:-1], 2)


@pytest.mark.parametrize("size", [3, None])
def test_glu_of_what_cannot_be_halved(size: int | None) -> None:
    with pytest.raises(MismatchError, match="halves the last axis"):
        written("glu", (None, size))


@pytest.mark.parametrize("shape", [(None, 4), (None, None, 4), (2, 3)], ids=str)
def test_sparsemax_keeps_the_shape(shape: Any) -> None:
    assert written("sparsemax", shape) == shape


def test_sparsemax_of_an_unknown_size() -> None:
    assert (written("sparsemax", (None, None)) or ())[:1] == (None,)


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_layers_end_with_them(single: Any, name: str) -> None:
    network = single("Dense", {"activation": name}, [(None, 4)], kernel=(4, 6), bias=(6,))
    graph = GraphBuilder()
    ends = write_network(network, graph)
    assert graph.shape(ends[0]) == (None, 3 if name == "glu" else 6)


@pytest.mark.parametrize("shape", [(None, 4), (None, None, 4), (2, 3, 6)], ids=str)
@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_they_are_recognised(law: Any, name: str, shape: Any) -> None:
    (form,) = law("Activation", {"activation": name}, [shape])
    assert form.config == {"activation": name}


def test_a_gate_by_the_first_half_is_none() -> None:
    graph = GraphBuilder()
    first, second = graph.ops("Split", -1, graph.placeholder("x", float32, (None, 4)), num_split=2)
    y = graph.op("Mul", second, graph.op("Sigmoid", first))
    assert written_function(y, View(graph)) is None

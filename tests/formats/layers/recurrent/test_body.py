"""What the formulas of cells are made of."""

from __future__ import annotations

import pytest

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.body import activated, factors, operands


def inputs(graph: GraphBuilder) -> tuple[str, str]:
    return (
        graph.placeholder("a", dtypes.float32, (None, 3)),
        graph.placeholder("b", dtypes.float32, (None, 3)),
    )


@pytest.mark.parametrize(("op", "function"), [("Tanh", "tanh"), ("Sigmoid", "sigmoid")])
def test_a_function_of_a_tensor(op: str, function: str) -> None:
    graph = GraphBuilder()
    a, _ = inputs(graph)
    y = graph.op(op, a)
    assert list(activated(y, View(graph, outputs=[y]))) == [(function, "a"), ("linear", y)]


def test_operands_in_both_orders() -> None:
    graph = GraphBuilder()
    a, b = inputs(graph)
    product, total = graph.op("Mul", a, b), graph.op("AddV2", a, a)
    view = View(graph, outputs=[product, total])
    assert list(factors(product, view)) == [("a", "b"), ("b", "a")]
    assert list(operands(total, "AddV2", view)) == [("a", "a")]
    assert list(factors(total, view)) == []

"""Functional loops as frames; that the numbers stay is judged in tests/models/test_targets.py."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt import dtypes
from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.graph import parse_input
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.function_builder import while_loop
from modelfmt.graphs.lowering import LISTS, LOOPS, lower


def summing(graph: GraphBuilder) -> str:
    """y = x + the sum of the rows of x, by a loop over a list."""
    x = graph.placeholder("x", float32, (5, 3))
    rows = graph.op("TensorListFromTensor", x, [3])
    total = graph.const([0.0, 0.0, 0.0], float32, "zeros")
    steps = graph.const(5, dtypes.int32, "steps")

    def turn(body: Any, counter: str, state: list[str]) -> list[str]:
        row = body.op("TensorListGetItem", body.capture(rows), counter, [3], element_dtype=float32)
        return [body.op("AddV2", state[0], body.op("Mul", row, 2.0))]

    (ended,) = while_loop(graph, steps, [total], turn)
    return graph.op("Identity", ended, name="y")


def test_a_loop_becomes_a_frame() -> None:
    graph = GraphBuilder()
    end = summing(graph)
    nodes = lower(graph, [end])
    ops = [node.op for node in nodes.values()]
    assert not (LOOPS | LISTS) & set(ops)
    assert ops.count("LoopCond") == 1
    assert ops.count("Merge") == ops.count("Switch") == ops.count("NextIteration") == 2
    assert "TensorArrayReadV3" in ops
    for node in nodes.values():
        for text in node.inputs:
            assert parse_input(text).node in nodes, (node, text)
        if node.op == "Merge":
            assert [nodes[parse_input(i).node].op for i in node.inputs] == [
                "Enter",
                "NextIteration",
            ]


def test_outputs_are_the_only_sinks() -> None:
    graph = GraphBuilder()
    nodes = lower(graph, [summing(graph)])
    read = {parse_input(i).node for node in nodes.values() for i in node.inputs}
    assert [name for name in nodes if name not in read] == ["y"]


def test_what_reads_nothing_hangs_in_its_frame() -> None:
    graph = GraphBuilder()
    nodes = lower(graph, [summing(graph)])
    inside = [n for n in nodes.values() if "/body/" in n.name and n.op == "Const"]
    assert inside
    assert all(node.inputs and node.inputs[0].startswith("^while/Identity") for node in inside)


def test_the_graph_stays_as_it_was() -> None:
    graph = GraphBuilder()
    end = summing(graph)
    before = {name: (node.op, list(node.inputs)) for name, node in graph.items()}
    lower(graph, [end])
    assert before == {name: (node.op, list(node.inputs)) for name, node in graph.items()}


def test_a_fetched_loop_keeps_its_name() -> None:
    graph = GraphBuilder()
    summing(graph)
    loop = next(name for name, node in graph.items() if node.op in LOOPS)
    assert lower(graph, [f"{loop}:2"])[loop].op == "IdentityN"


def test_a_list_that_leaves_is_refused() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (5, 3))
    graph.op("ZerosLike", graph.op("TensorListFromTensor", x, [3]))
    with pytest.raises(ConversionError, match="reads a list as a whole"):
        lower(graph)

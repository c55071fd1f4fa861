"""Functional loops as frames, and what a loop never changes read from outside."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from modelfmt import dtypes
from modelfmt.errors import CorruptFileError
from modelfmt.graph import Func, Graph, Node
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.frames import framed
from modelfmt.graphs.function_builder import FunctionBuilder, while_loop


def powers() -> GraphBuilder:
    """y = x * w ** 3, as a loop."""
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 2))
    w = graph.placeholder("w", dtypes.float32, (2,))

    def turn(body: FunctionBuilder, counter: str, state: list[str]) -> list[str]:
        return [body.op("Mul", state[0], body.capture(w))]

    (y,) = while_loop(graph, graph.const(3, dtypes.int32), [x], turn)
    graph.op("Identity", y, name="y")
    return graph


def test_a_functional_loop_becomes_nodes() -> None:
    graph = framed(powers())
    ops = Counter(node.op for node in graph.values())
    assert not {"StatelessWhile", "While", "PartitionedCall"} & ops.keys()
    assert ops["LoopCond"] == 1
    assert ops["Merge"] == ops["Switch"] == 2  # the counter and x


def test_what_does_not_change_is_read_from_outside() -> None:
    graph = framed(powers())
    (product,) = [node for node in graph.values() if node.op == "Mul"]
    source = product.inputs[1]
    while graph[source.split(":")[0]].op == "IdentityN":
        node = graph[source.split(":")[0]]
        source = node.inputs[int(source.partition(":")[2] or 0)]
    assert source == "w"


def test_a_graph_without_loops_is_itself() -> None:
    graph = GraphBuilder()
    graph.op("Relu", graph.placeholder("x", dtypes.float32, (2,)))
    assert framed(graph) is graph


@pytest.mark.parametrize("attrs", [
    {"cond": Func("none"), "body": Func("none"), "T": [dtypes.float32]},
    {"T": [dtypes.float32]},
    {"cond": Func("none"), "body": Func("none"), "T": []},
])  # fmt: skip
def test_a_loop_that_lacks_its_functions(attrs: dict[str, Any]) -> None:
    nodes = {
        "x": Node("x", "Placeholder", [], {"dtype": dtypes.float32}),
        "y": Node("y", "While", ["x"], attrs),
    }
    with pytest.raises(CorruptFileError, match='node "y"'):
        framed(Graph(nodes))


def test_an_exit_that_nothing_reads_stays_where_it_is_wanted() -> None:
    kind = {"T": dtypes.float32}
    nodes = {
        node.name: node
        for node in (
            Node("x", "Placeholder", [], {"dtype": dtypes.float32}),
            Node("go", "Placeholder", [], {"dtype": dtypes.bool_}),
            Node("enter", "Enter", ["x"], dict(kind)),
            Node("merge", "Merge", ["enter", "next"], {**kind, "N": 2}),
            Node("cond", "LoopCond", ["go"], {}),
            Node("switch", "Switch", ["merge", "cond"], dict(kind)),
            Node("next", "NextIteration", ["switch:1"], dict(kind)),
            Node("exit", "Exit", ["switch"], dict(kind)),
            Node("done", "NoOp", ["^exit"], {}),
        )
    }
    assert "exit" not in framed(Graph(nodes))
    assert framed(Graph(nodes))["done"].inputs == []
    assert framed(Graph(nodes), ["exit:0"])["exit"].op == "IdentityN"

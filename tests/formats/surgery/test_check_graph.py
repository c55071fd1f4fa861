"""What does not hold in a graph: one fault at a time, each located at its node."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt.dtypes import float32, int32
from modelfmt.errors import MismatchError, MissingError
from modelfmt.graph import AttrValue, Edge, Function, Graph, Node, Shape
from modelfmt.surgery.check_graph import graph_findings, produced, unknown_ops
from modelfmt.tensor import Tensor

X = Node("x", "Placeholder", [], {"dtype": float32, "shape": Shape((None, 4))})
I = Node("i", "Placeholder", [], {"dtype": int32, "shape": Shape((None,))})  # noqa: E741


def op(name: str, kind: str, *inputs: str, **attrs: AttrValue) -> Node:
    return Node(name, kind, list(inputs), {"T": float32, **attrs})


def const(name: str, shape: tuple[int, ...]) -> Node:
    value = Tensor.from_numpy(name, np.zeros(shape, np.float32))
    return Node(name, "Const", [], {"dtype": float32, "value": value})


def findings(*nodes: Node) -> list[str]:
    return [str(error) for error in graph_findings(Graph({node.name: node for node in nodes}))]


def test_a_whole_graph_has_none() -> None:
    nodes = [X, const("k", (4, 2)), op("y", "MatMul", "x", "k"), Node("n", "NoOp", ["^y"])]
    assert findings(*nodes) == []


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ([op("y", "Relu", "ghost")], "node \"y\": reads 'ghost', which does not exist."),
        ([X, op("y", "Relu", "x:1")], "node \"y\": reads 'x:1', and 'x' has 1 outputs."),
        ([X, op("-y", "Relu", "x")], 'node "-y": no name for a node.'),
        ([X, Node("y", "Relu", ["x"])], "node \"y\": Relu needs attr 'T'."),
        (
            [op("a", "Relu", "b"), op("b", "Relu", "a")],
            'node "a": nodes that depend on each other in a circle; found a, b.',
        ),
    ],
)
def test_faults(nodes: list[Node], sentence: str) -> None:
    assert findings(*nodes) == [sentence]


def test_an_input_of_another_dtype() -> None:
    (found,) = graph_findings(Graph({"i": I, "y": op("y", "Relu", "i")}))
    assert isinstance(found, MismatchError) and found.where.key == 'node "y"'


def test_shapes_that_contradict_each_other_and_no_echo() -> None:
    nodes = [X, const("k", (5, 2)), op("y", "MatMul", "x", "k"), op("z", "Relu", "y"),
             const("b", (3,)), op("c", "BiasAdd", "x", "b")]  # fmt: skip
    found = findings(*nodes)
    assert [text.split(":")[0] for text in found] == ['node "c"', 'node "y"'] or [
        text.split(":")[0] for text in found
    ] == ['node "y"', 'node "c"']


def test_a_loop_is_no_circle() -> None:
    frame: dict[str, AttrValue] = {"frame_name": "f", "is_constant": False,
                                   "parallel_iterations": 1}  # fmt: skip
    nodes = [X, op("e", "Enter", "x", **frame), op("m", "Merge", "e", "n", N=2),
             op("r", "Relu", "m"), op("n", "NextIteration", "r")]  # fmt: skip
    assert findings(*nodes) == []


def test_the_body_of_a_function() -> None:
    body = {"r": op("r", "Relu", "a"), "s": op("s", "Relu", "b")}
    function = Function("f", body, ["a"], {"out": "r:activations:0"})
    (found,) = graph_findings(function, {"f": function})
    assert isinstance(found, MissingError) and "'b'" in str(found)


def test_ops_that_nobody_knows_are_noted() -> None:
    graph = Graph({"x": X, "y": op("y", "Sorcery", "x"), "z": op("z", "Sorcery", "y")})
    assert list(graph_findings(graph)) == []
    (note,) = unknown_ops(graph)
    assert note.endswith("Sorcery (2)")
    assert unknown_ops(Graph({"x": X})) == []


def test_the_dtype_behind_an_edge() -> None:
    assert produced(X, Edge("x", 0)) is float32
    assert produced(X, Edge("x", 1)) is None
    assert produced(op("y", "Sorcery"), Edge("y", 0)) is None

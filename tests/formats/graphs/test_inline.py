"""Calls replaced by what they call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import CorruptFileError, UnsafeFileError, UnsupportedError
from modelfmt.graph import Func, Function, Graph, Node, Placeholder
from modelfmt.graphs.inline import InlinedGraph, inline, port


class Library(Graph):
    def __init__(self, nodes: list[Node], *functions: Function) -> None:
        super().__init__({node.name: node for node in nodes})
        self._functions = {f.name: f for f in functions}

    @property
    def functions(self) -> Mapping[str, Function]:
        return self._functions


def function(name: str, arguments: str, results: dict[str, str], *nodes: Node) -> Function:
    return Function(name, {n.name: n for n in nodes}, arguments.split(), results)


def call(name: str, f: str, *inputs: str, **attrs: Any) -> Node:
    kinds = {"Tin": [float32] * len(inputs), "Tout": [float32]}
    return Node(name, "PartitionedCall", list(inputs), {"f": Func(f, attrs), **kinds})


SQUARE = function("square", "a", {"out": "m:z:0"}, Node("m", "Mul", ["a", "a"]))


def test_a_graph_without_calls_stays_itself() -> None:
    graph = Library([Node("x", "Placeholder")], SQUARE)
    assert inline(graph) is graph


def test_a_call_becomes_its_body_and_an_identity() -> None:
    graph = inline(Library([Node("x", "Placeholder"), call("y", "square", "x")], SQUARE))
    assert list(graph) == ["x", "y/m", "y"]
    assert graph["y/m"].inputs == ["x", "x"]
    assert (graph["y"].op, graph["y"].inputs) == ("IdentityN", ["y/m"])
    assert isinstance(graph, InlinedGraph) and graph.calls == {"y"}
    assert "square" in graph.functions


def test_calls_within_calls_and_instantiated_attrs() -> None:
    outer = function(
        "outer", "a b", {"p": "c:output:0", "q": "split:output:1"},
        call("c", "square", "b"),
        Node("split", "Split", ["a", "b"], {"num_split": 2, "T": Placeholder("T")}),
    )  # fmt: skip
    graph = inline(Library([Node("x", "Placeholder"), call("y", "outer", "x", "x:0", T=float32)],
                           SQUARE, outer))  # fmt: skip
    assert graph["y/c/m"].inputs == ["x:0", "x:0"]
    assert graph["y/split"].attrs["T"] is float32
    assert graph["y"].inputs == ["y/c", "y/split:1"]


def test_a_function_called_by_its_name_as_op() -> None:
    pair = function("Pair", "a", {"first": "m:z:0", "second": "a"}, Node("m", "Mul", ["a", "a"]))
    user = function("user", "a", {"out": "p:second:0"}, Node("p", "Pair", ["a"]))
    graph = inline(Library([Node("x", "Placeholder"), Node("u", "user", ["x"])], pair, user))
    assert graph["u/p"].inputs == ["u/p/m", "x"]
    assert graph["u"].inputs == ["u/p:1"]


def test_names_that_are_taken_are_not_taken_again() -> None:
    taken = [Node("x", "Placeholder"), Node("y/m", "Relu", ["x"]), call("y", "square", "x")]
    graph = inline(Library(taken, SQUARE))
    assert graph["y/m"].op == "Relu" and graph["y_1/m"].op == "Mul"
    assert graph["y"].inputs == ["y_1/m"]


def test_a_constant_of_a_body_stands_in_the_callers_loop() -> None:
    """Without an input it would belong to no frame, and TensorFlow would refuse to mix them."""
    constant = function("f", "a", {"out": "c:output:0"}, Node("c", "Const"))
    nodes = [Node("x", "Placeholder"), Node("e", "Enter", ["x"]), call("y", "f", "e", "^x")]
    assert inline(Library(nodes, constant))["y/c"].inputs == ["^x", "^e"]
    plain = [Node("x", "Placeholder"), call("y", "f", "x")]
    assert inline(Library(plain, constant))["y/c"].inputs == []


def test_control_edges_stay_within_the_body() -> None:
    body = function("f", "a", {"out": "m:z:0"}, Node("n", "NoOp", ["^a"]),
                    Node("m", "Mul", ["a", "a", "^n"]))  # fmt: skip
    graph = inline(Library([Node("x", "Placeholder"), call("y", "f", "x:0")], body))
    assert graph["y/n"].inputs == ["^x"]
    assert graph["y/m"].inputs == ["x:0", "x:0", "^y/n"]


def test_while_keeps_its_functions() -> None:
    loop = Node("w", "While", ["x"], {"cond": Func("square"), "body": Func("square")})
    graph = inline(Library([Node("x", "Placeholder"), loop, call("y", "square", "w")], SQUARE))
    assert graph["w"].op == "While" and list(graph.functions) == ["square"]


@pytest.mark.parametrize(
    ("nodes", "match"),
    [([call("y", "none", "x")], "lacks"), ([call("y", "loop", "x")], "calls itself"),
     ([call("y", "torn", "x")], "lacks")],
)  # fmt: skip
def test_what_cannot_be_expanded(nodes: list[Node], match: str) -> None:
    loop = function("loop", "a", {"out": "c:output:0"}, call("c", "loop", "a"))
    torn = function("torn", "a", {"out": "gone:z:0"})
    with pytest.raises(CorruptFileError, match=match):
        inline(Library([Node("x", "Placeholder"), *nodes], loop, torn, SQUARE))


def test_functions_that_double_are_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """f0 calls f1 twice, f1 calls f2 twice, and so on: 2 ** 40 nodes of 2 kB."""
    monkeypatch.setattr("modelfmt.graphs.inline._MAX_NODES", 1000)
    functions = [
        function(f"f{k}", "a", {"out": "q:output:0"}, call("p", f"f{k + 1}", "a"),
                 call("q", f"f{k + 1}", "p:output:0"))
        for k in range(40)
    ]  # fmt: skip
    library = Library([Node("x", "Placeholder"), call("y", "f0", "x")], *functions,
                      function("f40", "a", {"out": "a"}))  # fmt: skip
    with pytest.raises(UnsafeFileError, match="more nodes than any model has"):
        inline(library)


def test_the_branch_that_is_taken_is_expanded_as_a_call() -> None:
    node = Node("y", "If", ["p", "x", "^n"], {"Tout": [float32], "then_branch": Func("square")})
    others = [Node("x", "Placeholder"), Node("p", "Const"), Node("n", "NoOp")]
    library = Library([*others, node], SQUARE)
    graph = inline(library, {"y": Func("square")})
    assert graph["y/m"].inputs == ["x", "x"] and graph["y"].inputs == ["y/m"]
    assert isinstance(graph, InlinedGraph) and graph.own is library
    again = inline(graph, {})
    assert again is graph and inline(library)["y"].op == "If"


def test_ports_of_named_outputs() -> None:
    graph = Library([])
    unique = Node("u", "UniqueWithCounts", ["x"])
    assert port(unique, "u:count:0", graph) == 2
    with pytest.raises(CorruptFileError, match="no output"):
        port(unique, "u:none:0", graph)
    assert port(Node("o", "NoSuchOp"), "o:out:0", graph) == 0
    with pytest.raises(UnsupportedError, match="unknown op"):
        port(Node("o", "NoSuchOp"), "o:out:1", graph)

"""Graph: inputs as strings, nodes by name, consumers derived."""

from __future__ import annotations

import pytest

from modelfmt.errors import MissingError
from modelfmt.graph import (
    Edge,
    Func,
    Function,
    Graph,
    Node,
    Shape,
    called_functions,
    parse_input,
    tensor_name,
)


@pytest.mark.parametrize(
    ("text", "edge"),
    [
        ("a", Edge("a", 0)),
        ("a:0", Edge("a", 0)),
        ("a:12", Edge("a", 12)),
        ("^a", Edge("a", -1)),
        ("scope/a:1", Edge("scope/a", 1)),
        ("a:out:2", Edge("a", 2, "out")),
        ("a:out", Edge("a", 0, "out")),
        ("a:out:0", Edge("a", 0, "out")),
    ],
)
def test_an_input_is_parsed(text: str, edge: Edge) -> None:
    assert parse_input(text) == edge


@pytest.mark.parametrize(("node", "index", "text"), [("a", 0, "a"), ("a/b", 3, "a/b:3")])
def test_a_tensor_name_is_the_input_that_reads_it(node: str, index: int, text: str) -> None:
    assert tensor_name(node, index) == text
    assert parse_input(text) == Edge(node, index)


def diamond() -> Graph:
    nodes = [
        Node("x", "Placeholder"), Node("l", "Relu", ["x"]), Node("r", "Split", ["x", "x:0"]),
        Node("y", "Add", ["l", "r:1", "^x", "^ghost"]),
    ]  # fmt: skip
    return Graph({node.name: node for node in nodes})


def test_a_graph_is_a_mapping_in_file_order() -> None:
    graph = diamond()
    assert list(graph) == ["x", "l", "r", "y"] and len(graph) == 4
    assert "l" in graph and "z" not in graph
    assert graph["l"].op == "Relu" and graph.get("z") is None
    assert dict(graph.functions) == {} and graph.producer == 0


def test_a_missing_node_is_named_with_close_matches() -> None:
    graph = Graph({name: Node(name, "NoOp") for name in ("dense/kernel", "dense/bias")})
    with pytest.raises(MissingError, match="no node 'dense/kernl'") as caught:
        graph["dense/kernl"]
    assert caught.value.close_matches[0] == "dense/kernel"
    with pytest.raises(KeyError):
        graph["zzz"]


def test_consumers_are_derived_from_every_edge() -> None:
    graph = diamond()
    assert graph.consumers() == {"x": ["l", "r", "y"], "l": ["y"], "r": ["y"], "y": []}
    graph["l"].inputs.clear()
    assert graph.consumers()["x"] == ["r", "y"]


def test_data_inputs_leave_out_control_edges() -> None:
    assert diamond()["y"].data_inputs == ["l", "r:1"]


def test_a_shape_reads() -> None:
    assert str(Shape(None)) == "<unknown>"
    assert str(Shape((None, 3))) == "[?, 3]"
    assert str(Shape(())) == "[]"
    assert Shape((1, None)) == Shape((1, None)) != Shape(None)


def test_nodes_do_not_share_their_defaults() -> None:
    a, b = Node("a", "NoOp"), Node("b", "NoOp")
    a.inputs.append("x")
    a.attrs["k"] = 1
    assert b.inputs == [] and b.attrs == {}
    assert repr(a) == "Node('a', 'NoOp', inputs=['x'])"


def call(name: str, **attrs: object) -> Node:
    return Node(name, "Op", [], dict(attrs))


def needed(library: dict[str, list[Node]], *nodes: Node) -> list[str]:
    functions = {
        name: Function(name, {node.name: node for node in body}, [], {})
        for name, body in library.items()
    }
    return list(called_functions({n.name: n for n in nodes}, functions))


def test_what_is_called_directly_or_through_others() -> None:
    library = {
        "d": [], "a": [call("x", f=Func("b"))], "b": [call("y", f=Func("a"))],
        "twin": [call("z", f=Func("d"))],
    }  # fmt: skip
    assert needed(library, call("n", f=Func("a"))) == ["a", "b"]
    assert needed(library) == []


@pytest.mark.parametrize(
    "node",
    [
        call("n", f=Func("a")), call("n", branches=[Func("zz"), Func("a")]),
        call("n", f=Func("zz", {"inner": Func("a")})), Node("n", "a"),
    ],
    ids=["attr", "list", "attr of an attr", "op"],
)  # fmt: skip
def test_how_a_function_is_called(node: Node) -> None:
    assert needed({"a": [], "b": []}, node) == ["a"]

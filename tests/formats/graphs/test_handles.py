"""Handles replaced by values, node by node."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt import dtypes
from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.graph import Func, Graph, Node
from modelfmt.graphs.handles import Body, Value
from modelfmt.graphs.specialise import Specialiser

RESOURCE = dtypes.from_name("resource")
V = Value(float32, (2,))


def body(*nodes: Node) -> Body:
    graph = Graph({node.name: node for node in (Node("v", "VarHandleOp"), *nodes)})
    return Body(graph, {"v": V}, Specialiser(graph))


def passing(name: str, op: str, *inputs: str, **attrs: Any) -> Node:
    return Node(name, op, list(inputs), {"T": RESOURCE, **attrs})


def test_a_handle_is_followed_through_loops_and_branches() -> None:
    made = body(
        passing("e", "Enter", "v"), passing("m", "Merge", "e", "n"),
        passing("s", "Switch", "m", "p"),
        passing("n", "NextIteration", "s:1"), passing("x", "Exit", "s"),
        Node("two", "IdentityN", ["x", "other"], {"T": [RESOURCE, RESOURCE]}),
        Node("relu", "Relu", ["v"], {"T": float32}),
    )  # fmt: skip
    assert [made.handle(t) for t in ("v", "e", "s:1", "n", "x:0", "two")] == [V] * 6
    assert made.handle("two:1") is None and made.handle("relu") is None
    (exit_node,) = made.rewritten(made.nodes["x"])
    assert exit_node.attrs["T"] is float32
    (both,) = made.rewritten(made.nodes["two"])
    assert both.attrs["T"] == [float32, RESOURCE]


def test_the_graph_is_not_changed() -> None:
    made = body(Node("r", "ReadVariableOp", ["v"], {"dtype": float32}))
    (read,) = made.rewritten(made.nodes["r"])
    assert (read.op, read.attrs) == ("Identity", {"T": float32})
    assert made.nodes["r"].op == "ReadVariableOp"


def test_attrs_that_speak_of_handles_are_dropped() -> None:
    made = body(passing("e", "Enter", "v", _output_shapes=[], frame_name="f"))
    (enter,) = made.rewritten(made.nodes["e"])
    assert enter.attrs == {"T": float32, "frame_name": "f"}


def test_references_are_no_more() -> None:
    made = body(Node("s", "RefSwitch", ["x", "p"], {"T": float32}))
    assert made.rewritten(made.nodes["s"])[0].op == "Switch"


def test_what_a_value_cannot_do_is_named() -> None:
    made = body(Node("a", "AssignAddVariableOp", ["v", "x"]))
    with pytest.raises(ConversionError, match=r'node "a".*AssignAddVariableOp'):
        made.rewritten(made.nodes["a"])


@pytest.mark.parametrize("target", ["v", "other"])
def test_a_read_after_an_assignment_is_not_the_checkpoints_value(target: str) -> None:
    made = body(
        Node("a", "AssignAddVariableOp", [target, "x"]),
        Node("r", "ReadVariableOp", ["v", "^a"], {"dtype": float32}),
    )
    if target == "other":
        assert made.rewritten(made.nodes["r"])[0].op == "Identity"
        return
    with pytest.raises(ConversionError, match='node "a" has assigned'):
        made.rewritten(made.nodes["r"])


def test_an_unknown_function_is_named() -> None:
    made = body(Node("c", "If", ["p", "v"], {
        "Tin": [RESOURCE], "Tout": [float32], "then_branch": Func("f"), "else_branch": Func("f"),
    }))  # fmt: skip
    with pytest.raises(Exception, match='function "f", which the library lacks'):
        made.rewritten(made.nodes["c"])

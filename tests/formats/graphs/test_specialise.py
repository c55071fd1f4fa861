"""Copies of functions that take values where those take handles."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from modelfmt import dtypes
from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError, CorruptFileError
from modelfmt.graph import Func, Function, Graph, Node, Shape
from modelfmt.graphs.handles import Body, Value
from modelfmt.graphs.specialise import Specialiser, referenced

RESOURCE = dtypes.from_name("resource")
V = Value(float32, (2, 3))


class Library(Graph):
    def __init__(self, *functions: Function, nodes: tuple[Node, ...] = ()) -> None:
        super().__init__({node.name: node for node in nodes})
        self._functions = {f.name: f for f in functions}

    @property
    def functions(self) -> Mapping[str, Function]:
        return self._functions


def function(name: str, arguments: str, results: dict[str, str], *nodes: Node) -> Function:
    return Function(name, {n.name: n for n in nodes}, arguments.split(), results)


READ = Node("r", "ReadVariableOp", ["v"], {"dtype": float32})
STEP = function(
    "step", "i v", {"i": "add:z:0", "v": "pass:output:0"}, READ,
    Node("add", "AddV2", ["i", "r:value:0", "^log"], {"T": float32}),
    Node("pass", "Identity", ["v"], {"T": RESOURCE}),
    Node("log", "AssignAddVariableOp", ["w", "i"]),
)  # fmt: skip
TEST = function("test", "i v", {"out": "i"})


def loop(body: str = "step") -> Node:
    return Node("w", "While", ["i", "v"], {
        "T": [float32, RESOURCE], "cond": Func("test"), "body": Func(body),
        "output_shapes": [Shape(()), Shape(())], "_read_only_resource_inputs": [1],
    })  # fmt: skip


def test_a_function_gets_the_value() -> None:
    maker = Specialiser(Library(STEP))
    copy = maker.function("step", [None, V])
    assert (copy.name, copy.origin, list(maker.made)) == ("step_frozen", STEP, ["step_frozen"])
    assert list(copy) == ["r", "add", "pass"]  # what the results don't need is left out
    assert (copy["r"].op, copy["r"].attrs) == ("Identity", {"T": float32})
    assert copy["add"].inputs == ["i", "r:output:0"]
    assert copy["pass"].attrs["T"] is float32
    assert list(copy.yielded) == [None, V]
    assert STEP["r"].op == "ReadVariableOp"


def test_a_copy_is_made_once_for_each_kind_of_value() -> None:
    maker = Specialiser(Library(STEP, function("step_frozen", "", {})))
    first = maker.function("step", [None, V])
    assert maker.function("step", [None, Value(float32, (2, 3))]) is first
    other = maker.function("step", [None, Value(float32, (9,))])
    assert (first.name, other.name) == ("step_frozen_1", "step_frozen_2")


def test_a_loop_that_is_handed_a_variable() -> None:
    graph = Library(STEP, TEST, nodes=(Node("v", "VarHandleOp"), loop()))
    maker = Specialiser(graph)
    made = Body(graph, {"v": V}, maker)
    (node,) = made.rewritten(graph["w"])
    assert node.attrs["T"] == [float32, float32]
    assert node.attrs["output_shapes"] == [Shape(()), Shape((2, 3))]
    assert node.attrs["body"] == Func("step_frozen")
    assert "_read_only_resource_inputs" not in node.attrs
    assert made.handle("w:1") == V and made.handle("w") is None
    assert [name for name, _ in maker.library({"w": node})] == ["test_frozen", "step_frozen"]


def test_a_loop_that_assigns_its_variable_is_refused() -> None:
    body = function("step", "i v", {"i": "i", "v": "v"},
                    Node("set", "AssignAddVariableOp", ["v", "i"]))  # fmt: skip
    graph = Library(body, TEST, nodes=(Node("v", "VarHandleOp"), loop()))
    with pytest.raises(ConversionError, match="loop that assigns"):
        Body(graph, {"v": V}, Specialiser(graph)).rewritten(graph["w"])


def test_branches_yield_what_their_functions_do() -> None:
    keep = function("keep", "v", {"v": "v"})
    node = Node("if", "If", ["p", "v"], {
        "Tin": [RESOURCE], "Tout": [RESOURCE], "then_branch": Func("keep"),
        "else_branch": Func("keep"), "output_shapes": [Shape(())],
    })  # fmt: skip
    graph = Library(keep, nodes=(Node("v", "VarHandleOp"), node))
    made = Body(graph, {"v": V}, Specialiser(graph))
    assert made.handle("if") == V
    (new,) = made.rewritten(node)
    assert (new.attrs["Tin"], new.attrs["Tout"]) == ([float32], [float32])
    assert new.attrs["output_shapes"] == [Shape((2, 3))]


def test_functions_that_nobody_calls_are_left_out() -> None:
    inner = function("inner", "", {})
    outer = function("outer", "", {}, Node("c", "PartitionedCall", [], {"f": Func("inner")}))
    graph = Library(inner, outer, function("other", "", {}))
    nodes = {"w": Node("w", "Case", [], {"branches": [Func("outer")]})}
    assert [name for name, _ in Specialiser(graph).library(nodes)] == ["inner", "outer"]
    assert list(referenced({"n": Node("n", "inner")}, graph.functions)) == ["inner"]


@pytest.mark.parametrize("name", ["none", "own", "step"])
def test_damaged_libraries(name: str) -> None:
    call = Node("c", "PartitionedCall", ["v"],
                {"f": Func("own"), "Tin": [RESOURCE], "Tout": [RESOURCE]})  # fmt: skip
    own = function("own", "v", {"out": "c:output:0"}, call)
    with pytest.raises(CorruptFileError):
        Specialiser(Library(STEP, own)).function(name, [V])

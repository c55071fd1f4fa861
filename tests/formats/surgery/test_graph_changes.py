"""Changes between graphs: nodes, attrs, functions, versions, whatever their spelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelfmt import proto
from modelfmt.storage.files import Computed, SourceFile
from modelfmt.surgery.changes import Change, Tolerance
from modelfmt.surgery.graph_changes import graph_changes, message_changes, same_bytes
from modelfmt.tf.graphdef import WireGraph

Edit = Callable[[Any], object]


def graphdef() -> Any:
    graph = proto.GraphDef()
    graph.versions.producer = 134
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1
    x.attr["shape"].shape.dim.add(size=-1)
    w = graph.node.add(name="w", op="Const")
    w.attr["dtype"].type = 1
    w.attr["value"].tensor.dtype = 1
    w.attr["value"].tensor.tensor_shape.dim.add(size=3)
    w.attr["value"].tensor.tensor_content = np.array([1, 2, 3], np.float32).tobytes()
    y = graph.node.add(name="y", op="Mul", input=["x", "w"])
    y.attr["T"].type = 1
    function = graph.library.function.add()
    function.signature.name = "f"
    function.signature.input_arg.add(name="a", type=1)
    function.node_def.add(name="r", op="Relu", input=["a"])
    return graph


def changes(edit: Edit, **tolerance: float) -> list[Change]:
    before, after = graphdef(), graphdef()
    edit(after)
    a, b = (WireGraph(g.SerializeToString()) for g in (before, after))
    there = list(graph_changes(a, b, Tolerance(**tolerance)))
    back = [change.swapped() for change in graph_changes(b, a, Tolerance(**tolerance))]
    assert {(c.part, c.where, c.what) for c in there if c.what != "moved"} == {
        (c.part, c.where, c.what) for c in back if c.what != "moved"
    }
    return there


def set_attr(graph: Any, node: int, key: str, **value: Any) -> None:
    graph.node[node].attr[key].Clear()
    for field, v in value.items():
        setattr(graph.node[node].attr[key], field, v)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda g: setattr(g.node[2], "op", "Add"), ("nodes", "y", "changed", "op", "Mul", "Add")),
        (lambda g: setattr(g.node[2], "device", "/gpu:0"),
         ("nodes", "y", "changed", "device", "", "/gpu:0")),
        (lambda g: g.node[2].input.append("^x"),
         ("nodes", "y", "changed", "inputs", ["x", "w"], ["x", "w", "^x"])),
        (lambda g: set_attr(g, 2, "T", type=2),
         ("nodes", "y", "changed", "attr T", "float32", "float64")),
        (lambda g: set_attr(g, 2, "_note", s=b"hi"),
         ("nodes", "y", "added", "attr _note", None, "hi")),
        (lambda g: g.node[2].attr.__delitem__("T"),
         ("nodes", "y", "removed", "attr T", "float32", None)),
        (lambda g: g.node[0].attr["shape"].shape.dim.add(size=4),
         ("nodes", "x", "changed", "attr shape", [None], [None, 4])),
        (lambda g: g.node.add(name="z", op="NoOp"), ("nodes", "z", "added", "", None, "NoOp")),
        (lambda g: g.node.__delitem__(2), ("nodes", "y", "removed", "", "Mul", None)),
        (lambda g: setattr(g.versions, "producer", 21),
         ("versions", "", "changed", "versions.producer", 134, 21)),
        (lambda g: setattr(g.library.function[0].node_def[0], "op", "Elu"),
         ("functions", "f/r", "changed", "op", "Relu", "Elu")),
        (lambda g: g.library.function.__delitem__(0),
         ("functions", "f", "removed", "", "1 nodes", None)),
        (lambda g: setattr(g.library.function[0].signature, "is_stateful", True),
         ("functions", "f", "added", "signature.is_stateful", None, True)),
    ],
)  # fmt: skip
def test_one_change(edit: Edit, expected: tuple[Any, ...]) -> None:
    (change,) = changes(edit)
    assert (change.part, change.where, change.what, change.item, change.a, change.b) == expected


def test_values_of_a_constant() -> None:
    def edit(graph: Any) -> None:
        content = np.array([1, 2.5, 3], np.float32).tobytes()
        graph.node[1].attr["value"].tensor.tensor_content = content

    (change,) = changes(edit)
    assert change.item == "attr value values"
    assert change.numbers is not None and change.numbers.at == (1,)
    assert changes(edit, absolute=0.5) == []


def test_the_spelling_of_a_constant_is_no_change() -> None:
    def edit(graph: Any) -> None:
        tensor = graph.node[1].attr["value"].tensor
        tensor.tensor_content = b""
        tensor.float_val.extend([1, 2, 3])

    assert changes(edit) == []


def test_nodes_that_moved() -> None:
    def edit(graph: Any) -> None:
        nodes = list(graph.node)
        del graph.node[:]
        graph.node.extend([nodes[2], nodes[0], nodes[1]])

    assert [(c.where, c.what) for c in changes(edit)] == [("y", "moved")]


def test_what_a_node_has_beyond_our_words() -> None:
    def edit(graph: Any) -> None:
        graph.node[2].experimental_debug_info.original_node_names.append("y")

    assert [c.item for c in changes(edit)] == ["other fields of the NodeDef"]


def test_scopes_and_messages() -> None:
    a, b = (WireGraph(g.SerializeToString()) for g in (graphdef(), proto.GraphDef()))
    assert {c.where for c in graph_changes(a, b, scope="[serve] ")} >= {"[serve] x", "[serve] f"}
    left, right = proto.SaverDef(filename_tensor_name="f"), proto.SaverDef(max_to_keep=5)
    found = {(c.what, c.item) for c in message_changes("saver", "", "saver", left, right)}
    assert found == {("removed", "saver.filename_tensor_name"), ("added", "saver.max_to_keep")}


def test_a_field_that_nobody_knows() -> None:
    known = proto.SaverDef(max_to_keep=5)
    unknown = proto.SaverDef.FromString(known.SerializeToString() + b"\xfa\x3f\x01x")
    (change,) = message_changes("saver", "", "", known, unknown)
    assert change.item == "fields unknown to modelfmt"


def test_bytes_in_chunks(tmp_path: Any) -> None:
    data = bytes(3 << 20)
    (tmp_path / "a").write_bytes(data)
    with SourceFile(tmp_path / "a") as file:
        assert same_bytes(file.span(), file.span())
        assert same_bytes(file.span(), Computed(len(data), lambda: [data[:5], data[5:]]))
        assert not same_bytes(file.span(), data[:-1] + b"x")
        assert not same_bytes(file.span(), data[:-1])

"""What becomes of a graph when it is frozen: ends, names, variables, places, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import bool_, float32
from modelfmt.errors import ConversionError, MissingError
from modelfmt.graph import AttrValue, Graph, Node, Shape
from modelfmt.surgery.freeze import freeze
from modelfmt.surgery.freezer import End
from modelfmt.tensor import Tensor

T = {"T": float32}


def node(name: str, op: str, *inputs: str, device: str = "", **attrs: AttrValue) -> Node:
    every = {} if op == "Placeholder" else T
    return Node(name, op, list(inputs), {**every, **attrs}, device)


def fed(name: str, dtype: Any = float32) -> Node:
    return node(name, "Placeholder", dtype=dtype, shape=Shape((None, 2)))


def const(name: str, value: Any, *controls: str) -> Node:
    tensor = Tensor.from_numpy(name, np.asarray(value))
    return Node(name, "Const", list(controls), {"value": tensor, "dtype": tensor.dtype})


def graph(*nodes: Node) -> Graph:
    return Graph({n.name: n for n in nodes})


MODEL = graph(
    fed("x"), fed("labels"), node("v", "VariableV2", dtype=float32, shape=Shape((2, 2))),
    node("v/read", "Identity", "v", _class=["loc:@v", "loc:@gone"], device="/gpu:0"),
    node("h", "VarHandleOp", dtype=float32, shape=Shape((2, 2))),
    node("h/read", "ReadVariableOp", "h", dtype=float32),
    node("y", "MatMul", "x", "v/read", "^train"), node("z", "MatMul", "y:0", "h/read"),
    node("loss", "Sub", "z", "labels"), node("train", "AssignAdd", "v", "loss"),
)  # fmt: skip
VALUES = {
    "v": Tensor.from_numpy("v", np.eye(2, dtype="f4")),
    "h": Tensor.from_numpy("h", np.ones((2, 2), "f4")),
}


def test_variables_are_constants_and_the_rest_is_gone() -> None:
    frozen = freeze(MODEL, [End("x:0")], [End("z:0")], VALUES)
    assert list(frozen) == ["x", "v", "v/read", "h", "h/read", "y", "z"]
    assert [frozen[n].op for n in ("v", "h", "h/read")] == ["Const", "Const", "Identity"]
    assert frozen["v"].attrs["value"] is VALUES["v"]
    assert frozen["y"].inputs == ["x", "v/read"]  # the edge from train ordered, no more
    assert frozen["z"].inputs == ["y:0", "h/read"]  # spelled as it was
    assert (frozen["v/read"].device, frozen["v/read"].attrs["_class"]) == ("", ["loc:@v"])
    assert MODEL["v/read"].device == "/gpu:0" and MODEL["y"].inputs[-1] == "^train"


def test_without_ends_the_sinks_that_change_nothing() -> None:
    nodes = [n.copy() for n in MODEL.values() if n.name != "loss"]
    nodes[-1].inputs = ["v", "z"]
    nodes.append(node("p", "Relu", "z"))
    assert list(freeze(graph(*nodes), values=VALUES))[-1] == "p"
    with pytest.raises(ConversionError, match="no output"):
        freeze(graph(*nodes[:-1]), values=VALUES)


def test_a_cut_in_the_middle() -> None:
    frozen = freeze(MODEL, [End("y")], [End("z")], VALUES)
    assert list(frozen) == ["y", "h", "h/read", "z"]
    assert frozen["y"].op == "Placeholder" and frozen["y"].attrs["shape"] == Shape((None, 2))
    assert frozen["y"].attrs["dtype"] is float32


def test_a_cut_at_one_of_several_outputs() -> None:
    split = graph(
        fed("x"), const("axis", np.int32(0)), node("s", "Split", "axis", "x", num_split=2),
        node("y", "Add", "s", "s:1"),
    )  # fmt: skip
    frozen = freeze(split, [End("x"), End("s:1")], [End("y")])
    assert frozen["s"].op == "Split" and frozen["s_1"].op == "Placeholder"
    assert frozen["y"].inputs == ["s", "s_1"]


def test_ends_are_named_as_the_signature_names_them() -> None:
    frozen = freeze(MODEL, [End("x", "image in")], [End("z", "prob"), End("y", "y")], VALUES)
    assert frozen["image_in"].op == "Placeholder" and "x" not in frozen
    assert frozen["y"].inputs[0] == "image_in"
    assert (frozen["prob"].op, frozen["prob"].inputs) == ("Identity", ["z"])
    assert frozen["y_1"].inputs == ["y"]  # the node y is read by others, so it is no sink
    same = freeze(MODEL, [End("x", "x")], [End("z", "z")], VALUES)
    assert list(same) == ["x", "v", "v/read", "h", "h/read", "y", "z"]


def test_inputs_may_exchange_their_names() -> None:
    source = graph(fed("a"), fed("b"), node("y", "Sub", "a", "b"))
    assert freeze(source, [End("a", "b"), End("b", "a")], [End("y")])["y"].inputs == ["b", "a"]


def test_an_input_that_is_not_needed_stays_an_input() -> None:
    frozen = freeze(MODEL, [End("x"), End("labels")], [End("z")], VALUES)
    assert frozen["labels"].op == "Placeholder"


def phase(kind: str) -> Graph:
    switch = [
        Node("keras_learning_phase", kind, [] if kind == "Placeholder" else ["no"],
             {"dtype": bool_, "shape": Shape(())}), const("no", False),
        fed("x"), node("c/Switch", "Switch", "x", "keras_learning_phase"),
        node("c/drop", "Relu", "c/Switch:1"), node("c/keep", "Tanh", "c/Switch"),
        node("c/Merge", "Merge", "c/keep", "c/drop", N=2), node("y", "Abs", "c/Merge"),
    ]  # fmt: skip
    return graph(*switch)


@pytest.mark.parametrize("kind", ["Placeholder", "PlaceholderWithDefault"])
def test_the_learning_phase_is_inference(kind: str) -> None:
    frozen = freeze(phase(kind), [End("x")], [End("y")])
    assert list(frozen) == ["x", "c/keep", "y"]
    assert (frozen["c/keep"].inputs, frozen["y"].inputs) == (["x"], ["c/keep"])


def test_an_output_that_was_folded_keeps_its_name() -> None:
    frozen = freeze(phase("Placeholder"), [End("x")], [End("c/Merge:0")])
    assert (frozen["c/Merge"].op, frozen["c/Merge"].inputs) == ("Identity", ["c/keep"])


def test_a_learning_phase_that_is_still_read_is_false() -> None:
    cast = node("f", "Cast", "keras_learning_phase", DstT=float32)
    frozen = freeze(graph(*phase("Placeholder").values(), cast), [End("x")], [End("f")])
    value = frozen["keras_learning_phase"].attrs["value"]
    assert isinstance(value, Tensor) and value.dtype is bool_ and not value.numpy().item()


@pytest.mark.parametrize(
    ("nodes", "output", "match"),
    [
        ([node("w", "VariableV2", dtype=float32, shape=Shape(()))], "w", "no value for variable w"),
        ([fed("keep_prob"), node("r", "Mul", "x", "keep_prob")], "r", "depend on keep_prob"),
        ([node("q", "FIFOQueueV2"), node("d", "QueueDequeueV2", "q", component_types=[float32])],
         "d", "cannot hold .*Queue"),
        ([node("a", "AssignAdd", "v", "x"), node("r", "Relu", "a")], "r", r"a \(AssignAdd\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_frozen_is_named(nodes: list[Node], output: str, match: str) -> None:
    with pytest.raises(ConversionError, match=match) as caught:
        freeze(graph(*MODEL.values(), *nodes), [End("x")], [End(output)], VALUES)
    assert caught.value.exit_status == 4


def test_ends_that_do_not_exist() -> None:
    with pytest.raises(MissingError, match="'zz'"):
        freeze(MODEL, [End("x")], [End("zz")], VALUES)

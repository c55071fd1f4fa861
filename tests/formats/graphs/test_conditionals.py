"""If and Case by what is known: the branch that is taken, in the place of the conditional."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt.dtypes import bool_, float32, int32
from modelfmt.errors import CorruptFileError
from modelfmt.graph import AttrValue, Func, Function, Graph, Node, Placeholder, Shape
from modelfmt.graphs.conditionals import look
from modelfmt.tensor import Tensor

F = {"T": float32}


class Library(Graph):
    def __init__(self, *parts: Node | Function) -> None:
        super().__init__({n.name: n for n in parts if isinstance(n, Node)})
        self._functions = {f.name: f for f in parts if isinstance(f, Function)}
        self.producer = 27

    @property
    def functions(self) -> Mapping[str, Function]:
        return self._functions


def const(name: str, value: Any, dtype: str) -> Node:
    tensor = Tensor.from_numpy(name, np.asarray(value, dtype))
    return Node(name, "Const", [], {"value": tensor, "dtype": tensor.dtype})


def fed(name: str, kind: Any, *shape: int | None, op: str = "Placeholder", d: str = "") -> Node:
    return Node(name, op, [d] if d else [], {"dtype": kind, "shape": Shape(shape)})


def function(name: str, op: str, result: str = "activations") -> Function:
    """One node of type ``op`` applied to the argument."""
    node = Node("act", op, ["a"], {"T": Placeholder("T")})
    return Function(name, {"act": node}, ["a"], {"out": f"act:{result}:0"})


def conditional(name: str, predicate: str, *inputs: str, op: str = "If", yes: str = "train",
                no: str = "infer") -> Node:  # fmt: skip
    attrs: dict[str, AttrValue] = {
        "then_branch": Func(yes, {"T": float32}), "else_branch": Func(no, {"T": float32}),
        "Tin": [float32] * len(inputs), "Tout": [float32], "Tcond": bool_,
    }  # fmt: skip
    return Node(name, op, [predicate, *inputs], attrs)


X = fed("x", float32, None, 4)
TRAIN, INFER = function("train", "Tanh", "y"), function("infer", "Relu")
PHASES: list[list[Node]] = [
    [fed("keras_learning_phase", bool_)],
    [const("d", False, "?"),
     fed("keras_learning_phase", bool_, op="PlaceholderWithDefault", d="d")],
    [const("keras_learning_phase", False, "?")],
]  # fmt: skip


@pytest.mark.parametrize("op", ["If", "StatelessIf", "_If"])
@pytest.mark.parametrize("phase", PHASES, ids=["fed", "with default", "const"])
def test_the_branch_of_inference(phase: list[Node], op: str) -> None:
    node = conditional("bn/cond", "keras_learning_phase", "x", op=op)
    graph = Library(X, *phase, node, Node("y", "Elu", ["bn/cond"], F), TRAIN, INFER)
    view = look(graph)
    assert [(n.name, n.op) for n in view.live.values()] == [
        ("y", "Elu"), ("bn/cond/act", "Relu"), ("x", "Placeholder"),
    ]  # fmt: skip
    assert view.live["bn/cond/act"].attrs["T"] is float32  # as the branch instantiates it
    assert (view.inputs, view.outputs) == (["x"], ["y"])
    assert list(graph) == [n.name for n in (X, *phase, node)] + ["y"] and graph["bn/cond"] is node


@pytest.mark.parametrize(("value", "dtype", "op"), [
    (True, "?", "Tanh"), (False, "?", "Relu"), (3, "i4", "Tanh"), (0.0, "f4", "Relu"),
])  # fmt: skip
def test_a_predicate_that_is_a_constant(value: Any, dtype: str, op: str) -> None:
    view = look(Library(X, const("p", value, dtype), conditional("y", "p", "x"), TRAIN, INFER))
    made = view.producer(view.outputs[0])
    assert made is not None and made.op == op


def test_a_predicate_that_is_computed() -> None:
    nodes = [const("k", 3, "i4"), const("three", 3, "i4"),
             Node("p", "Equal", ["k", "three"], {"T": int32})]  # fmt: skip
    view = look(Library(X, *nodes, conditional("y", "p", "x"), TRAIN, INFER))
    assert view.outputs == ["y/act"] and view.live["y/act"].op == "Tanh"


def test_a_conditional_on_what_is_fed_stays() -> None:
    graph = Library(X, fed("p", bool_), conditional("y", "p", "x"), TRAIN, INFER)
    view = look(graph)
    assert view.live["y"].op == "If" and view.graph is graph


@pytest.mark.parametrize(("index", "op"), [(0, "Tanh"), (1, "Relu"), (7, "Relu"), (-1, "Relu")])
@pytest.mark.parametrize("kind", ["Case", "StatelessCase"])
def test_a_case(kind: str, index: int, op: str) -> None:
    attrs: dict[str, AttrValue] = {
        "branches": [Func("train", {"T": float32}), Func("infer", {"T": float32})],
        "Tin": [float32], "Tout": [float32],
    }  # fmt: skip
    nodes = [const("i", index, "i4"), Node("y", kind, ["i", "x"], attrs)]
    view = look(Library(X, *nodes, TRAIN, INFER))
    assert view.live[view.outputs[0]].op == op


def test_conditionals_and_calls_within_a_branch() -> None:
    inner = conditional("in", "p", "a")
    attrs = {"f": Func("infer", {"T": float32}), "Tin": [float32], "Tout": [float32]}
    call = Node("call", "PartitionedCall", ["in:output:0"], attrs)
    outer = Function("outer", {"in": inner, "call": call}, ["p", "a"], {"out": "call:output:0"})
    node = conditional("y", "keras_learning_phase", "keras_learning_phase", "x", no="outer")
    view = look(Library(X, *PHASES[0], node, TRAIN, INFER, outer))
    assert list(view.live) == ["y/call/act", "y/in/act", "x"]
    assert [n.op for n in view.live.values()] == ["Relu", "Relu", "Placeholder"]


def test_what_a_branch_does_not_return_is_no_output() -> None:
    spare = Function("infer", {**INFER, "spare": Node("spare", "Tanh", ["a"], F)}, ["a"],
                     INFER.results)  # fmt: skip
    view = look(Library(X, *PHASES[0], conditional("y", "keras_learning_phase", "x"), TRAIN, spare))
    assert view.output_names == ["y"]


def test_what_only_the_other_branch_needs_is_no_output() -> None:
    """The moments of a batch, of which inference makes nothing."""
    train = Function("train", {"act": Node("act", "AddV2", ["a", "b"], F)}, ["a", "b"],
                     {"out": "act:z:0"})  # fmt: skip
    infer = Function("infer", dict(INFER), ["a", "b"], INFER.results)
    nodes = [Node("moments", "Tanh", ["x"], F),
             conditional("y", "keras_learning_phase", "x", "moments")]  # fmt: skip
    view = look(Library(X, *PHASES[0], *nodes, train, infer))
    assert view.output_names == ["y"] and list(view.live) == ["y/act", "x"]


def test_a_branch_that_takes_itself_never_ends() -> None:
    again = Function("again", {"in": conditional("in", "p", "p", "a", yes="again", no="again")},
                     ["p", "a"], {"out": "in:output:0"})  # fmt: skip
    node = conditional("y", "p", "p", "x", yes="again", no="again")
    with pytest.raises(CorruptFileError, match="without end"):
        look(Library(X, const("p", True, "?"), node, again))


def test_a_branch_that_is_not_there() -> None:
    with pytest.raises(CorruptFileError, match='node "y": calls function "infer"'):
        look(Library(X, *PHASES[0], conditional("y", "keras_learning_phase", "x"), TRAIN))


@pytest.mark.parametrize("attr", ["else_branch", "then_branch", "branches"])
def test_a_conditional_without_its_branches_stays(attr: str) -> None:
    node = conditional("y", "keras_learning_phase", "x", op="Case" if attr == "branches" else "If")
    node.attrs.pop(attr, None)
    assert look(Library(X, *PHASES[0], node, TRAIN, INFER)).live["y"] is not None


@pytest.mark.oracle
def test_a_keras_model_of_functional_control_flow(tmp_path: Path) -> None:
    """Dropout and BatchNormalization in a graph of TensorFlow 1, with conditionals of 2."""
    pytest.importorskip("tf_keras")
    script = str(Path(__file__).with_name("oracle_phase.py"))
    subprocess.run([sys.executable, script, "make", str(tmp_path)], check=True)
    ends: Any = {"inputs": ["img:0"], "outputs": ["out/Softmax:0"]}
    meta, frozen = tmp_path / "model.ckpt.meta", tmp_path / "frozen.pb"
    modelfmt.convert(meta, frozen, **ends)
    with modelfmt.open(frozen) as file:  # a graph stays what it is
        assert {"If", "StatelessIf"} & {node.op for node in file.graph.values()}
    for name, source, cut in [("session", meta, ends), ("frozen", frozen, {}),
                              ("by_hand", tmp_path / "by_hand.pb", {})]:  # fmt: skip
        out = tmp_path / f"{name}.h5"
        modelfmt.convert(source, out, keras=2, **cut)
        with modelfmt.open(out) as file:
            assert [(layer.class_name, layer.name) for layer in file.network.layers] == [
                ("InputLayer", "img"), ("Conv2D", "conv"), ("BatchNormalization", "bn"),
                ("Activation", "act"), ("GlobalAveragePooling2D", "gap"), ("Dense", "dense"),
                ("BatchNormalization", "bn2"), ("Dense", "out"),
            ], name  # fmt: skip
    subprocess.run([sys.executable, script, "judge", str(tmp_path)], check=True)

"""Branches by a known predicate: what is taken, and what is dead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import bool_, float32, int32
from modelfmt.graph import AttrValue, Graph, Node, Shape
from modelfmt.graphs.branches import chosen, is_phase
from modelfmt.graphs.view import View
from modelfmt.tensor import Tensor

F = {"T": float32}
X = Node("x", "Placeholder", [], {"dtype": float32, "shape": Shape((None, 4))})
Z = Node("z", "Placeholder", [], {"dtype": float32, "shape": Shape((None, 4))})
FED = Node("fed", "Placeholder", [], {"dtype": bool_, "shape": Shape(())})


def const(name: str, value: Any, dtype: str, *inputs: str) -> Node:
    tensor = Tensor.from_numpy(name, np.asarray(value, dtype))
    return Node(name, "Const", list(inputs), {"value": tensor, "dtype": tensor.dtype})


def op(name: str, kind: str, *inputs: str, **attrs: AttrValue) -> Node:
    return Node(name, kind, list(inputs), {**F, **attrs})


def view(*nodes: Node, outputs: list[str] | None = None) -> View:
    return View(Graph({node.name: node for node in nodes}), outputs=outputs)


@pytest.mark.parametrize(("truth", "taken"), [(True, "x"), (False, "z")])
@pytest.mark.parametrize("kind", ["Select", "SelectV2"])
def test_a_select_by_a_known_condition_is_resolved(kind: str, truth: bool, taken: str) -> None:
    seen = view(X, Z, const("c", truth, "?"), op("s", kind, "c", "x", "z"), op("y", "Relu", "s"))
    assert seen.live["y"].inputs == [taken]
    assert seen.folded == {"s": taken}


def test_a_select_by_an_unknown_condition_stays() -> None:
    seen = view(X, FED, op("s", "Select", "fed", "x", "x"), op("y", "Relu", "s"))
    assert seen.live["y"].inputs == ["s"] and not seen.folded


@pytest.mark.parametrize("truth", [True, False])
def test_branches_of_constants_die_by_their_control_edges(truth: bool) -> None:
    """tf.cond(pred, lambda: 2.0, lambda: 3.0): nothing but a control edge ties them to it."""
    pivots = [Node("t", "Identity", ["p:1"], {"T": bool_}), Node("f", "Identity", ["p"],
              {"T": bool_})]  # fmt: skip
    seen = view(
        X, const("c", truth, "?"), Node("p", "Switch", ["c", "c"], {"T": bool_}), *pivots,
        const("two", 2, "f4", "^t"), const("three", 3, "f4", "^f"),
        op("m", "Merge", "three", "two", N=2), op("y", "Mul", "x", "m"),
    )  # fmt: skip
    assert seen.scalar("m") == (2 if truth else 3)
    assert seen.outputs == ["y"]


def test_an_unknown_predicate_keeps_both_branches() -> None:
    seen = view(
        X, FED, op("s", "Switch", "x", "fed"), op("a", "Relu", "s:1"), op("b", "Tanh", "s"),
        op("m", "Merge", "a", "b", N=2), op("y", "Elu", "m"),
    )  # fmt: skip
    assert {"s", "a", "b", "m"} <= seen.live.keys()


@pytest.mark.parametrize(("index", "taken"), [(0, "a"), (1, "b"), (2, "c"), (3, "c"), (-1, "c")])
def test_a_lowered_case(index: int, taken: str) -> None:
    seen = view(
        X, const("i", index, "i4"), op("s", "_SwitchN", "x", "i", num_outs=3),
        op("a", "Relu", "s"), op("b", "Tanh", "s:1"), op("c", "Elu", "s:2"),
        op("m", "Merge", "a", "b", "c", N=3), op("y", "Sigmoid", "m"),
    )  # fmt: skip
    assert seen.resolve("m") == taken
    assert chosen(index, 3) == "abc".index(taken)


@pytest.mark.parametrize("count", [0, -1, 10**12, None])
def test_a_switch_of_no_number_of_branches_stays(count: Any) -> None:
    attrs: dict[str, AttrValue] = {} if count is None else {"num_outs": count}
    seen = view(X, const("i", 0, "i4"), op("s", "_SwitchN", "x", "i", **attrs),
                op("y", "Relu", "s"), outputs=["y"])  # fmt: skip
    assert seen.live["y"].inputs == ["s"]


def test_branches_within_a_branch_that_is_not_taken() -> None:
    seen = view(
        X, FED, const("no", False, "?"), op("s", "Switch", "x", "no"),
        op("s2", "Switch", "s:1", "fed"), op("a", "Relu", "s2"), op("b", "Tanh", "s2:1"),
        op("m2", "Merge", "a", "b", N=2), op("m", "Merge", "s", "m2", N=2), op("y", "Elu", "m"),
    )  # fmt: skip
    assert seen.resolve("m") == "x" and seen.live.keys() == {"x", "y"}


def test_what_is_a_phase() -> None:
    scalar: dict[str, AttrValue] = {"dtype": bool_, "shape": Shape(())}
    assert is_phase(Node("bn/keras_learning_phase", "Placeholder", [], scalar))
    assert is_phase(Node("keras_learning_phase", "Placeholder", [], {"shape": Shape(None)}))
    assert is_phase(Node("keras_learning_phase", "PlaceholderWithDefault", ["d"], {}))
    assert not is_phase(Node("keras_learning_phase", "Placeholder", [], {"shape": Shape((1,))}))
    assert not is_phase(Node("keras_learning_phase", "Const", [], {}))
    assert not is_phase(Node("training", "Placeholder", [], {"dtype": int32}))

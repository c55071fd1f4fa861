"""What an output needs."""

from __future__ import annotations

from modelfmt.graph import Graph, Node
from modelfmt.graphs.reach import Reach, kept_controls


def graph(*nodes: tuple[str, str, str]) -> Graph:
    return Graph({name: Node(name, op, inputs.split()) for name, op, inputs in nodes})


COND = graph(
    ("p", "Placeholder", ""), ("x", "Placeholder", ""), ("cond/Switch", "Switch", "p p"),
    ("cond/t", "Identity", "cond/Switch:1"), ("cond/n", "NoOp", "^cond/t"),
    ("cond/Const", "Const", "^cond/n"), ("cond/x", "Switch", "x p"),
    ("cond/Merge", "Merge", "cond/x cond/Const"), ("log", "NoOp", ""),
    ("free", "Const", "^log"), ("y", "Mul", "cond/Merge free ^log"), ("unused", "Relu", "x"),
)  # fmt: skip


def test_a_constant_keeps_the_branch_it_stands_in() -> None:
    """Without cond/t the constant would always be alive, and win the Merge."""
    found = Reach(COND).needed(["y"])
    assert found == {*COND} - {"log", "unused"}


def test_control_edges_that_only_order_are_dropped() -> None:
    kept = Reach(COND).needed(["y"])
    assert kept_controls(COND["free"], kept) == []
    assert kept_controls(COND["cond/Const"], kept) == ["^cond/n"]


def test_what_stands_in_a_branch() -> None:
    reach = Reach(COND)
    assert [n for n in COND if reach.is_inside(n)] == [
        "cond/Switch", "cond/t", "cond/n", "cond/Const", "cond/x", "cond/Merge", "y"
    ]  # fmt: skip


def test_the_walk_follows_what_an_input_stands_for() -> None:
    found = Reach(COND, lambda text: "x" if text == "cond/Merge" else text).needed(["y"])
    assert found == {"y", "x", "free"}
    ends = Reach(COND, lambda text: "^" if text == "x" else text)
    assert "x" not in ends.needed(["cond/x"])


def test_loops_end() -> None:
    loop = graph(
        ("i", "Const", ""), ("e", "Enter", "i"), ("m", "Merge", "e n"), ("c", "Const", "^m"),
        ("s", "Switch", "m c"), ("n", "NextIteration", "s:1"), ("x", "Exit", "s"),
    )  # fmt: skip
    assert Reach(loop).needed(["x"]) == {*loop}
    assert not Reach(loop).is_inside("i")

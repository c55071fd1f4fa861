"""Variables and the checkpoint keys that restore them."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import MismatchError
from modelfmt.graph import Graph, Node
from modelfmt.graphs.variables import checkpoint_keys, stored, values, variables
from modelfmt.tensor import Tensor


def strings(name: str, *texts: str) -> Node:
    value = Tensor.from_numpy(name, np.array([t.encode() for t in texts], object))
    return Node(name, "Const", [], {"value": value, "dtype": value.dtype})


def restored(keys: list[str], parts: list[str] | None = None) -> Graph:
    """Variables a, b, ... restored from keys, the first through an Identity."""
    nodes = [
        strings("keys", *keys), strings("parts", *(parts or [""] * len(keys))),
        Node("restore", "RestoreV2", ["file", "keys", "parts"]),
        Node("pass", "Identity", ["restore"]),
    ]
    for index, name in enumerate("abcd"[: len(keys)]):
        source = f"restore:{index}" if index else "pass"
        nodes.append(Node(name, "VarHandleOp", [], {"shared_name": f"shared_{name}"}))
        nodes.append(Node(f"set_{name}", "AssignVariableOp", [name, source]))
    return Graph({node.name: node for node in nodes})


def test_the_key_is_what_the_saver_restores() -> None:
    graph = restored(["k/0", "k/1"])
    assert [node.name for node in variables(graph)] == ["a", "b"]
    assert checkpoint_keys(graph) == {"a": "k/0", "b": "k/1"}


def test_without_a_saver_it_is_the_variables_name() -> None:
    graph = Graph({
        "v": Node("v", "VariableV2"), "h": Node("h", "VarHandleOp", [], {"shared_name": "g"}),
        "w": Node("w", "VarHandleOp", [], {"shared_name": ""}),
    })  # fmt: skip
    assert checkpoint_keys(graph) == {"v": "v", "h": "g", "w": "w"}


def test_parts_of_one_variable_are_slices_of_one_key() -> None:
    graph = restored(["t", "t"], ["3 2 0,2:-", "3 2 2,1:-"])
    assert [place.part for place in stored(graph).values()] == ["3 2 0,2:-", "3 2 2,1:-"]
    held = values(graph, {"t": Tensor.from_numpy("t", np.arange(6, dtype="f4").reshape(3, 2))})
    assert held["a"].numpy().tolist() == [[0, 1], [2, 3]] and held["a"].name == "a"
    assert held["b"].numpy().tolist() == [[4, 5]]


def test_a_bad_value_disturbs_nobody_who_does_not_ask() -> None:
    graph = restored(["t", "u", "none"], ["3 2 0,2:-", "", ""])
    tensor = Tensor("u", float32, (1,), b"\0\0\0\0")
    held = values(graph, {"t": tensor, "u": tensor})
    assert list(held) == ["a", "b"] and len(held) == 2 and "c" not in held
    assert held["b"].shape == (1,)
    with pytest.raises(MismatchError, match='variable "a"'):
        held["a"]

"""VariableGraphBuilder: weights as variables."""

from __future__ import annotations

import numpy as np

from modelfmt.dtypes import float32
from modelfmt.graphs.variable_builder import VariableGraphBuilder
from modelfmt.tensor import Tensor


def tensor(name: str = "kernel", *shape: int, dtype: str = "f4") -> Tensor:
    return Tensor.from_numpy(name, np.ones(shape or (3, 2), dtype))


def test_a_weight_is_a_variable_below_its_scope() -> None:
    graph, kernel = VariableGraphBuilder(), tensor()
    x = graph.placeholder("x", float32, (None, 3))
    with graph.scope("dense"):
        y = graph.op("MatMul", x, kernel)
    assert list(graph) == [
        "x", "dense/kernel", "dense/kernel/Read/ReadVariableOp", "dense/MatMul",
    ]  # fmt: skip
    assert graph["dense/kernel"].attrs["shared_name"] == "dense/kernel"
    assert graph["dense/MatMul"].inputs == ["x", "dense/kernel/Read/ReadVariableOp"]
    assert graph.shape(y) == (None, 2)
    (variable,) = graph.variables()
    assert (variable.name, variable.read) == ("dense/kernel", "dense/kernel/Read/ReadVariableOp")
    assert variable.trainable and variable.value.name == "dense/kernel"
    assert variable.value.payload is kernel.payload


def test_a_shared_weight_is_one_variable_and_a_namesake_another() -> None:
    graph, shared = VariableGraphBuilder(), tensor()
    assert graph.weight(shared) == graph.weight(shared)
    assert graph.weight(tensor()) == "kernel_1/Read/ReadVariableOp"
    assert graph["kernel_1"].attrs["shared_name"] == "kernel_1"
    assert [v.name for v in graph.variables()] == ["kernel", "kernel_1"]


def test_what_is_not_trained() -> None:
    graph = VariableGraphBuilder()
    mean, count, kernel = tensor("moving_mean"), tensor("count", dtype="i4"), tensor()
    for each in (mean, count, kernel):
        graph.weight(each)
    graph.not_trained([mean])
    assert [v.trainable for v in graph.variables()] == [False, False, True]


def test_a_weight_that_nothing_needs_is_no_variable() -> None:
    graph = VariableGraphBuilder()
    kept = graph.weight(tensor("kept"))
    graph.weight(tensor("gone"))
    graph.keep_only([kept])
    assert [v.name for v in graph.variables()] == ["kept"]


def test_a_weights_values_are_not_folded_into_the_graph() -> None:
    """A variable changes: no shape may be computed from what it holds now."""
    graph = VariableGraphBuilder()
    assert graph.static(graph.weight(tensor("size", 2, dtype="i4"))).value is None

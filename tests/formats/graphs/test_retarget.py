"""Graphs for older releases: what is rewritten, what stays, what is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.retarget import retarget, settle_node, with_references
from modelfmt.graphs.saver import made_node
from modelfmt.graphs.variable_builder import VariableGraphBuilder
from modelfmt.tensor import Tensor


def test_nodes_that_are_old_enough_stay() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4))
    graph.op("Relu", x)
    made = retarget(graph, (1, 0), ["Relu"])
    assert all(made[name] is node for name, node in graph.items())
    assert made.producer == 21


def test_an_op_without_a_twin_is_named() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (2, 3))
    graph.op("Einsum", x, x, equation="ab,cb->ac", name="attention")
    with pytest.raises(ConversionError, match=r"attention.*1\.12 does not know op Einsum.*1\.15"):
        retarget(graph, (1, 12), ["attention"])


def test_an_attr_that_says_something_is_named() -> None:
    node = made_node(
        "Conv2D", "conv", ["x", "w"], [float32] * 2,
        strides=[1] * 4, padding="SAME", dilations=[1, 2, 2, 1],
    )  # fmt: skip
    with pytest.raises(ConversionError, match=r"conv.*'dilations' of Conv2D.*1\.5 or newer"):
        settle_node(node, (1, 4))
    assert "dilations" in settle_node(node, (1, 5)).attrs


def test_variables_are_references_below_1_15() -> None:
    graph = VariableGraphBuilder()
    weight = Tensor.from_numpy("w", np.ones((4, 2), np.float32))
    x = graph.placeholder("x", float32, (None, 4))
    y = graph.op("MatMul", x, graph.weight(weight))
    old = retarget(graph, (1, 12), [y])
    assert [old[name].op for name in ("w", "w/Read/ReadVariableOp")] == ["VariableV2", "Identity"]
    assert not with_references(graph.variables(), (1, 12))[0].is_resource
    new = retarget(graph, (1, 15), [y])
    assert new["w"].op == "VarHandleOp"
    assert with_references(graph.variables(), (1, 15))[0].is_resource


def test_another_use_of_a_resource_is_refused() -> None:
    graph = VariableGraphBuilder()
    weight = Tensor.from_numpy("w", np.ones((4, 2), np.float32))
    graph.weight(weight)
    graph.op("VariableShape", "w")
    with pytest.raises(ConversionError, match="takes a resource variable"):
        retarget(graph, (1, 12), ["VariableShape"])

"""Masks of several tensors."""

from __future__ import annotations

import pytest

from modelfmt.dtypes import bool_, float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.masks import Masked, all_seen, any_seen, like_tensor, merged_masks


@pytest.fixture
def graph() -> GraphBuilder:
    graph = GraphBuilder()
    graph.placeholder("x", float32, (None, 5, 4))
    for name in "abc":
        graph.placeholder(name, bool_, (None, 5))
    return graph


def test_folds_go_from_left_to_right(graph: GraphBuilder) -> None:
    assert any_seen(["a"], graph) == "a"
    last = graph[all_seen(["a", "b", "c"], graph)]
    assert (last.op, last.inputs) == ("LogicalAnd", ["LogicalAnd", "c"])


def test_each_major_has_a_rule(graph: GraphBuilder) -> None:
    assert merged_masks([None, None], graph) is None
    assert merged_masks(["a", None], graph) is None
    assert graph[merged_masks(["a", "b"], graph) or ""].op == "LogicalOr"
    graph.keras_major = 2
    assert merged_masks(["a", None], graph) == "a"
    assert graph[merged_masks(["a", "b"], graph) or ""].op == "LogicalAnd"


def test_a_mask_as_wide_as_its_tensor(graph: GraphBuilder) -> None:
    assert graph.shape(like_tensor("x", "a", graph)) == (None, 5, 4)
    assert graph.shape(like_tensor("x", None, graph)) == (None, 5, 4)
    assert graph.shape(Masked("x", "a").spread(graph) or "") == (None, 5, 1)
    assert Masked("x", None).spread(graph) is None

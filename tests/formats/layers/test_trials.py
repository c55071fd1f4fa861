"""Trials: which axes and roles a codec may try, and of which parts of a graph."""

from __future__ import annotations

import numpy as np

from modelfmt.dtypes import float32, int32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.trials import normalized, scaled, trials


def graph_of(axes: list[int], shape: tuple[int | None, ...] = (None, 3, 4)) -> GraphBuilder:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, shape)
    gamma = graph.const(np.ones(4, "f4"))
    mean = graph.op("Mean", x, axes, keep_dims=True)
    graph.op("AddV2", graph.op("Mul", graph.op("Sub", x, mean), gamma), 1e-3, name="y")
    return graph


def test_the_axes_that_a_reduction_names_come_first() -> None:
    (trial,) = trials("y", View(graph_of([-2])))
    assert trial.axes == [(1,), (2,), (1, 2)]
    assert trial.x.shape == trial.y.shape == (2, 3, 4)
    assert [value.shape for value in trial.values] == [(4,)]
    assert trial.epsilons == [np.float32(1e-3)]
    mean = trial.x.mean(1, keepdims=True)
    assert trial.is_like((trial.x - mean) * trial.values[0] + 1e-3)
    assert not trial.is_like((trial.x - mean) * trial.values[0])
    assert trials("y", View(graph_of([0])))[0].axes == [(2,), (1, 2), (1,)]


def test_roles() -> None:
    (trial,) = trials("y", View(graph_of([2])))
    assert list(trial.roles("gamma", "beta")) == [{"gamma": 0}, {"beta": 0}]


def test_each_trial_is_made_once() -> None:
    view = View(graph_of([2]))
    assert trials("y", view) is trials("y:0", view)


def test_large_inputs_are_tried_small() -> None:
    (trial,) = trials("y", View(graph_of([2], (None, 4000, 4))))
    assert trial.x.shape == (2, 4000, 4)
    (trial,) = trials("y", View(graph_of([2], (None, 40000, 4))))
    assert trial.x.shape == (2, 4, 4)


def test_parts_without_a_reduction_or_of_integers_are_none() -> None:
    graph = GraphBuilder()
    graph.op("Neg", graph.placeholder("x", float32, (None, 4)), name="a")
    n = graph.placeholder("n", int32, (None, 4))
    graph.op("Sub", n, graph.op("Sum", n, [1], keep_dims=True), name="b")
    view = View(graph, outputs=["a", "b"])
    assert trials("a", view) == [] and trials("b", view) == []


def test_references() -> None:
    x = np.array([[1.0, 3.0], [2.0, 6.0]])
    assert normalized(x, (1,), 0.0).tolist() == [[-1, 1], [-1, 1]]
    assert normalized(x, (1,), 0.0, centred=False).tolist() == [[1, 3], [1, 3]]
    assert scaled(x, {"gamma": np.array(2.0), "beta": np.array(1.0)}).tolist() == [[3, 7], [5, 13]]
    assert scaled(x, {}) is not None

"""What Transpose, ExpandDims, Squeeze and Reshape do to axes."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import float32
from modelfmt.graphs.arrangement import arrangement, composed, identity, steps
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View


def told(shape: Any, op: str, *operands: Any, **attrs: Any) -> Any:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, shape)
    y = graph.op(op, x, *operands, **attrs)
    graph.op("Relu", y)
    view = View(graph)
    return arrangement(view.live[y], view)


@pytest.mark.parametrize(
    ("shape", "op", "operand", "wanted"),
    [
        ((None, 2, 3), "Transpose", [0, 2, 1], (0, 2, 1)),
        ((None, 2, 3), "ExpandDims", 1, (0, None, 1, 2)),
        ((None, 2, 3), "ExpandDims", -1, (0, 1, 2, None)),
        ((None, 1, 3), "Reshape", [-1, 3], (0, 2)),
        ((None, 2, 3), "Reshape", [-1, 1, 2, 3], (0, None, 1, 2)),
        ((None, 2, 3), "Reshape", [-1, 3, 2], None),
        ((None, 2, 3), "Reshape", [-1, 6], None),
        ((None, None, 3), "Reshape", [-1, 1, 3], None),
    ],
)
def test_of_a_node(shape: Any, op: str, operand: Any, wanted: Any) -> None:
    assert told(shape, op, operand) == wanted


def test_of_a_squeeze() -> None:
    assert told((None, 1, 3, 1), "Squeeze", squeeze_dims=[1, -1]) == (0, 2)
    assert told((None, 1, 3), "Squeeze") is None


def test_composed() -> None:
    widened, turned = (0, None, 1, 2), (0, 3, 1, 2)
    assert composed(turned, widened) == (0, 2, None, 1)
    assert composed(identity(4), widened) == widened


@pytest.mark.parametrize(
    ("begin", "end", "step", "masks", "wanted"),
    [
        ([0, 0], [0, 0], [1, 2], {"end_mask": 3}, [1, 2]),
        ([1, 0], [0, 0], [1, 1], {"begin_mask": 1, "end_mask": 3}, [1, 1]),
        ([1, 0], [0, 0], [1, 1], {"end_mask": 3}, None),
        ([0, 0], [0, 2], [1, 1], {"end_mask": 1}, None),
        ([0, 0], [0, 0], [1, 1], {"end_mask": 3, "shrink_axis_mask": 2}, None),
        ([0, 0], [0, 0], [1, -1], {"end_mask": 3}, None),
    ],
)
def test_steps_of_a_slice(begin: Any, end: Any, step: Any, masks: Any, wanted: Any) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4))
    y = graph.op("StridedSlice", x, begin, end, step, **masks)
    view = View(graph, outputs=[y])
    assert steps(graph[y], view) == wanted
    assert (view.resolve(y) == x) == (wanted == [1, 1])

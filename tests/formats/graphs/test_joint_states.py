"""States beside each other in one tensor, taken apart."""

from __future__ import annotations

import pytest

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.joint_states import parts_of
from modelfmt.graphs.view import View


def slices(graph: GraphBuilder, state: str) -> list[str]:
    first = graph.op("StridedSlice", state, [0, 0], [0, 3], [1, 1], begin_mask=1, end_mask=1)
    rest = graph.op("StridedSlice", state, [0, 3], [0, 0], [1, 1], begin_mask=1, end_mask=3)
    return [first, rest]


def split(graph: GraphBuilder, state: str) -> list[str]:
    return graph.ops("Split", 1, state, num_split=2)


@pytest.mark.parametrize("taken", [slices, split])
@pytest.mark.parametrize("beside", [False, True])
def test_two_states(taken: object, beside: bool) -> None:
    graph = GraphBuilder()
    state = graph.placeholder("state", dtypes.float32, (None, 6))
    a, b = (graph.placeholder(n, dtypes.float32, (None, 3)) for n in "ab")
    start = graph.op("ConcatV2", a, b, 1, N=2) if beside else graph.placeholder(
        "start", dtypes.float32, (None, 6)
    )
    insides = slices(graph, state) if taken is slices else split(graph, state)
    following = [graph.op("Tanh", inside) for inside in insides]
    joint = graph.op("ConcatV2", *following, 1, N=2)
    view = View(graph, outputs=[joint, start])
    initials = ["a", "b"] if beside else ["start", "start"]
    assert parts_of(start, state, joint, view) == [
        (initial, inside, after)
        for initial, inside, after in zip(initials, insides, following, strict=True)
    ]


def test_a_state_that_is_read_as_a_whole_is_one() -> None:
    graph = GraphBuilder()
    state = graph.placeholder("state", dtypes.float32, (None, 6))
    following = [graph.op("Tanh", inside) for inside in slices(graph, state)]
    joint = graph.op("ConcatV2", *following, 1, N=2)
    whole = graph.op("Relu", state)
    assert parts_of("state", state, joint, View(graph, outputs=[joint, whole])) == []
    assert parts_of("state", state, whole, View(graph, outputs=[whole])) == []

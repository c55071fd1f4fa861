"""Nodes read as operations: what is written of them is the node again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.operations.reading import readable, readings
from modelfmt.layers.operations.steps import Steps

F, I, B = dtypes.float32, dtypes.int32, dtypes.bool_  # noqa: E741


def written(graph: GraphBuilder, node: str, major: int) -> list[tuple[str, Any]]:
    """The classes or functions that a node is read as, the first reading that can be said."""
    view = View(graph)
    found = view.producer(node)
    assert found is not None
    for outputs in readings(found, view):
        steps = Steps("n", major, lambda t: (view.dtype(t) or F, view.shape(t)), None)
        for said in outputs:
            steps.tensor(said)
        return [
            (step.spelled.config.get("function", step.spelled.class_name), step.spelled)
            for step in steps.steps
        ]
    raise AssertionError("not read")


CASES: list[tuple[str, tuple[Any, ...], dict[str, Any], list[str], list[str]]] = [
    ("AddV2", ("x", "x"), {}, ["Add"], ["math.add"]),
    ("RealDiv", ("x", 2.0), {}, ["Divide"], ["math.truediv"]),
    ("SquaredDifference", ("x", "x"), {}, ["Subtract", "Square"], ["math.squared_difference"]),
    ("Sum", ("x", [1]), {"keep_dims": True}, ["Sum"], ["math.reduce_sum"]),
    ("Max", ("x", [0, 1]), {}, ["Max"], ["math.reduce_max"]),
    ("All", ("b", [1]), {}, ["All"], ["math.reduce_all"]),
    ("ArgMax", ("x", 1), {}, ["Argmax", "Cast"], ["math.argmax"]),
    ("Cumsum", ("x", 1), {"exclusive": True, "reverse": True},
     ["Flip", "Pad", "GetItem", "Cumsum", "Flip"], ["math.cumsum"]),
    ("Transpose", ("x", [1, 0]), {}, ["Transpose"], ["transpose"]),
    ("Reshape", ("x", [-1, 2, 2]), {}, ["Reshape"], ["reshape"]),
    ("ConcatV2", ("x", "x", 1), {}, ["Concatenate"], ["concat"]),
    ("Pack", ("x", "x"), {"axis": 1}, ["Stack"], ["stack"]),
    ("Tile", ("x", [1, 3]), {}, ["Tile"], ["tile"]),
    ("PadV2", ("x", [[0, 0], [1, 2]], 5.0), {}, ["Pad"], ["pad"]),
    ("MirrorPad", ("x", [[0, 0], [1, 2]]), {"mode": "REFLECT"}, ["Pad"], ["pad"]),
    ("ReverseV2", ("x", [1]), {}, ["Flip"], ["reverse"]),
    ("GatherV2", ("x", "i", 1), {}, ["Take"], ["gather"]),
    ("GatherV2", ("x", "ii", 1), {"batch_dims": 1}, ["TakeAlongAxis"], ["gather"]),
    ("SelectV2", ("b", "x", 0.0), {}, ["Where"], ["where"]),
    ("Cast", ("i",), {"DstT": F}, ["Cast"], ["cast"]),
    ("OneHot", ("i", 5, 1.0, 0.0), {}, ["OneHot"], ["one_hot"]),
    ("OneHot", ("i", 5, 2.0, -1.0), {}, ["OneHot", "Where"], ["one_hot"]),
    ("Slice", ("x", [0, 1], [-1, 2]), {}, ["GetItem"], ["__operators__.getitem"]),
    ("StridedSlice", ("x", [0, 1], [0, 3], [1, 2]), {"begin_mask": 1, "end_mask": 1},
     ["GetItem"], ["__operators__.getitem"]),
    ("MatMul", ("x", "x"), {"transpose_b": True}, ["Swapaxes", "Matmul"], ["linalg.matmul"]),
    ("Softmax", ("x",), {}, ["Softmax"], ["nn.softmax"]),
    ("LeakyRelu", ("x",), {"alpha": 0.3}, ["LeakyRelu"], ["nn.leaky_relu"]),
    ("BiasAdd", ("x", np.ones(4, "f4")), {}, ["Add"], ["math.add"]),
    ("AddN", ("x", "x", "x"), {}, ["Add", "Add"], ["math.add_n"]),
]  # fmt: skip


@pytest.mark.parametrize(("op", "operands", "attrs", "keras", "functions"), CASES)
def test_one_node_in_both_words(
    op: str, operands: tuple[Any, ...], attrs: dict[str, Any], keras: list[str],
    functions: list[str],
) -> None:  # fmt: skip
    graph = GraphBuilder()
    graph.placeholder("x", F, (None, 4))
    graph.placeholder("i", I, (None,))
    graph.placeholder("ii", I, (None, 2))
    graph.placeholder("b", B, (None, 4))
    node = graph.op(op, *operands, **attrs)
    assert [name for name, _ in written(graph, node, 3)] == keras
    assert [name for name, _ in written(graph, node, 2)] == functions


@pytest.mark.parametrize(
    ("begin", "end", "step", "masks", "key"),
    [
        ([0, 1], [0, 3], [1, 1], {"begin_mask": 1, "end_mask": 1}, [slice(None), slice(1, 3)]),
        ([0, -1], [0, 0], [1, 1], {"begin_mask": 1, "end_mask": 1, "shrink_axis_mask": 2},
         [slice(None), -1]),
        ([0, 0], [0, 1], [1, 1], {"ellipsis_mask": 1, "new_axis_mask": 2},
         [slice(None), slice(None), None]),
        ([0, 3], [0, 0], [1, -1], {"begin_mask": 1, "end_mask": 3},
         [slice(None), slice(3, None, -1)]),
        ([1], [3], [2], {}, [slice(1, 3, 2)]),
    ],
)  # fmt: skip
def test_keys_of_strided_slices(
    begin: list[int], end: list[int], step: list[int], masks: dict[str, int], key: list[Any]
) -> None:
    graph = GraphBuilder()
    graph.placeholder("x", F, (None, 4))
    node = graph.op("StridedSlice", "x", begin, end, step, **masks)
    view = View(graph)
    found = view.producer(node)
    assert found is not None
    ((said,),) = readings(found, view)
    assert said.choices[0][1][1] == key


def test_most_ops_that_writers_write_are_read() -> None:
    assert len(readable()) > 130
    assert not {"StringJoin", "LookupTableFindV2", "RandomUniform", "While"} & readable()

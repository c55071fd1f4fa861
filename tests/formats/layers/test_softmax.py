"""Softmax: along one axis and several, with masks, and how it is read."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import bool_, float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import codec_for, recognise, write_network
from modelfmt.layers.binding import prepared
from modelfmt.network import Layer


@pytest.mark.parametrize("shape", [(None, 5), (None, 4, 5), (None, None, 5), (None, 2, 3, 4)])
@pytest.mark.parametrize("axis", [-1, 1, 2, 3, -2, [1]])
def test_softmax(law: Any, shape: Any, axis: Any) -> None:
    rank, number = len(shape), axis[0] if isinstance(axis, list) else axis
    if not -rank < number < rank:
        pytest.skip("no such axis")
    form = law("Softmax", {"axis": axis}, [shape])
    if number % rank == rank - 1:
        assert (form[0].class_name, form[0].config) == ("Activation", {"activation": "softmax"})
    else:
        assert (form[0].class_name, form[0].config) == ("Softmax", {"axis": number % rank})


def test_softmax_over_several_axes(law: Any, single: Any) -> None:
    assert law("Softmax", {"axis": [-1, 1]}, [(None, 4, 5)])[0].config == {"axis": [1, 2]}
    assert law("Softmax", {"axis": [1, 3]}, [(None, 4, 5, 6)])[0].config == {"axis": [1, 3]}
    graph = GraphBuilder()
    ends = write_network(single("Softmax", {"axis": [1, 2]}, [(None, 4, 5)]), graph)
    assert graph.shape(ends[0]) == (None, 4, 5)
    sums = [node for node in graph.values() if node.op in ("Max", "Sum")]
    assert [graph.static(node.inputs[1]).value.tolist() for node in sums] == [[1, 2]] * 2


@pytest.mark.parametrize(
    ("major", "robust", "ops"),
    [(2, False, ["AddV2"]), (2, True, ["SelectV2"]), (3, False, ["SelectV2", "SelectV2"])],
)
def test_softmax_of_what_a_mask_hides(major: int, robust: bool, ops: list[str]) -> None:
    """Keras 2 adds -1e9 to it, Keras 3 puts -1e9 in its place and 0 in the end."""
    graph = GraphBuilder()
    graph.keras_major = major
    x = graph.placeholder("x", float32, (None, 4, 5))
    graph.masks[x] = graph.placeholder("mask", bool_, (None, 4, 5))
    layer = prepared(Layer("Softmax", "it", {"axis": -1, "robust_masking": robust}))
    codec_for(layer).write(layer, [x], graph)
    assert [n.op for n in graph.values() if n.op in ("AddV2", "SelectV2")] == ops


@pytest.mark.parametrize(("order", "axis"), [([0, 2, 1], 1), ([2, 1, 0], 0)])
def test_softmax_between_exchanges_of_axes_is_read(order: list[int], axis: int) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 5, 4))
    turned = graph.op("Softmax", graph.op("Transpose", x, order))
    graph.op("Identity", graph.op("Transpose", turned, order), name="out")
    found = recognise(View(graph)).layers[-1]
    assert (found.class_name, found.config) == ("Softmax", {"axis": axis})


def test_softmax_between_rotations_of_axes_is_three_layers() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 2, 5, 4))
    turned = graph.op("Softmax", graph.op("Transpose", x, [0, 2, 3, 1]))
    graph.op("Identity", graph.op("Transpose", turned, [0, 3, 1, 2]), name="out")
    assert [layer.class_name for layer in recognise(View(graph)).layers[1:]] == [
        "Permute", "Activation", "Permute"
    ]


def test_softmax_without_a_shift_is_read() -> None:
    graph = GraphBuilder()
    raised = graph.op("Exp", graph.placeholder("x", float32, (None, 5, 4)))
    total = graph.op("Sum", raised, [1], keep_dims=True)
    graph.op("Identity", graph.op("RealDiv", raised, total), name="out")
    found = recognise(View(graph)).layers[-1]
    assert (found.class_name, found.config) == ("Softmax", {"axis": 1})

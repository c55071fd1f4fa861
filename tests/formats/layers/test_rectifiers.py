"""Activation layers with parameters: what is written is recognised, in one spelling."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from modelfmt.dtypes import bool_, float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import codec_for, recognise, write_network
from modelfmt.layers.binding import prepared
from modelfmt.network import Layer


def form_of(law: Any, class_name: str, **config: Any) -> list[tuple[str, Any]]:
    form = law(class_name, config, [(None, 5)])
    return [(layer.class_name, layer.config) for layer in form]


@pytest.mark.parametrize(
    ("max_value", "slope", "threshold"),
    itertools.product([None, 6, 1.0, 3.5], [0, 0.1, 0.25], [0, 0.5, -0.5]),
)
def test_relu(law: Any, max_value: Any, slope: Any, threshold: Any) -> None:
    form = form_of(
        law, "ReLU", max_value=max_value, negative_slope=slope, threshold=threshold
    )
    plain = not slope and not threshold
    if plain and max_value in (None, 6):
        name = "relu6" if max_value else "relu"
        assert form == [("Activation", {"activation": name})]
    elif not threshold and max_value is None:
        assert form == [("LeakyReLU", {"negative_slope": slope})]
    else:
        assert form[0][0] == "ReLU"


@pytest.mark.parametrize("slope", [0.0, 0.1, 0.2, 0.3, 1.0])
def test_leaky_relu(law: Any, slope: float) -> None:
    form_of(law, "LeakyReLU", negative_slope=slope)


@pytest.mark.parametrize("theta", [0.0, 0.5, 1, 2.25])
def test_thresholded_relu_is_a_relu(law: Any, theta: float) -> None:
    assert form_of(law, "ThresholdedReLU", theta=theta) == form_of(law, "ReLU", threshold=theta)


@pytest.mark.parametrize("alpha", [1.0, 0.5, 2.0])
def test_elu(law: Any, alpha: float) -> None:
    expected = "Activation" if alpha == 1 else "ELU"
    assert form_of(law, "ELU", alpha=alpha)[0][0] == expected


@pytest.mark.parametrize(
    ("shape", "alpha", "shared"),
    [
        ((None, 5), (5,), None),
        ((None, 1), (1,), None),
        ((None, 4, 5, 3), (4, 5, 3), None),
        ((None, 4, 5, 3), (1, 1, 3), [1, 2]),
        ((None, 4, 5, 3), (4, 1, 3), [2]),
        ((None, 4, 5, 3), (1, 1, 1), [1, 2, 3]),
        ((None, 4, 5, 1), (4, 5, 1), None),
        ((None, None, None, 3), (1, 1, 3), [1, 2]),
        ((None, 4, 3), (1, 3), [1]),
    ],
)
def test_prelu(law: Any, shape: Any, alpha: Any, shared: Any) -> None:
    form = law("PReLU", {"shared_axes": shared}, [shape], alpha=alpha)
    assert form[0].config == {"shared_axes": shared}


def test_prelu_leaves_out_shared_axes_of_size_one(law: Any) -> None:
    form = law("PReLU", {"shared_axes": [1, 2]}, [(None, 4, 1, 3)], alpha=(1, 1, 3))
    assert form[0].config == {"shared_axes": [1]}


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


def test_softmax_over_several_axes(single: Any) -> None:
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


def test_relu6_with_a_slope_is_read() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4))
    below = graph.op("Mul", 0.1, graph.op("Relu", graph.op("Neg", x)))
    graph.op("Identity", graph.op("Sub", graph.op("Relu6", x), below), name="out")
    found = recognise(View(graph)).layers[-1]
    assert found.config == {"max_value": 6.0, "negative_slope": 0.1, "threshold": 0.0}

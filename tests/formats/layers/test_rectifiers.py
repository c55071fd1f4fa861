"""Activation layers with parameters: what is written is recognised, in one spelling."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import recognise


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


def test_relu6_with_a_slope_is_read() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4))
    below = graph.op("Mul", 0.1, graph.op("Relu", graph.op("Neg", x)))
    graph.op("Identity", graph.op("Sub", graph.op("Relu6", x), below), name="out")
    found = recognise(View(graph)).layers[-1]
    assert found.config == {"max_value": 6.0, "negative_slope": 0.1, "threshold": 0.0}


@pytest.mark.parametrize("spelling", ["select", "maximum", "above 1", "absolute", "channels"])
def test_prelu_however_it_is_spelled(spelling: str) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 3, 4))
    shape = (4,) if spelling == "channels" else (3, 4)
    array = np.random.default_rng(0).uniform(0.1, 0.9, shape).astype("f4")
    alpha = graph.const(array + 1 if spelling == "above 1" else array)
    if spelling == "select":
        zero = graph.op("ZerosLike", x)
        y = graph.op("SelectV2", graph.op("Greater", x, zero), x, graph.op("Mul", alpha, x))
    elif spelling == "absolute":
        below = graph.op("Mul", graph.op("Sub", x, graph.op("Abs", x)), 0.5)
        y = graph.op("AddV2", graph.op("Relu", x), graph.op("Mul", alpha, below))
    else:
        y = graph.op("Maximum", x, graph.op("Mul", x, alpha))
        if spelling == "channels":
            below = graph.op("Mul", alpha, graph.op("Minimum", x, 0.0))
            y = graph.op("AddV2", graph.op("Maximum", x, 0.0), below)
    graph.op("Identity", y, name="out")
    if spelling == "above 1":  # there the maximum is another function
        with pytest.raises(UnrecognisedGraphError):
            recognise(View(graph), layers_only=True)
        return
    found = recognise(View(graph)).layers[-1]
    assert (found.class_name, found.weights["alpha"].shape) == (
        "PReLU", (1, 4) if spelling == "channels" else shape
    )
    assert found.config["shared_axes"] == ([1] if spelling == "channels" else None)


def test_a_relu_of_a_prelu_is_two_layers() -> None:
    """With negative slopes it is a PReLU of others, which is no reason to make one of them."""
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4))
    alpha = graph.const(np.array([-1, 0.5, -0.25, 2], "f4"))
    below = graph.op("Mul", graph.op("Neg", alpha), graph.op("Relu", graph.op("Neg", x)))
    graph.op("Elu", graph.op("Relu", graph.op("AddV2", graph.op("Relu", x), below)), name="y")
    found = recognise(View(graph)).layers[1:]
    assert [layer.class_name for layer in found] == ["PReLU", "Activation", "Activation"]
    assert found[0].weights["alpha"].numpy().tolist() == [-1, 0.5, -0.25, 2]

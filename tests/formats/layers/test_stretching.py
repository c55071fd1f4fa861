"""Stretching: batch normalization told by what it computes, and what is left of it when folded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import recognise

Vectors = dict[str, Any]
Spelling = Callable[[Any, str, Vectors], str]


def read(spell: Spelling, shape: Any = (None, 3, 4), size: int = 4, seen: Any = None) -> Any:
    """What a graph of constant vectors is read as; all ones, so that only roles tell them apart."""
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, shape)
    vectors = {
        name: graph.const(np.ones(size, "f4") * k, name=name)
        for k, name in enumerate(("gamma", "beta", "mean", "variance"), 1)
    }
    if seen:
        vectors = {n: graph.op("Reshape", v, seen) for n, v in vectors.items()}
    graph.op("Identity", spell(graph.op, x, vectors), name="out")
    return recognise(View(graph, outputs=["out"]), layers_only=True).layers[1:]


def divided(op: Any, x: str, v: Vectors) -> str:
    spread = op("Sqrt", op("AddV2", v["variance"], 0.01))
    normal = op("RealDiv", op("Sub", x, v["mean"]), spread)
    return str(op("AddV2", op("Mul", normal, v["gamma"]), v["beta"]))


def by_power(op: Any, x: str, v: Vectors) -> str:
    inverse = op("Pow", op("AddV2", v["variance"], 0.01), -0.5)
    scale = op("Mul", v["gamma"], inverse)
    return str(op("Sub", op("Mul", x, scale), op("Sub", op("Mul", v["mean"], scale), v["beta"])))


def backwards(op: Any, x: str, v: Vectors) -> str:
    scale = op("Mul", op("Rsqrt", op("AddV2", 0.01, v["variance"])), v["gamma"])
    moved = op("AddV2", op("Mul", op("Neg", v["mean"]), scale), v["beta"])
    return str(op("BiasAdd", op("Mul", scale, x), moved))


def whole(op: Any, x: str, v: Vectors) -> str:
    return str(op(
        "BatchNormWithGlobalNormalization", x, v["mean"], v["variance"], v["beta"], v["gamma"],
        variance_epsilon=0.01, scale_after_normalization=True,
    ))  # fmt: skip


@pytest.mark.parametrize("spell", [divided, by_power, backwards])
@pytest.mark.parametrize("shape", [(None, 4), (None, 3, 4), (None, 5, None, 4), None], ids=str)
def test_however_it_is_spelled(spell: Spelling, shape: Any) -> None:
    (layer,) = read(spell, shape)
    assert layer.class_name == "BatchNormalization"
    assert layer.config == {"axis": -1, "epsilon": 0.01, "scale": True, "center": True}
    assert [(n, w.numpy()[0]) for n, w in layer.weights.items()] == [
        ("gamma", 1), ("beta", 2), ("moving_mean", 3), ("moving_variance", 4)
    ]


def test_the_op_of_the_first_tensorflow() -> None:
    (layer,) = read(whole, (None, 5, 6, 4))
    assert (layer.class_name, layer.config["epsilon"]) == ("BatchNormalization", 0.01)
    assert layer.weights["moving_variance"].name == "variance"


@pytest.mark.parametrize(("shape", "axis"), [((None, 4, 5, 3), 1), ((2, 4, 4, 4), 2)])
def test_along_an_axis(shape: Any, axis: int) -> None:
    seen = [4 if k == axis else 1 for k in range(4)]
    (layer,) = read(divided, shape, seen=seen)
    assert layer.config["axis"] == axis and layer.weights["gamma"].shape == (4,)


@pytest.mark.parametrize("names", [(), ("gamma",), ("beta",)])
def test_without_scale_or_offset(names: tuple[str, ...]) -> None:
    def spell(op: Any, x: str, v: Vectors) -> str:
        y = op("RealDiv", op("Sub", x, v["mean"]), op("Sqrt", op("AddV2", v["variance"], 0.01)))
        for name in names:
            y = op("Mul" if name == "gamma" else "AddV2", y, v[name])
        return str(y)

    (layer,) = read(spell)
    assert (layer.config["scale"], layer.config["center"]) == ("gamma" in names, "beta" in names)
    assert list(layer.weights) == [*names, "moving_mean", "moving_variance"]


def test_folded_into_a_scale_and_an_offset() -> None:
    """Stored tensors stay what they are; mean 0 and variance 1 - epsilon change nothing."""
    (layer,) = read(
        lambda op, x, v: op("AddV2", op("Mul", x, v["beta"]), v["variance"]), (None, 3, 8), 8
    )
    assert layer.config == {"axis": -1, "epsilon": 0.001, "scale": True, "center": True}
    assert {n: (w.name, w.numpy()[0]) for n, w in layer.weights.items()} == {
        "gamma": ("beta", 2), "beta": ("variance", 4),
        "moving_mean": ("variance/mean", 0),
        "moving_variance": ("variance/variance", np.float32(0.999)),
    }  # fmt: skip
    assert np.float32(0.999) + np.float32(0.001) == 1


def test_of_the_colours_of_an_image_they_are_no_weights() -> None:
    (layer,) = read(lambda op, x, v: op("AddV2", op("Mul", x, v["gamma"]), v["variance"]))
    assert layer.class_name == "Rescaling" and layer.config["offset"] == [4.0] * 4


@pytest.mark.parametrize(
    ("spell", "scale", "offset"),
    [
        (lambda op, x, v: op("Mul", x, v["mean"]), 3, None),
        (lambda op, x, v: op("Sub", x, v["mean"]), None, -3),
        (lambda op, x, v: op("Sub", v["beta"], op("RealDiv", x, v["variance"])), -0.25, 2),
        (lambda op, x, v: op("Mul", v["beta"], op("AddV2", op("Sub", x, v["mean"]), 7.0)), 2, 8),
    ],
)
def test_sums_and_products_are_put_together(spell: Spelling, scale: Any, offset: Any) -> None:
    (layer,) = read(spell)
    found = {name: weight.numpy().tolist() for name, weight in layer.weights.items()}
    assert found.get("gamma") == (None if scale is None else [scale] * 4)
    assert found.get("beta") == (None if offset is None else [offset] * 4)


def test_a_layers_bias_stays_with_the_layer() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4))
    kernel, bias, scale = (graph.const(np.ones(s, "f4")) for s in ((4, 3), (3,), (3,)))
    y = graph.op("BiasAdd", graph.op("MatMul", x, kernel), bias)
    graph.op("Identity", graph.op("Mul", y, scale), name="out")
    dense, last = recognise(View(graph), layers_only=True).layers[1:]
    assert dense.config["use_bias"] and last.class_name == "BatchNormalization"


def test_a_sum_with_the_input_is_none() -> None:
    layers = read(lambda op, x, v: op("AddV2", x, op("Mul", x, v["gamma"])))
    assert [layer.class_name for layer in layers] == ["BatchNormalization", "Add"]


@pytest.mark.parametrize("seen", [[1, 2, 2], [2, 2, 1]])
def test_a_weight_along_several_axes_is_none(seen: list[int]) -> None:
    with pytest.raises(UnrecognisedGraphError, match="Mul"):
        read(lambda op, x, v: op("Mul", x, v["gamma"]), (None, 2, 2), seen=seen)


def test_what_is_linear_near_zero_only_is_none() -> None:
    """relu6(x + bias + 3) is a line for small x, and hard_sigmoid is no BatchNormalization."""
    def spell(op: Any, x: str, v: Vectors) -> str:
        return str(op("RealDiv", op("Relu6", op("AddV2", op("BiasAdd", x, v["gamma"]), 3.0)), 6.0))

    assert [layer.class_name for layer in read(spell)] == ["BatchNormalization", "Activation"]


def stored(spell: Spelling, values: dict[str, Any], shape: Any = (None, 8)) -> Any:
    """As ``read``, of vectors that hold something, operations and all."""
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, shape)
    vectors = {n: graph.const(np.asarray(v, "f4"), name=n) for n, v in values.items()}
    graph.op("Identity", spell(graph.op, x, vectors), name="out")
    return recognise(View(graph, outputs=["out"])).layers[1:]


@pytest.mark.parametrize("limit", [0.0, 1e-7])
def test_the_roles_must_hold_for_what_is_stored(limit: float) -> None:
    """With variances of 0 there is no epsilon that stands for a limit, whatever is done before."""

    def spell(op: Any, x: str, v: Vectors) -> str:
        root = op("Sqrt", v["variance"])
        spread = op("Maximum", root, limit) if limit else root
        moved = op("AddV2", op("Neg", v["mean"]), x)
        return str(op("RealDiv", moved, spread))

    layers = stored(spell, {"mean": range(8), "variance": np.zeros(8)})
    assert "BatchNormalization" not in [
        layer.class_name for layer in layers if "moving_variance" in layer.weights
        and not (layer.weights["moving_variance"].numpy() > 0).all()
    ]  # fmt: skip
    assert [layer.class_name for layer in layers if layer.is_operation]


def test_a_large_mean_is_taken_away_before_anything_is_multiplied() -> None:
    """x * scale - mean * scale would have lost the digits of x - mean."""

    def spell(op: Any, x: str, v: Vectors) -> str:
        return str(op("Mul", op("AddV2", x, v["mean"]), v["gamma"]))

    small = stored(spell, {"mean": np.full(8, -3.0), "gamma": np.arange(1.0, 9)})
    assert [layer.class_name for layer in small] == ["BatchNormalization"]
    first, last = stored(spell, {"mean": np.full(8, -1e4), "gamma": np.arange(1.0, 9)})
    assert first.weights["beta"].numpy()[0] == -1e4 and "gamma" not in first.weights
    assert last.weights["gamma"].numpy()[7] == 8 and "beta" not in last.weights

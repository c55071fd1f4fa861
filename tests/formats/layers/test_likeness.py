"""Likeness: functions told by what they compute, in every spelling that was met."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from modelfmt.dtypes import float32, int32
from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import recognise

Spelling = Callable[[Any, str], str]


def found(spell: Spelling, dtype: Any = float32) -> list[tuple[str, Any]]:
    """The layers that a function of x is read as."""
    graph = GraphBuilder()
    x = graph.placeholder("x", dtype, (None, 5))
    graph.op("Identity", spell(graph.op, x), name="out")
    layers = recognise(View(graph, outputs=["out"]), layers_only=True).layers[1:]
    return [(layer.class_name, layer.config) for layer in layers]


def keras1_elu(op: Any, x: str) -> str:
    below = op("Mul", op("Sub", x, op("Abs", x)), 0.5)
    return str(op("AddV2", op("Relu", x), op("Mul", 1.5, op("Sub", op("Exp", below), 1.0))))


FUNCTIONS: list[tuple[str, Spelling, list[tuple[str, Any]]]] = [
    ("gelu by 1 + erf", lambda op, x: op("Mul", x, op("Mul", 0.5, op("AddV2", op(
        "Erf", op("Mul", x, math.sqrt(0.5))), 1.0))), [("Activation", {"activation": "gelu"})]),
    ("gelu by a root of two", lambda op, x: op("Mul", op("AddV2", op("Erf", op(
        "RealDiv", x, op("Sqrt", 2.0))), 1.0), op("RealDiv", x, 2.0)),
     [("Activation", {"activation": "gelu"})]),
    ("silu by exp", lambda op, x: op("RealDiv", x, op("AddV2", 1.0, op("Exp", op("Neg", x)))),
     [("Activation", {"activation": "silu"})]),
    ("sigmoid by tanh", lambda op, x: op("AddV2", op("Mul", op("Tanh", op("Mul", x, 0.5)), 0.5),
                                         0.5), [("Activation", {"activation": "sigmoid"})]),
    ("softplus", lambda op, x: op("Log", op("AddV2", op("Exp", x), 1.0)),
     [("Activation", {"activation": "softplus"})]),
    ("mish", lambda op, x: op("Mul", op("Tanh", op("Log", op("AddV2", op("Exp", x), 1.0))), x),
     [("Activation", {"activation": "mish"})]),
    ("elu of Keras 1", keras1_elu, [("ELU", {"alpha": 1.5})]),
    ("leaky relu by sizes", lambda op, x: op("AddV2", op("Mul", op("Abs", x), 0.45),
                                             op("Mul", x, 0.55)),
     [("LeakyReLU", {"negative_slope": 0.1})]),
    ("leaky relu by a choice", lambda op, x: op("SelectV2", op("Less", x, 0.0),
                                                op("Mul", x, 0.25), x),
     [("LeakyReLU", {"negative_slope": 0.25})]),
    ("hard sigmoid by parts", lambda op, x: op("Minimum", op("Maximum", op("AddV2", op(
        "RealDiv", x, 6.0), 0.5), 0.0), 1.0), [("Activation", {"activation": "hard_sigmoid"})]),
    ("hard silu", lambda op, x: op("RealDiv", op("Mul", op("Relu6", op("AddV2", x, 3.0)), x), 6.0),
     [("Activation", {"activation": "hard_silu"})]),
    ("relu by size", lambda op, x: op("Mul", 0.5, op("AddV2", x, op("Abs", x))),
     [("Activation", {"activation": "relu"})]),
    ("clipped at 20", lambda op, x: op("ClipByValue", x, 0.0, 20.0),
     [("ReLU", {"max_value": 20.0, "negative_slope": 0.0, "threshold": 0.0})]),
    ("thresholded", lambda op, x: op("SelectV2", op("GreaterEqual", x, 0.75), x,
                                     op("ZerosLike", x)),
     [("ReLU", {"max_value": None, "negative_slope": 0.0, "threshold": 0.75})]),
    ("scaled pixels", lambda op, x: op("RealDiv", op("Sub", x, 127.5), 127.5),
     [("Rescaling", {"scale": 0.007843138, "offset": -1.0})]),
    ("one less", lambda op, x: op("Sub", 1.0, x), [("Rescaling", {"scale": -1.0, "offset": 1.0})]),
    ("two lines", lambda op, x: op("AddV2", op("Mul", op("AddV2", op("Mul", x, 2.0), 1.0), 3.0),
                                   1.0),
     [("Rescaling", {"scale": 2.0, "offset": 1.0}), ("Rescaling", {"scale": 3.0, "offset": 1.0})]),
    ("two functions", lambda op, x: op("Relu", op("Tanh", x)),
     [("Activation", {"activation": "tanh"}), ("Activation", {"activation": "relu"})]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("spell", "wanted"), [row[1:] for row in FUNCTIONS], ids=[row[0] for row in FUNCTIONS]
)
def test_functions(spell: Spelling, wanted: Any) -> None:
    assert [name for name, _ in found(spell)] == [name for name, _ in wanted]
    for (_, config), (_, expected) in zip(found(spell), wanted, strict=True):
        assert config == {
            key: pytest.approx(value, rel=1e-6) if isinstance(value, float) else value
            for key, value in expected.items()
        }


def test_a_function_of_a_function_is_two_layers_though_the_second_changes_nothing() -> None:
    def spell(op: Any, x: str) -> str:
        x = op("Softplus", x)
        return str(op("Sub", op("Relu", x), op("Mul", 0.1, op("Relu", op("Neg", x)))))

    assert [name for name, _ in found(spell)] == ["Activation", "LeakyReLU"]


def test_nearly_is_not_enough() -> None:
    """gelu by tanh is another function, and so is a relu that bends at 0.01."""

    def spell(op: Any, x: str) -> str:
        cubed = op("Mul", 0.044715, op("Pow", x, 3.0))
        bent = op("Tanh", op("Mul", 0.7978845608, op("AddV2", x, cubed)))
        return str(op("Mul", op("Mul", 0.5, x), op("AddV2", 1.0, bent)))

    with pytest.raises(UnrecognisedGraphError, match="Pow"):
        found(spell)
    with pytest.raises(UnrecognisedGraphError, match="SelectV2"):
        found(lambda op, x: op("SelectV2", op("Greater", x, 0.01), x, op("Mul", x, 0.5)))


def test_integers_are_left_alone() -> None:
    with pytest.raises(UnrecognisedGraphError, match="Mul"):
        found(lambda op, x: op("Mul", x, 2), int32)


def test_one_tensor_merged_with_itself_is_no_line() -> None:
    assert found(lambda op, x: op("AddV2", x, x)) == [("Add", {})]
    assert found(lambda op, x: op("Mul", x, x))[-1] == ("Multiply", {})


def test_a_line_that_adds_before_it_scales_keeps_its_digits() -> None:
    """Seconds since 1970 in hours: x / 3600 - 416666.7 would be off by minutes."""
    assert found(lambda op, x: op("RealDiv", op("Sub", x, 1.5e9), 3600.0)) == [
        ("Rescaling", {"scale": 1.0, "offset": -1.5e9}),
        ("Rescaling", {"scale": pytest.approx(1 / 3600), "offset": 0.0}),
    ]
    scaled = found(lambda op, x: op("Sub", op("Mul", x, 2.0), 1000.0))
    assert scaled == [("Rescaling", {"scale": 2.0, "offset": -1000.0})]


@pytest.mark.parametrize("most", [2e4, 1e7, 3e12])
def test_what_is_clipped_far_away_is_no_line(most: float) -> None:
    for spell, slope in (
        (lambda op, x: op("ClipByValue", x, 0.0, most), 0.0),
        (lambda op, x: op("Minimum", x, most), 1.0),
    ):
        config = {"max_value": most, "negative_slope": slope, "threshold": 0.0}
        assert found(spell) == [("ReLU", config)]
    with pytest.raises(UnrecognisedGraphError, match="Maximum"):
        found(lambda op, x: op("Maximum", x, -most))

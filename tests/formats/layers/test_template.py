"""Templates: declared once, written and matched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.template import (
    Field,
    Input,
    Literal,
    Match,
    Template,
    Weight,
    X,
    one_of,
    only,
    op,
    tidy,
)
from modelfmt.network import Layer
from modelfmt.tensor import Tensor

DENSE = op("BiasAdd", op("MatMul", X, Weight("kernel"), transpose_a=False), Weight("bias"))


def weight(name: str, *shape: int) -> Tensor:
    return Tensor.from_numpy(name, np.arange(np.prod(shape, dtype=int), dtype="f4").reshape(shape))


def dense(**config: Any) -> Layer:
    weights = {"kernel": weight("kernel", 4, 3), "bias": weight("bias", 3)}
    return Layer("Dense", "d", config, weights)


def written(template: Template, layer: Layer, *shapes: Any) -> tuple[View, str]:
    graph = GraphBuilder()
    inputs = [graph.placeholder(f"x{k}", float32, s) for k, s in enumerate(shapes or [(None, 4)])]
    made = template.write(layer, inputs, graph)
    return View(graph, outputs=[made]), made


def matches(template: Template, view: View, tensor: str) -> list[Match]:
    return list(template.match(tensor, view, Match()))


def test_what_is_written_matches() -> None:
    view, made = written(DENSE, dense())
    (match,) = matches(DENSE, view, made)
    assert match.inputs == {0: "x0"}
    assert {name: c.root.name for name, c in match.weights.items()} == {
        "kernel": "kernel", "bias": "bias",
    }  # fmt: skip
    assert set(match.nodes) == {"BiasAdd", "MatMul"}


@pytest.mark.parametrize(
    "template",
    [
        op("BiasAdd", op("MatMul", X, Weight("kernel"), transpose_a=True), Weight("bias")),
        op("BiasAdd", op("MatMul", Weight("kernel"), X), Weight("bias")),
        op("AddV2", op("MatMul", X, Weight("kernel")), Weight("bias")),
        op("BiasAdd", X, X),
        op("MatMul", X, Weight("kernel")),
        op("BiasAdd", op("MatMul", Input(rank=3), Weight("kernel")), Weight("bias")),
        op("BiasAdd", op("MatMul", X, Weight("w")), Weight("w")),
    ],
)
def test_what_is_something_else_does_not_match(template: Template) -> None:
    view, made = written(DENSE, dense())
    assert matches(template, view, made) == []


def test_operands_of_commutative_ops_stand_in_either_order() -> None:
    view, made = written(op("AddV2", Weight("bias"), X), dense(), (None, 3))
    (match,) = matches(op("AddV2", X, Weight("bias")), view, made)
    assert match.inputs == {0: "x0"}
    view, made = written(op("Sub", Weight("bias"), X), dense(), (None, 3))
    assert matches(op("Sub", X, Weight("bias")), view, made) == []


def test_one_input_read_twice_is_one_tensor() -> None:
    view, made = written(op("Mul", X, op("Sigmoid", X)), dense())
    assert len(matches(op("Mul", X, op("Sigmoid", X)), view, made)) == 1
    view, made = written(op("Mul", X, op("Sigmoid", Input(1))), dense(), (None, 4), (None, 4))
    assert matches(op("Mul", X, op("Sigmoid", X)), view, made) == []
    (match,) = matches(op("Mul", X, op("Sigmoid", Input(1))), view, made)
    assert match.inputs == {0: "x0", 1: "x1"}


def test_a_template_that_stands_twice_is_one_node() -> None:
    shared = op("Exp", X)
    template = op("RealDiv", shared, op("AddV2", shared, 1.0))
    view, made = written(template, dense())
    assert sum(node.op == "Exp" for node in view.live.values()) == 1
    assert len(matches(template, view, made)) == 1
    twins, top = written(op("RealDiv", op("Exp", X), op("AddV2", op("Exp", X), 1.0)), dense())
    assert sum(node.op == "Exp" for node in twins.live.values()) == 2
    assert matches(template, twins, top) == []


def test_a_field_is_an_operand_or_an_attr() -> None:
    template = op("Mul", op("LeakyRelu", X, alpha=Field("slope")), Field("scale"))
    view, made = written(template, dense(slope=0.1, scale=0.25))
    (match,) = matches(template, view, made)
    assert match.config == {"slope": 0.1, "scale": 0.25}


def test_a_field_that_stands_twice_has_one_value() -> None:
    template = op("Maximum", op("Minimum", X, Field("a")), Field("b"))
    view, made = written(template, dense(a=6.0, b=0.5))
    same = op("Maximum", op("Minimum", X, Field("a")), Field("a"))
    assert matches(same, view, made) == []
    assert len(matches(template, view, made)) == 1


@pytest.mark.parametrize(("number", "ok"), [(0.5, True), (0.5000001, True), (0.501, False)])
def test_a_literal_is_compared_as_float32(number: float, ok: bool) -> None:
    view, made = written(op("Mul", X, 0.5), dense())
    assert bool(matches(op("Mul", X, number), view, made)) == ok


def test_a_literal_of_integers() -> None:
    view, made = written(op("Reshape", X, [-1, 2]), dense())
    assert matches(op("Reshape", X, [-1, 2]), view, made)
    assert not matches(op("Reshape", X, [-1, 4]), view, made)
    assert isinstance(op("Reshape", X, [-1, 2]).operands[1], Literal)


def test_a_float_attr_is_compared_as_float32() -> None:
    view, made = written(op("LeakyRelu", X, alpha=0.2), dense())
    assert matches(op("LeakyRelu", X, alpha=np.float32(0.2).item()), view, made)
    assert not matches(op("LeakyRelu", X, alpha=0.3), view, made)


def test_a_weight_is_float_and_no_scalar() -> None:
    for value, ok in ((np.ones(3, "f4"), True), (np.float32(1), False), (np.ones(3, "i4"), False)):
        graph = GraphBuilder()
        x = graph.placeholder("x", float32, (None, 3))
        name = graph.op("Cast", graph.const(value, name="c"), DstT=float32)
        y = graph.op("AddV2", x, name if value.dtype == "i4" else "c")
        view = View(graph)
        assert bool(matches(op("AddV2", X, Weight("w")), view, y)) == ok


def test_one_of_writes_the_first_that_it_can_and_reads_any() -> None:
    bare = op("MatMul", X, Weight("kernel"))
    template = one_of(op("BiasAdd", bare, Weight("bias")), bare)
    for weights in (("kernel", "bias"), ("kernel",)):
        layer = dense()
        layer.weights = {name: layer.weights[name] for name in weights}
        view, made = written(template, layer)
        assert tuple(matches(template, view, made)[0].weights) == weights
    assert template.roots() == {"BiasAdd", "MatMul"}


def test_optional_is_one_of_with_and_without() -> None:
    bare = op("MatMul", X, Weight("kernel"))
    template = one_of(op("BiasAdd", bare, Weight("bias")), bare)
    assert template.choices[1] is bare and template.roots() == {"BiasAdd", "MatMul"}


def test_only_is_for_some_configs() -> None:
    template = one_of(only(op("Relu", X), max_value=None), only(op("Relu6", X), max_value=6.0))
    for value, made_by in ((None, "Relu"), (6.0, "Relu6")):
        view, made = written(template, dense(max_value=value))
        assert made == made_by
        assert matches(template, view, made)[0].config == {"max_value": value}
    with pytest.raises(ConversionError, match=r"Dense cannot be written.*max_value.*3"):
        written(template, dense(max_value=3.0))


def test_a_match_is_not_a_constant() -> None:
    """x * w of two constants is a weight folded by hand, no layer."""
    graph = GraphBuilder()
    graph.op("Reshape", graph.const(np.ones(4, "f4"), name="k"), [2, 2])
    assert matches(op("Reshape", X, [2, 2]), View(graph), "Reshape") == []


def test_a_second_output_is_no_match() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4))
    graph.op("AddV2", *graph.ops("Split", 1, x, num_split=2))
    view = View(graph)
    assert matches(op("Split", 1, X), view, "Split")
    assert not matches(op("Split", 1, X), view, "Split:1")


@pytest.mark.parametrize(
    ("value", "tidied"),
    [(0.0010000000474974513, 0.001), (np.float32(0.2).item(), 0.2), (1.0, 1.0), (3, 3),
     ("same", "same"), (0.30000001192092896, 0.3), (1e-7, 1e-7)],
)  # fmt: skip
def test_numbers_are_the_shortest_that_mean_them(value: Any, tidied: Any) -> None:
    assert tidy(value) == tidied


def test_a_match_refuses_what_contradicts_it() -> None:
    match = Match(config={"a": 1})
    assert match.also(a=2) is None
    assert match.also(a=1, b=2) == Match(config={"a": 1, "b": 2})
    assert Match(inputs={0: "x"}).with_input(0, "y") is None


def test_any_root() -> None:
    class Anything(Template):
        def match(self, tensor: str, view: View, so_far: Match) -> Iterator[Match]:
            yield so_far

    assert one_of(op("Relu", X), Anything()).roots() == set()

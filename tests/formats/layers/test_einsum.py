"""Products over named axes: shapes, and how many nodes they take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.layers import write_network
from modelfmt.layers.einsum import EinsumDense, split_equation, write_einsum

CASES: list[tuple[str, Any, Any, Any]] = [
    ("ab,bc->ac", (None, 4), (4, 3), (None, 3)),
    ("abc,cd->abd", (None, None, 4), (4, 3), (None, None, 3)),
    ("...x,xy->...y", (None, 2, None, 4), (4, 3), (None, 2, None, 3)),
    ("abc,cde->abde", (None, 5, 4), (4, 2, 3), (None, 5, 2, 3)),
    ("abcd,cde->abe", (None, None, 4, 2), (4, 2, 3), (None, None, 3)),
    ("abc,cde->adbe", (None, None, 4), (4, 2, 3), (None, 2, None, 3)),
    ("abc,cbd->abd", (None, 3, 4), (4, 3, 5), (None, 3, 5)),
    ("ab...,bc->ac...", (None, 4, 2, 3), (4, 5), (None, 5, 2, 3)),
    ("abc,adc->abd", (None, 3, 4), (None, None, 4), (None, 3, None)),
    ("abc,bd->adc", (None, 3, 4), (3, 5), (None, 5, 4)),
    ("abc,bd->ad", (None, 3, 4), (3, 5), (None, 5)),
    ("ab,ab->a", (None, 4), (None, 4), (None,)),
    (" a b , b c -> a c ", (2, 4), (4, 3), (2, 3)),
]


@pytest.mark.parametrize(("equation", "x", "y", "wanted"), CASES, ids=[c[0] for c in CASES])
def test_shapes(equation: str, x: Any, y: Any, wanted: Any) -> None:
    graph = GraphBuilder()
    inputs = [graph.placeholder(name, float32, dims) for name, dims in (("x", x), ("y", y))]
    assert graph.shape(write_einsum(equation, *inputs, graph)) == wanted
    ops = [node.op for node in graph.values()]
    assert ops.count("MatMul") + ops.count("BatchMatMulV2") == 1


def test_a_plain_product_is_one_node() -> None:
    graph = GraphBuilder()
    x, y = (graph.placeholder(n, float32, d) for n, d in (("x", (None, 4)), ("y", (4, 3))))
    made = write_einsum("ab,bc->ac", x, y, graph)
    graph.keep_only([made])
    assert sorted(node.op for node in graph.values()) == ["MatMul", "Placeholder", "Placeholder"]


@pytest.mark.parametrize("equation", [
    "ab,bc", "ab->a", "abc,bc->ac", "aab,bc->ac", "ab,bc->ad", "ab,bc->aac", "ab1,bc->ac", "", "->",
    "ab,bc,cd->ad",
])  # fmt: skip
def test_equations_that_make_no_sense(equation: str) -> None:
    with pytest.raises(ConversionError, match="equation"):
        split_equation(equation, 2, 2)


def test_dots_get_letters_of_their_own() -> None:
    assert split_equation("...x,xy->...y", 4, 2) == ("abcx", "xy", "abcy")
    assert split_equation("a...,bc->a...", 2, 2)[0] == split_equation("a...,bc->a...", 2, 2)[2]


@pytest.mark.parametrize("bias", [None, (3,), (2, 3), (2, 1)], ids=str)
def test_einsum_dense(single: Any, bias: Any) -> None:
    weights = {"kernel": (4, 2, 3)} | ({"bias": bias} if bias else {})
    config = {"equation": "abc,cde->abde", "bias_axes": "de" if bias else None,
              "activation": "relu"}  # fmt: skip
    graph = GraphBuilder()
    ends = write_network(single("EinsumDense", config, [(None, None, 4)], **weights), graph)
    assert graph.shape(ends[0]) == (None, None, 2, 3)
    ops = [node.op for node in graph.values()]
    assert ops.count("AddV2") == bool(bias) and ops.count("Relu") == 1


LAWS: list[tuple[str, Any, tuple[int | None, ...], tuple[int, ...]]] = [
    ("ab,bc->ac", "c", (None, 4), (4, 5)),
    ("ab,cb->ac", "c", (None, 4), (5, 4)),
    ("...x,xy->...y", "y", (None, None, 3, 4), (4, 5)),
    ("abc,bc->ac", "c", (None, 3, 4), (3, 4)),
    ("abc,cde->abde", "de", (None, 3, 4), (4, 2, 5)),
    ("abc,cde->abde", "d", (None, 3, 4), (4, 2, 5)),
    ("abc,cde->abde", "e", (None, None, 4), (4, 2, 5)),
    ("abcd,cde->abe", "e", (None, None, 3, 4), (3, 4, 5)),
    ("abc,cde->adbe", "de", (None, None, 4), (4, 2, 5)),
    ("abc,cbd->abd", "bd", (None, 3, 4), (4, 3, 5)),
    ("ab...,bc->ac...", "c", (None, 4, 2, 3), (4, 5)),
    ("abc,bd->adc", "d", (None, 3, 4), (3, 5)),
]


@pytest.mark.parametrize(("equation", "axes", "x", "kernel"), LAWS)
@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize("biased", [False, True])
def test_law(
    law: Any, equation: str, axes: str, x: Any, kernel: Any, activation: str, biased: bool
) -> None:
    of_x, of_y, wanted = split_equation(equation, len(x), len(kernel))
    sizes = dict(zip(of_x + of_y, (*x, *kernel), strict=True))
    behind = wanted[min(wanted.index(a) for a in axes) :]
    weights = {"kernel": kernel}
    if biased:
        weights["bias"] = tuple(sizes[a] if a in axes else 1 for a in behind)
    config = {
        "equation": equation, "bias_axes": axes if biased else None, "activation": activation,
        "output_shape": [sizes[a] for a in wanted[1:]],
    }  # fmt: skip
    form = law("EinsumDense", config, [x], **weights)
    assert form[0].class_name in ("EinsumDense", "Dense")


@pytest.mark.parametrize("kernel", [(16, 3), (4, 4, 3)])
def test_a_dense_after_flatten_is_no_product_of_three_axes(kernel: Any) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4, 4))
    table = graph.const(np.ones(kernel), float32, "kernel")
    rows = graph.op("Reshape", table, [16, 3]) if len(kernel) == 3 else table
    made = graph.op("MatMul", graph.op("Reshape", x, [-1, 16]), rows)
    graph.op("Identity", made)
    claim = EinsumDense().recognise(made, look(graph))
    assert (claim is not None) == (len(kernel) == 3)

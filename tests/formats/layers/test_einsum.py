"""Products over named axes: shapes, and how many nodes they take."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import write_network
from modelfmt.layers.einsum import split_equation, write_einsum

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

"""One product in many spellings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.graphs.view import View
from modelfmt.layers.einsum import write_einsum
from modelfmt.layers.products import interior, product_at, repeated

EQUATIONS: list[tuple[str, Dims, Dims]] = [
    ("ab,bc->ac", (None, 4), (4, 3)),
    ("abc,cd->abd", (None, None, 4), (4, 3)),
    ("abc,cde->abde", (None, 5, 4), (4, 2, 3)),
    ("abcd,cde->abe", (None, None, 4, 2), (4, 2, 3)),
    ("abc,cde->adbe", (None, None, 4), (4, 2, 3)),
    ("abc,cbd->abd", (None, 3, 4), (4, 3, 5)),
    ("abc,adc->abd", (None, 3, 4), (None, 7, 4)),
    ("abcd,aecd->acbe", (None, 5, 2, 3), (None, 7, 2, 3)),
    ("abcd,adbe->acbe", (None, 2, 5, 7), (None, 7, 2, 3)),
    ("ab,ab->a", (None, 4), (None, 4)),
]


def factors(x: Dims, y: Dims) -> tuple[GraphBuilder, str, str]:
    graph = GraphBuilder()
    return graph, graph.placeholder("x", dtypes.float32, x), graph.placeholder(
        "y", dtypes.float32, y
    )


def seen(graph: GraphBuilder, tensor: str) -> View:
    graph.op("Identity", tensor)
    return look(graph)


@pytest.mark.parametrize(("equation", "x", "y"), EQUATIONS)
def test_as_matrices(equation: str, x: Dims, y: Dims) -> None:
    graph, left, right = factors(x, y)
    made = write_einsum(equation, left, right, graph)
    found = product_at(made, seen(graph, made))
    assert found is not None
    assert (found.left, found.right, found.equation()) == ("x", "y", renamed(equation))


@pytest.mark.parametrize(("equation", "x", "y"), EQUATIONS)
def test_as_einsum(equation: str, x: Dims, y: Dims) -> None:
    graph, left, right = factors(x, y)
    made = graph.op("Einsum", left, right, equation=equation, N=2)
    found = product_at(made, seen(graph, made))
    assert found is not None
    assert found.equation() == renamed(equation)
    assert found.turned().right == "x"


def renamed(equation: str) -> str:
    """With letters in the order of their first use."""
    letters = dict.fromkeys(a for a in equation if a.isalpha())
    return equation.translate(str.maketrans(dict(zip(letters, "abcdefgh", strict=False))))


@pytest.mark.parametrize(("ta", "tb"), [(False, False), (False, True), (True, False)])
def test_transposed_operands(ta: bool, tb: bool) -> None:
    graph, x, y = factors((5, 4) if not ta else (4, 5), (4, 3) if not tb else (3, 4))
    made = graph.op("MatMul", x, y, transpose_a=ta, transpose_b=tb)
    found = product_at(made, seen(graph, made))
    wanted = {(0, 0): "ab,bc->ac", (0, 1): "ab,cb->ac", (1, 0): "ab,ac->bc"}[int(ta), int(tb)]
    assert found is not None
    assert found.equation() == wanted


def test_merged_axes_are_no_einsum() -> None:
    graph, x, y = factors((None, 5, 4), (20, 3))
    made = graph.op("MatMul", graph.op("Reshape", x, [-1, 20]), y)
    view = seen(graph, made)
    assert product_at(made, view) is None
    split = product_at(made, view, split=True)
    assert split is not None
    assert [len(group) for group in split.right_axes] == [2, 1]


def test_sizes_that_do_not_tell() -> None:
    """Which axis is which, once two of unknown size are mixed, nothing says."""
    graph, x, y = factors((None, None, 4), (4, 3))
    rows = graph.op("Reshape", x, [-1, 4])
    shape = graph.placeholder("shape", dtypes.int32, (3,))
    made = graph.op("Reshape", graph.op("MatMul", rows, y), shape)
    assert product_at(made, seen(graph, made)) is None


@pytest.mark.parametrize(
    ("spelled", "times"), [("GatherV2", 2), ("Tile", 2), ("other", None)]
)
def test_repeated_heads(spelled: str, times: Any) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 5, 2, 3))
    if spelled == "Tile":
        tiled = graph.op("Tile", graph.op("ExpandDims", x, 3), [1, 1, 1, 2, 1])
        made = graph.op("Reshape", tiled, [-1, 5, 4, 3])
    else:
        made = graph.op("GatherV2", x, [0, 0, 1, 1] if times else [0, 1, 0, 1], 2)
    assert repeated(made, seen(graph, made)) == (("x", times) if times else None)


def test_the_nodes_of_a_claim_are_none_that_tell_sizes() -> None:
    graph, x, y = factors((None, None, 4), (4, 3))
    made = write_einsum("abc,cd->abd", x, y, graph)
    nodes = interior(made, ["x", "y"], seen(graph, made))
    assert {graph[name].op for name in nodes} == {"Reshape", "MatMul"}


def test_a_kernel_in_another_shape() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 5, 4))
    kernel = graph.const(np.ones((4, 2, 3)), dtypes.float32, "kernel")
    rows = graph.op("Reshape", kernel, [4, 6])
    made = graph.op("Reshape", graph.op("BatchMatMulV2", x, rows), [-1, 5, 2, 3])
    found = product_at(made, seen(graph, made))
    assert found is not None
    assert found.equation() == "abc,cde->abde"

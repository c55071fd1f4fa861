"""GraphBuilder: names, shapes and attrs as TensorFlow gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.dtypes import float32, int32
from modelfmt.errors import MismatchError, MissingError, ModelFormatError, UnsupportedError
from modelfmt.graph import Shape
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.tensor import Tensor


@pytest.fixture
def graph() -> GraphBuilder:
    return GraphBuilder()


def kernel(*shape: int) -> Tensor:
    return Tensor.from_numpy("kernel", np.ones(shape, "f4"))


def test_a_placeholder(graph: GraphBuilder) -> None:
    assert graph.placeholder("x", float32, (None, 4)) == "x"
    node = graph["x"]
    assert (node.op, node.inputs) == ("Placeholder", [])
    assert node.attrs == {"dtype": float32, "shape": Shape((None, 4))}
    assert (graph.shape("x"), graph.dtype("x")) == ((None, 4), float32)
    assert graph.shape("x:0") == (None, 4)


def test_an_op_has_the_attrs_that_tensorflow_writes(graph: GraphBuilder) -> None:
    x = graph.placeholder("x", float32, (None, 4))
    y = graph.op("MatMul", x, kernel(4, 3), transpose_b=False)
    assert y == "MatMul" and graph.shape(y) == (None, 3)
    attrs = graph[y].attrs
    assert attrs["T"] is float32
    assert attrs["transpose_a"] is False and attrs["transpose_b"] is False


def test_names_are_numbered_as_tensorflow_does(graph: GraphBuilder) -> None:
    x = graph.placeholder("x", float32, ())
    assert [graph.op("Relu", x) for _ in range(3)] == ["Relu", "Relu_1", "Relu_2"]
    assert graph.op("Relu", x, name="Relu_1") == "Relu_1_1"


def test_scopes_nest_and_end(graph: GraphBuilder) -> None:
    x = graph.placeholder("x", float32, ())
    with graph.scope("a"), graph.scope("b"):
        assert graph.op("Relu", x) == "a/b/Relu"
        assert graph.unique("Relu") == "a/b/Relu_1"
    assert graph.op("Relu", x) == "Relu"


def test_a_scope_ends_after_an_error(graph: GraphBuilder) -> None:
    with pytest.raises(ZeroDivisionError), graph.scope("a"):
        1 / 0  # noqa: B018
    assert graph.unique("n") == "n"


@pytest.mark.parametrize(
    ("name", "made"), [("a b", "a_b"), ("_a", ".a"), ("ü:0", "._0"), ("a.b-c/d>e", "a.b-c/d>e")]
)
def test_names_that_tensorflow_refuses_are_bent(
    graph: GraphBuilder, name: str, made: str
) -> None:
    assert graph.placeholder(name, float32, ()) == made


def test_constants(graph: GraphBuilder) -> None:
    name = graph.const([1, 2], int32)
    value = graph[name].attrs["value"]
    assert isinstance(value, Tensor) and value.numpy().tolist() == [1, 2]
    assert (graph.dtype(name), graph.shape(name)) == (int32, (2,))
    assert graph.static(name).value.tolist() == [1, 2]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("op", "dtype", "literal", "kind"),
    [
        ("Mul", float32, 2, "float32"),
        ("Mul", dtypes.from_name("float64"), 2.0, "float64"),
        ("Mul", dtypes.from_name("bfloat16"), 2.0, "bfloat16"),
        ("Maximum", int32, 0, "int32"),
        ("Reshape", float32, [-1, 2], "int32"),
    ],
)
def test_a_literal_takes_the_dtype_of_its_op(
    graph: GraphBuilder, op: str, dtype: Any, literal: Any, kind: str
) -> None:
    x = graph.placeholder("x", dtype, (2, 2))
    y = graph.op(op, x, literal, name="y")
    const = graph[graph[y].inputs[1]]
    assert (const.op, graph.dtype(const.name).name) == ("Const", kind)
    assert const.name.startswith("y/")


def test_a_literal_beside_no_tensor(graph: GraphBuilder) -> None:
    assert graph.dtype(graph.op("Fill", [2, 2], 1.0)) is float32
    assert graph.dtype(graph.op("Pack", 1, 2)) is int32


def test_a_weight_is_written_once(graph: GraphBuilder) -> None:
    weight = kernel(4, 3)
    first = graph.weight(weight, "kernel")
    assert graph.weight(weight) == first == "kernel"
    assert graph.weight(kernel(4, 3), "kernel") == "kernel_1"  # equal, and another one


def test_several_outputs(graph: GraphBuilder) -> None:
    x = graph.placeholder("x", float32, (None, 6))
    assert graph.ops("Split", 1, x, num_split=3) == ["Split", "Split:1", "Split:2"]
    assert graph.shape("Split:2") == (None, 2)
    y = graph.op("Relu", "Split:2")
    assert graph[y].inputs == ["Split:2"]


@pytest.mark.parametrize(
    ("operation", "operands", "attrs", "error"),
    [
        ("Relu", ["nobody"], {}, MismatchError),
        ("Relu", ["x:1"], {}, MismatchError),
        ("Sorcery", ["x"], {}, UnsupportedError),
        ("Relu", ["x"], {"colour": 1}, MissingError),
        ("MatMul", ["x"], {}, ModelFormatError),
        ("MatMul", ["x", "k"], {}, ModelFormatError),
        ("AddV2", ["x", "i"], {}, MismatchError),
        ("Conv2D", ["x", "k"], {"strides": [1, 1, 1, 1], "padding": "SIDEWAYS"}, ModelFormatError),
    ],
)
def test_what_makes_no_sense_is_refused_and_adds_nothing(
    graph: GraphBuilder, operation: str, operands: list[str], attrs: Any, error: Any
) -> None:
    graph.placeholder("x", float32, (None, 4))
    graph.placeholder("k", float32, (5, 3))
    graph.placeholder("i", int32, (4,))
    before = list(graph)
    with pytest.raises(error):
        graph.op(operation, *operands, **attrs)
    assert list(graph) == before


def test_an_error_names_its_node(graph: GraphBuilder) -> None:
    x = graph.placeholder("x", float32, (None, 4))
    with graph.scope("dense"), pytest.raises(ModelFormatError, match='node "dense/MatMul"'):
        graph.op("MatMul", x, kernel(5, 3))


def test_every_order_of_writing_gives_the_same_node(graph: GraphBuilder) -> None:
    other = GraphBuilder()
    for each, attrs in ((graph, ["transpose_a", "transpose_b"]),
                        (other, ["transpose_b", "transpose_a"])):  # fmt: skip
        x = each.placeholder("x", float32, (4, 4))
        each.op("MatMul", x, x, **dict.fromkeys(attrs, True))
    assert list(graph["MatMul"].attrs) == list(other["MatMul"].attrs)

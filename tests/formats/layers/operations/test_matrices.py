"""Matrices: the node that each ends with, shapes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import operations  # noqa: F401  fills the table
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.table import find
from modelfmt.layers.operations.values import Ops


def write(
    name: str, args: list[Any], kwargs: dict[str, Any], shape: Any = (4, 3)
) -> tuple[GraphBuilder, list[str]]:
    """One call on x of this shape; "x" among the arguments stands for it."""
    graph = GraphBuilder()
    x = TensorName(graph.placeholder("x", dtypes.float32, shape))
    found = find(name)
    assert found is not None
    args = [x if isinstance(each, str) and each == "x" else each for each in args]
    return graph, found(Ops(graph, keras=name[0].isupper()), [x, *args], kwargs)


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "op", "shape"),
    [
        ("Pinv", [], {}, "BatchMatMulV2", None),
        ("MatrixRank", [], {}, "Sum", None),
        ("CDist", ["x"], {}, "Sqrt", (4, 4)),
        ("Corrcoef", [], {}, "Maximum", (4, 4)),
        ("clip_by_norm", [2.0], {}, "RealDiv", (4, 3)),
        ("nn.crelu", [], {}, "Relu", (4, 6)),
    ],
)  # fmt: skip
def test_a_node(name: str, args: list[Any], kwargs: Any, op: str, shape: Any) -> None:
    graph, made = write(name, args, kwargs)
    assert graph[made[0].split(":")[0]].op == op
    assert graph.shape(made[0]) == shape


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "shape", "words"),
    [
        ("CholeskyInverse", [], {}, (2, 3, 3), "one factor"),
        ("Pinv", [], {}, (None, 3), "known size"),
        ("Vander", [], {}, (None,), "number of powers"),
    ],
)  # fmt: skip
def test_what_is_refused(
    name: str, args: list[Any], kwargs: Any, shape: Any, words: str
) -> None:
    with pytest.raises(ConversionError, match=words):
        write(name, args, kwargs, shape)

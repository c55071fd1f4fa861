"""Order along an axis: the node that each operation ends with, its dtype, and what is refused."""

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


def write(name: str, args: list[Any], kwargs: dict[str, Any]) -> tuple[GraphBuilder, str]:
    graph = GraphBuilder()
    x = TensorName(graph.placeholder("x", dtypes.float32, (None, 5, 4)))
    found = find(name)
    assert found is not None
    return graph, found(Ops(graph, keras=name[0].isupper()), [x, *args], kwargs)[0]


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "op", "dtype"),
    [
        ("Argmax", [], {"axis": 1}, "ArgMax", "int32"),
        ("math.argmax", [], {"axis": 1}, "ArgMax", "int64"),
        ("TopK", [], {"k": 2}, "TopKV2", "float32"),
        ("Cumsum", [], {"axis": 1}, "Cumsum", "float32"),
        ("Sort", [], {"axis": -1}, "Neg", "float32"),
    ],
)  # fmt: skip
def test_a_node(name: str, args: list[Any], kwargs: dict[str, Any], op: str, dtype: str) -> None:
    graph, made = write(name, args, kwargs)
    assert graph[made.split(":")[0]].op == op
    assert graph.dtype(made).name == dtype


def test_what_is_refused() -> None:
    with pytest.raises(ConversionError, match="known size"):
        write("Quantile", [[0.1, 0.2]], {"axis": 1})

"""Element by element: the node that each operation ends with, its dtype, and what is refused."""

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
        ("Add", [2.0], {}, "AddV2", "float32"), ("Power", [2], {}, "Pow", "float32"),
        ("Greater", [0], {}, "Greater", "bool"), ("Absolute", [], {}, "Abs", "float32"),
        ("math.maximum", [0.0], {}, "Maximum", "float32"),
        ("LogicalXor", [True], {}, "NotEqual", "bool"), ("Clip", [], {"x_min": 0, "x_max": 1},
        "Maximum", "float32"),
    ],
)  # fmt: skip
def test_a_node(name: str, args: list[Any], kwargs: dict[str, Any], op: str, dtype: str) -> None:
    graph, made = write(name, args, kwargs)
    assert graph[made.split(":")[0]].op == op
    assert graph.dtype(made).name == dtype


def test_what_is_refused() -> None:
    with pytest.raises(ConversionError, match="does not say its"):
        write("Add", [], {})

"""Windows and images: the node that each operation ends with, its dtype, and what is refused."""

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
        ("MaxPool", [], {"pool_size": 2}, "Squeeze", "float32"),
        ("nn.avg_pool1d", [2, 1, "SAME"], {}, "Squeeze", "float32"),
        ("Conv", [[[[1.0], [2.0], [3.0], [4.0]]]], {}, "Squeeze", "float32"),
    ],
)  # fmt: skip
def test_a_node(name: str, args: list[Any], kwargs: dict[str, Any], op: str, dtype: str) -> None:
    graph, made = write(name, args, kwargs)
    assert graph[made.split(":")[0]].op == op
    assert graph.dtype(made).name == dtype


def test_what_is_refused() -> None:
    with pytest.raises(ConversionError, match="resize of this kind"):
        write("Resize", [[2, 2]], {"interpolation": "lanczos3"})

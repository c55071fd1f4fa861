"""Signals: the node that each ends with, shapes, and what is refused."""

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
    name: str, args: list[Any], kwargs: dict[str, Any], shape: Any = (None, 8)
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
        ("RFFT", [], {}, "Real", (None, 5)),
        ("ExtractSequences", [3, 2], {}, "GatherV2", (None, 3, 3)),
        ("STFT", [4, 2, 4], {"center": False}, "Real", (None, 3, 3)),
        ("Angle", [], {}, "SelectV2", (None, 8)),
        ("Imag", [], {}, "ZerosLike", (None, 8)),
    ],
)  # fmt: skip
def test_a_node(name: str, args: list[Any], kwargs: Any, op: str, shape: Any) -> None:
    graph, made = write(name, args, kwargs)
    assert graph[made[0].split(":")[0]].op == op
    assert graph.shape(made[0]) == shape


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "shape", "words"),
    [
        ("ExtractSequences", [3, 2], {}, (2, None), "unknown length"),
        ("STFT", [4, 2, 4], {"window": "kaiser"}, (2, 8), "a window"),
        ("Correlate", ["x"], {"mode": "half"}, (8,), "known length"),
    ],
)  # fmt: skip
def test_what_is_refused(
    name: str, args: list[Any], kwargs: Any, shape: Any, words: str
) -> None:
    with pytest.raises(ConversionError, match=words):
        write(name, args, kwargs, shape)

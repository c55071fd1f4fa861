"""Groups: the node that each ends with, shapes, and what is refused."""

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
    name: str, args: list[Any], kwargs: dict[str, Any], shape: Any = (6,)
) -> tuple[GraphBuilder, list[str]]:
    """One call on x of this shape; "x" among the arguments stands for it."""
    graph = GraphBuilder()
    x = TensorName(graph.placeholder("x", dtypes.int32, shape))
    found = find(name)
    assert found is not None
    args = [x if isinstance(each, str) and each == "x" else each for each in args]
    return graph, found(Ops(graph, keras=name[0].isupper()), [x, *args], kwargs)


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "op", "shape"),
    [
        ("SegmentSum", ["x"], {"num_segments": 4}, "UnsortedSegmentSum", (4,)),
        ("SegmentMax", ["x"], {"sorted": True}, "SegmentMax", None),
        ("Nanargmax", [], {"axis": 0}, "ArgMax", ()),
        ("UnravelIndex", [[2, 3]], {}, "FloorMod", (6,)),
        ("Signbit", [], {}, "Less", (6,)),
        ("View", ["float32"], {}, "Bitcast", (6,)),
        ("View", ["int16"], {}, "Reshape", (12,)),
    ],
)  # fmt: skip
def test_a_node(name: str, args: list[Any], kwargs: Any, op: str, shape: Any) -> None:
    graph, made = write(name, args, kwargs)
    assert graph[made[0].split(":")[0]].op == op
    assert graph.shape(made[0]) == shape


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "shape", "words"),
    [
        ("View", ["float64"], {}, (5,), "not whole"),
    ],
)  # fmt: skip
def test_what_is_refused(
    name: str, args: list[Any], kwargs: Any, shape: Any, words: str
) -> None:
    with pytest.raises(ConversionError, match=words):
        write(name, args, kwargs, shape)

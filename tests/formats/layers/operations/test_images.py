"""Pictures: the node that each ends with, shapes, and what is refused."""

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
    name: str, args: list[Any], kwargs: dict[str, Any], shape: Any = (None, 6, 8, 3)
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
        ("CropImages", [1, 2], {"target_height": 3, "target_width": 4}, "Slice", (None, 3, 4, 3)),
        ("PadImages", [1, 2, 3, 4], {}, "Pad", (None, 10, 14, 3)),
        ("GaussianBlur", [[3, 5], [1.0, 2.0]], {}, "DepthwiseConv2dNative", (None, 6, 8, 3)),
        ("SobelEdges", [], {}, "Reshape", (None, 6, 8, 3, 2)),
        ("ExtractPatches", [2], {}, "ExtractImagePatches", None),
        ("image.flip_up_down", [], {}, "ReverseV2", (None, 6, 8, 3)),
        ("image.central_crop", [0.5], {}, "Slice", (None, 4, 4, 3)),
    ],
)  # fmt: skip
def test_a_node(name: str, args: list[Any], kwargs: Any, op: str, shape: Any) -> None:
    graph, made = write(name, args, kwargs)
    assert graph[made[0].split(":")[0]].op == op
    assert graph.shape(made[0]) == shape


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "shape", "words"),
    [
        ("CropImages", [4, 2], {"target_height": 3}, (None, 6), "a batch of them"),
        ("PadImages", [4, 2], {"target_height": 3, "target_width": 9}, (2, 6, 8, 3), "larger"),
        ("ExtractPatches", [[2, 2, 2]], {}, (None, 6, 8, 3), "three axes"),
    ],
)  # fmt: skip
def test_what_is_refused(
    name: str, args: list[Any], kwargs: Any, shape: Any, words: str
) -> None:
    with pytest.raises(ConversionError, match=words):
        write(name, args, kwargs, shape)

"""NodeDefs in protobuf's JSON: attrs, constants, damage."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError, CorruptFileError, ModelFormatError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.operations.nodes import write_node

CONCAT = {
    "op": "ConcatV2", "input": ["a", "b", "axis"],
    "attr": {"N": {"i": "2"}, "T": {"type": "DT_FLOAT"}, "Tidx": {"type": "DT_INT32"}},
}  # fmt: skip


def write(config: Any, inputs: int = 1) -> tuple[GraphBuilder, list[str]]:
    graph = GraphBuilder()
    names = [graph.placeholder(f"x{k}", dtypes.float32, (None, 4)) for k in range(inputs)]
    return graph, write_node(config, names, graph)


@pytest.mark.parametrize("spell", [dict, json.dumps])
def test_a_node_with_a_constant(spell: Any) -> None:
    graph, made = write({"node_def": spell(CONCAT), "constants": {"2": -1}}, 2)
    assert graph.shape(made[0]) == (None, 8)


def test_lists_and_flags() -> None:
    node = {"op": "Squeeze", "input": ["a"], "attr": {
        "T": {"type": "DT_FLOAT"}, "squeeze_dims": {"list": {"i": ["1"]}}}}  # fmt: skip
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 1, 4))
    assert graph.shape(write_node({"node_def": node}, [x], graph)[0]) == (None, 4)


@pytest.mark.parametrize(
    ("attr", "error"),
    [
        ({"i": "two"}, CorruptFileError), ({"s": "?"}, CorruptFileError),
        ([], CorruptFileError), ({"tensor": {}}, ConversionError),
        ({"type": "DT_NONE"}, ModelFormatError), ({"list": 3}, CorruptFileError),
    ],
)  # fmt: skip
def test_attrs_that_are_none(attr: Any, error: type[Exception]) -> None:
    node = {"op": "Relu", "input": ["a"], "attr": {"x": attr}}
    with pytest.raises(error):
        write({"node_def": node})


@pytest.mark.parametrize("node", [None, "\n\x03Mul", {}, {"op": 3}])
def test_no_node(node: Any) -> None:
    with pytest.raises(ConversionError):
        write({"node_def": node})


def test_a_missing_input() -> None:
    with pytest.raises(ConversionError, match="lacks its input 1"):
        write({"node_def": {"op": "Mul", "input": ["a", "b"]}})

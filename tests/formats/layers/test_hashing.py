"""Hashing: structure and errors. The numbers are judged by the frameworks."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer


def written(class_name: str, config: dict[str, Any], *inputs: tuple[str, Any]) -> GraphBuilder:
    graph = GraphBuilder()
    names = [graph.placeholder(f"x{k}", dtypes.from_name(d), s) for k, (d, s) in enumerate(inputs)]
    layer = prepared(Layer(class_name, "it", config))
    codec_for(layer).write(layer, names, graph)
    return graph


def ops(graph: GraphBuilder) -> set[str]:
    return {node.op for node in graph.values()}


def test_a_salt_asks_for_the_strong_hash() -> None:
    fast = written("Hashing", {"num_bins": 5}, ("string", (None, 3)))
    assert "StringToHashBucketFast" in ops(fast)
    for salt in (7, [7, 8]):
        strong = written("Hashing", {"num_bins": 5, "salt": salt}, ("string", (None, 3)))
        (node,) = (n for n in strong.values() if n.op == "StringToHashBucketStrong")
        assert node.attrs["key"] == ([7, 7] if salt == 7 else salt)


def test_integers_are_hashed_as_text() -> None:
    assert "AsString" in ops(written("Hashing", {"num_bins": 5}, ("int32", (None, 3))))


def test_a_mask_takes_a_bin() -> None:
    graph = written("Hashing", {"num_bins": 5, "mask_value": "a"}, ("string", (None, 3)))
    (node,) = (n for n in graph.values() if n.op == "StringToHashBucketFast")
    assert node.attrs["num_buckets"] == 4


@pytest.mark.parametrize(
    ("config", "dtype", "said"),
    [
        ({"num_bins": 0}, "string", "without num_bins"),
        ({"num_bins": 5, "salt": [1]}, "string", "one or two integers"),
        ({"num_bins": 5}, "bool", "strings and integers"),
        ({"num_bins": 5, "output_mode": "tf_idf"}, "string", "no such output_mode"),
    ],
)
def test_what_cannot_be_hashed(config: dict[str, Any], dtype: str, said: str) -> None:
    with pytest.raises(ConversionError, match=said):
        written("Hashing", config, (dtype, (None, 3)))


def test_features_are_crossed_together() -> None:
    column = (None, 1)
    graph = written("HashedCrossing", {"num_bins": 5}, ("string", column), ("int32", column))
    (node,) = (n for n in graph.values() if n.op == "SparseCross")
    assert node.attrs["internal_type"] is dtypes.from_name("int64")
    assert "Cast" in ops(graph)
    with pytest.raises(ConversionError, match="two or more features"):
        written("HashedCrossing", {"num_bins": 5}, ("string", column))
    with pytest.raises(ConversionError, match="two or more features"):
        written("HashedCrossing", {"num_bins": 5}, *[("string", (None, 1, 1))] * 2)

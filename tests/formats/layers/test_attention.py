"""Attention with heads: shapes, masks and errors. The numbers are judged by the frameworks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def weight(*shape: int) -> Tensor:
    return Tensor.from_numpy("", np.ones(shape, np.float32))


def heads(class_name: str = "MultiHeadAttention", groups: int = 4, **config: Any) -> Layer:
    """Four heads of size 3 on six features; ``groups`` heads of keys."""
    weights = {
        "query/kernel": weight(6, 4, 3), "query/bias": weight(4, 3),
        "key/kernel": weight(6, groups, 3), "key/bias": weight(groups, 3),
        "value/kernel": weight(6, groups, 3), "value/bias": weight(groups, 3),
        "attention_output/kernel": weight(4, 3, 6), "attention_output/bias": weight(6),
    }  # fmt: skip
    return prepared(Layer(class_name, "attention", config, weights))


def written(
    layer: Layer, query: Dims = (None, 5, 6), value: Dims = (None, 7, 6), major: int = 3,
    masked: str = "", **arguments: Any,
) -> tuple[GraphBuilder, list[str], list[str | None]]:  # fmt: skip
    graph = GraphBuilder()
    graph.keras_major = major
    q = graph.placeholder("q", dtypes.float32, query)
    v = graph.placeholder("v", dtypes.float32, value)
    for name, shape in (("q", query), ("v", value)):
        if name in masked:
            graph.masks[name] = graph.placeholder(f"{name}_mask", dtypes.bool_, (shape or ())[:2])
    codec: Any = codec_for(layer)
    made = codec.write(layer, [q], graph, value=v, **arguments)
    return graph, made, codec.masks(layer, [q], made, graph)


def ops(graph: GraphBuilder) -> list[str]:
    return [node.op for node in graph.values()]


@pytest.mark.parametrize(
    ("class_name", "groups"),
    [("MultiHeadAttention", 4), *(("GroupedQueryAttention", groups) for groups in (4, 2, 1))],
)
def test_output_and_scores(class_name: str, groups: int) -> None:
    layer = heads(class_name, groups)
    graph, made, _ = written(layer, return_attention_scores=True)
    assert [graph.shape(y) for y in made] == [(None, 5, 6), (None, 4, 5, 7)]
    assert ("GatherV2" in ops(graph)) == (groups != 4)


def test_config_from_the_weights() -> None:
    config = heads().config
    assert (config["num_heads"], config["key_dim"], config["value_dim"]) == (4, 3, 3)
    assert config["use_bias"] is True and config["use_gate"] is False


def test_weight_names() -> None:
    codec = codec_for(heads())
    assert codec.weight_names({"use_bias": False, "use_gate": True}) == (
        "query/kernel", "key/kernel", "gate/kernel", "value/kernel", "attention_output/kernel",
    )  # fmt: skip


def test_two_ways_to_hide() -> None:
    """Keras 3 hides within the fused scores, or sets to 0 after softmax; Keras 2 adds."""
    fused, *_ = written(heads(), masked="v")
    assert ops(fused).count("SelectV2") == 1
    apart, *_ = written(heads(dropout=0.1), masked="v")
    assert ops(apart).count("SelectV2") == 2
    older, *_ = written(heads(), masked="v", major=2)
    assert "SelectV2" not in ops(older)


def test_all_masks_together() -> None:
    graph, *_ = written(heads(sliding_window=2), masked="qv", use_causal_mask=True)
    assert ops(graph).count("LogicalAnd") == 3
    assert {"GreaterEqual", "Less"} <= set(ops(graph))


def test_no_mask_no_hiding() -> None:
    graph, *_ = written(heads())
    assert not {"SelectV2", "LogicalAnd", "Range"} & set(ops(graph))


@pytest.mark.parametrize("major", [2, 3])
def test_the_output_has_the_mask_of_the_queries(major: int) -> None:
    graph, _, masks = written(heads(), masked="qv", major=major, return_attention_scores=True)
    assert masks == ["q_mask", None]
    assert ("q" in graph.masks) == (major == 2), "Keras 3 takes the mask off the queries"


def test_keras_3_takes_the_masks_off_values_and_keys_too() -> None:
    graph, _, masks = written(heads(), masked="v")
    assert masks == [None]
    assert "v" not in graph.masks


def test_grouped_attention_leaves_the_masks() -> None:
    graph, _, _ = written(heads("GroupedQueryAttention"), masked="qv")
    assert {"q", "v"} <= set(graph.masks)


def test_axes() -> None:
    layer = heads(attention_axes=[2])
    graph, made, _ = written(layer, (None, 2, 5, 6), (None, 2, 7, 6), return_attention_scores=True)
    assert [graph.shape(y) for y in made] == [(None, 2, 5, 6), (None, 2, 4, 5, 7)]


@pytest.mark.parametrize(("axes", "major"), [([3], 3), ([0], 3), ([-2], 2), ([1, 1], 3)])
def test_axes_that_are_none(axes: list[int], major: int) -> None:
    with pytest.raises(ConversionError, match="attention_axes"):
        written(heads(attention_axes=axes), (None, 2, 5, 6), (None, 2, 7, 6), major)


def test_unknown_rank() -> None:
    with pytest.raises(ConversionError, match="known rank"):
        written(heads(), None, None)


def test_without_a_value() -> None:
    layer = heads()
    graph = GraphBuilder()
    with pytest.raises(MismatchError, match="without a value"):
        codec_for(layer).write(layer, [graph.placeholder("q", dtypes.float32, (2, 5, 6))], graph)


def test_heads_that_cannot_be_shared() -> None:
    with pytest.raises(MismatchError, match="shared out"):
        written(heads("GroupedQueryAttention", 3))

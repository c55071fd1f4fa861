"""Masks of attention: shapes, and what they are made of."""

from __future__ import annotations

import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.attention_masks import AttentionMasks, as_bool, combined, spread_out

NONE = AttentionMasks(None, None, None, None, False)


def sequences() -> GraphBuilder:
    graph = GraphBuilder()
    graph.placeholder("q", dtypes.float32, (None, 5, 6))
    graph.placeholder("v", dtypes.float32, (None, 7, 6))
    for name, shape in (("m5", (None, 5)), ("m7", (None, 7)), ("m57", (None, 5, 7))):
        graph.placeholder(name, dtypes.float32, shape)
    return graph


def test_none() -> None:
    assert combined(NONE, "q", "v", None, sequences()) is None


@pytest.mark.parametrize(
    ("masks", "window", "shape"),
    [
        (AttentionMasks("m5", None, None, None, False), None, (None, 5, 1)),
        (AttentionMasks(None, "m7", None, None, False), None, (None, 1, 7)),
        (AttentionMasks(None, None, "m7", None, False), None, (None, 1, 7)),
        (AttentionMasks(None, None, None, None, True), None, (1, 5, 7)),
        (NONE, 2, (1, 5, 7)),
        (AttentionMasks("m5", "m7", "m7", "m57", True), 2, (None, 5, 7)),
    ],
)
def test_shapes(masks: AttentionMasks, window: int | None, shape: Dims) -> None:
    graph = sequences()
    made = combined(masks, "q", "v", window, graph)
    assert made is not None
    assert graph.shape(made) == shape
    assert graph.dtype(made) == dtypes.bool_


def test_an_attention_mask_alone_stays_as_it_is() -> None:
    masks = AttentionMasks(None, None, None, "m57", False)
    assert combined(masks, "q", "v", None, sequences()) == "m57"


def test_axes_for_the_heads() -> None:
    graph = sequences()
    assert graph.shape(spread_out("m57", 4, 1, graph)) == (None, 1, 5, 7)
    graph.placeholder("any", dtypes.bool_, None)
    with pytest.raises(ConversionError, match="attention mask"):
        spread_out("any", 4, 1, graph)


def test_a_boolean_mask_is_not_cast() -> None:
    graph = sequences()
    graph.placeholder("seen", dtypes.bool_, (None, 5))
    assert as_bool("seen", graph) == "seen"
    assert graph.dtype(as_bool("m5", graph)) == dtypes.bool_

"""Which keys a query may look at: all masks of a call of attention in one.

    query mask (batch, T) -> (batch, T, 1)      value and key mask (batch, S) -> (batch, 1, S)
    causal                (1, T, S): no key after its query
    sliding window        (1, T, S): no key as far from its query as the window, or farther

Source: Keras, MultiHeadAttention._compute_attention_mask.
"""

from __future__ import annotations

import dataclasses

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.sizing import known_shape, lengths


@dataclasses.dataclass(frozen=True)
class AttentionMasks:
    """The masks of one call, each by its tensor."""

    query: str | None
    value: str | None
    key: str | None
    attention: str | None
    causal: bool


def spread_out(mask: str, rank: int, axes: int, graph: GraphBuilder) -> str:
    """A mask with axes of 1 before those of queries and keys, as it broadcasts with the scores."""
    for _ in range(rank - len(known_shape(mask, graph, "an attention mask"))):
        mask = graph.op("ExpandDims", mask, -2 * axes - 1)
    return mask


def as_bool(mask: str, graph: GraphBuilder) -> str:
    """A mask of any dtype as a boolean one."""
    return mask if graph.dtype(mask).name == "bool" else graph.op("Cast", mask, DstT=dtypes.bool_)


def combined(
    masks: AttentionMasks, query: str, value: str, window: int | None, graph: GraphBuilder
) -> str | None:
    """All masks of a call in one, (batch or 1, T, S) or as the attention mask has it."""
    found: list[str] = []
    if masks.query is not None:
        found.append(graph.op("ExpandDims", as_bool(masks.query, graph), -1))
    for mask in (masks.value, masks.key):
        if mask is not None:
            found.append(graph.op("ExpandDims", as_bool(mask, graph), -2))
    if masks.causal or window is not None:
        rows, columns = _places(query, value, graph)
        if masks.causal:
            found.append(graph.op("GreaterEqual", rows, columns))
        if window is not None:
            distance = graph.op("Abs", graph.op("Sub", rows, columns))
            found.append(graph.op("Less", distance, window))
    if masks.attention is not None:
        alone = not found
        found.insert(0, masks.attention if alone else as_bool(masks.attention, graph))
    if not found:
        return None
    merged = found[0]
    for mask in found[1:]:
        merged = graph.op("LogicalAnd", merged, mask)
    return merged


def _places(query: str, value: str, graph: GraphBuilder) -> tuple[str, str]:
    """The places of queries, (1, T, 1), and of values, (1, 1, S), along the first axis."""
    made = []
    for tensor, lone in ((query, [0, 2]), (value, [0, 1])):
        place = graph.op("Range", 0, lengths(tensor, graph)[1], 1)
        for axis in lone:
            place = graph.op("ExpandDims", place, axis)
        made.append(place)
    return made[0], made[1]

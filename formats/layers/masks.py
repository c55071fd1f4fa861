"""Masks of several tensors: (batch, time), true where a step is seen. Source: Keras, merging/."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder


@dataclasses.dataclass(frozen=True)
class Masked:
    """A tensor and its mask."""

    tensor: str
    mask: str | None

    def spread(self, graph: GraphBuilder) -> str | None:
        """The mask with an axis of 1 for the features, as it broadcasts with the tensor."""
        return None if self.mask is None else graph.op("ExpandDims", self.mask, -1)


def any_seen(masks: Sequence[str], graph: GraphBuilder) -> str:
    """True where one of the masks is."""
    return _folded("LogicalOr", masks, graph)


def all_seen(masks: Sequence[str], graph: GraphBuilder) -> str:
    """True where all of the masks are."""
    return _folded("LogicalAnd", masks, graph)


def _folded(op: str, masks: Sequence[str], graph: GraphBuilder) -> str:
    merged = masks[0]
    for mask in masks[1:]:
        merged = graph.op(op, merged, mask)
    return merged


def merged_masks(masks: Sequence[str | None], graph: GraphBuilder) -> str | None:
    """The mask of a merge of tensors with these masks, by the rule of the graph's Keras major."""
    known = [mask for mask in masks if mask is not None]
    if not known:
        return None
    if graph.keras_major == 2:
        return all_seen(known, graph)
    return any_seen(known, graph) if len(known) == len(masks) else None


def like_tensor(tensor: str, mask: str | None, graph: GraphBuilder) -> str:
    """A mask of the tensor's own shape; true throughout where there is none."""
    value = graph.const(mask is None, dtypes.bool_, "fill")
    filled = graph.op("Fill", graph.op("Shape", tensor), value)
    if mask is None:
        return filled
    if len(graph.shape(mask) or ()) < len(graph.shape(tensor) or ()):
        return graph.op("LogicalOr", graph.op("ExpandDims", mask, -1), filled)
    return mask

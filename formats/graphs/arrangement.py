"""Arrangements: what Transpose, ExpandDims and Squeeze do to axes, composed.

An arrangement has an entry for each axis of the result: the axis of the source that it is, or None
for a new one of size 1. Axes of the source that are in no entry have size 1.

    Transpose(x, [0, 2, 1])     (0, 2, 1)
    ExpandDims(x, 1)            (0, None, 1, ...)
    Squeeze(x, [1])             (0, 2, ...)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelfmt.graph import Node

if TYPE_CHECKING:
    from modelfmt.graphs.facts import Facts
    from modelfmt.graphs.view import View

Arrangement = tuple[int | None, ...]

ARRANGING = {"Transpose", "ExpandDims", "Squeeze", "Reshape"}


def arrangement(node: Node, view: View) -> Arrangement | None:
    """What a node does to the axes of its first input; None where it is more than that."""
    before, after = view.shape(node.inputs[0]), view.shape(node.name)
    rank = len(before) if before is not None else None
    if node.op == "Transpose":
        order = view.ints(node.inputs[1])
        return None if order is None or None in order else tuple(order)
    if rank is None:
        return None
    if node.op == "ExpandDims":
        place = view.scalar(node.inputs[1])
        if not isinstance(place, int) or not -rank - 1 <= place <= rank:
            return None
        found: list[int | None] = list(range(rank))
        found.insert(place % (rank + 1), None)
        return tuple(found)
    if node.op == "Squeeze":
        stated = view.attr(node, "squeeze_dims")
        gone = {axis % rank for axis in stated} if isinstance(stated, list) else set()
        return tuple(axis for axis in range(rank) if axis not in gone) if gone else None
    if node.op == "Reshape" and before is not None and after is not None:
        return _ones_moved(before, after)
    return None


def _ones_moved(
    before: Sequence[int | None], after: Sequence[int | None]
) -> Arrangement | None:
    """A Reshape that only puts in or takes out axes of size 1, all sizes but one being told."""
    kept = [axis for axis, size in enumerate(before) if size != 1]
    found: list[int | None] = []
    places = iter(kept)
    for size in after:
        found.append(None if size == 1 else next(places, -1))
    if -1 in found or next(places, None) is not None:
        return None
    pairs = [(before[axis], after[k]) for k, axis in enumerate(found) if axis is not None]
    unknown = sum(a is None or b is None for a, b in pairs)
    return tuple(found) if unknown <= 1 and all(
        a == b for a, b in pairs if a is not None and b is not None
    ) else None


def steps(node: Node, view: Facts) -> list[int] | None:
    """The steps of a StridedSlice that cuts nothing off, so that 1s mean all of its input."""
    masks = [view.attr(node, f"{name}_mask") for name in ("ellipsis", "new_axis", "shrink_axis")]
    begins, found = view.ints(node.inputs[1]), view.ints(node.inputs[3])
    if any(masks) or begins is None or found is None:
        return None
    from_start, to_end = (int(str(view.attr(node, f"{n}_mask") or 0)) for n in ("begin", "end"))
    whole = all(
        (begin == 0 or from_start >> k & 1) and to_end >> k & 1 for k, begin in enumerate(begins)
    )
    known = [step for step in found if step is not None and step > 0]
    return known if whole and len(known) == len(found) else None


def composed(outer: Arrangement, inner: Arrangement) -> Arrangement:
    """``outer`` of what ``inner`` makes, in axes of inner's source."""
    return tuple(None if axis is None else inner[axis] for axis in outer)


def identity(rank: int) -> Arrangement:
    """Every axis in its place."""
    return tuple(range(rank))

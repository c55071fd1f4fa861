"""Sizes: where each element of a shape tensor comes from.

Static shapes tell a number or nothing. A graph that reshapes with several unknown sizes takes
them from another tensor's Shape, and only that says that a Reshape keeps an axis.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from modelfmt.graph import Node
from modelfmt.ops.shapes import Static

if TYPE_CHECKING:
    from modelfmt.graphs.view import View


@dataclasses.dataclass(frozen=True)
class Size:
    """The size of ``tensor`` along ``axis``, not known before running."""

    tensor: str
    axis: int


#: A number, a size that another tensor has, or nothing known.
Element = int | Size | None


def sizes(view: View, tensor: str) -> list[Element] | None:
    """The elements of an integer tensor (flattened), told by number or by origin.

    None where not even their count is known.
    """
    known = view.ints(tensor)
    if known is not None and None not in known:
        return list(known)
    node = view.producer(tensor)
    traced = _RULES[node.op](node, view) if node is not None and node.op in _RULES else None
    if traced is None:
        return None if known is None else list(known)
    if known is None or len(known) != len(traced):
        return traced
    return [t if k is None else k for k, t in zip(known, traced, strict=True)]


def kept(view: View, target: list[Element] | None, source: str, axes: int) -> bool:
    """Whether a Reshape of ``source`` to ``target`` keeps its first ``axes`` axes.

    All but one must be told equal; what is behind them must be equal as a whole.
    """
    shape = view.shape(source)
    if target is None or shape is None or len(target) < axes or len(shape) < axes:
        return False
    source = view.resolve(source)
    unsure = sum(
        wanted != Size(source, axis) and (own is None or wanted != own)
        for axis, (wanted, own) in enumerate(zip(target[:axes], shape[:axes], strict=True))
    )
    return unsure <= 1


def reshaped(view: View, node: Node, found: Static) -> Static:
    """What a Reshape makes, with -1 told where all sizes of x that are unknown stay.

    x (batch, 7, 10, 8) to [batch, -1, 8] is (batch, 70, 8), whatever the batch.
    """
    before, target = view.shape(node.inputs[0]), sizes(view, node.inputs[1])
    if before is None or target is None or target.count(-1) != 1:
        return found
    source = view.resolve(node.inputs[0])
    unknown = {Size(source, axis) for axis, size in enumerate(before) if size is None}
    traced = [each for each in target if not isinstance(each, int)]
    if len(traced) != len(unknown) or not unknown <= {*traced}:
        return found
    whole = math.prod(size for size in before if size is not None)
    rest = math.prod(size for size in target if isinstance(size, int) and size != -1)
    if not rest or whole % rest:
        return found
    numbers = [each if isinstance(each, int) else None for each in target]
    return dataclasses.replace(
        found, shape=tuple(whole // rest if each == -1 else each for each in numbers)
    )


def _shape(node: Node, view: View) -> list[Element] | None:
    shape = view.shape(node.inputs[0])
    if shape is None:
        return None
    source = view.resolve(node.inputs[0])
    return [Size(source, axis) if size is None else size for axis, size in enumerate(shape)]


def _gather(node: Node, view: View) -> list[Element] | None:
    whole, places = sizes(view, node.inputs[0]), view.ints(node.inputs[1])
    if whole is None or places is None:
        return None
    return [None if k is None or not -len(whole) <= k < len(whole) else whole[k] for k in places]


def _slice(node: Node, view: View) -> list[Element] | None:
    whole = sizes(view, node.inputs[0])
    bounds = [view.ints(i) for i in node.inputs[1:4]]
    masks = [view.attr(node, f"{name}_mask") for name in ("ellipsis", "new_axis")]
    if whole is None or any(masks) or any(b is None or len(b) != 1 for b in bounds):
        return None
    begin, end, step = (b[0] if b else None for b in bounds)
    if begin is None or end is None or step is None:
        return None
    if view.attr(node, "shrink_axis_mask"):
        return [whole[begin]] if -len(whole) <= begin < len(whole) else None
    first = None if view.attr(node, "begin_mask") else begin
    last = None if view.attr(node, "end_mask") else end
    return whole[first:last:step]


def _joined(parts: list[str], view: View) -> list[Element] | None:
    found: list[Element] = []
    for part in parts:
        elements = sizes(view, part)
        if elements is None:
            return None
        found += elements
    return found


def _broadcast(node: Node, view: View) -> list[Element] | None:
    """BroadcastArgs: where sizes are told to differ, the one that is not 1."""
    first, second = (sizes(view, i) for i in node.inputs)
    if first is None or second is None:
        return None
    length = max(len(first), len(second))
    longer: list[list[Element]] = [[1] * (length - len(each)) for each in (first, second)]
    pairs = zip(longer[0] + first, longer[1] + second, strict=True)
    return [_wider(a, b) for a, b in pairs]


def _wider(a: Element, b: Element) -> Element:
    if a == b or b == 1:
        return a
    if a == 1 or (isinstance(b, int) and b > 1):
        return b
    return a if isinstance(a, int) and a > 1 else None


def _count(node: Node, view: View) -> list[Element] | None:
    """Size: of a tensor of one axis, how long that is."""
    shape = view.shape(node.inputs[0])
    if shape is None or len(shape) != 1:
        return None
    return [Size(view.resolve(node.inputs[0]), 0) if shape[0] is None else shape[0]]


_RULES: Mapping[str, Callable[[Node, View], list[Element] | None]] = {
    "Shape": _shape,
    "GatherV2": _gather,
    "BroadcastArgs": _broadcast,
    "Size": _count,
    "StridedSlice": _slice,
    "Pack": lambda node, view: _joined(node.inputs, view),
    "ConcatV2": lambda node, view: _joined(node.inputs[:-1], view),
    "Cast": lambda node, view: sizes(view, node.inputs[0]),
    "Reshape": lambda node, view: sizes(view, node.inputs[0]),
    "Squeeze": lambda node, view: sizes(view, node.inputs[0]),
    "ExpandDims": lambda node, view: sizes(view, node.inputs[0]),
}

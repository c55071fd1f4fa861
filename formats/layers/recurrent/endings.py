"""What leaves a loop: how its results become a layer's output."""

from __future__ import annotations

import dataclasses

from modelfmt.graph import Node
from modelfmt.graphs.loops import Loop, loop_of, row_of, stacked
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.sequences import swaps

#: The ops that the output of a recurrent layer may be made by.
ROOTS = frozenset({
    "Transpose", "StridedSlice", "Exit", "TensorArrayReadV3", "TensorArrayReadV2",
    "TensorArrayRead", "Squeeze",
})  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a loop's results become a layer's output: all of them, or the last one."""

    loop: Loop
    output: str
    sequences: bool


def ending_of(tensor: str, view: View) -> Ending | None:
    node = view.producer(tensor)
    if node is None:
        return None
    if node.op == "Transpose":
        handle = stacked(node.inputs[0], view) if swaps(node, view) else None
        return _listed(handle, view, sequences=True) if handle else None
    if node.op == "StridedSlice":
        handle = stacked(node.inputs[0], view) if _takes_last(node, view) else None
        return _listed(handle, view, sequences=False) if handle else None
    if node.op in ("Exit", "RefExit"):
        left = loop_of(tensor, view)
        if left is None or left[0].written(left[1]) is not None:
            return None
        return Ending(left[0], left[1].following, sequences=False)
    row = _sliced(node, view) if node.op == "Squeeze" else row_of(tensor, view)
    if row is None:
        return None
    found = _listed(row[0], view, sequences=False)
    return found if found and is_last(row[1], found.loop) else None


def _listed(handle: str, view: View, *, sequences: bool) -> Ending | None:
    """The results in a list: one row for each turn, or a single row that each turn overwrites."""
    left = loop_of(handle, view)
    if left is None:
        return None
    loop, variable = left
    written = loop.written(variable)
    if written is None:
        return None
    if not loop.is_counter(written.index) and (sequences or view.scalar(written.index) != 0):
        return None
    return Ending(loop, written.value, sequences)


def _takes_last(node: Node, view: View) -> bool:
    """Whether a StridedSlice takes the last element along the first axis, which vanishes."""
    return (
        view.ints(node.inputs[1]) == [-1] and view.attr(node, "shrink_axis_mask") == 1
        and not view.attr(node, "ellipsis_mask") and not view.attr(node, "new_axis_mask")
        and not view.attr(node, "begin_mask")
    )  # fmt: skip


def _sliced(node: Node, view: View) -> tuple[str, str] | None:
    """The list and the index of the row that a Squeeze of a Slice takes, as TensorFlow 0.12."""
    part = view.producer(node.inputs[0])
    if part is None or part.op != "Slice":
        return None
    start, sizes = view.producer(part.inputs[1]), view.ints(part.inputs[2])
    handle = stacked(part.inputs[0], view)
    axes = view.attr(node, "squeeze_dims")
    if start is None or start.op != "Pack" or not sizes or handle is None or axes != [0]:
        return None
    whole = all(view.scalar(i) == 0 for i in start.inputs[1:])
    if not whole or sizes[0] != 1 or any(size != -1 for size in sizes[1:]):
        return None
    return handle, view.resolve(start.inputs[0])


def is_last(index: str, loop: Loop) -> bool:
    """Whether an index is the number of turns less one."""
    view = loop.view
    node = view.producer(index)
    limits = loop.limits() or []
    value = view.scalar(index)
    if value is not None:
        return any(view.scalar(limit) == value + 1 for limit in limits)
    if node is None or node.op != "Sub" or view.scalar(node.inputs[1]) != 1:
        return False
    count = view.resolve(node.inputs[0])
    left = loop.leaving(count)
    return count in limits or (left is not None and loop.is_counter(left.inside))

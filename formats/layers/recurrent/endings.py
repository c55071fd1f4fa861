"""What leaves a loop: how its results become a layer's outputs.

    all outputs    list -> Stack -> Transpose
    the last one   list -> Stack -> StridedSlice; or the row of a list, read by its index
    a state        Exit
"""

from __future__ import annotations

import dataclasses
from typing import cast

from modelfmt.graph import Node, parse_input
from modelfmt.graphs.loops import Loop, Variable, loop_of, row_of, stacked
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.sequences import swaps

#: The ops that the output of a recurrent layer may be made by.
ROOTS = frozenset({
    "Transpose", "StridedSlice", "Exit", "TensorArrayReadV3", "TensorArrayReadV2",
    "TensorArrayRead", "TensorListGetItem", "Squeeze",
})  # fmt: skip
#: How many nodes there are at most between an Exit and what it becomes.
_REACH = 4


@dataclasses.dataclass(frozen=True)
class Ending:
    """What a tensor is that a loop results in.

    Attributes:
        loop: the loop.
        value: the tensor of the body that the loop yields so.
        sequences: whether it is all of them, or the last one.
        state: the variable whose last value it is, if it is no output from a list.
    """

    loop: Loop
    value: str
    sequences: bool
    state: Variable | None = None


def ending_of(tensor: str, view: View) -> Ending | None:
    """What ``tensor`` is that leaves a loop, or None."""
    node = view.producer(tensor)
    if node is None or parse_input(view.resolve(tensor)).port:
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
        return Ending(left[0], left[1].following, sequences=False, state=left[1])
    row = _sliced(node, view) if node.op == "Squeeze" else row_of(tensor, view)
    if row is None:
        return None
    found = _listed(row[0], view, sequences=False)
    return found if found and is_last(row[1], found.loop) else None


def endings(loop: Loop) -> dict[str, Ending]:
    """All that leaves a loop as the output or a state of a layer, by tensor."""
    key = (Ending, loop.condition)
    if key not in loop.view.memo:
        loop.view.memo[key] = _endings(loop)
    return cast("dict[str, Ending]", loop.view.memo[key])


def _endings(loop: Loop) -> dict[str, Ending]:
    view = loop.view
    reached = dict.fromkeys(loop.exits(), 0)
    todo = list(reached)
    while todo:
        name = todo.pop()
        if reached[name] < _REACH:
            for reader in sorted(view.consumers.get(name, ())):
                if reader not in reached:
                    reached[reader] = reached[name] + 1
                    todo.append(reader)
    found = {name: ending_of(name, view) for name in reached}
    return {
        name: ending for name, ending in found.items()
        if ending is not None and ending.loop.condition == loop.condition
        and not (ending.state and loop.is_counter(ending.state.inside))
    }  # fmt: skip


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
    if count in limits or (left is not None and loop.is_counter(left.inside)):
        return True
    taken = view.producer(count)  # the number of rows that there are
    sized = view.producer(taken.inputs[0]) if taken and taken.op == "StridedSlice" else None
    if taken is None or sized is None or sized.op != "Shape" or view.ints(taken.inputs[1]) != [0]:
        return False
    handle = stacked(sized.inputs[0], view)
    return handle is not None and loop.leaving(handle) is not None

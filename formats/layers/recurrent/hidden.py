"""Masks in a loop: a value shown where the mask says so, and what stands there if not."""

from __future__ import annotations

import dataclasses

from modelfmt.graphs.loops import Loop
from modelfmt.layers.recurrent.body import Cell
from modelfmt.layers.recurrent.sequences import batch_first
from modelfmt.layers.recurrent.starts import is_zero

#: What brings a mask into another form.
FORMS = {"ExpandDims", "Cast", "Reshape"}
#: What repeats a mask's row for all features.
_SPREADS = {"Tile", "ExpandDims", "BroadcastTo", "Cast", "Reshape", "Squeeze"}


@dataclasses.dataclass(frozen=True)
class Masked:
    """A value that a step shows where its mask says so, and what stands in its place if not."""

    mask: str
    shown: str
    hidden: str


def masked_value(tensor: str, loop: Loop) -> Masked | None:
    """What a tensor of the body is that a mask chooses, or None."""
    view = loop.view
    node = view.producer(tensor)
    if node is None or node.op != "SelectV2":
        return None
    condition = view.producer(node.inputs[0])
    while condition is not None and condition.op in _SPREADS:
        condition = view.producer(condition.inputs[0])
    sequence = loop.read(condition.name) if condition is not None else None
    row = batch_first(sequence, view) if sequence else None
    if row is None:
        return None
    mask, mark = row[0], row[1].removesuffix(row[0])
    while (made := view.producer(mask)) is not None and made.op in FORMS:
        mask = view.resolve(made.inputs[0])
    return Masked(mark + mask, *map(view.resolve, node.inputs[1:3]))


def hides_with_zeros(hidden: str, output: str, cell: Cell, loop: Loop) -> bool | None:
    """Whether hidden outputs are zeros; False where the last one is kept, None for neither."""
    if is_zero(hidden, loop.view):
        return True
    if hidden == cell.states[0]:
        return False
    before = loop.variable(hidden)
    if before is None or before.following != output or not is_zero(before.initial, loop.view):
        return None
    return False

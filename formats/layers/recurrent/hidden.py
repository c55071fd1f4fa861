"""What a step hides: a value shown where the mask says so, and what stands there if not.

    SelectV2(row of the mask, shown, hidden)              Keras: a mask (batch, time)
    SelectV2(counter >= lengths, hidden, shown)           TensorFlow 1: lengths (batch,)
"""

from __future__ import annotations

import dataclasses

from modelfmt.graphs.loops import Loop
from modelfmt.layers.recurrent.body import Cell
from modelfmt.layers.recurrent.sequences import batch_first, read_in
from modelfmt.layers.recurrent.starts import is_zero

#: What brings a mask into another form.
FORMS = {"ExpandDims", "Cast", "Reshape"}
#: What repeats a mask's row for all features.
_SPREADS = {"Tile", "ExpandDims", "BroadcastTo", "Cast", "Reshape", "Squeeze"}


@dataclasses.dataclass(frozen=True)
class Mask:
    """Which steps a loop hides.

    Attributes:
        tensor: the mask (batch, time), or the lengths (batch,).
        backwards: whether the loop reads the mask from its end.
        is_lengths: whether it is lengths.
    """

    tensor: str
    backwards: bool = False
    is_lengths: bool = False


@dataclasses.dataclass(frozen=True)
class Masked:
    """A value that a step shows where its mask says so, and what stands in its place if not."""

    mask: Mask
    shown: str
    hidden: str


def masked_value(tensor: str, loop: Loop) -> Masked | None:
    """What a tensor of the body is that a mask chooses, or None."""
    view = loop.view
    node = view.producer(tensor)
    if node is None or node.op != "SelectV2":
        return None
    first, second = map(view.resolve, node.inputs[1:3])
    condition, inverted = node.inputs[0], False
    while (made := view.producer(condition)) is not None:
        if read_in(loop, condition) is not None:
            break
        if made.op in _SPREADS:
            condition = view.resolve(made.inputs[0])
        elif made.op == "LogicalNot":
            condition, inverted = view.resolve(made.inputs[0]), not inverted
        else:
            break
    lengths = _lengths(condition, loop)
    if lengths is not None:
        tensor, shows = lengths
        shown, hidden = (first, second) if shows != inverted else (second, first)
        return Masked(Mask(tensor, is_lengths=True), shown, hidden)
    sequence = read_in(loop, condition)
    while sequence and (made := view.producer(sequence)) is not None and made.op == "Cast":
        sequence = view.resolve(made.inputs[0])
    row = batch_first(sequence, view) if sequence else None
    if row is None or inverted:
        return None
    return Masked(Mask(_plain(row[0], loop), row[0] != row[1]), first, second)


def _lengths(condition: str, loop: Loop) -> tuple[str, bool] | None:
    """The lengths that the turn is compared with, and whether being true means to be shown."""
    view = loop.view
    node = view.producer(condition)
    ways = {"Less": (0, True), "GreaterEqual": (0, False), "Greater": (1, True),
            "LessEqual": (1, False)}  # fmt: skip
    if node is None or node.op not in ways:
        return None
    place, shows = ways[node.op]
    if not loop.is_counter(node.inputs[place]):
        return None
    lengths = _plain(view.resolve(node.inputs[1 - place]), loop)
    shape = view.shape(lengths)
    return (lengths, shows) if shape is not None and len(shape) == 1 else None


def _plain(mask: str, loop: Loop) -> str:
    """A mask as it was before it was brought into its form."""
    while (made := loop.view.producer(mask)) is not None and made.op in FORMS:
        mask = loop.view.resolve(made.inputs[0])
    return mask


def hides_with_zeros(hidden: str, output: str, cell: Cell, loop: Loop) -> bool | None:
    """Whether hidden outputs are zeros; False where the last one is kept, None for neither."""
    if is_zero(hidden, loop.view):
        return True
    if hidden == cell.states[cell.shown]:
        return False
    before = loop.variable(hidden)
    if before is None or before.following != output or not is_zero(before.initial, loop.view):
        return None
    return False

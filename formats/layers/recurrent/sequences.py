"""Sequences that a loop goes through: which way, and what a layer may be applied to."""

from __future__ import annotations

from modelfmt.graph import Node
from modelfmt.graphs.loops import Loop
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.sums import Sums

#: Before the name of a sequence whose rows are read from the last to the first; where each sample
#: has a length of its own, that stands between the two. No tensor's name holds a space.
BACKWARDS = "backwards "


def plain_source(called: str) -> str:
    """The tensor that a source of products is, whichever way it is gone through."""
    return called.rpartition(" ")[2]


def lengths_of(called: str) -> str | None:
    """The lengths by which each sample of a sequence is turned for itself, where it is."""
    return called.split(" ")[1] if called.count(" ") == 2 else None


def read_in(loop: Loop, tensor: str) -> str | None:
    """The sequence whose row of this turn ``tensor`` is; its first axis is time.

    A row of sequences beside each other is taken apart again: Keras 1 puts the mask before x.
    """
    whole = loop.read(tensor)
    view = loop.view
    node = view.producer(tensor)
    if whole is not None or node is None or node.op != "StridedSlice":
        return whole
    beside = loop.read(node.inputs[0])
    made = view.producer(beside) if beside else None
    if made is None or made.op != "ConcatV2" or view.scalar(made.inputs[-1]) not in (2, -1):
        return None
    shapes = [view.shape(operand) for operand in made.inputs[:-1]]
    sizes = [shape[-1] if shape else None for shape in shapes]
    if any(size is None for size in sizes[:-1]):
        return None
    start = 0
    for operand, size in zip(made.inputs[:-1], sizes, strict=True):
        stop = None if size is None else start + size
        if takes_columns(node, start, stop, operand == made.inputs[-2], view):
            return view.resolve(operand)
        start = stop or 0
    return None


def takes_columns(node: Node, start: int, stop: int | None, is_last: bool, view: View) -> bool:
    """Whether a StridedSlice takes just these columns of a matrix, as a matrix or a vector."""
    begin, end, strides = (view.ints(i) for i in node.inputs[1:4])
    masks = {k: int(str(view.attr(node, f"{k}_mask") or 0)) for k in _MASKS}
    if begin is None or end is None or strides != [1, 1] or masks["ellipsis"] or masks["new_axis"]:
        return False
    if not (masks["begin"] & 1 and masks["end"] & 1) or masks["shrink_axis"] & 1:
        return False
    first = 0 if masks["begin"] & 2 else begin[1]
    if masks["shrink_axis"] & 2:
        return first == start and stop == start + 1
    return first == start and (is_last if masks["end"] & 2 else end[1] == stop)


_MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")


def sources(loop: Loop) -> list[str]:
    """What the layer may be applied to: the sequences that the loop reads, as sources.

    Of a product taken before the loop, what is multiplied is one as well.
    """
    view = loop.view
    found: dict[str, None] = {}
    for name, node in view.live.items():
        if not node.op.startswith(("TensorArrayRead", "TensorListGetItem", "StridedSlice")):
            continue
        sequence = read_in(loop, name)
        row = batch_first(sequence, view) if sequence else None
        if row is None:
            continue
        before = Sums(view, lambda _: None, lambda _: None).before(row[0])
        mark = row[1].removesuffix(row[0])
        for source in (row[0], *(before.products if before else ())):
            found[mark + source] = None
    return list(found)


def batch_first(sequence: str, view: View) -> tuple[str, str] | None:
    """The sequence with its batch first, and its name as a source; None if it has none first."""
    turned = backwards = False
    tensor, lengths = sequence, ""
    while (node := view.producer(tensor)) is not None:
        if node.op == "Transpose" and not turned and swaps(node, view):
            turned, tensor = True, view.resolve(node.inputs[0])
        elif node.op == "ReverseV2" and view.ints(node.inputs[1]) == [int(turned)]:
            backwards, tensor = not backwards, view.resolve(node.inputs[0])
        elif not (backwards or lengths) and (by := turned_by(tensor, view, int(turned))):
            backwards, (tensor, lengths) = True, by
        else:
            break
    if not turned:
        return None
    mark = f"{BACKWARDS}{lengths} " if lengths else BACKWARDS
    return tensor, (mark if backwards else "") + tensor


def turned_by(tensor: str, view: View, axis: int) -> tuple[str, str] | None:
    """The sequence that ``tensor`` is, each sample backwards by its length; and the lengths."""
    node = view.producer(tensor)
    if node is None or node.op != "ReverseSequence" or view.attr(node, "seq_dim") != axis:
        return None
    if view.attr(node, "batch_dim") != 1 - axis:
        return None
    lengths = view.resolve(node.inputs[1])
    while (made := view.producer(lengths)) is not None and made.op == "Cast":
        lengths = view.resolve(made.inputs[0])
    return view.resolve(node.inputs[0]), lengths


def swaps(node: Node, view: View) -> bool:
    """Whether a Transpose exchanges the first two axes."""
    order = view.ints(node.inputs[1])
    return order is not None and order == [1, 0, *range(2, len(order))]

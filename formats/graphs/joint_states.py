"""States that a loop carries beside each other in one tensor, taken apart.

    following = ConcatV2(h', c', 1)       h, c = StridedSlices or a Split of what is inside

So do Keras 1.0 and cells of TensorFlow 1 with state_is_tuple=False.
"""

from __future__ import annotations

import itertools

from modelfmt.graph import Node, parse_input, tensor_name
from modelfmt.graphs.view import View


def parts_of(initial: str, inside: str, following: str, view: View) -> list[tuple[str, str, str]]:
    """(initial, inside, following) of each state in a variable of a loop; empty if it is one.

    Where the initial ones are no tensors of their own, all have the whole as theirs.
    """
    made = view.producer(following)
    if made is None or made.op != "ConcatV2" or view.scalar(made.inputs[-1]) not in (1, -1):
        return []
    operands = [view.resolve(operand) for operand in made.inputs[:-1]]
    insides = _read(inside, len(operands), view)
    if insides is None:
        return []
    start = view.producer(initial)
    initials = [initial] * len(operands)
    if start is not None and start.op == made.op and len(start.inputs) == len(made.inputs):
        initials = [view.resolve(operand) for operand in start.inputs[:-1]]
    return list(zip(initials, insides, operands, strict=True))


def _read(inside: str, count: int, view: View) -> list[str] | None:
    """The tensors that are all of ``inside``, column by column; None if it is read otherwise."""
    name = parse_input(inside).node
    readers = [
        view.live[reader] for reader in view.consumers.get(name, ())
        if any(view.resolve(i) == inside for i in view.live[reader].inputs)
    ]  # fmt: skip
    if len(readers) == 1 and readers[0].op == "Split" and view.attr(
        readers[0], "num_split"
    ) == count:  # fmt: skip
        is_columns = view.scalar(readers[0].inputs[0]) in (1, -1)
        return [tensor_name(readers[0].name, k) for k in range(count)] if is_columns else None
    spans = {node.name: _columns(node, view) for node in readers}
    found = sorted((span, name) for name, span in spans.items() if span is not None)
    if len(found) != len(spans) or len(found) != count or found[0][0][0] != 0:
        return None
    if any(before[0][1] != after[0][0] for before, after in itertools.pairwise(found)):
        return None
    return [name for _, name in found]


def _columns(node: Node, view: View) -> tuple[int, int] | None:
    """The columns that a StridedSlice takes; to the end it is up to -1."""
    if node.op != "StridedSlice":
        return None
    begin, end, strides = (view.ints(i) for i in node.inputs[1:4])
    masks = {k: int(str(view.attr(node, f"{k}_mask") or 0)) for k in _MASKS}
    if begin is None or end is None or strides != [1, 1] or len(begin) != 2:
        return None
    if masks["begin"] & 1 == 0 or masks["end"] & 1 == 0 or any(masks[k] for k in _MASKS[2:]):
        return None
    first = 0 if masks["begin"] & 2 else begin[1]
    last = -1 if masks["end"] & 2 else end[1]
    return None if first is None or last is None else (first, last)


_MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")

"""Sequences that a loop goes through: which way, and what a layer may be applied to."""

from __future__ import annotations

from modelfmt.graph import Node
from modelfmt.graphs.loops import Loop
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.sums import Sums

#: Before the name of a sequence whose rows are read from the last to the first.
BACKWARDS = "backwards "


def sources(loop: Loop) -> list[str]:
    """What the layer may be applied to: the sequences that the loop reads, as sources.

    Of a product taken before the loop, what is multiplied is one as well.
    """
    view = loop.view
    found: dict[str, None] = {}
    for name, node in view.live.items():
        if not node.op.startswith(("TensorArrayRead", "TensorListGetItem")):
            continue
        sequence = loop.read(name)
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
    tensor = sequence
    while (node := view.producer(tensor)) is not None:
        if node.op == "Transpose" and not turned and swaps(node, view):
            turned, tensor = True, view.resolve(node.inputs[0])
        elif node.op == "ReverseV2" and view.ints(node.inputs[1]) == [int(turned)]:
            backwards, tensor = not backwards, view.resolve(node.inputs[0])
        else:
            break
    if not turned:
        return None
    return tensor, (BACKWARDS if backwards else "") + tensor


def swaps(node: Node, view: View) -> bool:
    """Whether a Transpose exchanges the first two axes."""
    order = view.ints(node.inputs[1])
    return order is not None and order == [1, 0, *range(2, len(order))]

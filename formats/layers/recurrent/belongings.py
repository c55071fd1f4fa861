"""The nodes that are a recurrent layer's: all between what goes in and what comes out."""

from __future__ import annotations

from collections.abc import Collection, Set

from modelfmt.graph import parse_input
from modelfmt.graphs.loops import Loop
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.hidden import FORMS

#: Ops that measure, and those that bring a mask into its form.
_SIZES = {"Shape", "Pack", "Range", "ZerosLike", "OnesLike", *FORMS}
#: Ops that ask a tensor for nothing but its shape.
_LENDS = {"Shape", "ZerosLike", "OnesLike"}


def nodes_of(roots: Collection[str], ends: Set[str], loop: Loop) -> tuple[str, ...]:
    """The nodes between the layer's inputs ``ends`` and its outputs ``roots``.

    Those that only measure sizes and make zeros may serve others as well; they are the layer's
    where they do not.
    """
    view = loop.view
    aside: set[str] = set()
    for start in (*(loop.limits() or ()), *(v.initial for v in loop.variables.values())):
        aside |= below([start], ends, view)
    return without_shared(roots, below(roots, ends, view), aside, view)


def without_shared(
    roots: Collection[str], whole: Set[str], aside: Set[str], view: View
) -> tuple[str, ...]:
    """``whole`` without those of ``aside``, and of those that measure, that others read too."""
    first = [parse_input(root).node for root in roots]
    found = set(whole)
    lent = (aside | {name for name in found if view.live[name].op in _SIZES}) - set(first)
    while True:
        shared = {n for n in found & lent if view.consumers.get(n, set()) - found}
        if not shared:
            return tuple(sorted(found, key=lambda name: name not in first))
        found -= shared


def below(roots: Collection[str], ends: Set[str], view: View) -> set[str]:
    """The nodes that tensors are computed by, down to ``ends``.

    Of those that only lend their shape, it is the ones that ``ends`` do not depend on.
    """
    found: set[str] = set()
    lent: set[str] = set()
    todo = [(view.resolve(root), False) for root in roots]
    while todo:
        tensor, lends = todo.pop()
        name = parse_input(tensor).node
        seen = found | lent if lends else found
        if tensor in ends or name in seen or view.constant(tensor) is not None:
            continue
        node = view.producer(tensor)
        if node is None or name not in view.live:
            continue
        (lent if lends else found).add(name)
        todo.extend((view.resolve(i), lends or node.op in _LENDS) for i in node.inputs)
    return found | (lent - above(ends, view))


def above(tensors: Set[str], view: View) -> set[str]:
    """The nodes that tensors depend on, and their own."""
    found: set[str] = set()
    todo = [parse_input(tensor).node for tensor in tensors]
    while todo:
        name = todo.pop()
        if name not in found and name in view.live:
            found.add(name)
            todo.extend(parse_input(i).node for i in view.live[name].inputs)
    return found

"""Numbers of steps: those of a sequence, and those that a loop goes."""

from __future__ import annotations

from modelfmt.graph import Node
from modelfmt.graphs.loops import Loop
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.endings import ending_of
from modelfmt.layers.recurrent.sequences import batch_first, plain_source, sources
from modelfmt.layers.recurrent.sums import Sums

#: Loops and layers between a sequence and the place where its length is known.
_MAX_DEPTH = 200
#: Ops that keep the number of steps.
_EACH_STEP = {
    "AddV2", "Sub", "Mul", "RealDiv", "BiasAdd", "Relu", "Relu6", "Tanh", "Sigmoid", "Elu", "Selu",
    "LeakyRelu", "Softplus", "Softmax", "Maximum", "Minimum", "SelectV2", "ReverseV2", "ConcatV2",
}  # fmt: skip


def lasts(loop: Loop, x: str, lengths: str | None = None) -> bool:
    """Whether the loop has as many turns as x has steps; or as the greatest of ``lengths``."""
    view = loop.view
    limits, shape = loop.limits(), view.shape(x)
    if limits is None or shape is None or len(shape) < 3:
        return False
    known: list[int] = []
    for limit in limits:
        if lengths is not None and _is_greatest(limit, lengths, view):
            continue
        for operand, least in _pairs(view.producer(limit), "Maximum"):
            if view.scalar(least) in (0, 1):  # there is one step at least
                limit = view.resolve(operand)
        value = view.scalar(of_one(limit, view))
        if value is not None:
            known.append(int(value))
        elif not is_length_of(of_one(limit, view), x, view):
            return False
    steps = steps_of(x, view)
    return not known or min(known) == steps


def _is_greatest(limit: str, lengths: str, view: View) -> bool:
    """Whether a number is the greatest of lengths, and 1 at least."""
    node = view.producer(limit)
    for operand, least in _pairs(node, "Maximum"):
        most = view.producer(operand)
        if most is not None and most.op == "Max" and view.scalar(least) in (0, 1):
            of = view.resolve(most.inputs[0])
            while (made := view.producer(of)) is not None and made.op == "Cast":
                of = view.resolve(made.inputs[0])
            return of == lengths
    return False


def _pairs(node: Node | None, op: str) -> list[tuple[str, str]]:
    """The operands of a node of this op, both ways."""
    if node is None or node.op != op or len(node.inputs) != 2:
        return []
    a, b = node.inputs
    return [(a, b), (b, a)]


def steps_of(x: str, view: View, depth: int = 0) -> int | None:
    """The number of steps that a sequence has: a loop before has as many turns."""
    shape = view.shape(x)
    if shape is not None and len(shape) > 1 and shape[1] is not None:
        return shape[1]
    node = view.producer(x)
    if node is None or depth > _MAX_DEPTH:
        return None
    if node.op in _EACH_STEP:
        return next(
            (n for i in node.inputs if (n := steps_of(i, view, depth + 1)) is not None), None
        )
    ending = ending_of(x, view) if node.op == "Transpose" else None
    if ending is None or not ending.sequences:
        return None
    known = [view.scalar(of_one(limit, view)) for limit in ending.loop.limits() or ()]
    counts = [int(n) for n in known if n is not None]
    if counts:
        return min(counts)
    before = [
        plain_source(called) for called in sources(ending.loop)
        if lasts(ending.loop, plain_source(called))
    ]  # fmt: skip
    return steps_of(before[0], view, depth + 1) if before else None


def of_one(tensor: str, view: View) -> str:
    """A number without the Max or Min over its only element."""
    while (node := view.producer(tensor)) is not None and node.op in ("Max", "Min", "Cast"):
        if view.scalar(tensor) is not None or view.shape(node.inputs[0]) != ():
            break
        tensor = view.resolve(node.inputs[0])
    return tensor


def is_length_of(tensor: str, x: str, view: View) -> bool:
    """Whether a number is the number of steps of x, read from a shape."""
    node = view.producer(tensor)
    if node is None or node.op != "StridedSlice":
        return False
    place = view.ints(node.inputs[1])
    sized = view.producer(node.inputs[0])
    if place is None or len(place) != 1 or place[0] is None or sized is None:
        return False
    if sized.op != "Shape":
        return False
    of = view.resolve(sized.inputs[0])
    if of == x:
        return place[0] == 1
    if place[0] != 0:
        return False
    made = view.producer(of)
    if made is not None and made.op == "ConcatV2" and view.scalar(made.inputs[-1]) != 0:
        return any(_has_steps_of(operand, x, view) for operand in made.inputs[:-1])
    return _has_steps_of(of, x, view)


def _has_steps_of(of: str, x: str, view: View) -> bool:
    """Whether a tensor with time first has as many steps as x."""
    row = batch_first(of, view)
    if row is None:
        return False
    if row[0] == x:
        return True
    before = Sums(view, lambda _: None, lambda _: None).before(row[0])
    return before is not None and x in before.products

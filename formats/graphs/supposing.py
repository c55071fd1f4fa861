"""What would follow if some tensors had these shapes: shape arithmetic, asked with numbers.

A graph computes the sizes that a layer needs (of a transposed convolution, of what fills whole
blocks) from its input's own Shape, in many spellings. Whoever wants to know what they come to
supposes sizes for the input and looks at the result: the spelling does not matter.

    Pack(Shape(x)[0], Shape(x)[1] * 2, 8)      x (3, 5, 4): [3, 10, 8];  x (3, 6, 4): [3, 12, 8]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelfmt.errors import MismatchError
from modelfmt.graph import Dims, parse_input, tensor_name
from modelfmt.ops.shapes import Static, infer

if TYPE_CHECKING:
    from modelfmt.graphs.view import View

#: Shape arithmetic is short; what is longer is not followed.
_MAX_NODES = 500


def supposed(view: View, tensor: str, shapes: Mapping[str, Sequence[int | None]]) -> Static:
    """What is known of ``tensor`` if the tensors of ``shapes`` had these; nothing where that
    contradicts the graph.
    """
    known = {
        view.resolve(name): Static(tuple(shape), None, view.static(name).dtype)
        for name, shape in shapes.items()
    }
    try:
        return _found(view, view.resolve(tensor), known)
    except MismatchError:
        return Static(None)


def supposed_ints(
    view: View, tensor: str, shapes: Mapping[str, Sequence[int | None]]
) -> list[int] | None:
    """The elements of an integer tensor, flattened; None unless all are known then."""
    value = supposed(view, tensor, shapes).value
    if value is None or any(element is None for element in value.ravel()):
        return None
    return [int(element) for element in value.ravel()]


def samples(shape: Dims, count: int = 2, least: int = 5) -> list[tuple[int, ...]]:
    """Shapes to try for one that is partly unknown: each unknown size its own, and another one
    each time. A single shape where all are known.
    """
    if shape is None:
        return []
    if None not in shape:
        return [tuple(size for size in shape if size is not None)]
    return [
        tuple(least + 2 * axis + 3 * k if size is None else size for axis, size in enumerate(shape))
        for k in range(count)
    ]


def _found(view: View, tensor: str, known: dict[str, Static]) -> Static:
    """``supposed``, all that is found on the way kept in ``known``."""
    todo, budget = [tensor], _MAX_NODES
    while todo:
        at = todo[-1]
        if at in known:
            todo.pop()
            continue
        node = view.producer(at)
        static = view.static(at)
        if node is None or not node.inputs or budget <= 0 or view.is_known(at):
            known[at] = static
            continue
        inputs = [view.resolve(i) for i in node.inputs]
        missing = [i for i in inputs if i not in known]
        if missing:
            budget -= 1
            todo += missing
            continue
        if all(known[i] is view.static(i) for i in inputs):
            known[at] = static  # nothing that was supposed matters here
            continue
        found = infer(
            node.op, node.attrs, [known[i] for i in inputs], producer=view.graph.producer
        )
        for port, each in enumerate(found):
            known.setdefault(tensor_name(node.name, port), each)
        known.setdefault(at, static)
    return known[tensor]


def same_scope(a: str, b: str) -> bool:
    """Whether two nodes stand in one scope that is not the graph's own."""
    folder = parse_input(a).node.rpartition("/")[0]
    return bool(folder) and folder == parse_input(b).node.rpartition("/")[0]

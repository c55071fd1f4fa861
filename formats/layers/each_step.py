"""A Dense in a TimeDistributed recognised: all steps of all samples as the rows of one matrix.

    x (batch, time, in) -> Reshape (., in) -> MatMul -> BiasAdd [-> activation]
                        -> Reshape (batch, time, units)

Source: Keras 1 and 2, TimeDistributed.call.
"""

from __future__ import annotations

from modelfmt.graph import parse_input
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim
from modelfmt.layers.recurrent.blocks import joined, width
from modelfmt.layers.recurrent.body import activated
from modelfmt.layers.recurrent.steps import is_length_of, steps_of
from modelfmt.layers.recurrent.sums import Affine, Sums


def dense_of_steps(tensor: str, view: View) -> Claim | None:
    """The claim of a Dense on every step; its config and weights are the Dense's own."""
    node, shape = view.producer(tensor), view.shape(tensor)
    if node is None or node.op != "Reshape" or shape is None or len(shape) != 3:
        return None
    for function, inner in activated(node.inputs[0], view):
        found = Sums(view, lambda _: None, lambda _: None).before(inner)
        if found is None or len(found.products) != 1 or len(found.biases) > 1:
            continue
        (x, kernel) = next(iter(found.products.items()))
        if not _fits(found, view.resolve(tensor), x, view):
            continue
        weights = {"kernel": joined(kernel, "kernel")}
        if found.biases:
            weights["bias"] = joined(found.biases[0], "bias", rank=1)
        config = {
            "units": width(kernel), "use_bias": bool(found.biases), "activation": function,
        }  # fmt: skip
        return Claim((x,), config, weights, _nodes(tensor, x, view))
    return None


def _fits(found: Affine, tensor: str, x: str, view: View) -> bool:
    """Whether the rows become as many steps as they were."""
    after, before = view.shape(tensor) or (), view.shape(x)
    if before is None or len(before) != 3 or after[2] != found.width:
        return False
    if after[1] is not None:
        return after[1] == steps_of(x, view)
    node = view.producer(tensor)
    sizes = view.producer(node.inputs[1]) if node else None
    return (
        sizes is not None and sizes.op == "Pack" and len(sizes.inputs) == 3
        and is_length_of(sizes.inputs[1], x, view)
    )  # fmt: skip


def _nodes(tensor: str, x: str, view: View) -> tuple[str, ...]:
    """The nodes from x on; sizes are asked of x as well, by nodes that others may share."""
    found: dict[str, None] = {}
    todo = [tensor]
    while todo:
        current = view.resolve(todo.pop())
        name = parse_input(current).node
        if current == x or name in found or view.constant(current) is not None:
            continue
        node = view.producer(current)
        if node is None:
            continue
        found[name] = None
        todo.extend(node.inputs[:1] if node.op == "Reshape" else node.inputs)
    return tuple(found)

"""Bidirectional layers recognised: two recurrent layers on one input, of which one goes backwards.

    y = merge(forward(x), ReverseV2(backward(x), [1]))        all outputs
    y = merge(forward(x), backward(x))                        the last one of each

    merge: ConcatV2 along the last axis; AddV2; Mul; AddV2 and half of it

Source: Keras, Bidirectional.call.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from modelfmt.graph import Node
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim
from modelfmt.layers.rnn_recognition import CELLS, recurrent

#: The ops that the output of a Bidirectional may be made by.
MERGING = frozenset({"ConcatV2", "AddV2", "Mul", "RealDiv"})


@dataclasses.dataclass(frozen=True)
class Way:
    """One of the two layers, its class and its claim."""

    class_name: str
    claim: Claim


@dataclasses.dataclass(frozen=True)
class BothWays:
    """What was recognised: how the outputs are merged, the two layers, every node of it."""

    mode: str
    forward: Way
    backward: Way
    nodes: tuple[str, ...]


def both_ways(tensor: str, view: View) -> BothWays | None:
    """The Bidirectional layer that computes ``tensor``, or None."""
    for mode, first, second, merging in _merged(tensor, view):
        forward = _way(first, view)
        if forward is None:
            continue
        sequences = bool(forward.claim.config["return_sequences"])
        turned = _turned_back(second, view) if sequences else (second, ())
        backward = _way(turned[0], view) if turned else None
        if turned is None or backward is None or not _are_opposite(forward, backward):
            continue
        nodes = (*merging, *turned[1], *forward.claim.nodes, *backward.claim.nodes)
        return BothWays(mode, forward, backward, tuple(dict.fromkeys(nodes)))
    return None


def _way(tensor: str, view: View) -> Way | None:
    for class_name in CELLS:
        claim = recurrent(class_name, tensor, view)
        if claim is not None:
            return Way(class_name, claim)
    return None


def _are_opposite(forward: Way, backward: Way) -> bool:
    """Whether two layers go through one sequence, the first from its start, the other back."""
    one, other = forward.claim, backward.claim
    return (
        one.inputs[0] == other.inputs[0] and len(one.inputs) == len(other.inputs)
        and not one.config["go_backwards"] and bool(other.config["go_backwards"])
        and one.config["return_sequences"] == other.config["return_sequences"]
        and one.mask == other.mask
    )  # fmt: skip


def _turned_back(tensor: str, view: View) -> tuple[str, tuple[str, ...]] | None:
    """The sequence whose reverse in time ``tensor`` is, and the node that turns it."""
    node = view.producer(tensor)
    if node is None or node.op != "ReverseV2" or view.ints(node.inputs[1]) != [1]:
        return None
    return view.resolve(node.inputs[0]), (node.name,)


def _merged(tensor: str, view: View) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Each way to read a merge: its mode, the two operands, its nodes."""
    node = view.producer(tensor)
    if node is None:
        return
    if node.op == "ConcatV2":
        shape, axis = view.shape(tensor), view.scalar(node.inputs[-1])
        last = axis == -1 or (shape is not None and axis == len(shape) - 1)
        if len(node.inputs) == 3 and last:
            yield "concat", *_two(node, view), (node.name,)
        return
    summed = _halved(node, view)
    modes = {"AddV2": ("sum", node), "Mul": ("mul", node)}
    found = ("ave", summed) if summed is not None else modes.get(node.op)
    if found is None:
        return
    mode, total = found
    first, second = _two(total, view)
    for a, b in ((first, second), (second, first)):
        yield mode, a, b, tuple(dict.fromkeys((node.name, total.name)))


def _halved(node: Node, view: View) -> Node | None:
    """The sum of which a node is half."""
    for operand, factor in (node.inputs, node.inputs[::-1]) if len(node.inputs) == 2 else ():
        half = {"RealDiv": 2.0, "Mul": 0.5}.get(node.op)
        total = view.producer(operand)
        if half is not None and view.scalar(factor) == half and total and total.op == "AddV2":
            return total
    return None


def _two(node: Node, view: View) -> tuple[str, str]:
    return view.resolve(node.inputs[0]), view.resolve(node.inputs[1])

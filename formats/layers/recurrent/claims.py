"""Recurrent layers recognised: what a loop over time reads and yields, and the cell in it.

    x -> Transpose [-> ReverseV2] -> list -> loop -> list -> Stack -> Transpose -> y, all outputs
                                                            Stack -> StridedSlice -> y, the last

A loop is a layer's if its turns are as many as x has steps, if each state starts from zeros or
from a tensor given to the layer, and if every value is accounted for by the cell.
Source: Keras backend/tensorflow/rnn.py; Keras 2 backend.rnn; TensorFlow python/ops/rnn.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from modelfmt.graph import parse_input
from modelfmt.graphs.loops import Loop
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim
from modelfmt.layers.recurrent.body import Body, Cell
from modelfmt.layers.recurrent.endings import Ending, ending_of
from modelfmt.layers.recurrent.gru_cell import gru
from modelfmt.layers.recurrent.hidden import FORMS, Masked, hides_with_zeros, masked_value
from modelfmt.layers.recurrent.lstm_cell import lstm
from modelfmt.layers.recurrent.sequences import BACKWARDS, batch_first, sources
from modelfmt.layers.recurrent.simple_rnn_cell import simple_rnn
from modelfmt.layers.recurrent.starts import initial_states
from modelfmt.layers.recurrent.steps import lasts
from modelfmt.layers.recurrent.sums import Sums

CELLS: Mapping[str, Callable[[Body], Cell | None]] = {
    "SimpleRNN": simple_rnn, "LSTM": lstm, "GRU": gru,
}  # fmt: skip


def recurrent(class_name: str, tensor: str, view: View) -> Claim | None:
    """The claim of a recurrent layer of a built-in cell on what computes ``tensor``, or None.

    None as well for a class whose cell is not among CELLS.
    """
    ending = ending_of(view.resolve(tensor), view) if class_name in CELLS else None
    if ending is None:
        return None
    loop, output = ending.loop, ending.output
    masked = masked_value(output, loop)
    if masked is not None:
        ending = dataclasses.replace(ending, output=masked.shown)
    for called in sources(loop):
        x = called.removeprefix(BACKWARDS)
        if not lasts(loop, x):
            continue
        body = _body(ending, called, masked)
        cell = CELLS[class_name](body)
        if cell is None:
            continue
        initial = initial_states(cell, loop)
        if initial is None:
            continue
        config = {
            **cell.config, "return_sequences": ending.sequences,
            "go_backwards": called != x,
        }  # fmt: skip
        mask = None
        if masked is not None:
            zeros = hides_with_zeros(masked.hidden, output, cell, loop)
            mask = masked.mask.removeprefix(BACKWARDS)
            if zeros is None or (mask != masked.mask) != (called != x):
                continue
            config["zero_output_for_mask"] = zeros
        ends = {x, *initial, *([mask] if mask else [])}
        nodes = _nodes(view.resolve(tensor), ends, loop)
        return Claim((x, *initial), config, cell.weights, nodes, mask)
    return None


def _body(ending: Ending, called: str, masked: Masked | None) -> Body:
    loop, view = ending.loop, ending.loop.view

    def outside(tensor: str) -> tuple[str, str] | None:
        sequence = loop.read(tensor)
        return batch_first(sequence, view) if sequence else None

    def size(source: str) -> int | None:
        shape = view.shape(source.removeprefix(BACKWARDS))
        return shape[-1] if shape else None

    def states(following: str) -> list[str]:
        if masked is None:
            return [v.inside for v in loop.variables.values() if v.following == following]
        return [
            v.inside
            for v in loop.variables.values()
            if masked_value(v.following, loop) == Masked(masked.mask, following, v.inside)
        ]

    return Body(view, Sums(view, outside, size), called, ending.output, states)


# -- what belongs to the layer ----------------------------------------------------------------


def _nodes(root: str, ends: set[str], loop: Loop) -> tuple[str, ...]:
    """The nodes between the layer's inputs and its output.

    Those that only measure sizes and make zeros may serve others as well; they are the layer's
    where they do not.
    """
    view = loop.view
    limits = loop.limits() or []
    aside: set[str] = set()
    for start in (*limits, *(v.initial for v in loop.variables.values())):
        aside |= _below(start, ends, view)
    whole = _below(root, ends, view)
    aside |= {name for name in whole if view.live[name].op in _SIZES}
    aside -= {parse_input(root).node}
    while True:
        shared = {n for n in whole & aside if view.consumers.get(n, set()) - whole}
        if not shared:
            return tuple(sorted(whole, key=lambda name: name != parse_input(root).node))
        whole -= shared


#: Ops that measure, and those that bring a mask into its form.
_SIZES = {"Shape", "Pack", "Range", "ZerosLike", "OnesLike", *FORMS}


def _below(root: str, ends: set[str], view: View) -> set[str]:
    """The nodes that a tensor is computed by, down to ``ends``.

    Of those that only lend their shape, it is the ones that ``ends`` do not depend on.
    """
    found: set[str] = set()
    lent: set[str] = set()
    todo = [(view.resolve(root), False)]
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
    return found | (lent - _above(ends, view))


def _above(tensors: set[str], view: View) -> set[str]:
    """The nodes that tensors depend on, and their own."""
    found: set[str] = set()
    todo = [parse_input(tensor).node for tensor in tensors]
    while todo:
        name = todo.pop()
        if name not in found and name in view.live:
            found.add(name)
            todo.extend(parse_input(i).node for i in view.live[name].inputs)
    return found


#: Ops that ask a tensor for nothing but its shape.
_LENDS = {"Shape", "ZerosLike", "OnesLike"}

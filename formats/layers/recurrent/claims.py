"""Recurrent layers recognised: what a loop over time reads and yields, and the cell in it.

    x -> Transpose [-> ReverseV2] -> list -> loop -> list -> Stack -> Transpose -> y, all outputs
                                                            Stack -> StridedSlice -> y, the last
                                                  -> Exit -> a state

A loop is a layer's if its turns are as many as x has steps, if each state starts from zeros or
from a tensor given to the layer, and if every value is accounted for by the cell. All that leaves
it leaves one layer: with ``return_state`` there are several tensors.
Source: Keras backend/tensorflow/rnn.py; Keras 2 backend.rnn; TensorFlow python/ops/rnn.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import cast

from modelfmt.graphs.loops import Loop
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, TensorName
from modelfmt.layers.mask_recognition import mask_source
from modelfmt.layers.recurrent.belongings import nodes_of
from modelfmt.layers.recurrent.body import Body, Cell
from modelfmt.layers.recurrent.conv_sums import ConvSums
from modelfmt.layers.recurrent.endings import Ending, ending_of, endings
from modelfmt.layers.recurrent.gru_cell import gru
from modelfmt.layers.recurrent.hidden import Mask, Masked, hides_with_zeros, masked_value
from modelfmt.layers.recurrent.lstm_cell import lstm
from modelfmt.layers.recurrent.sequences import (
    batch_first,
    lengths_of,
    plain_source,
    read_in,
    sources,
)
from modelfmt.layers.recurrent.simple_rnn_cell import simple_rnn
from modelfmt.layers.recurrent.stacked_cells import stack
from modelfmt.layers.recurrent.starts import initial_states
from modelfmt.layers.recurrent.steps import lasts
from modelfmt.layers.recurrent.sums import Sums
from modelfmt.layers.recurrent.unrolled import unrolled
from modelfmt.network import Config

CELLS: Mapping[str, Callable[[Body], Cell | None]] = {
    "SimpleRNN": simple_rnn, "LSTM": lstm, "GRU": gru, "RNN": stack,
    "ConvLSTM1D": lstm, "ConvLSTM2D": lstm, "ConvLSTM3D": lstm,
}  # fmt: skip


def recurrent(class_name: str, tensor: str, view: View) -> Claim | None:
    """The claim of a recurrent layer of a built-in cell on what computes ``tensor``, or None.

    None as well for a class whose cell is not among CELLS.
    """
    if class_name not in CELLS:
        return None
    ending = ending_of(view.resolve(tensor), view)
    if ending is None:
        return unrolled(class_name, tensor, view)
    claim = layer_of(class_name, ending.loop)
    return claim if claim is not None and view.resolve(tensor) in claim.outputs else None


def layer_of(class_name: str, loop: Loop) -> Claim | None:
    """The claim of a recurrent layer on a whole loop; its ``outputs`` are complete."""
    key = (class_name, loop.condition)
    if key not in loop.view.memo:
        loop.view.memo[key] = next(_claims(class_name, loop), None)
    return cast("Claim | None", loop.view.memo[key])


def _claims(class_name: str, loop: Loop) -> Iterator[Claim]:
    found = endings(loop)
    for output in _outputs(found, loop):
        masked = masked_value(output, loop)
        for called in sources(loop):
            if not _reads(loop, called, masked):
                continue
            if (_rank(class_name) or 0) + 3 != len(loop.view.shape(plain_source(called)) or ()):
                continue
            rank = _rank(class_name)
            body = _body(loop, masked.shown if masked else output, called, masked, rank)
            cell = CELLS[class_name](body)
            claim = _claim(cell, loop, found, output, called, masked) if cell else None
            if claim is not None:
                yield claim


def _outputs(found: Mapping[str, Ending], loop: Loop) -> list[str]:
    """The tensors of the body that may be the cell's output."""
    listed = {ending.value for ending in found.values() if ending.state is None}
    if listed:
        return list(listed) if len(listed) == 1 else []
    return list(dict.fromkeys(
        variable.following for variable in loop.variables.values()
        if not loop.is_counter(variable.inside) and loop.written(variable) is None
    ))  # fmt: skip


def _reads(loop: Loop, called: str, masked: Masked | None) -> bool:
    """Whether the loop goes through the whole of a sequence, the way that its mask goes."""
    mask = masked.mask if masked else None
    lengths = mask.tensor if mask and mask.is_lengths else None
    x = plain_source(called)
    if lengths_of(called) is not None:
        return lengths_of(called) == lengths and lasts(loop, x, lengths)
    if mask is not None and mask.backwards != (called != x):
        return False
    return not (lengths and called != x) and lasts(loop, x, lengths)


def _claim(
    cell: Cell, loop: Loop, found: Mapping[str, Ending], output: str, called: str,
    masked: Masked | None,
) -> Claim | None:  # fmt: skip
    initial = initial_states(cell, loop)
    outputs = _indices(cell, loop, found, output)
    if initial is None or outputs is None:
        return None
    x = plain_source(called)
    config: Config = {
        **cell.config, "return_sequences": any(ending.sequences for ending in found.values()),
        "go_backwards": called != x,
    }  # fmt: skip
    if max(outputs.values()):
        config["return_state"] = True
    if masked is not None:
        zeros = hides_with_zeros(masked.hidden, output, cell, loop)
        if zeros is None:
            return None
        config["zero_output_for_mask"] = zeros
    mask = masked.mask if masked is not None else Mask("")
    is_mask = bool(mask.tensor) and not mask.is_lengths
    given = is_mask and mask_source(mask.tensor, loop.view) is None
    ends = {x, *initial, *([mask.tensor] if masked else [])}
    return Claim(
        (x,), config, cell.weights, nodes_of(outputs, ends, loop),
        mask=mask.tensor if is_mask and not given else None,
        lengths=mask.tensor if mask.is_lengths else None, outputs=outputs,
        arguments={"initial_state": initial} if initial else {},
        kwargs={"mask": TensorName(mask.tensor)} if given else {},
    )  # fmt: skip


def _indices(
    cell: Cell, loop: Loop, found: Mapping[str, Ending], output: str
) -> dict[str, int] | None:
    """Which output of the layer each tensor is; None where one is neither output nor state.

    The state that is the output, and leaves alone, is the last output.
    """
    states = [loop.variable(state) for state in cell.states]
    shown = states[cell.shown]
    indices: dict[str, int] = {}
    sequences = any(ending.sequences for ending in found.values())
    for tensor, ending in found.items():
        if ending.state in states:
            indices[tensor] = 1 + states.index(ending.state)
        elif ending.value != output:
            return None
        elif ending.sequences or not sequences:
            indices[tensor] = 0
        elif shown is not None and shown.following == output:
            indices[tensor] = 1 + cell.shown
        else:
            return None
    if set(indices.values()) == {1 + cell.shown} and not sequences:
        indices = dict.fromkeys(indices, 0)
    return indices


def _rank(class_name: str) -> int | None:
    """Over how many axes a layer's products are convolutions; None where they are none."""
    found = re.fullmatch(r"ConvLSTM(\d)D", class_name)
    return int(found[1]) if found else None


def _body(
    loop: Loop, output: str, called: str, masked: Masked | None, rank: int | None = None
) -> Body:
    view = loop.view

    def outside(tensor: str) -> tuple[str, str] | None:
        sequence = read_in(loop, tensor)
        return batch_first(sequence, view) if sequence else None

    def size(source: str) -> int | None:
        variable = loop.variable(plain_source(source))
        known = variable.initial if variable is not None else plain_source(source)
        shape = view.shape(known) if variable is None or not variable.is_joint else None
        node = view.producer(known)
        if not shape and node is not None and node.op in ("Mul", "AddV2"):  # of equal sizes
            shapes = [view.shape(i) for i in node.inputs]
            shape = next((s for s in shapes if s and (s[-1] or 0) > 1), None)
        return shape[-1] if shape else None

    def states(following: str) -> list[str]:
        if masked is None:
            return [v.inside for v in loop.variables.values() if v.following == following]
        return [
            v.inside for v in loop.variables.values()
            if masked_value(v.following, loop) == Masked(masked.mask, following, v.inside)
        ]  # fmt: skip

    sums = Sums(view, outside, size) if rank is None else ConvSums(view, outside, rank)
    return Body(view, sums, called, output, states)

"""StackedRNNCells: several cells as one, each on top of the one before.

In the body of a loop, what a kernel is multiplied with is the output of the cell below, where
it is neither a state nor a row of a sequence. TensorFlow 1 calls such a stack MultiRNNCell.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.parts import part, parts_of
from modelfmt.layers.recurrent.body import Body, Cell, multiplied
from modelfmt.layers.recurrent.cells import CellCodec, cell_codec
from modelfmt.layers.recurrent.gru_cell import gru
from modelfmt.layers.recurrent.lstm_cell import lstm
from modelfmt.layers.recurrent.simple_rnn_cell import simple_rnn
from modelfmt.layers.registry import register_layer
from modelfmt.network import Layer


@register_layer
class StackedRNNCells(CellCodec):
    """StackedRNNCells.  Each cell's output is the next one's input.

    Weights: cells/0/kernel, ..., in the cells' order
    Source:  Keras, StackedRNNCells.call
    """

    class_name = "StackedRNNCells"
    wraps = ("cells",)

    def state_sizes(self, layer: Layer) -> list[int]:
        return [size for cell in _cells(layer) for size in cell_codec(cell).state_sizes(cell)]

    def output_size(self, layer: Layer) -> int:
        last = _cells(layer)[-1]
        return cell_codec(last).output_size(last)

    def step(
        self, layer: Layer, x: str, states: Sequence[str], graph: GraphBuilder
    ) -> tuple[str, list[str]]:
        following: list[str] = []
        for k, cell in enumerate(_cells(layer)):
            codec = cell_codec(cell)
            count = len(codec.state_sizes(cell))
            mine = states[len(following) : len(following) + count]
            with graph.scope(f"cell_{k}"):
                x, new = codec.step(cell, x, mine, graph)
            following += new
        return x, following


def _cells(layer: Layer) -> list[Layer]:
    found = [part(layer, place) for place, _ in parts_of(layer.config, ["cells"])]
    if not found:
        raise MismatchError("StackedRNNCells without a cell")
    return found


#: What may stand in a stack.
_IN_STACKS: Mapping[str, Callable[[Body], Cell | None]] = {
    "SimpleRNNCell": simple_rnn, "LSTMCell": lstm, "GRUCell": gru,
}  # fmt: skip
#: Cells on top of each other, of which no model has more than a few.
_MAX_CELLS = 50


def stack(body: Body) -> Cell | None:
    """The cell of a layer RNN, of two or more cells, that ``body`` computes; or None."""
    found = next(_stacked(body, body.output, 0), None)
    if found is None or len(found) < 2:
        return None
    cells = [
        {"module": CellCodec.module, "class_name": name, "registered_name": None,
         "config": {"name": name.lower(), **cell.config}}
        for name, cell in found
    ]  # fmt: skip
    weights = {
        f"cell/cells/{k}/{name}": tensor
        for k, (_, cell) in enumerate(found) for name, tensor in cell.weights.items()
    }  # fmt: skip
    held = {"module": CellCodec.module, "class_name": StackedRNNCells.class_name,
            "registered_name": None, "config": {"name": "cells", "cells": cells}}  # fmt: skip
    states = tuple(state for _, cell in found for state in cell.states)
    return Cell({"cell": held}, weights, states, len(states) - len(found[-1][1].states))


def _stacked(body: Body, output: str, depth: int) -> Iterator[list[tuple[str, Cell]]]:
    """The cells, from the lowest up, of which the last one yields ``output``."""
    sources = multiplied(output, body)
    for x in [body.x, *(s for s in sources if s != body.x)] if depth < _MAX_CELLS else ():
        at = dataclasses.replace(body, x=x, output=output)
        for name, cell_of in _IN_STACKS.items():
            cell = cell_of(at)
            if cell is None:
                continue
            if x == body.x:
                yield [(name, cell)]
                continue
            for below in _stacked(body, x, depth + 1):
                yield [*below, (name, cell)]

"""Recurrent layers: a cell applied step by step in time, as a loop.

    x (batch, time, ...) -> Transpose -> TensorListFromTensor
    StatelessWhile: x_t = TensorListGetItem; output, states = cell(x_t, states); TensorListSetItem
    TensorListStack -> Transpose -> y (batch, time, units), or the last output alone

A mask (batch, time) keeps output and states as they were at the steps that it hides. A stateful
layer starts from zeros at every call: a graph has no memory of the last one.
Source: Keras backend/tensorflow/rnn.py and layers/rnn/rnn.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.parts import part
from modelfmt.layers.recurrent.cells import CellCodec
from modelfmt.layers.recurrent.claims import recurrent
from modelfmt.layers.recurrent.endings import ROOTS
from modelfmt.layers.recurrent.gru_cell import GRUCell
from modelfmt.layers.recurrent.lstm_cell import LSTMCell
from modelfmt.layers.recurrent.simple_rnn_cell import SimpleRNNCell
from modelfmt.layers.recurrent.unrolled import UNROLLED
from modelfmt.layers.recurrent.unstacking import as_layers
from modelfmt.layers.recurrent.writing import LoopWriter, flat
from modelfmt.layers.registry import codec_for, register_layer
from modelfmt.network import Layer

_LOOP = {
    "return_sequences": False, "return_state": False, "go_backwards": False, "stateful": False,
    "unroll": False, "zero_output_for_mask": False,
}  # fmt: skip


#: What makes no difference to a graph, or shows in what reads the layer's outputs.
_UNSEEN = ("unroll", "stateful", "return_state")


class Recurrent(LayerCodec):
    """What all recurrent layers do, whatever their cell.

    Unrolled or not, and with a memory from call to call or not, a graph computes the same.
    """

    arity = None
    arguments = frozenset({"initial_state"})
    parameters = ("sequences", "initial_state", "mask", "training")
    scopes = ("PartitionedCall", "StatefulPartitionedCall", "while")

    def cell_of(self, layer: Layer) -> Layer:
        """The cell, with its weights."""
        raise NotImplementedError

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Neither unrolled nor stateful."""
        (form,) = super().canonical(layer, shapes)
        form.config = {k: v for k, v in form.config.items() if k not in _UNSEEN}
        return [form]

    def write(
        self, layer: Layer, inputs: list[str], graph: GraphBuilder, *, initial_state: Any = None
    ) -> list[str]:
        """The output, then the states where ``return_state`` asks for them.

        States to start from come as ``initial_state``, or after x in ``inputs``.
        """
        x = inputs[0]
        given = flat(initial_state) or inputs[1:]
        loop = LoopWriter(layer, self.cell_of(layer), x, graph)
        last, outputs, states = loop.write(given)
        y = outputs if layer.config["return_sequences"] else last
        return [y, *states] if layer.config["return_state"] else [y]

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        """The input's for a whole sequence; none for a last output and for states."""
        passed = graph.masks.get(inputs[0]) if layer.config["return_sequences"] else None
        return [passed, *(None for _ in outputs[1:])]


class _OfOneCell(Recurrent):
    """A layer whose config is that of its cell, and more."""

    cell: ClassVar[type[CellCodec]]
    root_ops = ROOTS | UNROLLED

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        return recurrent(self.class_name, tensor, graph)

    def cell_of(self, layer: Layer) -> Layer:
        config = {key: layer.config[key] for key in self.cell.config}
        return Layer(self.cell.class_name, "cell", config, dict(layer.weights))


def of_cell(cell: type[CellCodec]) -> type[_OfOneCell]:
    """The base of a layer that has this cell's weights and config, and the loop's."""

    class Base(_OfOneCell):
        weights = cell.weights
        optional_weights = cell.optional_weights
        config = {**cell.config, **_LOOP}

    Base.cell = cell
    return Base


@register_layer
class SimpleRNN(of_cell(SimpleRNNCell)):  # type: ignore[misc]
    """SimpleRNN: a SimpleRNNCell in a loop. Weights, shapes and source as of the cell."""

    class_name = "SimpleRNN"


@register_layer
class LSTM(of_cell(LSTMCell)):  # type: ignore[misc]
    """LSTM: an LSTMCell in a loop. Weights, shapes and source as of the cell."""

    class_name = "LSTM"


@register_layer
class GRU(of_cell(GRUCell)):  # type: ignore[misc]
    """GRU: a GRUCell in a loop. Weights, shapes and source as of the cell."""

    class_name = "GRU"


@register_layer
class RNN(Recurrent):
    """RNN: any cell in a loop.

    Weights: those of the cell, as ``cell/kernel``
    Source:  Keras, RNN.call
    """

    class_name = "RNN"
    wraps = ("cell",)
    config = dict(_LOOP)
    root_ops = ROOTS

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        """Of several cells; one alone is another layer's."""
        return recurrent(self.class_name, tensor, graph)

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """As the layers of its cells."""
        row = as_layers(layer)
        if row[0] is layer or (layer.config.get("go_backwards") and len(row) > 1):
            return super().canonical(layer, shapes)
        return [form for each in row for form in codec_for(each).canonical(each, shapes)]

    def cell_of(self, layer: Layer) -> Layer:
        return part(layer, "cell")

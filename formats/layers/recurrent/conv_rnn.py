"""Convolutional LSTMs: an LSTM whose products are convolutions, in the loop of ``rnn``.

    x (batch, time, *sizes, in), states (batch, *sizes out, filters)

The recurrent convolution keeps the sizes, so those of the states are what the convolution of one
step makes of x. channels_first is written channels last between Transposes. Source: Keras,
ConvLSTM; tf_keras, ConvLSTMCell and ConvRNN.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import Derived
from modelfmt.layers.convolving import convolve
from modelfmt.layers.extents import Extent, calculated, extent
from modelfmt.layers.recurrent.cells import CellCodec, split
from modelfmt.layers.recurrent.lstm_cell import lstm_step
from modelfmt.layers.recurrent.rnn import of_cell
from modelfmt.layers.recurrent.writing import flat
from modelfmt.layers.registry import register_layer
from modelfmt.layers.spatial import padding_word, spread
from modelfmt.network import Config, Layer


def _filters(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return shapes["kernel"][-1] // 4


def _kernel_size(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return list(shapes["kernel"][:-2])


@register_layer
class ConvLSTMCell(CellCodec):
    """ConvLSTMCell.  i, f, g, o = conv(x, kernel) + bias + conv(h, recurrent_kernel); then as LSTM

    Shapes:  x (batch, *sizes, in), kernel (*window, in, 4 filters), recurrent_kernel (*window,
             filters, 4 filters), bias (4 filters,), h and c (batch, *sizes out, filters)
    Weights: kernel, recurrent_kernel, bias
    Source:  Keras, ConvLSTMCell.call
    """

    class_name = "ConvLSTMCell"
    weights = ("kernel", "recurrent_kernel", "bias")
    optional_weights = {"bias": "use_bias"}
    config = {
        "filters": Derived(_filters), "kernel_size": Derived(_kernel_size), "strides": 1,
        "padding": "valid", "data_format": "channels_last", "dilation_rate": 1,
        "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True,
    }  # fmt: skip

    def state_sizes(self, layer: Layer) -> list[int]:
        return [layer.weight("kernel").shape[-1] // 4] * 2

    def initial(self, layer: Layer, x: str, batch: str, graph: GraphBuilder) -> list[str]:
        """The states before the first step: zeros, each (batch, *sizes out, filters)."""
        sizes: list[Extent] = [batch]
        for axis, (window, stride, rate) in enumerate(zip(*_window(layer), strict=True)):
            size = extent(x, axis + 1, graph)
            if padding_word(layer) == "VALID":
                size = calculated("Sub", size, (window - 1) * rate, graph)
            size = calculated("AddV2", size, stride - 1, graph)
            sizes.append(calculated("FloorDiv", size, stride, graph))
        zero = graph.const(0, graph.dtype(x), "zero")
        return [
            graph.op("Fill", graph.op("Pack", *sizes, filters, axis=0), zero)
            for filters in self.state_sizes(layer)
        ]

    def step(
        self, layer: Layer, x: str, states: Sequence[str], graph: GraphBuilder
    ) -> tuple[str, list[str]]:
        _, strides, dilation = _window(layer)
        of_x = convolve(
            x, graph.weight(layer.weight("kernel"), "kernel"), graph, strides=strides,
            padding=padding_word(layer), dilation=dilation,
        )  # fmt: skip
        if "bias" in layer.weights:
            of_x = graph.op("BiasAdd", of_x, graph.weight(layer.weight("bias"), "bias"))
        ones = [1] * len(strides)
        of_h = convolve(
            states[0], graph.weight(layer.weight("recurrent_kernel"), "recurrent_kernel"), graph,
            strides=ones, padding="SAME", dilation=ones,
        )  # fmt: skip
        gates = split(graph.op("AddV2", of_x, of_h), 4, graph)
        return lstm_step(layer, gates, states[1], graph)


def _window(layer: Layer) -> tuple[list[int], list[int], list[int]]:
    """The sizes of the window, the strides and the dilation, of each axis."""
    window = list(layer.weight("kernel").shape[:-2])
    config, rank = layer.config, len(window)
    return window, spread(config["strides"], rank), spread(config["dilation_rate"], rank)


class _ConvLSTM(of_cell(ConvLSTMCell)):  # type: ignore[misc]
    """A ConvLSTMCell in a loop, over ``rank`` axes besides time."""

    rank: ClassVar[int]
    turned_by_theano = ("kernel", "recurrent_kernel")

    def write(
        self, layer: Layer, inputs: list[str], graph: GraphBuilder, *, initial_state: Any = None
    ) -> list[str]:
        """As any recurrent layer, channels last."""
        shape = graph.shape(inputs[0])
        if shape is None or len(shape) != self.rank + 3:
            raise MismatchError(
                f"{layer.class_name} takes a sequence of {self.rank} axes with channels",
                expected=f"a rank of {self.rank + 3}",
                found="an unknown rank" if shape is None else list(shape),
            )
        if layer.config["data_format"] != "channels_first":
            made: list[str] = super().write(layer, inputs, graph, initial_state=initial_state)
            return made
        x, *states = inputs[0], *(flat(initial_state) or inputs[1:])
        turned = _to_last(x, 2, graph)
        if x in graph.masks:
            graph.masks[turned] = graph.masks[x]
        config = {**layer.config, "data_format": "channels_last"}
        made = super().write(
            dataclasses.replace(layer, config=config), [turned], graph,
            initial_state=[_to_last(state, 1, graph) for state in states],
        )  # fmt: skip
        sequence = 2 if layer.config["return_sequences"] else 1
        return [_from_last(y, 1 if k else sequence, graph) for k, y in enumerate(made)]


def _to_last(x: str, axis: int, graph: GraphBuilder) -> str:
    """``x`` with ``axis`` moved to the end."""
    rank = len(graph.shape(x) or ())
    return graph.op("Transpose", x, [*range(axis), *range(axis + 1, rank), axis])


def _from_last(x: str, axis: int, graph: GraphBuilder) -> str:
    """``x`` with the last axis moved to ``axis``."""
    rank = len(graph.shape(x) or ())
    return graph.op("Transpose", x, [*range(axis), rank - 1, *range(axis, rank - 1)])


@register_layer
class ConvLSTM1D(_ConvLSTM):
    """ConvLSTM1D: a ConvLSTMCell over one axis in a loop. Weights and source as of the cell.

    Shapes: x (batch, time, length, in), y (batch, time, length out, filters)
    """

    class_name = "ConvLSTM1D"
    rank = 1


@register_layer
class ConvLSTM2D(_ConvLSTM):
    """ConvLSTM2D: a ConvLSTMCell over two axes in a loop. Weights and source as of the cell.

    Shapes: x (batch, time, rows, columns, in), y (batch, time, rows out, columns out, filters)
    """

    class_name = "ConvLSTM2D"
    rank = 2


@register_layer
class ConvLSTM3D(_ConvLSTM):
    """ConvLSTM3D: a ConvLSTMCell over three axes in a loop. Weights and source as of the cell.

    Shapes: x (batch, time, *sizes, in), y (batch, time, *sizes out, filters)
    """

    class_name = "ConvLSTM3D"
    rank = 3

"""Cells of recurrent layers: one step in time, x_t and the states to an output and new states.

Gates stand side by side in the kernels, in Keras' order: LSTM i, f, c, o; GRU z, r, h. The cells
of TensorFlow 1 have another order. Source: Keras layers/rnn/*.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.activations import write_activation
from modelfmt.layers.codec import Derived, LayerCodec
from modelfmt.layers.parts import part, parts_of
from modelfmt.layers.registry import codec_for, register_layer
from modelfmt.network import Config, Layer


class CellCodec(LayerCodec):
    """A cell; it stands within a recurrent layer only.

    A cell of one's own says ``state_sizes`` and ``step``.
    """

    def state_sizes(self, layer: Layer) -> list[int]:
        """The number of elements that a sample has of each state, in order."""
        raise NotImplementedError

    def output_size(self, layer: Layer) -> int:
        """And of the output: by default that of the first state."""
        return self.state_sizes(layer)[0]

    def initial(self, layer: Layer, x: str, batch: str, graph: GraphBuilder) -> list[str]:
        """The states before the first step: zeros, each (batch, size).

        Args:
            layer: the cell.
            x: the inputs of the first step.
            batch: their number of samples, a scalar int32 tensor.
            graph: where the nodes go.
        """
        return [
            graph.op("Fill", graph.op("Pack", batch, size, axis=0), _zero(x, graph))
            for size in self.state_sizes(layer)
        ]

    def step(
        self, layer: Layer, x: str, states: Sequence[str], graph: GraphBuilder
    ) -> tuple[str, list[str]]:
        """One step in time.

        Args:
            layer: the cell, with its weights.
            x: (batch, features).
            states: as many as ``state_sizes`` says.
            graph: where the nodes go.

        Returns:
            The output, and the new states.
        """
        raise NotImplementedError


def cell_codec(layer: Layer) -> CellCodec:
    """The codec of a cell. Raises UnknownLayerError; ConversionError where it is no cell."""
    codec = codec_for(layer)
    if not isinstance(codec, CellCodec):
        raise ConversionError(
            f"{layer.class_name} is no cell of a recurrent layer that can be written",
            hint="A custom cell's codec derives from modelfmt.layers.CellCodec.",
        )
    return codec


def _zero(x: str, graph: GraphBuilder) -> str:
    return graph.const(0, graph.dtype(x), "zero")


def units_of(gates: int) -> Derived:
    """``units`` as the kernel's width tells them, that so many gates share."""

    def compute(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
        return shapes["kernel"][-1] // gates

    return Derived(compute)


class _Gated(CellCodec):
    """What the built-in cells have in common: kernel, recurrent_kernel, bias."""

    weights = ("kernel", "recurrent_kernel", "bias")
    optional_weights = {"bias": "use_bias"}

    def state_sizes(self, layer: Layer) -> list[int]:
        return [int(layer.config["units"])]

    def sums(self, layer: Layer, x: str, state: str, graph: GraphBuilder) -> str:
        """x @ kernel + state @ recurrent_kernel + bias, all gates beside each other."""
        total = graph.op(
            "AddV2", product(layer, "kernel", x, graph),
            product(layer, "recurrent_kernel", state, graph),
        )  # fmt: skip
        return biased(layer, total, graph)


def product(layer: Layer, weight: str, x: str, graph: GraphBuilder) -> str:
    """x @ weight."""
    return graph.op("MatMul", x, graph.weight(layer.weight(weight), weight))


def biased(layer: Layer, x: str, graph: GraphBuilder) -> str:
    """x + bias, where the layer has one."""
    if "bias" not in layer.weights:
        return x
    return graph.op("BiasAdd", x, graph.weight(layer.weight("bias"), "bias"))


def split(x: str, count: int, graph: GraphBuilder, axis: int = -1) -> list[str]:
    """x in so many equal parts."""
    return graph.ops("Split", axis, x, num_split=count)


@register_layer
class SimpleRNNCell(_Gated):
    """SimpleRNNCell.  h = activation(x @ kernel + bias + h @ recurrent_kernel)

    Shapes:  x (batch, in), kernel (in, units), recurrent_kernel (units, units), bias (units,)
    Weights: kernel, recurrent_kernel, bias
    Source:  Keras, SimpleRNNCell.call
    """

    class_name = "SimpleRNNCell"
    config = {"units": units_of(1), "activation": "tanh", "use_bias": True}

    def step(
        self, layer: Layer, x: str, states: Sequence[str], graph: GraphBuilder
    ) -> tuple[str, list[str]]:
        of_x = biased(layer, product(layer, "kernel", x, graph), graph)
        total = graph.op("AddV2", of_x, product(layer, "recurrent_kernel", states[0], graph))
        output = write_activation(layer.config["activation"], total, graph)
        return output, [output]


@register_layer
class LSTMCell(_Gated):
    """LSTMCell.  i, f, g, o = x @ kernel + h @ recurrent_kernel + bias;
    c' = r(f) * c + r(i) * a(g);  h' = r(o) * a(c'), a and r being the (recurrent) activation

    Shapes:  x (batch, in), kernel (in, 4 units), recurrent_kernel (units, 4 units),
             bias (4 units,), h and c (batch, units)
    Weights: kernel, recurrent_kernel, bias
    Source:  Keras, LSTMCell.call
    """

    class_name = "LSTMCell"
    config = {
        "units": units_of(4), "activation": "tanh", "recurrent_activation": "sigmoid",
        "use_bias": True,
    }  # fmt: skip

    def state_sizes(self, layer: Layer) -> list[int]:
        return [int(layer.config["units"])] * 2

    def step(
        self, layer: Layer, x: str, states: Sequence[str], graph: GraphBuilder
    ) -> tuple[str, list[str]]:
        gates = split(self.sums(layer, x, states[0], graph), 4, graph)
        return lstm_step(layer, gates, states[1], graph)


def lstm_step(
    layer: Layer, gates: Sequence[str], carry: str, graph: GraphBuilder
) -> tuple[str, list[str]]:
    """Output and states of an LSTM, given the sums of its gates i, f, c, o."""
    activation, recurrent = layer.config["activation"], layer.config["recurrent_activation"]
    i = write_activation(recurrent, gates[0], graph)
    f = write_activation(recurrent, gates[1], graph)
    g = write_activation(activation, gates[2], graph)
    c = graph.op("AddV2", graph.op("Mul", f, carry), graph.op("Mul", i, g))
    o = write_activation(recurrent, gates[3], graph)
    h = graph.op("Mul", o, write_activation(activation, c, graph))
    return h, [h, c]


@register_layer
class GRUCell(_Gated):
    """GRUCell.  z, r: gates;  h' = z * h + (1 - z) * a(x_h + r * (h @ R_h + b_h)) with reset_after,
    else a(x_h + (r * h) @ R_h)

    Shapes:  x (batch, in), kernel (in, 3 units), recurrent_kernel (units, 3 units),
             bias (2, 3 units) with reset_after: of x and of h; else (3 units,)
    Weights: kernel, recurrent_kernel, bias
    Source:  Keras, GRUCell.call
    """

    class_name = "GRUCell"
    config = {
        "units": units_of(3), "activation": "tanh", "recurrent_activation": "sigmoid",
        "use_bias": True, "reset_after": True,
    }  # fmt: skip

    def step(
        self, layer: Layer, x: str, states: Sequence[str], graph: GraphBuilder
    ) -> tuple[str, list[str]]:
        h = states[0]
        mixed = self._reset_after if layer.config["reset_after"] else self._reset_before
        z, candidate = mixed(layer, x, h, graph)
        proposed = write_activation(layer.config["activation"], candidate, graph)
        rest = graph.op("Mul", graph.op("Sub", 1.0, z), proposed)
        output = graph.op("AddV2", graph.op("Mul", z, h), rest)
        return output, [output]

    def _reset_after(
        self, layer: Layer, x: str, h: str, graph: GraphBuilder
    ) -> tuple[str, str]:
        """The gate z, and what the activation is applied to."""
        sums = [product(layer, "kernel", x, graph), product(layer, "recurrent_kernel", h, graph)]
        if "bias" in layer.weights:
            units = layer.weight("bias").shape[-1] // 3
            if layer.weight("bias").shape != (2, 3 * units):
                raise MismatchError(
                    "with reset_after a bias has two rows", expected=[2, 3 * units],
                    found=list(layer.weight("bias").shape),
                )
            bias = graph.weight(layer.weight("bias"), "bias")
            rows = graph.ops("Unpack", bias, num=2, axis=0)
            sums = [
                graph.op("BiasAdd", total, row) for total, row in zip(sums, rows, strict=True)
            ]
        x_z, x_r, x_h = split(sums[0], 3, graph)
        h_z, h_r, h_h = split(sums[1], 3, graph)
        recurrent = layer.config["recurrent_activation"]
        z = write_activation(recurrent, graph.op("AddV2", x_z, h_z), graph)
        r = write_activation(recurrent, graph.op("AddV2", x_r, h_r), graph)
        return z, graph.op("AddV2", x_h, graph.op("Mul", r, h_h))

    def _reset_before(
        self, layer: Layer, x: str, h: str, graph: GraphBuilder
    ) -> tuple[str, str]:
        sums = biased(layer, product(layer, "kernel", x, graph), graph)
        x_z, x_r, x_h = split(sums, 3, graph)
        kernel = graph.weight(layer.weight("recurrent_kernel"), "recurrent_kernel")
        of_z, of_r, of_h = split(kernel, 3, graph, axis=1)
        recurrent = layer.config["recurrent_activation"]
        z = write_activation(
            recurrent, graph.op("AddV2", x_z, graph.op("MatMul", h, of_z)), graph
        )
        r = write_activation(
            recurrent, graph.op("AddV2", x_r, graph.op("MatMul", h, of_r)), graph
        )
        kept = graph.op("MatMul", graph.op("Mul", r, h), of_h)
        return z, graph.op("AddV2", x_h, kept)


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

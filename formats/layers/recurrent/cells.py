"""Cells of recurrent layers: one step in time, x_t and the states to an output and new states.

Gates stand side by side in the kernels, in Keras' order: LSTM i, f, c, o; GRU z, r, h. The cells
of TensorFlow 1 have another order. Source: Keras layers/rnn/*.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import Derived, LayerCodec
from modelfmt.layers.registry import codec_for
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


class GatedCell(CellCodec):
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

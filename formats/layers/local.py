"""Locally connected layers of Keras 2: convolutions whose every position has weights of its own.

Three implementations, told by the kernel's rank, hold the weights differently:

    1   (positions, window * in, filters): a product for each position
    2   (*x's axes, *y's axes): a full matrix, of which what is out of reach is masked away
    3   (n,): the entries of a sparse matrix (y, x), those in reach, sorted by row and column

The axes of 2, the features of a window in 1 and the order of 3 follow the data format, so no
layer here needs a Transpose to channels last. Source: tf_keras, locally_connected_utils.py;
conv_utils.conv_connected_inputs; backend.local_conv.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.activations import ActivatedCodec
from modelfmt.layers.codec import Derived
from modelfmt.layers.extents import extent, target
from modelfmt.layers.registry import register_layer
from modelfmt.layers.spatial import spread
from modelfmt.network import Config, Layer

if TYPE_CHECKING:
    import numpy.typing as npt


def _implementation(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return {1: 3, 3: 1}.get(len(shapes["kernel"]), 2)


class _Geometry:
    """Which elements of x each position of y is connected to; all sizes are known."""

    def __init__(self, layer: Layer, sizes: list[int]) -> None:
        config = layer.config
        self.first = config["data_format"] == "channels_first"
        self.window, self.strides = config["kernel_size"], config["strides"]
        self.same = config["padding"] == "same"
        self.channels, self.sizes = (sizes[0], sizes[1:]) if self.first else (sizes[-1], sizes[:-1])
        self.filters = int(config["filters"])
        self.outputs = [
            math.ceil(size / stride) if self.same else (size - window) // stride + 1
            for size, window, stride in zip(self.sizes, self.window, self.strides, strict=True)
        ]

    def reached(self) -> Iterator[tuple[tuple[int, ...], list[tuple[int, ...]]]]:
        """Every position of y, with the positions of x in its window."""
        for position in itertools.product(*map(range, self.outputs)):
            ranges = []
            for at, stride, window, size in zip(
                position, self.strides, self.window, self.sizes, strict=True
            ):
                start = at * stride - (window // 2 if self.same else 0)
                ranges.append(range(max(0, start), min(size, start + window)))
            yield position, list(itertools.product(*ranges))

    def of_x(self, position: tuple[int, ...], channel: int) -> int:
        """The place of an element in a flattened x."""
        return _place(position, channel, self.sizes, self.channels, self.first)

    def of_y(self, position: tuple[int, ...], channel: int) -> int:
        """The place of an element in a flattened y."""
        return _place(position, channel, self.outputs, self.filters, self.first)

    def features(self) -> npt.NDArray[Any]:
        """(positions, features): the places in x that make up each window."""
        import numpy as np

        found = []
        for _, inside in self.reached():
            channels = range(self.channels)
            pairs = (
                itertools.product(channels, inside)
                if self.first
                else ((channel, position) for position in inside for channel in channels)
            )
            found.append([self.of_x(position, channel) for channel, position in pairs])
        return np.array(found, np.int32)

    def mask(self) -> npt.NDArray[Any]:
        """1 where an element of x is in reach of one of y, shaped to be broadcast over both."""
        import numpy as np

        mask = np.zeros((*self.sizes, *self.outputs), np.float32)
        for position, inside in self.reached():
            for reached in inside:
                mask[(*reached, *position)] = 1.0
        rank = len(self.sizes)
        axes = (0, rank + 1) if self.first else (rank, 2 * rank + 1)
        return np.expand_dims(mask, axes)

    def entries(self) -> npt.NDArray[Any]:
        """(n, 2): the row (in y) and the column (in x) of each entry of the sparse matrix."""
        import numpy as np

        found = [
            (self.of_y(position, out), self.of_x(reached, channel))
            for position, inside in self.reached()
            for reached in inside
            for channel in range(self.channels)
            for out in range(self.filters)
        ]
        return np.array(sorted(found), np.int64)

    def shape(self) -> list[int]:
        """The shape of y without its batch."""
        return [self.filters, *self.outputs] if self.first else [*self.outputs, self.filters]


def _place(
    position: tuple[int, ...], channel: int, sizes: list[int], channels: int, first: bool
) -> int:
    place = 0
    for at, size in zip(position, sizes, strict=True):
        place = place * size + at
    return channel * math.prod(sizes) + place if first else place * channels + channel


class LocallyConnected(ActivatedCodec):
    """A locally connected layer.  y[p] = activation(window of x at p @ kernel[p] + bias[p])

    Shapes:  x (batch, *sizes, in), all but the batch known; kernel as above; bias (*positions,
             filters); channels_first: x (batch, in, *sizes)
    Weights: kernel, bias
    Nodes:   1: GatherV2 -> Transpose -> BatchMatMulV2; 2: MatMul(x, Mul(kernel, mask));
             3: MatMul(x, ScatterNd(entries, kernel)); each between Reshapes, then AddV2
    Source:  tf_keras, LocallyConnected1D.call and LocallyConnected2D.call
    """

    rank: ClassVar[int]
    weights = ("kernel", "bias")
    optional_weights = {"bias": "use_bias"}
    config = {
        "filters": 0,
        "kernel_size": 1,
        "strides": 1,
        "padding": "valid",
        "data_format": "channels_last",
        "activation": "linear",
        "use_bias": True,
        "implementation": Derived(_implementation),
    }

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; sizes given as one number become one for each axis."""
        whole = super().completed(config, weights)
        for key in ("kernel_size", "strides"):
            whole[key] = spread(whole[key], self.rank)
        return whole

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        shape = graph.shape(inputs[0])
        sizes = [size for size in (shape or ())[1:] if size is not None]
        if len(sizes) != self.rank + 1:
            raise ConversionError(
                f"{self.class_name} needs an input whose sizes are known", found=str(shape)
            )
        if layer.config["padding"] not in ("same", "valid"):
            raise ConversionError("unknown padding", found=layer.config["padding"])
        geometry = _Geometry(layer, sizes)
        y = self._applied(layer, geometry, inputs[0], graph)
        batch = extent(inputs[0], 0, graph)
        y = graph.op("Reshape", y, target([batch, *geometry.shape()], graph))
        if "bias" in layer.weights:
            # Keras reshapes the bias where channels come first, and does not transpose it.
            bias = graph.weight(layer.weight("bias"), "bias")
            y = graph.op("AddV2", y, graph.op("Reshape", bias, [1, *geometry.shape()]))
        return [self.activated(layer, y, graph)]

    def _applied(self, layer: Layer, geometry: _Geometry, x: str, graph: GraphBuilder) -> str:
        kernel = layer.weight("kernel")
        before = [size for size in (graph.shape(x) or ())[1:] if size is not None]
        places, outputs = math.prod(before), math.prod(geometry.shape())
        weight = graph.weight(kernel, "kernel")
        flat = graph.op("Reshape", x, [-1, places])
        rank = len(kernel.shape)
        if rank == 3:
            features = geometry.features()
            self._fits(kernel.shape, (*features.shape, geometry.filters))
            windows = graph.op("GatherV2", flat, features, 1)
            products = graph.op("BatchMatMulV2", graph.op("Transpose", windows, [1, 0, 2]), weight)
            order = [1, 2, 0] if geometry.first else [1, 0, 2]
            return graph.op("Transpose", products, order)
        if rank == 1:
            entries = geometry.entries()
            self._fits(kernel.shape, entries.shape[:1])
            whole = graph.const(entries, name="entries")
            size = graph.const([outputs, places], graph.dtype(whole), "size")
            matrix = graph.op("ScatterNd", whole, weight, size)
            return graph.op("MatMul", flat, matrix, transpose_b=True)
        self._fits(kernel.shape, (*before, *geometry.shape()))
        matrix = graph.op("Mul", weight, geometry.mask())
        return graph.op("MatMul", flat, graph.op("Reshape", matrix, [places, outputs]))

    def _fits(self, found: tuple[int, ...], expected: tuple[Any, ...]) -> None:
        if found != expected:
            raise MismatchError(
                f"the kernel of {self.class_name} has another shape",
                expected=list(expected), found=list(found),
            )  # fmt: skip


@register_layer
class LocallyConnected1D(LocallyConnected):
    """LocallyConnected1D: a LocallyConnected layer over one axis."""

    class_name = "LocallyConnected1D"
    rank = 1


@register_layer
class LocallyConnected2D(LocallyConnected):
    """LocallyConnected2D: a LocallyConnected layer over two axes."""

    class_name = "LocallyConnected2D"
    rank = 2

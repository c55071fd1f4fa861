"""Adaptive pooling: as many windows as the output has places, whatever the size of the input.

    window i of n along an axis of size s: from floor(i * s / n) to ceil((i + 1) * s / n)

Axis by axis. Windows are as long as each other or differ by one. Where they are equally long and
equally far apart it is a pool; else a pool of each length at every position, of which a GatherV2
takes the wanted ones. Source: Keras backend/tensorflow/nn.py, adaptive_average_pool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from modelfmt.errors import ConversionError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.registry import register_layer
from modelfmt.layers.spatial import canonical_channels_last, channels_last, spread
from modelfmt.network import Config, Layer


class AdaptivePooling(LayerCodec):
    """Pooling to ``output_size``.

    Shapes: x (batch, *sizes, channels), all sizes known; y (batch, *output_size, channels);
            channels_first: x (batch, channels, *sizes)
    Source: Keras 3.12, BaseAdaptivePooling.call
    """

    rank: ClassVar[int]
    pool: ClassVar[str]
    config = {"output_size": 1, "data_format": "channels_last"}

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; a size given as one number becomes one for each axis."""
        whole = super().completed(config, weights)
        return {**whole, "output_size": spread(whole["output_size"], self.rank)}

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Channels first is a layer between two Permutes."""
        return canonical_channels_last(super().canonical(layer, shapes)[0], self.rank)

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return channels_last(self._pooled, layer, inputs, graph)

    def _pooled(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        y, shape = inputs[0], graph.shape(inputs[0])
        if shape is None or len(shape) != self.rank + 2 or None in shape[1:-1]:
            raise ConversionError(
                f"{self.class_name} needs an input whose sizes are known", found=str(shape)
            )
        # What has one axis has two for the op: pools know no other.
        if self.rank == 1:
            y = graph.op("ExpandDims", y, 1)
        first = 2 if self.rank == 1 else 1
        for k, count in enumerate(layer.config["output_size"]):
            y = self._along(first + k, int(count), y, graph)
        return [graph.op("Squeeze", y, squeeze_dims=[1]) if self.rank == 1 else y]

    def _along(self, axis: int, count: int, x: str, graph: GraphBuilder) -> str:
        size = (graph.shape(x) or ())[axis] or 0
        starts = [k * size // count for k in range(count)]
        ends = [-(-(k + 1) * size // count) for k in range(count)]
        lengths = [end - start for start, end in zip(starts, ends, strict=True)]
        step = starts[1] - starts[0] if count > 1 else 1
        regular = starts == [k * step for k in range(count)] and step > 0
        if regular and len(set(lengths)) == 1 and starts[-1] + lengths[-1] == size:
            return self._pool(axis, lengths[0], step, x, graph)
        pools, places = list[str](), dict[int, int]()
        total = 0
        for length in sorted(set(lengths)):
            places[length] = total
            total += size - length + 1
            pools.append(self._pool(axis, length, 1, x, graph))
        whole = pools[0] if len(pools) == 1 else graph.op("ConcatV2", *pools, axis, N=len(pools))
        wanted = [places[n] + start for n, start in zip(lengths, starts, strict=True)]
        return graph.op("GatherV2", whole, wanted, axis)

    def _pool(self, axis: int, length: int, step: int, x: str, graph: GraphBuilder) -> str:
        rank = len(graph.shape(x) or ())

        def along(value: int) -> list[int]:
            return [value if k == axis else 1 for k in range(rank)]

        name = self.pool if rank == 4 else f"{self.pool}3D"
        return graph.op(
            name, x, ksize=along(length), strides=along(step), padding="VALID",
            data_format="NHWC" if rank == 4 else "NDHWC",
        )  # fmt: skip


@register_layer
class AdaptiveAveragePooling1D(AdaptivePooling):
    """AdaptiveAveragePooling1D: AdaptivePooling by the mean, over one axis."""

    class_name = "AdaptiveAveragePooling1D"
    rank, pool = 1, "AvgPool"


@register_layer
class AdaptiveAveragePooling2D(AdaptivePooling):
    """AdaptiveAveragePooling2D: AdaptivePooling by the mean, over two axes."""

    class_name = "AdaptiveAveragePooling2D"
    rank, pool = 2, "AvgPool"


@register_layer
class AdaptiveAveragePooling3D(AdaptivePooling):
    """AdaptiveAveragePooling3D: AdaptivePooling by the mean, over three axes."""

    class_name = "AdaptiveAveragePooling3D"
    rank, pool = 3, "AvgPool"


@register_layer
class AdaptiveMaxPooling1D(AdaptivePooling):
    """AdaptiveMaxPooling1D: AdaptivePooling by the largest, over one axis."""

    class_name = "AdaptiveMaxPooling1D"
    rank, pool = 1, "MaxPool"


@register_layer
class AdaptiveMaxPooling2D(AdaptivePooling):
    """AdaptiveMaxPooling2D: AdaptivePooling by the largest, over two axes."""

    class_name = "AdaptiveMaxPooling2D"
    rank, pool = 2, "MaxPool"


@register_layer
class AdaptiveMaxPooling3D(AdaptivePooling):
    """AdaptiveMaxPooling3D: AdaptivePooling by the largest, over three axes."""

    class_name = "AdaptiveMaxPooling3D"
    rank, pool = 3, "MaxPool"

"""Up-sampling: more positions along the spatial axes, by repetition or by interpolation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from modelfmt.errors import ConversionError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.extents import calculated, extent, packed
from modelfmt.layers.registry import register_layer
from modelfmt.layers.spatial import canonical_channels_last, channels_last, spread
from modelfmt.network import Config, Layer

#: The interpolations with an op of their own, and whether it has ``half_pixel_centers``.
_RESIZERS: Mapping[str, tuple[str, bool]] = {
    "nearest": ("ResizeNearestNeighbor", True),
    "bilinear": ("ResizeBilinear", True),
    "bicubic": ("ResizeBicubic", True),
    "area": ("ResizeArea", False),
}
#: Those that are a kernel of ScaleAndTranslate.
_KERNELS = ("lanczos3", "lanczos5", "gaussian", "mitchellcubic")


class UpSampling(LayerCodec):
    """Every position repeated ``size`` times along each axis.

    Shapes: x (batch, *sizes, channels), or channels before the sizes
    Nodes:  for each axis GatherV2(x, FloorDiv(Range(0, new size), factor))
    Source: Keras, UpSampling1D.call and UpSampling3D.call
    """

    rank: ClassVar[int]
    config = {"size": 2, "data_format": "channels_last"}

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; a size given as one number becomes one for each axis."""
        whole = super().completed(config, weights)
        return {**whole, "size": spread(whole["size"], self.rank)}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        first = layer.config["data_format"] == "channels_first"
        y = inputs[0]
        for k, factor in enumerate(layer.config["size"]):
            if factor != 1:
                y = _repeated(y, k + (2 if first else 1), factor, graph)
        return [y]


def _repeated(x: str, axis: int, factor: int, graph: GraphBuilder) -> str:
    size = calculated("Mul", extent(x, axis, graph), factor, graph)
    if isinstance(size, int):
        return graph.op("GatherV2", x, [k // factor for k in range(size)], axis)
    places = graph.op("FloorDiv", graph.op("Range", 0, size, 1), factor)
    return graph.op("GatherV2", x, places, axis)


@register_layer
class UpSampling1D(UpSampling):
    """UpSampling1D: UpSampling over one axis, channels last."""

    class_name = "UpSampling1D"
    rank = 1


@register_layer
class UpSampling2D(UpSampling):
    """UpSampling2D: UpSampling over two axes, by any interpolation.

    Shapes: x (batch, rows, cols, channels), or channels before rows
    Nodes:  ResizeNearestNeighbor, ResizeBilinear, ResizeBicubic (with half_pixel_centers),
            ResizeArea or ScaleAndTranslate
    Source: Keras, UpSampling2D.call; TensorFlow, image.resize
    """

    class_name = "UpSampling2D"
    rank = 2
    config = {**UpSampling.config, "interpolation": "nearest", "half_pixel_centers": True}

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Channels first is a layer between two Permutes."""
        return canonical_channels_last(super().canonical(layer, shapes)[0], self.rank)

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return channels_last(self._resized, layer, inputs, graph)

    def _resized(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        (x, *_), factors = inputs, layer.config["size"]
        sizes = [
            calculated("Mul", extent(x, k + 1, graph), factor, graph)
            for k, factor in enumerate(factors)
        ]
        method, dtype = str(layer.config["interpolation"]).lower(), graph.dtype(x)
        if method in _KERNELS:
            y = graph.op(
                "ScaleAndTranslate", x, packed(sizes, graph), [float(f) for f in factors],
                [0.0, 0.0], kernel_type=method, antialias=False,
            )  # fmt: skip
        elif method in _RESIZERS:
            name, centred = _RESIZERS[method]
            half = centred and layer.config["half_pixel_centers"]
            attrs: dict[str, Any] = {"half_pixel_centers": True} if half else {}
            y = graph.op(name, x, packed(sizes, graph), **attrs)
        else:
            raise ConversionError(
                "unknown interpolation", expected=", ".join([*_RESIZERS, *_KERNELS]), found=method
            )
        return [y if graph.dtype(y) == dtype else graph.op("Cast", y, DstT=dtype)]


@register_layer
class UpSampling3D(UpSampling):
    """UpSampling3D: UpSampling over three axes."""

    class_name = "UpSampling3D"
    rank = 3

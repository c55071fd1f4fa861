"""Up-sampling: more positions along the spatial axes, by repetition or by interpolation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from modelfmt.errors import ConversionError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.moving import backwards, moved
from modelfmt.graphs.supposing import samples, supposed
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.extents import calculated, extent, packed
from modelfmt.layers.registry import register_layer
from modelfmt.layers.resizing import RESIZERS, SCALING, resizing
from modelfmt.layers.spatial import canonical_channels_last, channels_last, spread
from modelfmt.network import Config, Layer

#: Of the ops that move elements, those that can repeat them.
_REPEATING = {"Tile", "ConcatV2", "Concat", "GatherV2", "Gather"}
_OPS = frozenset(name for name, _ in RESIZERS.values())


class UpSampling(LayerCodec):
    """Every position repeated ``size`` times along each axis.

    Shapes: x (batch, *sizes, channels), or channels before the sizes
    Nodes:  for each axis GatherV2(x, FloorDiv(Range(0, new size), factor)); read as any movement of
            elements that does the same
    Source: Keras, UpSampling1D.call and UpSampling3D.call
    """

    rank: ClassVar[int]
    config = {"size": 2, "data_format": "channels_last"}

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; a size given as one number becomes one for each axis."""
        whole = super().completed(config, weights)
        return {**whole, "size": spread(whole["size"], self.rank)}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        first = layer.config.get("data_format") == "channels_first"
        y = inputs[0]
        for k, factor in enumerate(spread(layer.config["size"], self.rank)):
            if factor != 1:
                y = _repeated(y, k + (2 if first else 1), factor, graph)
        return [y]

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Nothing where no axis is repeated."""
        return [] if set(layer.config["size"]) == {1} else super().canonical(layer, shapes)

    # -- recognising --------------------------------------------------------------------------

    def roots(self) -> frozenset[str]:
        return frozenset({"Reshape", "ConcatV2", "GatherV2", "Gather", "Tile"})

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        best: Claim | None = None
        for source, nodes in backwards(graph, tensor, 3 * self.rank):
            shape = graph.shape(source)
            repeats = any(graph.graph[node].op in _REPEATING for node in nodes)
            if shape is None or len(shape) != self.rank + 2 or not repeats:
                continue
            sizes = repetitions(tensor, source, graph)
            if sizes is not None:
                found = self._of(sizes, source, nodes)
                best = found or best
        return best

    def _of(self, sizes: list[int], source: str, nodes: tuple[str, ...]) -> Claim | None:
        last, first = sizes[0] == sizes[-1] == 1, sizes[0] == sizes[1] == 1
        if not last and (not first or self.rank == 1):
            return None
        config: Config = {"size": sizes[1:-1] if last else sizes[2:]}
        if "data_format" in self.config:
            config["data_format"] = "channels_last" if last else "channels_first"
        return Claim((source,), config, {}, nodes)


def repetitions(tensor: str, source: str, graph: View) -> list[int] | None:
    """How often ``tensor`` repeats each element of ``source`` along each axis; None where it does
    anything else.
    """
    import numpy as np

    told: set[tuple[int, ...]] = set()
    for shape in samples(graph.shape(source), least=2):
        after = supposed(graph, tensor, {source: shape}).shape
        if after is None or len(after) != len(shape) or None in after:
            return None
        pairs = [(y or 0, x) for y, x in zip(after, shape, strict=True)]
        if any(not x or not y or y % x for y, x in pairs):
            return None
        told.add(tuple(y // x for y, x in pairs))
        if len(told) > 1:
            return None
        places = moved(graph, tensor, source, shape)
        wanted = np.arange(math.prod(shape)).reshape(shape)
        for axis, (y, x) in enumerate(pairs):
            wanted = np.repeat(wanted, y // x, axis)
        if places is None or not np.array_equal(places, wanted):
            return None
    return list(told.pop()) if told else None


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
    config = {"size": 2}

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; here alone Keras wants a number, not a list of one."""
        whole = super().completed(config, weights)
        return {**whole, "size": whole["size"][0]}

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Nothing where no step is repeated."""
        return [] if layer.config["size"] == 1 else LayerCodec.canonical(self, layer, shapes)


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
        plain = super().canonical(layer, shapes)
        return canonical_channels_last(plain[0], self.rank) if plain else []

    # -- both ways ----------------------------------------------------------------------------

    def roots(self) -> frozenset[str]:
        return super().roots() | {"Cast", "ScaleAndTranslate", *_OPS}

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        found = resizing(tensor, graph)
        if found is None or found.factors is None:
            return super().recognise(tensor, graph)
        if min(found.factors) < 1 or max(found.factors) == 1 or found.antialias:
            return None
        config = {"size": found.factors, "interpolation": found.method}
        return Claim((found.source,), config, {}, found.nodes)

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return channels_last(self._resized, layer, inputs, graph)

    def _resized(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        (x, *_), factors = inputs, layer.config["size"]
        sizes = [
            calculated("Mul", extent(x, k + 1, graph), factor, graph)
            for k, factor in enumerate(factors)
        ]
        method, dtype = str(layer.config["interpolation"]).lower(), graph.dtype(x)
        if method in SCALING:
            y = graph.op(
                "ScaleAndTranslate", x, packed(sizes, graph), [float(f) for f in factors],
                [0.0, 0.0], kernel_type=method, antialias=False,
            )  # fmt: skip
        elif method in RESIZERS:
            name, centred = RESIZERS[method]
            half = centred and layer.config["half_pixel_centers"]
            attrs: dict[str, Any] = {"half_pixel_centers": True} if half else {}
            y = graph.op(name, x, packed(sizes, graph), **attrs)
        else:
            raise ConversionError(
                "unknown interpolation", expected=", ".join([*RESIZERS, *SCALING]), found=method
            )
        return [y if graph.dtype(y) == dtype else graph.op("Cast", y, DstT=dtype)]


@register_layer
class UpSampling3D(UpSampling):
    """UpSampling3D: UpSampling over three axes."""

    class_name = "UpSampling3D"
    rank = 3

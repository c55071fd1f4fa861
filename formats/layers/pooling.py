"""Pooling over windows, and over all positions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from modelfmt import dtypes
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.mask_recognition import mask_of_steps, shown_steps
from modelfmt.layers.peeling import peeled
from modelfmt.layers.products import interior
from modelfmt.layers.registry import register_layer
from modelfmt.layers.spatial import canonical_channels_last, channels_last, spread, window_attrs
from modelfmt.layers.template import Input, Match, Template, op
from modelfmt.network import Config, Layer


class Pooling(LayerCodec):
    """A window that slides; strides default to the window's own size.

    Shapes: x (batch, *sizes, channels), or channels before the sizes
    Nodes:  read as in ``peeling``        Source: Keras, BasePooling.call
    """

    rank: ClassVar[int]
    pool: ClassVar[str]
    config = {"pool_size": 2, "strides": None, "padding": "valid", "data_format": "channels_last"}

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; no strides means the pool's size."""
        whole = super().completed(config, weights)
        whole["pool_size"] = spread(whole["pool_size"], self.rank)
        whole["strides"] = spread(whole["strides"] or whole["pool_size"], self.rank)
        return whole

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Channels first is a layer between two Permutes."""
        return canonical_channels_last(super().canonical(layer, shapes)[0], self.rank)

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return channels_last(super().write, layer, inputs, graph)


    def recognise(self, tensor: str, graph: View) -> Claim | None:
        found = peeled(graph, tensor)
        if found is None or found.rank != self.rank or found.op != self.pool:
            return None
        if found.bias is not None or set(found.dilation) != {1} or found.padding == "causal":
            return None
        config = {
            "pool_size": found.window, "strides": found.strides, "padding": found.padding,
            "data_format": found.data_format,
        }  # fmt: skip
        after: tuple[tuple[str, Config], ...] = ()
        if found.after:
            after = (("Permute", {"dims": found.after}),)
        scope = found.scope or None
        return Claim((found.x,), config, {}, found.nodes, scope=scope, after=after)

    def roots(self) -> frozenset[str]:
        around = {"Squeeze", "Reshape", "Transpose"} if self.rank == 1 else set()
        return frozenset({self.pool, *around})


def _windows(name: str, rank: int) -> Template:
    """The op; over one axis it is the one over two, of which the first has size 1."""
    x = Input(rank=rank + 2)
    attrs = window_attrs(rank, "ksize", "strides")
    if rank == 1:
        return op("Squeeze", op(name, op("ExpandDims", x, 1), **attrs), squeeze_dims=[1])
    return op(name, x, **attrs)


@register_layer
class MaxPooling1D(Pooling):
    """MaxPooling1D.  y = the largest of each window.  Nodes: ExpandDims, MaxPool, Squeeze"""

    class_name = "MaxPooling1D"
    rank, pool = 1, "MaxPool"
    template = _windows("MaxPool", 1)


@register_layer
class MaxPooling2D(Pooling):
    """MaxPooling2D.  y = the largest of each window.  Nodes: MaxPool(x)"""

    class_name = "MaxPooling2D"
    rank, pool = 2, "MaxPool"
    template = _windows("MaxPool", 2)


@register_layer
class MaxPooling3D(Pooling):
    """MaxPooling3D.  y = the largest of each window.  Nodes: MaxPool3D(x)"""

    class_name = "MaxPooling3D"
    rank, pool = 3, "MaxPool3D"
    template = _windows("MaxPool3D", 3)


@register_layer
class AveragePooling1D(Pooling):
    """AveragePooling1D.  y = the mean of each window; padding does not count

    Nodes: ExpandDims, AvgPool, Squeeze
    """

    class_name = "AveragePooling1D"
    rank, pool = 1, "AvgPool"
    template = _windows("AvgPool", 1)


@register_layer
class AveragePooling2D(Pooling):
    """AveragePooling2D.  y = the mean of each window; padding does not count.  Nodes: AvgPool(x)"""

    class_name = "AveragePooling2D"
    rank, pool = 2, "AvgPool"
    template = _windows("AvgPool", 2)


@register_layer
class AveragePooling3D(Pooling):
    """AveragePooling3D.  y = the mean of each window; padding does not count

    Nodes: AvgPool3D(x)
    """

    class_name = "AveragePooling3D"
    rank, pool = 3, "AvgPool3D"
    template = _windows("AvgPool3D", 3)


class GlobalPooling(LayerCodec):
    """A reduction over all positions.

    Shapes: x (batch, *sizes, channels), y (batch, channels), or 1s between with keepdims;
            channels_first: x (batch, channels, *sizes)
    """

    rank: ClassVar[int]
    config = {"data_format": "channels_last", "keepdims": False}
    reduction: ClassVar[str] = ""

    def axes(self, layer: Layer) -> list[int]:
        """Those of the positions."""
        first = layer.config["data_format"] == "channels_first"
        return list(range(2, self.rank + 2)) if first else list(range(1, self.rank + 1))

    def roots(self) -> frozenset[str]:
        return frozenset({self.reduction})

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        keep = bool(layer.config["keepdims"])
        return [graph.op(self.reduction, inputs[0], self.axes(layer), keep_dims=keep)]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        node = graph.producer(tensor)
        shape = graph.shape(node.inputs[0]) if node else None
        axes = graph.ints(node.inputs[1]) if node else None
        if node is None or axes is None or shape is None or None in axes:
            return None
        if len(shape) != self.rank + 2:
            return None
        positive = sorted((axis or 0) % len(shape) for axis in axes)
        last, first = list(range(1, self.rank + 1)), list(range(2, self.rank + 2))
        if positive not in (last, first):
            return None
        config = {
            "data_format": "channels_last" if positive == last else "channels_first",
            "keepdims": bool(graph.attr(node, "keep_dims")),
        }
        source = graph.resolve(node.inputs[0])
        return self.claim(Match({0: source}, config=config, nodes=(node.name,)))


@register_layer
class GlobalAveragePooling1D(GlobalPooling):
    """GlobalAveragePooling1D.  y = the mean over time, of the steps that a mask (batch, time) shows

    Nodes:  Mean(x, [1]); with a mask RealDiv(Sum(SelectV2(mask, x, 0)), Sum(mask))
    Source: Keras, GlobalAveragePooling1D.call
    """

    class_name = "GlobalAveragePooling1D"
    rank = 1
    reduction = "Mean"

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        mask = graph.masks.get(inputs[0])
        if mask is None:
            return super().write(layer, inputs, graph)
        first = layer.config["data_format"] == "channels_first"
        keep = bool(layer.config["keepdims"])
        x = inputs[0]
        seen = graph.op("ExpandDims", mask, 1 if first else 2)
        if graph.dtype(seen) != dtypes.bool_:
            seen = graph.op("Cast", seen, DstT=dtypes.bool_)
        shown = graph.op("SelectV2", seen, x, graph.op("ZerosLike", x))
        count = graph.op("Cast", seen, DstT=graph.dtype(x))
        total, steps = (
            graph.op("Sum", each, self.axes(layer), keep_dims=keep) for each in (shown, count)
        )
        return [graph.op("RealDiv", total, steps)]

    def roots(self) -> frozenset[str]:
        return frozenset({self.reduction, "RealDiv"})

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        node = graph.producer(tensor)
        if node is None or node.op != "RealDiv":
            return super().recognise(tensor, graph)
        total, steps = (graph.producer(i) for i in node.inputs)
        if total is None or steps is None or total.op != "Sum" or steps.op != "Sum":
            return None
        summed = super().recognise(total.name, graph)
        shown = None if summed is None else shown_steps(summed.inputs[0], graph)
        if summed is None or shown is None or graph.ints(steps.inputs[1]) != graph.ints(
            total.inputs[1]
        ):
            return None
        x, mask = shown
        if mask_of_steps(steps.inputs[0], graph) != mask:
            return None
        nodes = interior(tensor, [x, mask], graph)
        return dataclasses.replace(summed, inputs=(x,), nodes=nodes, mask=mask)


@register_layer
class GlobalAveragePooling2D(GlobalPooling):
    """GlobalAveragePooling2D.  y = the mean over rows and columns

    Nodes:  Mean(x, [1, 2])        Source: Keras, GlobalAveragePooling2D.call
    """

    class_name = "GlobalAveragePooling2D"
    rank = 2
    reduction = "Mean"


@register_layer
class GlobalAveragePooling3D(GlobalPooling):
    """GlobalAveragePooling3D.  y = the mean over three axes

    Nodes:  Mean(x, [1, 2, 3])        Source: Keras, GlobalAveragePooling3D.call
    """

    class_name = "GlobalAveragePooling3D"
    rank = 3
    reduction = "Mean"


@register_layer
class GlobalMaxPooling1D(GlobalPooling):
    """GlobalMaxPooling1D.  y = the largest over time

    Nodes:  Max(x, [1])        Source: Keras, GlobalMaxPooling1D.call
    """

    class_name = "GlobalMaxPooling1D"
    rank = 1
    reduction = "Max"


@register_layer
class GlobalMaxPooling2D(GlobalPooling):
    """GlobalMaxPooling2D.  y = the largest over rows and columns

    Nodes:  Max(x, [1, 2])        Source: Keras, GlobalMaxPooling2D.call
    """

    class_name = "GlobalMaxPooling2D"
    rank = 2
    reduction = "Max"


@register_layer
class GlobalMaxPooling3D(GlobalPooling):
    """GlobalMaxPooling3D.  y = the largest over three axes

    Nodes:  Max(x, [1, 2, 3])        Source: Keras, GlobalMaxPooling3D.call
    """

    class_name = "GlobalMaxPooling3D"
    rank = 3
    reduction = "Max"

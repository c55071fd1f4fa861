"""Pooling over windows, and over all positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.registry import register_layer
from modelfmt.layers.spatial import (
    DATA_FORMAT,
    PADDING,
    POOL_SIZE,
    STRIDES,
    canonical_channels_last,
    channels_last,
    pair,
)
from modelfmt.layers.template import Input, Match, op
from modelfmt.network import Config, Layer

_X = Input(rank=4)


class _Pooling(LayerCodec):
    """A window that slides; strides default to the window's own size."""

    config = {
        "pool_size": (2, 2), "strides": None, "padding": "valid", "data_format": "channels_last",
    }

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; no strides means the pool's size."""
        whole = super().completed(config, weights)
        whole["pool_size"] = pair(whole["pool_size"])
        whole["strides"] = pair(whole["strides"] or whole["pool_size"])
        return whole

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Channels first is a layer between two Permutes."""
        return canonical_channels_last(super().canonical(layer, shapes)[0])

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return channels_last(super().write, layer, inputs, graph)


_WINDOWS = {
    "ksize": POOL_SIZE, "strides": STRIDES, "padding": PADDING, "data_format": DATA_FORMAT,
}


@register_layer
class MaxPooling2D(_Pooling):
    """MaxPooling2D.  y = the largest of each window

    Shapes: x (batch, rows, cols, channels)
    Nodes:  MaxPool(x)        Source: Keras, BasePooling.call
    """

    class_name = "MaxPooling2D"
    template = op("MaxPool", _X, **_WINDOWS)


@register_layer
class AveragePooling2D(_Pooling):
    """AveragePooling2D.  y = the mean of each window; padding does not count

    Shapes: x (batch, rows, cols, channels)
    Nodes:  AvgPool(x)        Source: Keras, BasePooling.call
    """

    class_name = "AveragePooling2D"
    template = op("AvgPool", _X, **_WINDOWS)


class _GlobalPooling2D(LayerCodec):
    """A reduction over rows and columns."""

    config = {"data_format": "channels_last", "keepdims": False}
    reduction: ClassVar[str] = ""

    def roots(self) -> frozenset[str]:
        return frozenset({self.reduction})

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        axes = [2, 3] if layer.config["data_format"] == "channels_first" else [1, 2]
        keep = bool(layer.config["keepdims"])
        return [graph.op(self.reduction, inputs[0], axes, keep_dims=keep)]

    def recognise(self, tensor: str, graph: View) -> Any:
        node = graph.producer(tensor)
        shape = graph.shape(node.inputs[0]) if node else None
        axes = graph.ints(node.inputs[1]) if node else None
        if node is None or axes is None or shape is None or len(shape) != 4 or None in axes:
            return None
        positive = sorted((axis or 0) % 4 for axis in axes)
        if positive not in ([1, 2], [2, 3]):
            return None
        config = {
            "data_format": "channels_last" if positive == [1, 2] else "channels_first",
            "keepdims": bool(graph.attr(node, "keep_dims")),
        }
        source = graph.resolve(node.inputs[0])
        return self.claim(Match({0: source}, config=config, nodes=(node.name,)))


@register_layer
class GlobalAveragePooling2D(_GlobalPooling2D):
    """GlobalAveragePooling2D.  y = the mean over rows and columns

    Shapes: x (batch, rows, cols, channels), y (batch, channels), or 1s between with keepdims
    Nodes:  Mean(x, [1, 2])        Source: Keras, GlobalAveragePooling2D.call
    """

    class_name = "GlobalAveragePooling2D"
    reduction = "Mean"


@register_layer
class GlobalMaxPooling2D(_GlobalPooling2D):
    """GlobalMaxPooling2D.  y = the largest over rows and columns

    Shapes: as GlobalAveragePooling2D
    Nodes:  Max(x, [1, 2])        Source: Keras, GlobalMaxPooling2D.call
    """

    class_name = "GlobalMaxPooling2D"
    reduction = "Max"

"""Normalization by statistics of the sample itself: nothing is stored but a scale and an offset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.dot import unit_length
from modelfmt.layers.extents import Extent
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import axes_of, known_shape, lengths, reshaped
from modelfmt.network import Config, Layer


def _moments(x: str, axes: list[int], graph: GraphBuilder) -> tuple[str, str]:
    """Mean and variance along ``axes``, which stay as 1."""
    mean = graph.op("Mean", x, axes, keep_dims=True)
    apart = graph.op("SquaredDifference", x, mean)
    return mean, graph.op("Mean", apart, axes, keep_dims=True)


def _inverse(variance: str, layer: Layer, graph: GraphBuilder) -> str:
    return graph.op("Rsqrt", graph.op("AddV2", variance, float(layer.config["epsilon"])))


def _applied(
    x: str, mean: str, inverse: str, gamma: str | None, beta: str | None, graph: GraphBuilder
) -> str:
    """x * m + (beta - mean * m), m being inverse * gamma."""
    if gamma is not None:
        inverse = graph.op("Mul", inverse, gamma)
    moved = graph.op("Mul", graph.op("Neg", mean), inverse)
    if beta is not None:
        moved = graph.op("AddV2", moved, beta)
    return graph.op("AddV2", graph.op("Mul", x, inverse), moved)


def _seen(layer: Layer, name: str, sizes: Sequence[int], graph: GraphBuilder) -> str | None:
    """A weight in the shape in which it broadcasts with x; None where the layer has none."""
    if name not in layer.weights:
        return None
    weight = layer.weight(name)
    read = graph.weight(weight, name)
    if math.prod(sizes) != weight.size:
        raise MismatchError(
            f"{name} does not fit the input", expected=list(sizes), found=list(weight.shape)
        )
    return read if tuple(sizes) == weight.shape else graph.op("Reshape", read, list(sizes))


@register_layer
class LayerNormalization(LayerCodec):
    """LayerNormalization.  y = gamma * (x - mean) / sqrt(variance + epsilon) + beta

    Mean and variance along ``axis``, one or several. With ``rms_scaling``, y = gamma * x /
    sqrt(variance + epsilon).

    Shapes:  x of any rank, gamma and beta as x along ``axis``
    Weights: gamma (with scale or rms_scaling), beta (with center and without rms_scaling)
    Nodes:   Mean, SquaredDifference, Mean, Rsqrt, then AddV2(Mul(x, m), AddV2(Mul(-mean, m), beta))
    Source:  Keras, LayerNormalization.call and ops.layer_normalization
    """

    class_name = "LayerNormalization"
    autocast = (2,)
    computes_in_float32 = True
    supports_masking = True
    weights = ("gamma", "beta")
    optional_weights = {"gamma": "scale", "beta": "center"}
    config = {
        "axis": -1, "epsilon": 0.001, "center": True, "scale": True, "rms_scaling": False,
    }  # fmt: skip

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; rms_scaling settles which weights there are."""
        whole = super().completed(config, weights)
        if whole["rms_scaling"]:
            whole.update(scale=True, center=False)
        return whole

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x = inputs[0]
        shape = known_shape(x, graph, self.class_name)
        axes = sorted(axes_of(layer.config["axis"], len(shape)))
        sizes = [(shape[k] if k in axes else 1) for k in range(len(shape))]
        known = [size for size in sizes if size is not None]
        if layer.weights and len(known) < len(sizes):
            raise ConversionError("the sizes along the axis must be known", found=list(shape))
        if axes == [len(shape) - 1]:
            known = known[-1:]
        gamma, beta = (_seen(layer, name, known, graph) for name in self.weights)
        mean, variance = _moments(x, axes, graph)
        inverse = _inverse(variance, layer, graph)
        if not layer.config["rms_scaling"]:
            return [_applied(x, mean, inverse, gamma, beta, graph)]
        y = graph.op("Mul", x, inverse)
        return [y if gamma is None else graph.op("Mul", y, gamma)]


@register_layer
class GroupNormalization(LayerCodec):
    """GroupNormalization.  As LayerNormalization, for each sample and each group of channels

    Shapes:  x (batch, ..., channels, ...), gamma and beta (channels,); groups of -1 is a group for
             every channel
    Weights: gamma (with scale), beta (with center)
    Nodes:   Reshape to (..., groups, channels / groups, ...), the nodes of LayerNormalization along
             all other axes, Reshape back
    Source:  Keras, GroupNormalization.call
    """

    class_name = "GroupNormalization"
    autocast = (2,)
    computes_in_float32 = True
    supports_masking = True
    weights = ("gamma", "beta")
    optional_weights = {"gamma": "scale", "beta": "center"}
    config = {"groups": 32, "axis": -1, "epsilon": 0.001, "center": True, "scale": True}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x = inputs[0]
        shape = known_shape(x, graph, self.class_name)
        places = axes_of(layer.config["axis"], len(shape))
        if len(places) != 1 or places[0] == 0:
            raise ConversionError(
                "GroupNormalization over this axis cannot be written", found=layer.config["axis"]
            )
        axis, groups = places[0], layer.config["groups"]
        channels = shape[axis]
        groups = channels if groups == -1 else groups
        if channels is None or not isinstance(groups, int) or groups < 1 or channels % groups:
            raise MismatchError(
                "the groups do not share the channels evenly", expected=f"a divisor of {channels}",
                found=groups,
            )
        whole = lengths(x, graph)
        split: list[Extent] = [*whole[:axis], groups, channels // groups, *whole[axis + 1 :]]
        grouped = reshaped(x, split, graph)
        others = [k for k in range(1, len(split)) if k != axis]
        mean, variance = _moments(grouped, others, graph)
        sizes = [1] * len(split)
        sizes[axis : axis + 2] = [groups, channels // groups]
        gamma, beta = (_seen(layer, name, sizes, graph) for name in self.weights)
        y = _applied(grouped, mean, _inverse(variance, layer, graph), gamma, beta, graph)
        return [reshaped(y, whole, graph)]


@register_layer
class RMSNormalization(LayerCodec):
    """RMSNormalization.  y = scale * x / sqrt(mean of squares + epsilon)

    Shapes:  x of any rank; scale broadcasts with its last axes
    Weights: scale
    Nodes:   Mul(Mul(x, Rsqrt(AddV2(Mean(Square(x)), epsilon))), scale)
    Source:  Keras, ops.rms_normalization
    """

    class_name = "RMSNormalization"
    computes_in_float32 = True
    weights = ("scale",)
    config = {"axis": -1, "epsilon": 1e-6}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x = inputs[0]
        axes = axes_of(layer.config["axis"], len(known_shape(x, graph, self.class_name)))
        mean = graph.op("Mean", graph.op("Square", x), sorted(axes), keep_dims=True)
        y = graph.op("Mul", x, _inverse(mean, layer, graph))
        return [graph.op("Mul", y, graph.weight(layer.weight("scale"), "scale"))]


@register_layer
class UnitNormalization(LayerCodec):
    """UnitNormalization.  y = x / the length of x along ``axis``, one or several

    Nodes: Mul(x, Minimum(Rsqrt(Sum(Square(x))), 1e12)); in Keras 2 Mul(x, Rsqrt(Maximum(., 1e-12)))
    Source: Keras, UnitNormalization.call
    """

    class_name = "UnitNormalization"
    supports_masking = True
    config = {"axis": -1}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        rank = len(known_shape(inputs[0], graph, self.class_name))
        axes = sorted(axes_of(layer.config["axis"], rank))
        return [unit_length(inputs[0], axes, 1e-12, graph)]

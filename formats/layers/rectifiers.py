"""Layers that are an activation function with parameters or weights of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.dtypes import bool_, float32
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.activations import canonical_activation
from modelfmt.layers.codec import LayerCodec, normal_axis
from modelfmt.layers.registry import register_layer
from modelfmt.layers.template import (
    Field,
    Hole,
    Match,
    Weight,
    X,
    clipped,
    greater,
    one_of,
    only,
    op,
)
from modelfmt.network import Config, Layer

_ELU = op("Elu", X)
_ALPHA = Field("negative_slope")
_MAX = Field("max_value")
_THRESHOLD = Field("threshold")
_FLOAT = {"DstT": float32}
_ABOVE = one_of(
    op("Mul", X, op("Cast", greater(X, _THRESHOLD), **_FLOAT)),
    op("SelectV2", greater(X, _THRESHOLD), X, 0.0),
)
_BELOW = op("Relu", op("AddV2", op("Neg", X), _THRESHOLD))
_SLOPED = op("Mul", _ALPHA, op("Relu", op("Neg", X)))
_NO_SLOPE = {"negative_slope": 0.0}
_NO_THRESHOLD = {"threshold": 0.0}


@register_layer
class LeakyReLU(LayerCodec):
    """LeakyReLU.  y = x where x > 0, else negative_slope * x

    Nodes: LeakyRelu(x)        Source: Keras, LeakyReLU.call
    """

    class_name = "LeakyReLU"
    supports_masking = True
    config = {"negative_slope": 0.3}
    template = op("LeakyRelu", X, alpha=_ALPHA)
    also_read = (
        op("Sub", op("Relu", X), _SLOPED),
        op("Maximum", X, op("Mul", X, _ALPHA)),
    )

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Without a slope it is relu."""
        if not layer.config["negative_slope"]:
            return canonical_activation("relu")
        return super().canonical(layer, shapes)


@register_layer
class ReLU(LayerCodec):
    """ReLU.  y = min(max_value, x) where x > threshold, else negative_slope * (x - threshold)

    Nodes: Relu, Relu6, or a chain of Greater, Mul, Minimum, Maximum, Sub
    Source: Keras, ReLU.call and activations.relu
    """

    class_name = "ReLU"
    supports_masking = True
    config = {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}
    template = one_of(
        only(op("Relu", X), max_value=None, **_NO_SLOPE, **_NO_THRESHOLD),
        only(op("Relu6", X), max_value=6.0, **_NO_SLOPE, **_NO_THRESHOLD),
        only(op("LeakyRelu", X, alpha=_ALPHA), max_value=None, **_NO_THRESHOLD),
        only(clipped(op("Relu", X), 0.0, _MAX), **_NO_SLOPE, **_NO_THRESHOLD),
        only(_ABOVE, max_value=None, **_NO_SLOPE),
        only(clipped(_ABOVE, 0.0, _MAX), **_NO_SLOPE),
        only(op("Sub", clipped(op("Relu", X), 0.0, _MAX), _SLOPED), **_NO_THRESHOLD),
        only(op("Sub", _ABOVE, op("Mul", _ALPHA, _BELOW)), max_value=None),
        op("Sub", clipped(_ABOVE, 0.0, _MAX), op("Mul", _ALPHA, _BELOW)),
    )
    also_read = (
        only(op("Minimum", op("Relu", X), _MAX), **_NO_SLOPE, **_NO_THRESHOLD),
        only(clipped(X, 0.0, _MAX), **_NO_SLOPE, **_NO_THRESHOLD),
        only(op("Sub", op("Relu6", X), _SLOPED), max_value=6.0, **_NO_THRESHOLD),
    )

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """The function or layer that computes the same with fewer parameters, if there is one."""
        slope, threshold = layer.config["negative_slope"], layer.config["threshold"]
        largest = layer.config["max_value"]
        if not threshold and not slope and largest in (None, 6.0):
            return canonical_activation("relu" if largest is None else "relu6")
        if not threshold and largest is None:
            return [Layer("LeakyReLU", "", {"negative_slope": slope})]
        return super().canonical(layer, shapes)

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; numbers as floats, since files write 0 and 0.0 alike."""
        whole = super().completed(config, weights)
        for key in ("negative_slope", "threshold", "max_value"):
            if whole[key] is not None:
                whole[key] = float(whole[key])
        return whole


@register_layer
class ThresholdedReLU(LayerCodec):
    """ThresholdedReLU of Keras 1 and 2.  y = x where x > theta, else 0

    Read back as ReLU(threshold=theta), since Keras 3 has no class of this name.
    """

    class_name = "ThresholdedReLU"
    supports_masking = True
    config = {"theta": 1.0}

    @staticmethod
    def _relu(layer: Layer) -> Layer:
        config = {"threshold": float(layer.config["theta"]), "max_value": None, **_NO_SLOPE}
        return Layer("ReLU", layer.name, config)

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """A ReLU with a threshold."""
        return ReLU().canonical(self._relu(layer), shapes)

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return [ReLU.template.write(self._relu(layer), inputs, graph)]


@register_layer
class ELU(LayerCodec):
    """ELU.  y = x where x > 0, else alpha * (exp(x) - 1)

    Nodes: Elu(x), or SelectV2(x > 0, Elu(x), alpha * Elu(x))        Source: Keras, ELU.call
    """

    class_name = "ELU"
    supports_masking = True
    config = {"alpha": 1.0}
    template = one_of(
        only(_ELU, alpha=1.0),
        op("SelectV2", greater(X, 0.0), _ELU, op("Mul", Field("alpha"), _ELU)),
    )
    also_read = (op("SelectV2", greater(X, 0.0), X, op("Mul", Field("alpha"), _ELU)),)

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """With alpha 1 it is elu."""
        if layer.config["alpha"] == 1:
            return canonical_activation("elu")
        return super().canonical(layer, shapes)


@register_layer
class PReLU(LayerCodec):
    """PReLU.  y = relu(x) - alpha * relu(-x)

    Shapes:  x (batch, ...), alpha as x without batch, 1 along shared axes
    Weights: alpha
    Nodes:   AddV2(Relu(x), Mul(Neg(alpha), Relu(Neg(x))))        Source: Keras, PReLU.call
    """

    class_name = "PReLU"
    supports_masking = True
    weights = ("alpha",)
    config = {"shared_axes": None}
    template = op(
        "AddV2",
        op("Relu", X),
        op("Mul", op("Neg", Weight("alpha")), op("Relu", op("Neg", X))),
    )

    def refine(self, match: Match, graph: View) -> Match | None:
        """The shared axes are those along which alpha is 1 and x is not."""
        shape, alpha = graph.shape(match.inputs[0]), match.weights["alpha"].root.shape
        if shape is None or len(alpha) != len(shape) - 1:
            return None
        return match.also(shared_axes=_shared_axes(shape, alpha))

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """The shared axes are those that make a difference."""
        shape, alpha = shapes[0], layer.weight("alpha").shape
        if shape is None or len(alpha) != len(shape) - 1:
            return super().canonical(layer, shapes)
        return [dataclasses.replace(layer, config={"shared_axes": _shared_axes(shape, alpha)})]


def _shared_axes(shape: Sequence[int | None], alpha: Sequence[int]) -> list[int] | None:
    """The axes along which alpha is 1 and x is not, counted from 1, without the batch."""
    sizes = enumerate(zip(shape[1:], alpha, strict=True))
    return [axis + 1 for axis, (wide, own) in sizes if own == 1 and wide != 1] or None



@register_layer
class Softmax(LayerCodec):
    """Softmax.  y = exp(x) / sum(exp(x)) along an axis

    Nodes: Softmax(x) on the last axis; on another Max, Sub, Exp, Sum, RealDiv; on several
           Exp(Sub(x, the Log of the Sum of Exp(x)))
    Masks: what is hidden counts as -1e9; in Keras 3 it is 0 in the end. Keras 2 adds -1e9 to it,
           unless robust_masking
    Source: Keras, Softmax.call
    """

    class_name = "Softmax"
    supports_masking = True
    config = {"axis": -1}

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; a list of one axis is that axis."""
        whole = super().completed(config, weights)
        return {**whole, "axis": normal_axis(whole["axis"], None)}

    _shifted = op("Exp", op("Sub", X, op("Max", X, Field("axis"), keep_dims=True)))
    template = op("RealDiv", _shifted, op("Sum", _shifted, Field("axis"), keep_dims=True))
    also_read = (
        op("Transpose", op("Softmax", op("Transpose", X, Hole("there"))), Hole("back")),
    )

    def refine(self, match: Match, graph: View) -> Match | None:
        """Read the axis off an exchange with the last one, there and back."""
        if "there" not in match.holes:
            return match
        order = graph.ints(match.holes["there"])
        if order is None or order != graph.ints(match.holes["back"]):
            return None
        axis, last = order[-1], len(order) - 1
        swapped = [last if k == axis else axis if k == last else k for k in range(len(order))]
        return match.also(axis=axis) if order == swapped else None

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """On the last axis it is the function softmax; another axis counts from the front."""
        axis = normal_axis(layer.config["axis"], shapes[0])
        if axis == -1:
            return canonical_activation("softmax")
        return [dataclasses.replace(layer, config={"axis": axis})]

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x, mask = inputs[0], graph.masks.get(inputs[0])
        if mask is not None and graph.dtype(mask) != bool_:
            mask = graph.op("Greater", mask, 0.5)
        if mask is not None:
            x = _hidden(x, mask, layer, graph)
        if isinstance(layer.config["axis"], list):
            y = _over_several(x, layer.config["axis"], graph)
        elif normal_axis(layer.config["axis"], graph.shape(x)) == -1:
            y = graph.op("Softmax", x)
        else:
            y = super().write(layer, [x], graph)[0]
        if mask is not None and graph.keras_major == 3:
            y = graph.op("SelectV2", mask, y, 0.0)
        return [y]


def _over_several(x: str, axes: list[int], graph: GraphBuilder) -> str:
    """As Keras computes it: what is hidden throughout comes out as 1 where masks are added."""
    largest = graph.op("Max", x, axes, keep_dims=True)
    total = graph.op("Sum", graph.op("Exp", graph.op("Sub", x, largest)), axes, keep_dims=True)
    return graph.op("Exp", graph.op("Sub", x, graph.op("AddV2", graph.op("Log", total), largest)))


def _hidden(x: str, mask: str, layer: Layer, graph: GraphBuilder) -> str:
    """The scores, very small where ``mask`` hides them."""
    if graph.keras_major == 3 or layer.config.get("robust_masking"):
        return graph.op("SelectV2", mask, x, -1e9)
    shown = graph.op("Cast", mask, DstT=graph.dtype(x))
    return graph.op("AddV2", x, graph.op("Mul", graph.op("Sub", 1.0, shown), -1e9))

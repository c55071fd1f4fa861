"""Softmax along any axes, with masks and without."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.dtypes import bool_
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.activations import canonical_activation
from modelfmt.layers.codec import Claim, LayerCodec, normal_axes, normal_axis
from modelfmt.layers.registry import register_layer
from modelfmt.layers.template import Field, Hole, Match, X, op
from modelfmt.layers.trials import trials
from modelfmt.network import Config, Layer


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

    def roots(self) -> frozenset[str]:
        return super().roots() | {"Exp", "Mul", "RealDiv"}

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        """By its nodes as Keras writes them, or by what they compute."""
        return super().recognise(tensor, graph) or _computed(tensor, graph)

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
        axis = normal_axes(layer.config["axis"], shapes[0])
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


def _computed(tensor: str, view: View) -> Claim | None:
    """The claim of a Softmax on a part that computes one, along whatever axes."""
    import numpy as np

    for trial in trials(tensor, view):
        raised = np.exp(trial.x)
        for axes in trial.axes if not trial.values else ():
            if trial.is_like(raised / raised.sum(axes, keepdims=True)):
                last = trial.x.ndim - 1
                axis = list(axes) if len(axes) > 1 else -1 if axes[0] == last else axes[0]
                return Claim(trial.cut.inputs, {"axis": axis}, {}, trial.cut.nodes)
    return None

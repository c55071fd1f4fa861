"""Dot, the product of two tensors along one axis of each; and what makes vectors of length 1."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.einsum import write_einsum
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import axes_of, known_shape
from modelfmt.network import Config, Layer


def unit_length(x: str, axes: list[int], smallest: float, graph: GraphBuilder) -> str:
    """``x`` divided by its length along ``axes``.

    Keras 3 takes a length below ``smallest`` for it; Keras 2 does so below 1e-6, whatever asks.
    Source: Keras 3, ops.normalize; TensorFlow, linalg.l2_normalize.
    """
    squares = graph.op("Sum", graph.op("Square", x), axes, keep_dims=True)
    if graph.keras_major == 2:
        return graph.op("Mul", x, graph.op("Rsqrt", graph.op("Maximum", squares, 1e-12)))
    inverse = graph.op("Minimum", graph.op("Rsqrt", squares), 1.0 / smallest)
    return graph.op("Mul", x, inverse)


@register_layer
class Dot(LayerCodec):
    """Dot.  y = the sum of a * b along an axis of each, for every sample

    Shapes: a (batch, ..., n, ...), b the same with an n of its own, y (batch, the other axes of
            a, the other axes of b), or (batch, 1) where there are no others
    Nodes:  BatchMatMulV2 between Transposes and Reshapes; with ``normalize`` both are divided by
            their length along the axis first
    Source: Keras, Dot._merge_function and batch_dot
    """

    class_name = "Dot"
    arity = 2
    config = {"axes": -1, "normalize": False}

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; one axis is that of both."""
        whole = super().completed(config, weights)
        axes = whole["axes"]
        return {**whole, "axes": [axes, axes] if isinstance(axes, int) else axes}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        shapes = [known_shape(x, graph, "Dot") for x in inputs]
        if not isinstance(layer.config["axes"], list) or len(layer.config["axes"]) != 2:
            raise MismatchError(
                "Dot takes an axis of each input", expected="two", found=layer.config["axes"]
            )
        axes = [
            axes_of(axis, len(shape))[0]
            for axis, shape in zip(layer.config["axes"], shapes, strict=True)
        ]
        if 0 in axes:
            raise MismatchError("Dot cannot sum over the batch", found=layer.config["axes"])
        if layer.config["normalize"]:
            inputs = [
                unit_length(x, [axis], 1e-7, graph) for x, axis in zip(inputs, axes, strict=True)
            ]
        letters = iter(string.ascii_lowercase[2:])
        of_x, of_y = (
            "".join(
                "a" if k == 0 else "b" if k == axis else next(letters) for k in range(len(shape))
            )
            for axis, shape in zip(axes, shapes, strict=True)
        )
        kept = (of_x + of_y[1:]).replace("b", "")
        y = write_einsum(f"{of_x},{of_y}->{kept}", inputs[0], inputs[1], graph)
        return [graph.op("ExpandDims", y, 1) if len(kept) == 1 else y]

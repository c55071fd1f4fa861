"""SpectralNormalization: training divides a layer's kernel by its largest singular value."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.parts import names_of_parts, part
from modelfmt.layers.registry import codec_for, register_layer
from modelfmt.network import Config, Layer


@register_layer
class SpectralNormalization(LayerCodec):
    """SpectralNormalization.  y = layer(x)

    The division happens in training, and its result is stored as the wrapped layer's kernel.
    ``vector_u`` serves the next step only.

    Weights: those of the layer, as ``layer/kernel``, then vector_u (1, units); in .keras
             ``layer/vars/0``, ..., ``vars/0``
    Source:  Keras, SpectralNormalization.call; Keras 3 casts to the dtype of x
    """

    class_name = "SpectralNormalization"
    wraps = ("layer",)
    weights = ("vector_u",)
    non_trainable = ("vector_u",)
    config = {"power_iterations": 1}

    def weight_names(self, config: Config) -> tuple[str, ...]:
        return (*names_of_parts(config, self.wraps), "vector_u")

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """The wrapped layer, under the wrapper's name."""
        inner = part(layer, "layer")
        return codec_for(inner).canonical(dataclasses.replace(inner, name=layer.name), shapes)

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        inner = part(layer, "layer")
        with graph.scope(inner.name):
            made = codec_for(inner).write(inner, inputs, graph)
        wanted = graph.dtype(inputs[0])
        if graph.keras_major == 2:
            return made
        return [
            y if graph.dtype(y) == wanted else graph.op("Cast", y, DstT=wanted) for y in made
        ]

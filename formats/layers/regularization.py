"""Layers that act in training only: at inference they leave no node."""

from __future__ import annotations

from collections.abc import Sequence

from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.registry import register_layer
from modelfmt.network import Layer


class VanishingCodec(LayerCodec):
    """A layer that is the identity at inference. Recognition cannot bring it back."""

    supports_masking = True

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Nothing is left of it."""
        return []

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return list(inputs)


for _name in (
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout",
    "GaussianDropout", "GaussianNoise", "ActivityRegularization",
):  # fmt: skip
    register_layer(
        type(_name, (VanishingCodec,), {"class_name": _name, "__doc__": f"{_name}.  y = x"})
    )

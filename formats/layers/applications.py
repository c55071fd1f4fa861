"""Layers that keras.applications brings along, beside those of keras.layers.

LayerScale.  y = x * gamma
    Shapes:  x (..., channels), gamma (channels,), y as x
    Weights: gamma
    Nodes:   Mul(x, gamma)
    Source:  Keras, applications/convnext.py

CustomScaleLayer.  y = x[0] + x[1] * scale
    Shapes:  x[0], x[1] and y equal
    Nodes:   Mul(x[1], scale) -> AddV2(x[0], .)
    Source:  Keras, applications/inception_resnet_v2.py

StochasticDepth leaves a block out at random while training: at inference y = x.
"""

from __future__ import annotations

from typing import Any, ClassVar

from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.registry import register_layer
from modelfmt.layers.regularization import VanishingCodec
from modelfmt.network import Layer

_MODULE = "keras.src.applications.convnext"


@register_layer
class LayerScale(LayerCodec):
    """LayerScale.  y = x * gamma"""

    class_name = "LayerScale"
    module = _MODULE
    weights = ("gamma",)
    config: ClassVar[dict[str, Any]] = {"init_values": 1e-6, "projection_dim": None}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return [graph.op("Mul", inputs[0], layer.weight("gamma"))]


@register_layer
class CustomScaleLayer(LayerCodec):
    """CustomScaleLayer.  y = x[0] + x[1] * scale"""

    class_name = "CustomScaleLayer"
    module = "keras.src.applications.inception_resnet_v2"
    arity = 2
    config: ClassVar[dict[str, Any]] = {"scale": 1.0}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        scaled = graph.op("Mul", inputs[1], layer.config["scale"])
        return [graph.op("AddV2", inputs[0], scaled)]


@register_layer
class StochasticDepth(VanishingCodec):
    """StochasticDepth.  y = x"""

    class_name = "StochasticDepth"
    module = _MODULE
    config: ClassVar[dict[str, Any]] = {"drop_path_rate": 0.0}

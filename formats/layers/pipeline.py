"""Pipeline: layers in a row. Source: Keras, layers/preprocessing/pipeline.py."""

from __future__ import annotations

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.parts import part
from modelfmt.layers.registry import codec_for, register_layer
from modelfmt.network import Layer


@register_layer
class Pipeline(LayerCodec):
    """Pipeline.  Each layer of ``layers`` on what the one before it yields

    Weights: those of the layers, in order
    Source:  Keras, Pipeline.call
    """

    class_name = "Pipeline"
    wraps = ("layers",)
    config = {"layers": []}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        tensors = list(inputs)
        for index in range(len(layer.config["layers"])):
            inner = part(layer, f"layers/{index}")
            codec = codec_for(inner)
            if codec.arity not in (1, None) or len(tensors) != 1:
                raise ConversionError(
                    "a Pipeline of layers that take more than one tensor", found=inner.class_name
                )
            with graph.scope(inner.name):
                tensors = codec.write(inner, tensors, graph)
        return tensors

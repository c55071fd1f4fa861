"""Layers that apply another layer in their own way."""

from __future__ import annotations

from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.parts import part
from modelfmt.layers.registry import codec_for, register_layer
from modelfmt.network import Layer


@register_layer
class TimeDistributed(LayerCodec):
    """TimeDistributed.  y[:, t] = layer(x[:, t])

    Shapes:  x (batch, time, ...), y (batch, time, ...)
    Weights: layer/kernel, ..., as the wrapped layer has them
    Nodes:   Reshape(layer(Reshape(x, (batch * time, ...))), (batch, time, ...))
    Source:  Keras, TimeDistributed.call
    """

    class_name = "TimeDistributed"
    wraps = ("layer",)
    supports_masking = True

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        shape = graph.shape(inputs[0])
        if shape is None or len(shape) < 2:
            raise MismatchError(
                "TimeDistributed takes a sequence", expected="(batch, time, ...)", found=shape
            )
        inner = part(layer, "layer")
        sizes = graph.op("Shape", inputs[0])
        rest = graph.op("StridedSlice", sizes, [2], [0], [1], end_mask=1)
        flat = graph.op("Reshape", inputs[0], graph.op("ConcatV2", [-1], rest, 0, N=2))
        with graph.scope(inner.name):
            made = codec_for(inner).write(inner, [flat], graph)
        first = graph.op("StridedSlice", sizes, [0], [2], [1], begin_mask=1)
        outputs = []
        for tensor in made:
            rest = graph.op("StridedSlice", graph.op("Shape", tensor), [1], [0], [1], end_mask=1)
            outputs.append(graph.op("Reshape", tensor, graph.op("ConcatV2", first, rest, 0, N=2)))
        return outputs

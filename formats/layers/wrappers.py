"""Layers that apply another layer in their own way."""

from __future__ import annotations

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.each_step import dense_of_steps
from modelfmt.layers.parts import part
from modelfmt.layers.quantized import QuantizedCodec
from modelfmt.layers.registry import codec_for, register_layer
from modelfmt.network import Layer


@register_layer
class TimeDistributed(LayerCodec):
    """TimeDistributed.  y[:, t] = layer(x[:, t])

    Shapes:  x (batch, time, ...), y (batch, time, ...)
    Weights: layer/kernel, ..., as the wrapped layer has them
    Nodes:   Reshape(layer(Reshape(x, (batch * time, ...))), (batch, time, ...))
    Masks:   of each step's own steps, (batch, time, steps), go to the layer
    Source:  Keras, TimeDistributed.call; tf_keras, TimeDistributed.compute_mask
    """

    class_name = "TimeDistributed"
    wraps = ("layer",)
    supports_masking = True
    root_ops = frozenset({"Reshape"})

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        found = dense_of_steps(tensor, graph)
        if found is None:
            return None
        config = {
            "layer": {
                "module": LayerCodec.module, "class_name": "Dense",
                "config": {"name": "dense", **found.config}, "registered_name": None,
            },
        }  # fmt: skip
        weights = {f"layer/{name}": weight for name, weight in found.weights.items()}
        return Claim(found.inputs, config, weights, found.nodes)

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        shape = graph.shape(inputs[0])
        if shape is None or len(shape) < 2:
            raise MismatchError(
                "TimeDistributed takes a sequence", expected="(batch, time, ...)", found=shape
            )
        inner, mask = part(layer, "layer"), graph.masks.get(inputs[0])
        codec = codec_for(inner)
        if isinstance(codec, QuantizedCodec) and codec.scheme(inner.config) is not None:
            raise ConversionError(
                "TimeDistributed of a quantized layer cannot be written",
                hint="Keras takes its whole numbers for the kernel, and never scales them.",
            )
        sizes = graph.op("Shape", inputs[0])
        flat = _joined(inputs[0], graph)
        if mask is not None and len(graph.shape(mask) or ()) > 2:
            graph.masks[flat] = _joined(mask, graph)
        with graph.scope(inner.name):
            made = codec.write(inner, [flat], graph)
            masks = codec.masks(inner, [flat], made, graph)
        first = graph.op("StridedSlice", sizes, [0], [2], [1], begin_mask=1)
        outputs = []
        for tensor, made_mask in zip(made, masks, strict=True):
            outputs.append(_parted(tensor, first, graph))
            if made_mask is not None and graph.keras_major == 2:
                graph.masks[outputs[-1]] = _parted(made_mask, first, graph)
        return outputs

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        """Keras 3 hands the input's on. Keras 2 takes what the layer makes of each step, else
        whether any of the step is seen.
        """
        mask = graph.masks.get(inputs[0])
        if graph.keras_major == 3:
            return [mask for _ in outputs]
        inner = [graph.masks.get(y) for y in outputs]
        rank = 0 if mask is None else len(graph.shape(mask) or ())
        if mask is not None and rank > 2 and None in inner:
            mask = graph.op("Any", mask, list(range(2, rank)))
        return [made or mask for made in inner]


def _joined(x: str, graph: GraphBuilder) -> str:
    """(batch, time, ...) as (batch * time, ...)."""
    sizes = graph.op("Shape", x)
    rest = graph.op("StridedSlice", sizes, [2], [0], [1], end_mask=1)
    return graph.op("Reshape", x, graph.op("ConcatV2", [-1], rest, 0, N=2))


def _parted(x: str, first: str, graph: GraphBuilder) -> str:
    """(batch * time, ...) as (batch, time, ...), those two being ``first``."""
    rest = graph.op("StridedSlice", graph.op("Shape", x), [1], [0], [1], end_mask=1)
    return graph.op("Reshape", x, graph.op("ConcatV2", first, rest, 0, N=2))

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
from modelfmt.layers.stepwise import Stepwise, stepwise
from modelfmt.layers.writer import write_layers
from modelfmt.network import Layer, Network


@register_layer
class TimeDistributed(LayerCodec):
    """TimeDistributed.  y[:, t] = layer(x[:, t])

    Shapes:  x (batch, time, ...), y (batch, time, ...)
    Weights: layer/kernel, ..., as the wrapped layer has them
    Nodes:   Reshape(layer(Reshape(x, (batch * time, ...))), (batch, time, ...)); a whole model may
             stand for the layer, step by step where its operations may mix samples
    Masks:   of each step's own steps, (batch, time, steps), go to the layer
    Source:  Keras, TimeDistributed.call; tf_keras, TimeDistributed.compute_mask
    """

    class_name = "TimeDistributed"
    wraps = ("layer",)
    supports_masking = True
    root_ops = frozenset({"Reshape", "Transpose", "Pack"})

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        found = dense_of_steps(tensor, graph)
        if found is None:
            return _of_any_layer(stepwise(tensor, graph))
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
        inner: Layer | Network = layer.models.get("layer") or part(layer, "layer")
        if graph.keras_major == 3 and any(map(_mixes_samples, layer.models.values())):
            return _step_by_step(inner, inputs[0], graph)
        mask, sizes = graph.masks.get(inputs[0]), graph.op("Shape", inputs[0])
        flat = _joined(inputs[0], graph)
        if mask is not None and len(graph.shape(mask) or ()) > 2:
            graph.masks[flat] = _joined(mask, graph)
        with graph.scope(inner.name):
            made, masks = _applied(inner, flat, graph)
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


def _applied(
    inner: Layer | Network, x: str, graph: GraphBuilder
) -> tuple[list[str], list[str | None]]:
    """What a layer or a model makes of all steps at once, with its masks."""
    if isinstance(inner, Network):
        _require_one_input(inner)
        made = write_layers(inner, [x], graph)
        return made, [graph.masks.get(tensor) for tensor in made]
    codec = codec_for(inner)
    if isinstance(codec, QuantizedCodec) and codec.scheme(inner.config) is not None:
        raise ConversionError(
            "TimeDistributed of a quantized layer cannot be written",
            hint="Keras takes its whole numbers for the kernel, and never scales them.",
        )
    made = codec.write(inner, [x], graph)
    return made, codec.masks(inner, [x], made, graph)


def _require_one_input(model: Network) -> None:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ConversionError(
            "TimeDistributed of a model with several inputs or outputs cannot be written",
            found=f"{len(model.inputs)} and {len(model.outputs)}",
        )


#: Operations that the masks of Keras 3 are made of, and others of one number or two.
_APART = (
    "Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Negative", "Absolute", "Abs",
    "Power", "Maximum", "Minimum", "Square", "Sqrt", "Rsqrt", "Exp", "Log", "Relu", "Sigmoid",
    "Tanh", "Softplus", "Silu", "Gelu", "Equal", "NotEqual", "Greater", "GreaterEqual", "Less",
    "LessEqual", "LogicalAnd", "LogicalOr", "LogicalNot", "Cast", "Clip", "Where", "ZerosLike",
    "OnesLike",
)  # fmt: skip
#: Operations over the axes that they state.
_OVER_AXES = ("Any", "All", "Sum", "Mean", "Max", "Min", "Prod", "Softmax", "ExpandDims")


def _mixes_samples(model: Network) -> bool:
    """Whether a sample may see the others: layers keep them apart, operations as they please."""
    return any(
        (layer.is_operation and not _keeps_apart(layer))
        or any(map(_mixes_samples, layer.models.values()))
        for layer in model.walk()
    )


def _keeps_apart(operation: Layer) -> bool:
    """Whether an operation surely keeps samples apart: over one number each, or the last axis."""
    name = operation.class_name
    said = [operation.config, *(call.kwargs for call in operation.calls)]
    axes = [each["axis"] for each in said if "axis" in each]
    return name in _APART or (name in _OVER_AXES and axes != [] and set(map(str, axes)) == {"-1"})


def _step_by_step(inner: Layer | Network, x: str, graph: GraphBuilder) -> list[str]:
    """The layer or model applied to each step by itself, as Keras 3 does."""
    steps = (graph.shape(x) or (None, None))[1]
    if steps is None:
        raise ConversionError(
            "TimeDistributed of a model whose operations may mix samples needs a known number "
            "of steps"
        )
    made: list[list[str]] = []
    for k, step in enumerate(graph.ops("Unpack", x, num=steps, axis=1)):
        with graph.scope(f"{inner.name}_{k}" if k else inner.name):
            made.append(_applied(inner, step, graph)[0])
    return [graph.op("Pack", *each, axis=1) for each in zip(*made, strict=True)]


def _of_any_layer(found: Stepwise | None) -> Claim | None:
    if found is None:
        return None
    name = found.codec.class_name
    inner = {
        "module": found.codec.module, "class_name": name,
        "config": {"name": name.lower(), **found.config}, "registered_name": None,
    }  # fmt: skip
    weights = {f"layer/{key}": weight for key, weight in found.weights.items()}
    return Claim((found.x,), {"layer": inner}, weights, found.nodes)


def _joined(x: str, graph: GraphBuilder) -> str:
    """(batch, time, ...) as (batch * time, ...)."""
    sizes = graph.op("Shape", x)
    rest = graph.op("StridedSlice", sizes, [2], [0], [1], end_mask=1)
    return graph.op("Reshape", x, graph.op("ConcatV2", [-1], rest, 0, N=2))


def _parted(x: str, first: str, graph: GraphBuilder) -> str:
    """(batch * time, ...) as (batch, time, ...), those two being ``first``."""
    rest = graph.op("StridedSlice", graph.op("Shape", x), [1], [0], [1], end_mask=1)
    return graph.op("Reshape", x, graph.op("ConcatV2", first, rest, 0, N=2))

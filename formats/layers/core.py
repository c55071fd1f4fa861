"""Core layers: Dense, and what passes its input through."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.sizes import kept, sizes
from modelfmt.graphs.view import Constant, View
from modelfmt.layers.activations import ActivatedCodec
from modelfmt.layers.codec import Claim, Derived, LayerCodec, longest, shaped, turned
from modelfmt.layers.likeness import ROOTS, claim_of
from modelfmt.layers.quantized import QuantizedCodec, Scheme
from modelfmt.layers.quantized_products import (
    Product,
    multiplied,
    with_bias,
    with_lora,
    write_product,
)
from modelfmt.layers.registry import register_layer
from modelfmt.layers.template import Field, Hole, Input, Match, Template, Weight, X, one_of, op
from modelfmt.network import Config, Layer


def _units(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return shapes["kernel"][-1]


@register_layer
class Dense(ActivatedCodec, QuantizedCodec):
    """Dense.  y = activation(x @ kernel + bias)

    Shapes:  x (..., in), kernel (in, units), bias (units,), y (..., units); dtypes equal, float
    Weights: kernel, bias, in this order; `<layer>/kernel:0` in .h5; vars/0, vars/1 in .keras;
             further ones where it is quantized (quantized.py)
    Nodes:   MatMul(x, kernel) -> BiasAdd(., bias); for a rank above 2, Reshape around them
    Source:  Keras, Dense.call
    """

    class_name = "Dense"
    supports_masking = True
    weights = ("kernel", "bias")
    optional_weights = {"bias": "use_bias"}
    config = {"units": Derived(_units), "activation": "linear", "use_bias": True}
    _product = op(
        "MatMul", Input(rank=2), Weight("kernel"), transpose_a=False, transpose_b=False
    )
    template = one_of(op("BiasAdd", _product, Weight("bias")), _product)
    _rows = op("MatMul", op("Reshape", X, Hole("rows")), Weight("kernel"),
               transpose_a=False, transpose_b=False)
    _tensordot = op("Reshape", _rows, Hole("target"))
    _by_rows = op("MatMul", Input(rank=2), Weight("kernel"), transpose_a=False, transpose_b=True)
    also_read = (
        op("AddV2", _product, Weight("bias")),
        op("BiasAdd", _tensordot, Weight("bias")),
        op("AddV2", _tensordot, Weight("bias")),
        _tensordot,
        op("BiasAdd", _by_rows, Weight("bias")),
        op("AddV2", _by_rows, Weight("bias")),
        _by_rows,
    )
    scopes = ("Tensordot",)

    def refine(self, match: Match, graph: View) -> Match | None:
        """Check the sizes: of the weights, and that a product of rows keeps x's other axes."""
        if id(self._by_rows) in match.bound:
            stored = match.weights["kernel"].root
            if len(stored.shape) != 2:
                return None
            kernel_of = Constant(turned(stored, graph), stored.shape[::-1])
            match = dataclasses.replace(match, weights={**match.weights, "kernel": kernel_of})
        kernel, x = match.weights["kernel"].root.shape, graph.shape(match.inputs[0])
        bias = match.weights.get("bias")
        if len(kernel) != 2 or (bias and bias.root.size != kernel[1]):
            return None
        if bias and len(bias.root.shape) > 1:  # as a row
            if bias.shape[:-1] != (1,) * (len(bias.shape) - 1) or len(bias.shape) > 2:
                return None
            row = Constant(shaped(bias.root, kernel[1:], graph), kernel[1:])
            match = dataclasses.replace(match, weights={**match.weights, "bias": row})
        if "target" not in match.holes:
            return match
        if x is None or len(x) < 3 or x[-1] != kernel[0]:
            return None
        target = sizes(graph, match.holes["target"])
        if target is None or len(target) != len(x) or target[-1] not in (kernel[1], None, -1):
            return None
        return match if kept(graph, target, match.inputs[0], len(x) - 1) else None

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        shape = graph.shape(inputs[0])
        kernel = layer.weight("kernel")
        if shape is None:
            raise ConversionError("Dense needs an input of known rank")
        if (found := self.scheme(layer.config)) is not None:
            return [self.activated(layer, self._quantized(layer, found, inputs[0], graph), graph)]
        if not shape or len(kernel.shape) != 2:
            raise MismatchError(
                "the kernel does not fit its input", expected="a matrix, applied to a rank above 0",
                found=f"{list(kernel.shape)}, applied to a rank of {len(shape)}",
            )
        if shape[-1] is not None and shape[-1] != kernel.shape[0]:
            raise MismatchError(
                "the kernel does not fit its input", expected=shape[-1], found=kernel.shape[0]
            )
        if graph.dtype(inputs[0]).is_integer and kernel.dtype.is_floating:
            inputs = [graph.op("Cast", inputs[0], DstT=kernel.dtype)]
        if len(shape) == 2:
            return super().write(layer, inputs, graph)
        flat = graph.op("Reshape", inputs[0], [-1, kernel.shape[0]])
        product = graph.op("MatMul", flat, graph.weight(kernel, "kernel"))
        target = target_shape(inputs[0], (*shape[:-1], kernel.shape[1]), graph)
        y = graph.op("Reshape", product, target)
        if "bias" in layer.weights:
            y = graph.op("BiasAdd", y, graph.weight(layer.weight("bias"), "bias"))
        return [self.activated(layer, y, graph)]

    def _quantized(self, layer: Layer, found: Scheme, x: str, graph: GraphBuilder) -> str:
        def write(left: str, right: str) -> str:
            return multiplied(left, right, graph)

        terms = Product(write, (-1,), lambda scale: scale, int(layer.config["units"]))
        y = write_product(layer, found, x, terms, graph)
        y = with_lora(layer, y, "kernel", graph, lambda thin: write(x, thin))
        return with_bias(layer, found, y, graph)


def target_shape(source: str, shape: Dims, graph: GraphBuilder) -> Any:
    """An operand for Reshape that gives ``shape``, its unknown sizes taken from ``source``.

    A list where at most one size is unknown, else a tensor packed from the source's own Shape.
    """
    if shape is None:
        raise ConversionError("a tensor of unknown rank cannot be reshaped")
    if sum(size is None for size in shape) <= 1:
        return [-1 if size is None else size for size in shape]
    whole = graph.op("Shape", source)
    sizes: list[Any] = []
    for axis, size in enumerate(shape):
        sizes.append(
            graph.op("StridedSlice", whole, [axis], [axis + 1], [1], shrink_axis_mask=1)
            if size is None
            else size
        )
    return graph.op("Pack", *sizes, axis=0)


#: An image has no more channels than this.
_COLOURS = 4


@register_layer
class Rescaling(LayerCodec):
    """Rescaling.  y = x * scale + offset

    Each a number, or a list with one per channel.
    Nodes: AddV2(Mul(x, scale), offset)        Source: Keras, Rescaling.call
    """

    class_name = "Rescaling"
    supports_masking = True
    config = {"scale": 1.0, "offset": 0.0}
    template = op(
        "AddV2", op("Mul", X, Field("scale", vector=True)), Field("offset", vector=True)
    )

    def roots(self) -> frozenset[str]:
        return super().roots() | ROOTS

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        """By its nodes as Keras writes them, or by what they compute."""
        spelled = super().recognise(tensor, graph)
        return longest(spelled, claim_of(self.class_name, tensor, graph))

    def refine(self, match: Match, graph: View) -> Match | None:
        """Take lists of few numbers only: of many channels they are weights, kept as such."""
        lists = [value for value in match.config.values() if isinstance(value, list)]
        return match if all(len(value) <= _COLOURS for value in lists) else None

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        if graph.dtype(inputs[0]) != dtypes.float32:
            inputs = [graph.op("Cast", inputs[0], DstT=dtypes.float32)]
        return super().write(layer, inputs, graph)

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        """Keras 2 loses the mask here."""
        lost = graph.keras_major == 2
        return [None] if lost else super().masks(layer, inputs, outputs, graph)


def _seen(x: Input, axis: int) -> Template:
    """Where any feature of a step differs from the value that hides it."""
    return op("Any", op("NotEqual", x, Field("mask_value")), [axis], keep_dims=True)


#: Keras 1 counts the last axis from the front.
_SEEN = one_of(_seen(X, -1), _seen(Input(rank=3), 2))


@register_layer
class Masking(LayerCodec):
    """Masking.  y = x where any feature of a step differs from mask_value, else 0; and the mask

    Shapes: x (batch, time, ...), mask (batch, time)
    Nodes:  Mul(x, Cast(Any(NotEqual(x, mask_value))))        Source: Keras, Masking.call
    """

    class_name = "Masking"
    supports_masking = True
    config = {"mask_value": 0.0}
    also_read = (
        op("Mul", X, op("Cast", _SEEN)), op("Mul", X, op("Cast", op("Cast", _SEEN))),
        op("SelectV2", _SEEN, X, 0.0), op("SelectV2", _SEEN, X, op("ZerosLike", X)),
    )  # fmt: skip

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        seen = graph.op("Any", self._differs(layer, inputs[0], graph), [-1], keep_dims=True)
        kept = graph.op("Cast", seen, DstT=graph.dtype(inputs[0]))
        return [graph.op("Mul", inputs[0], kept)]

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        return [graph.op("Any", self._differs(layer, inputs[0], graph), [-1])]

    def _differs(self, layer: Layer, x: str, graph: GraphBuilder) -> str:
        return graph.op("NotEqual", x, float(layer.config["mask_value"]))


@register_layer
class Identity(LayerCodec):
    """Identity.  y = x, in training too        Source: Keras, Identity.call"""

    class_name = "Identity"
    supports_masking = True

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Nothing is left of it."""
        return []

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return list(inputs)


@register_layer
class Lambda(LayerCodec):
    """Lambda.  y = f(x), f being code of the Python that wrote the file

    The code is never executed, so the layer cannot be written. A codec of one's own can stand in.
    """

    class_name = "Lambda"
    arity = None
    arguments = frozenset({"mask"})

    def write(
        self, layer: Layer, inputs: list[str], graph: GraphBuilder, **given: Any
    ) -> list[str]:
        raise ConversionError(
            "a Lambda layer holds code, which modelfmt never executes",
            hint="Write a codec of class_name Lambda that does what the code does, and pass it "
            "with --custom FILE.py.",
        )

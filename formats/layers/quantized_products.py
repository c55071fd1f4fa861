"""Products with quantized weights: whole numbers by whole numbers, and floats of few bits.

    int8       round(x * s) @ kernel in int32, then divided by both scales
    float8     x / scale in float8 (e4m3fn) and back, likewise the kernel; the bias in bfloat16
    others     x @ the kernel, which its scales and zeros have made floats

Source: Keras, quantizers/quantizers.py; Dense._int8_call, _int4_call, _float8_call, _gptq_call, ...
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.quantized import Scheme, as_dtype, dequantized, unpacked
from modelfmt.layers.sizing import lengths, product, reshaped
from modelfmt.network import Layer
from modelfmt.tensor import Tensor

_FLOAT8_MOST = 448.0

# -- what x becomes -----------------------------


@dataclasses.dataclass(frozen=True)
class Rounding:
    """How x is made whole numbers: between ``least`` and ``most``, along ``axis`` where it says."""

    least: float = -127
    most: float = 127
    epsilon: float = 1e-7
    axis: int | None = None

    def write(self, x: str, axes: Sequence[int], graph: GraphBuilder) -> tuple[str, str]:
        """x times its scale, rounded, as int32; and the scale, of size 1 along ``axes``."""
        largest = graph.op("Max", graph.op("Abs", x), list(axes), keep_dims=True)
        scale = graph.op("RealDiv", self.most, graph.op("AddV2", largest, self.epsilon))
        whole = graph.op("Round", graph.op("Mul", x, scale))
        whole = graph.op("Maximum", graph.op("Minimum", whole, self.most), self.least)
        return graph.op("Cast", whole, DstT=dtypes.int32), scale


def rounding(layer: Layer, found: Scheme, default: Rounding | None) -> Rounding | None:
    """How a layer rounds what it is applied to; None: not at all.

    Raises:
        ConversionError: with a quantizer that is not Keras' own.
    """
    config = layer.config.get("quantization_config")
    held = config.get("config") if isinstance(config, dict) else None
    if not isinstance(held, Mapping):
        return default
    quantizer = held.get("activation_quantizer")
    if quantizer is None:
        return None
    values = quantizer.get("config") if isinstance(quantizer, dict) else None
    if not isinstance(values, dict) or quantizer.get("class_name") != "AbsMaxQuantizer":
        raise ConversionError(
            f"an activation quantizer of {found.mode} that cannot be written",
            expected="AbsMaxQuantizer", found=f"{quantizer!r:.80}",
        )
    least, most = values.get("value_range") or (-127, 127)
    axis = values.get("axis")
    if isinstance(axis, list | tuple):
        axis = axis[0] if len(axis) == 1 else None
    epsilon = values.get("epsilon", 1e-7)
    return Rounding(float(least), float(most), float(epsilon), axis)


def in_float8(x: str, scale: Tensor, name: str, graph: GraphBuilder) -> str:
    """x by its scale in float8 (e4m3fn), and back."""
    kind = graph.dtype(x)
    factor = as_dtype(graph.weight(scale, name), kind, graph)
    small = graph.op("RealDiv", x, factor)
    small = graph.op("Maximum", graph.op("Minimum", small, _FLOAT8_MOST), -_FLOAT8_MOST)
    small = graph.op("Cast", small, DstT=dtypes.from_name("float8_e4m3fn"))
    return graph.op("Mul", graph.op("Cast", small, DstT=kind), factor)


# -- products -----------------------------


@dataclasses.dataclass(frozen=True)
class Product:
    """The product of a layer's input with its kernel, in the terms of quantization.

    Attributes:
        write: emits the product of two tensors.
        axes: of x, over which it sums.
        aligned: has a tensor that is of size 1 along ``axes`` broadcast against the result.
        columns: how many the kernel has as a matrix, which packing does not tell.
        shape: the kernel's own sizes where a file holds it as a matrix; None where it is one.
    """

    write: Callable[[str, str], str]
    axes: tuple[int, ...]
    aligned: Callable[[str], str]
    columns: int
    shape: tuple[int, ...] | None = None


def write_product(
    layer: Layer, found: Scheme, x: str, terms: Product, graph: GraphBuilder
) -> str:
    """The product of ``x`` with the quantized kernel of a layer, low-rank matrices left out."""
    kind = graph.dtype(x)
    kernel = layer.weight("kernel")
    if found.mode == "float8":
        weight = in_float8(
            graph.weight(kernel, "kernel"), layer.weight("kernel_scale"), "kernel_scale", graph
        )
        return terms.write(in_float8(x, layer.weight("inputs_scale"), "inputs_scale", graph),
                             weight)  # fmt: skip
    if found.mode in ("gptq", "awq"):
        if found.bits == 4:
            kernel = unpacked(kernel, terms.columns, 0)
        weight = dequantized(layer, graph.weight(kernel, "kernel"), "kernel", graph, axis=1)
        weight = graph.op("Transpose", weight, [1, 0])
        if found.mode == "awq":
            scales = graph.weight(layer.weight("awq_scales"), "awq_scales")
            weight = graph.op("RealDiv", weight, graph.op("ExpandDims", scales, -1))
        return terms.write(x, _shaped(weight, terms, graph))
    if found.mode == "int4":
        kernel = unpacked(kernel, terms.columns)
    weight = graph.weight(kernel, "kernel")
    if found.grouped:
        weight = dequantized(layer, weight, "kernel", graph, axis=0)
        return terms.write(x, _shaped(weight, terms, graph))
    column = graph.weight(layer.weight("kernel_scale"), "kernel_scale")
    scale: str | None = column
    if terms.shape is not None and found.mode == "int4":
        weight = graph.op("RealDiv", as_dtype(weight, kind, graph), column)
        weight, scale = _shaped(weight, terms, graph), None
    rounds = rounding(layer, found, Rounding() if found.mode == "int8" else None)
    if rounds is not None:
        x, rounded = rounds.write(x, terms.axes, graph)
        rounded = terms.aligned(rounded)
        scale = rounded if scale is None else graph.op("Mul", scale, rounded)
    if graph.dtype(weight).is_floating:
        x = as_dtype(x, kind, graph)
    made = terms.write(x, as_dtype(weight, graph.dtype(x), graph))
    made = as_dtype(made, kind, graph)
    return made if scale is None else graph.op("RealDiv", made, scale)


def _shaped(matrix: str, terms: Product, graph: GraphBuilder) -> str:
    return matrix if terms.shape is None else graph.op("Reshape", matrix, list(terms.shape))


def with_lora(
    layer: Layer, y: str, table: str, graph: GraphBuilder, first: Callable[[str], str]
) -> str:
    """``y`` and the product with the layer's low-rank matrices, where its file has them.

    Args:
        layer: which may have them.
        y: what the quantized weight makes.
        table: the weight that they adapt.
        graph: where the nodes go.
        first: emits the product of the layer's input with the first matrix.
    """
    rank = layer.config.get("lora_rank")
    if not rank or f"lora_{table}_a" not in layer.weights:
        return y
    thin, wide = (
        graph.weight(layer.weight(f"lora_{table}_{half}"), f"lora_{table}_{half}") for half in "ab"
    )
    made = multiplied(first(thin), wide, graph)
    factor = float(layer.config.get("lora_alpha") or rank) / float(rank)
    return graph.op("AddV2", y, graph.op("Mul", made, factor))


def with_bias(layer: Layer, found: Scheme, y: str, graph: GraphBuilder) -> str:
    """``y`` and the layer's bias; beside float8 it is as exact as bfloat16."""
    if "bias" not in layer.weights:
        return y
    bias = graph.weight(layer.weight("bias"), "bias")
    if found.mode == "float8" and graph.dtype(bias) is dtypes.float32:
        bias = as_dtype(as_dtype(bias, dtypes.from_name("bfloat16"), graph), dtypes.float32, graph)
    return graph.op("AddV2", y, bias)


def multiplied(x: str, matrix: str, graph: GraphBuilder) -> str:
    """x of known rank, multiplied along its last axis by a matrix of known sizes."""
    shape, sides = graph.shape(x) or (), graph.shape(matrix) or ()
    if len(shape) == 2:
        return graph.op("MatMul", x, matrix)
    sizes = lengths(x, graph)
    rows = reshaped(x, [product(sizes[:-1], graph), sizes[-1]], graph)
    return reshaped(graph.op("MatMul", rows, matrix), [*sizes[:-1], sides[1] or -1], graph)

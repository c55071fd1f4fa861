"""Products over named axes, and EinsumDense, whose kernel is one factor of such a product.

    "abc,cd->abd"    axes of x, axes of y -> axes of the result; ... stands for any number of axes

Written as one MatMul of matrices, or one BatchMatMulV2 where both factors share an axis that stays:
the op Einsum is younger than TensorFlow 1.15.
"""

from __future__ import annotations

import dataclasses
import string
from collections.abc import Sequence
from typing import Any

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.activations import ActivatedCodec
from modelfmt.layers.codec import Claim
from modelfmt.layers.extents import Extent
from modelfmt.layers.products import Product as Multiplied
from modelfmt.layers.products import axis_sizes, interior, product_at
from modelfmt.layers.quantized import QuantizedCodec, Scheme
from modelfmt.layers.quantized_products import Product, with_bias, with_lora, write_product
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import known_shape, lengths, product, reshaped
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor


def write_einsum(equation: str, x: str, y: str, graph: GraphBuilder) -> str:
    """The product of two tensors of known rank along the axes that ``equation`` names.

    Raises:
        ConversionError: an equation that is none of two factors, or that names an axis of one
            factor twice.
        MismatchError: an axis of both factors that is longer in one.
    """
    shape_x, shape_y = known_shape(x, graph, "an einsum"), known_shape(y, graph, "an einsum")
    of_x, of_y, wanted = split_equation(equation, len(shape_x), len(shape_y))
    x, of_x = _summed(x, of_x, of_y + wanted, graph)
    y, of_y = _summed(y, of_y, of_x + wanted, graph)
    size: dict[str, Extent] = {}
    for letters, tensor in ((of_x, x), (of_y, y)):
        for letter, length in zip(letters, lengths(tensor, graph), strict=True):
            known = size.setdefault(letter, length)
            if isinstance(known, int) and isinstance(length, int) and known != length:
                raise MismatchError(
                    f"the factors of {equation} differ along {letter}", expected=known, found=length
                )
            if isinstance(length, int):
                size[letter] = length
    batch = [a for a in wanted if a in of_x and a in of_y]
    inner = [a for a in of_x if a in of_y and a not in wanted]
    rows = [a for a in of_x if a not in of_y]
    columns = [a for a in of_y if a not in of_x]

    def matrices(tensor: str, letters: str, first: list[str], second: list[str]) -> str:
        turned = _transposed(tensor, letters, [*batch, *first, *second], graph)
        if len(first) == len(second) == 1:
            return turned
        sizes = [size[a] for a in batch]
        for group in (first, second):
            sizes.append(product([size[a] for a in group], graph))
        return reshaped(turned, sizes, graph)

    left, right = matrices(x, of_x, rows, inner), matrices(y, of_y, inner, columns)
    made = graph.op("BatchMatMulV2" if batch else "MatMul", left, right)
    order = [*batch, *rows, *columns]
    if not len(rows) == len(columns) == 1:
        made = reshaped(made, [size[a] for a in order], graph)
    return _transposed(made, "".join(order), list(wanted), graph)


def split_equation(equation: str, rank_x: int, rank_y: int) -> tuple[str, str, str]:
    """The letters of both factors and of the result, with letters of their own for ``...``.

    Raises:
        ConversionError: see ``write_einsum``.
    """
    factors, arrow, wanted = str(equation).replace(" ", "").partition("->")
    of_x, comma, of_y = factors.partition(",")
    free = [a for a in string.ascii_letters if a not in factors + wanted]
    fits = _spelled(of_x, rank_x) and _spelled(of_y, rank_y)
    spare_x, spare_y = (
        rank - len(letters.replace("...", "")) for letters, rank in ((of_x, rank_x), (of_y, rank_y))
    )
    elided = max(spare_x, spare_y)
    if not (arrow and comma and fits and elided <= len(free)):
        raise ConversionError(
            "an equation that does not fit its factors",
            expected=f"axes of a rank of {rank_x} and of {rank_y}", found=equation,
        )

    def spelled(letters: str, count: int) -> str:
        return letters.replace("...", "".join(free[elided - count : elided]))

    of_x, of_y, wanted = spelled(of_x, spare_x), spelled(of_y, spare_y), spelled(wanted, elided)
    known = of_x + of_y
    for letters in (of_x, of_y, wanted):
        if len(set(letters)) != len(letters) or not set(letters) <= set(known):
            raise ConversionError("an equation that cannot be written yet", found=equation)
    return of_x, of_y, wanted


def _spelled(letters: str, rank: int) -> bool:
    """Whether these letters can name the axes of a tensor of this rank."""
    named = letters.replace("...", "", 1)
    whole = len(named) == rank or ("..." in letters and len(named) < rank)
    return whole and all(a in string.ascii_letters for a in named)


def _summed(tensor: str, letters: str, used: str, graph: GraphBuilder) -> tuple[str, str]:
    """The sum over the axes that nothing else names."""
    axes = [k for k, letter in enumerate(letters) if letter not in used]
    if not axes:
        return tensor, letters
    return graph.op("Sum", tensor, axes), "".join(a for a in letters if a in used)


def _transposed(tensor: str, letters: str, order: list[str], graph: GraphBuilder) -> str:
    """``tensor`` with its axes, ``letters``, in another order."""
    axes = [letters.index(a) for a in order]
    return tensor if axes == sorted(axes) else graph.op("Transpose", tensor, axes)


@register_layer
class EinsumDense(ActivatedCodec, QuantizedCodec):
    """EinsumDense.  y = activation(einsum(equation, x, kernel) + bias)

    Shapes:  as ``equation`` names them; bias has the result's last axes, 1 along those that
             ``bias_axes`` leaves out
    Weights: kernel, bias (with bias_axes); further ones where it is quantized (quantized.py)
    Nodes:   MatMul or BatchMatMulV2, between Transposes and Reshapes -> AddV2(., bias)
    Source:  Keras, EinsumDense.call
    """

    class_name = "EinsumDense"
    weights = ("kernel", "bias")
    optional_weights = {"bias": "bias_axes"}
    config = {"equation": "", "output_shape": None, "bias_axes": None, "activation": "linear"}
    scopes = ("einsum", "Einsum")
    root_ops = frozenset({"AddV2", "BiasAdd", "Einsum", "MatMul", "BatchMatMulV2", "Reshape",
                          "Transpose"})

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        if (found := self.scheme(layer.config)) is not None:
            return [self.activated(layer, self._quantized(layer, found, inputs[0], graph), graph)]
        kernel = graph.weight(layer.weight("kernel"), "kernel")
        y = write_einsum(layer.config["equation"], inputs[0], kernel, graph)
        if "bias" in layer.weights:
            y = graph.op("AddV2", y, graph.weight(layer.weight("bias"), "bias"))
        return [self.activated(layer, y, graph)]

    def _quantized(self, layer: Layer, found: Scheme, x: str, graph: GraphBuilder) -> str:
        equation = layer.config["equation"]
        rank = len(known_shape(x, graph, "EinsumDense"))
        factors = str(equation).replace(" ", "").split("->")[0]
        if "..." in factors:
            raise ConversionError(
                "a quantized EinsumDense of as many axes as may be, which no Keras makes",
                found=equation,
            )
        of_x, of_kernel, wanted = split_equation(equation, rank, len(factors.split(",")[1]))

        def write(left: str, right: str) -> str:
            return write_einsum(equation, left, right, graph)

        def aligned(scale: str) -> str:
            """The scale of x with its axes as the result's."""
            kept = [letter for letter in of_x if letter in wanted]
            scale = graph.op("Squeeze", scale, squeeze_dims=list(axes))
            scale = _transposed(scale, "".join(kept), [a for a in wanted if a in kept], graph)
            for place, letter in enumerate(wanted):
                scale = scale if letter in kept else graph.op("ExpandDims", scale, place)
            return scale

        axes = tuple(k for k, letter in enumerate(of_x) if letter not in wanted)
        whole, columns = self._kernel_sizes(layer, x, (of_x, of_kernel, wanted), graph)
        flat = whole if found.mode in ("int4", "gptq", "awq") else None
        terms = Product(write, axes, aligned, columns, flat)
        y = write_product(layer, found, x, terms, graph)
        y = with_lora(layer, y, "kernel", graph, lambda thin: write(x, thin))
        return with_bias(layer, found, y, graph)

    def _kernel_sizes(
        self, layer: Layer, x: str, letters: tuple[str, str, str], graph: GraphBuilder
    ) -> tuple[tuple[int, ...], int]:
        """The kernel's sizes, and how many columns it has as a matrix.

        Raises:
            ConversionError: a size that neither x nor the config tells.
        """
        of_x, of_kernel, wanted = letters
        said = layer.config["output_shape"]
        outer: list[Any] = [None, *(said if isinstance(said, list | tuple) else [said])]
        known = dict(zip(wanted, outer, strict=False))
        known.update({a: n for a, n in zip(of_x, graph.shape(x) or (), strict=False) if n})
        sizes = [known.get(letter) for letter in of_kernel]
        columns = 1
        for letter, size in zip(of_kernel, sizes, strict=True):
            if not isinstance(size, int):
                raise ConversionError(
                    "a quantized EinsumDense whose kernel is of unknown size",
                    found=f"{layer.config['equation']} to {said}",
                )
            columns *= size if letter in wanted else 1
        return tuple(size for size in sizes if isinstance(size, int)), columns

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        found = projection(tensor, graph)
        if found is None:
            return None
        equation = found.product.equation()
        if equation is None:
            return None
        of_x, of_y, wanted = split_equation(equation, *found.ranks)
        x, made = graph.shape(found.x), axis_sizes(found.product.axes)
        if x is None or made is None or of_x[:1] != wanted[:1]:
            return None  # Keras takes the first axis for the batch
        if (set(of_x) ^ set(of_y)) - set(wanted):
            return None
        weights, axes = {"kernel": found.kernel}, None
        if found.bias is not None:
            axes = _bias_axes(found.bias.shape, wanted, made)
            if axes is None:
                return None
            weights["bias"] = found.bias
        config: Config = {
            "equation": equation, "output_shape": list(made[1:]), "bias_axes": axes,
        }  # fmt: skip
        return Claim((found.x,), config, weights, interior(tensor, [found.x], graph))

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """The letters in the order of their first use; a matrix along the last axis is a Dense."""
        chain = super().canonical(layer, shapes)
        if self.scheme(layer.config) is not None:
            return chain
        rank = len(shapes[0] or ())
        of_x, of_y, wanted = split_equation(
            layer.config["equation"], rank, len(layer.weight("kernel").shape)
        )
        names = dict(zip(dict.fromkeys(of_x + of_y), string.ascii_letters, strict=False))
        called = str.maketrans(names)
        of_x, of_y, wanted = (part.translate(called) for part in (of_x, of_y, wanted))
        along = layer.config.get("bias_axes")
        bias = layer.weights.get("bias")
        if of_y[0] == of_x[-1] and of_y[1:] == wanted[-1:] and wanted[:-1] == of_x[:-1] and (
            bias is None or len(bias.shape) == 1
        ):
            units = layer.weight("kernel").shape[1]
            config: Config = {"units": units, "use_bias": bias is not None}
            return [dataclasses.replace(chain[0], class_name="Dense", config=config), *chain[1:]]
        config = {
            "equation": f"{of_x},{of_y}->{wanted}",
            "bias_axes": "".join(sorted(str(along).translate(called), key=wanted.find))
            if along else None,
        }  # fmt: skip
        return [dataclasses.replace(chain[0], config=config), *chain[1:]]


@dataclasses.dataclass(frozen=True)
class Projection:
    """x . kernel + bias; the kernel is the product's right factor."""

    product: Multiplied
    x: str
    kernel: Tensor
    bias: Tensor | None

    @property
    def ranks(self) -> tuple[int, int]:
        """How many axes x and the kernel have."""
        return len(self.product.left_axes), len(self.product.right_axes)


def projection(tensor: str, view: View, *, split: bool = False) -> Projection | None:
    """The product of a tensor and a constant that ``tensor`` is, with what is added to it."""
    bias, node = None, view.producer(tensor)
    if node is not None and node.op in ("AddV2", "BiasAdd"):
        for value, addend in (node.inputs, node.inputs[::-1]):
            constant = view.constant(addend)
            if constant is not None and constant.root.shape:
                tensor, bias = value, constant.root
                break
        else:
            return None
    found = product_at(tensor, view, split=split)
    if found is None:
        return None
    if view.constant(found.left) is not None:
        found = found.turned()
    kernel = view.constant(found.right)
    if kernel is None or view.constant(found.left) is not None:
        return None
    if not kernel.root.dtype.is_floating or (bias and not bias.dtype.is_floating):
        return None
    return Projection(found, found.left, kernel.root, bias)


def _bias_axes(bias: tuple[int, ...], wanted: str, made: Dims) -> str | None:
    """The axes of the result along which the bias differs; None where it is no such bias.

    It has all axes from the first of these on.
    """
    if made is None or not 0 < len(bias) < len(made):
        return None
    behind = list(zip(wanted, made, strict=True))[-len(bias) :]
    if any(size not in (1, length) for size, (_, length) in zip(bias, behind, strict=True)):
        return None
    return "".join(
        letter
        for k, (size, (letter, _)) in enumerate(zip(bias, behind, strict=True))
        if size != 1 or k == 0 or behind[k][1] == 1
    )

"""Dot, the product of two tensors along one axis of each; and what makes vectors of length 1."""

from __future__ import annotations

import dataclasses
import itertools
import math
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelfmt.errors import MismatchError
from modelfmt.graph import Dims, parse_input
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.cuts import MOST_ELEMENTS, Cut, between, cuts
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.einsum import write_einsum
from modelfmt.layers.likeness import close
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import axes_of, known_shape
from modelfmt.layers.trials import trials
from modelfmt.network import Config, Layer

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

#: Products of two tensors, and what changes the shape of them and of the result.
_PAIRS = {"BatchMatMulV2", "MatMul", "Einsum", "Mul"}
_SHAPING = {"ExpandDims", "Squeeze", "Transpose", "Reshape"}
#: What tells that lengths are divided by, and all that such a product is spelled with.
_LENGTHS = {"Rsqrt", "Sqrt", "Pow"}
_OPS = _PAIRS | _SHAPING | _LENGTHS | {
    "Sum", "Square", "Maximum", "Minimum", "RealDiv", "AddV2", "DivNoNan",
}  # fmt: skip
_ROOTS = frozenset({
    "BatchMatMulV2", "Einsum", "Squeeze", "ExpandDims", "Sum", "Mul", "RealDiv", "Reshape",
    "Transpose", "MatMul",
})  # fmt: skip


def unit_length(x: str, axes: list[int], smallest: float, graph: GraphBuilder) -> str:
    """``x`` divided by its length along ``axes``.

    Keras 3 takes a length below ``smallest`` for it; Keras 2 does so below 1e-6, whatever asks.
    Source: Keras 3, ops.normalize; TensorFlow, linalg.l2_normalize.
    """
    squares = graph.op("Sum", graph.op("Square", x), axes, keep_dims=True)
    if graph.keras_major == 2:
        return graph.op("Mul", x, graph.op("Rsqrt", graph.op("Maximum", squares, 1e-12)))
    inverse = graph.op("Minimum", graph.op("Rsqrt", squares), 1.0 / smallest)
    return graph.op("Mul", x, inverse)


@register_layer
class Dot(LayerCodec):
    """Dot.  y = the sum of a * b along an axis of each, for every sample

    Shapes: a (batch, ..., n, ...), b the same with an n of its own, y (batch, the other axes of
            a, the other axes of b), or (batch, 1) where there are no others
    Nodes:  BatchMatMulV2 between Transposes and Reshapes; with ``normalize`` both are divided by
            their length along the axis first
    Source: Keras, Dot._merge_function and batch_dot
    """

    class_name = "Dot"
    arity = 2
    root_ops = _ROOTS
    config = {"axes": -1, "normalize": False}

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; one axis is that of both."""
        whole = super().completed(config, weights)
        axes = whole["axes"]
        return {**whole, "axes": [axes, axes] if isinstance(axes, int) else axes}

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """With axes counted from the front."""
        axes = [
            axis if shape is None else axis % len(shape)
            for axis, shape in zip(layer.config["axes"], shapes, strict=True)
        ]
        (plain,) = super().canonical(layer, shapes)
        return [dataclasses.replace(plain, config={**plain.config, "axes": axes})]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        """The largest part that computes such a product of two tensors."""
        for cut in reversed([*_plain_products(tensor, graph), *_cosines(tensor, graph)]):
            found = None if cut.escapes or cut.weights else _product(cut)
            if found is not None:
                return _with_lengths(found, cut)
        return None

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        shapes = [known_shape(x, graph, "Dot") for x in inputs]
        if not isinstance(layer.config["axes"], list) or len(layer.config["axes"]) != 2:
            raise MismatchError(
                "Dot takes an axis of each input", expected="two", found=layer.config["axes"]
            )
        axes = [
            axes_of(axis, len(shape))[0]
            for axis, shape in zip(layer.config["axes"], shapes, strict=True)
        ]
        if 0 in axes:
            raise MismatchError("Dot cannot sum over the batch", found=layer.config["axes"])
        if layer.config["normalize"]:
            inputs = [
                unit_length(x, [axis], 1e-7, graph) for x, axis in zip(inputs, axes, strict=True)
            ]
        letters = iter(string.ascii_lowercase[2:])
        of_x, of_y = (
            "".join(
                "a" if k == 0 else "b" if k == axis else next(letters) for k in range(len(shape))
            )
            for axis, shape in zip(axes, shapes, strict=True)
        )
        kept = (of_x + of_y[1:]).replace("b", "")
        y = write_einsum(f"{of_x},{of_y}->{kept}", inputs[0], inputs[1], graph)
        return [graph.op("ExpandDims", y, 1) if len(kept) == 1 else y]


# -- recognising ---------------------------------------------------------------------------------

def _plain_products(tensor: str, view: View) -> Iterator[Cut]:
    """The parts that are one product, with changes of shape around it: the smallest first."""
    at = view.resolve(tensor)
    while (node := view.producer(at)) is not None and node.op in _SHAPING:
        at = view.resolve(node.inputs[0])
    if node is not None and node.op in ("Sum", "Mul"):
        node = view.producer(node.inputs[0]) if node.op == "Sum" else None
    if node is None or node.op not in _PAIRS or len(node.inputs) != 2:
        return
    chains: list[list[str]] = []
    for operand in map(view.resolve, node.inputs):
        chain = [operand]
        while (above := view.producer(chain[-1])) is not None and above.op in _SHAPING:
            chain.append(view.resolve(above.inputs[0]))
        chains.append(chain)
    for inputs in sorted(itertools.product(*map(enumerate, chains)), key=_depth):
        cut = between(view, tensor, list(dict.fromkeys(name for _, name in inputs)))
        if cut is not None:
            yield cut


def _depth(inputs: Sequence[tuple[int, str]]) -> int:
    return sum(place for place, _ in inputs)


def _cosines(tensor: str, view: View) -> Iterator[Cut]:
    """The parts that may be a product divided by lengths."""
    for cut in cuts(view, tensor, 2):
        if not cut.ops <= _OPS or cut.weights:
            return
        if len(cut.ops & _PAIRS) and cut.ops & _LENGTHS:
            yield cut


def _with_lengths(claim: Claim, cut: Cut) -> Claim:
    """Where both factors are first divided by their length, and for this alone, that as well."""
    if claim.config["normalize"]:
        return claim
    pairs = zip(claim.inputs, claim.config["axes"], strict=True)
    sides = [_unit(tensor, axis, cut) for tensor, axis in pairs]
    if not all(sides):
        return claim
    inputs = tuple(side.inputs[0] for side in sides if side)
    nodes = [name for side in sides if side for name in side.nodes]
    config = {**claim.config, "normalize": True}
    return Claim(inputs, config, {}, tuple(dict.fromkeys((*claim.nodes, *nodes))))


def _unit(tensor: str, axis: int, below: Cut) -> Cut | None:
    """The part that divides a tensor by its length along ``axis`` and is read by ``below`` only."""
    import numpy as np

    view = below.view
    if view.consumers.get(parse_input(tensor).node, set()) - set(below.nodes):
        return None
    scope = below.interior[-1].name.rpartition("/")[0]
    for trial in trials(tensor, view):
        length = np.sqrt(np.square(trial.x).sum(axis, keepdims=True))
        if not trial.values and trial.is_like(trial.x / length):
            inside = all(name.startswith(scope) for name in trial.cut.nodes)
            return trial.cut if inside and tensor not in view.outputs else None
    return None


def _product(cut: Cut) -> Claim | None:
    import numpy as np

    inputs = _in_order(cut)
    both = inputs if len(inputs) == 2 else inputs * 2
    for unknown in ((2, 5, 7, 3, 6, 4), (2, 5, 5, 5, 5, 5)):
        shapes = {i: cut.shape(cut.inputs.index(i), unknown) for i in inputs}
        if any(not shape or math.prod(shape) > MOST_ELEMENTS for shape in shapes.values()):
            return None
        random = np.random.default_rng(0)
        values = {i: random.normal(0, 50, shape) for i, shape in shapes.items() if shape}
        y = cut.run([values[i] for i in cut.inputs])
        if y is None:
            continue
        for a, b in dict.fromkeys((both, both[::-1])):
            config = _config(y, values[a], values[b])
            if config is not None:
                return Claim((a, b), config, {}, cut.nodes)
    return None


def _config(y: Array, a: Array, b: Array) -> Config | None:
    """The axes along which ``y`` is the product of ``a`` and ``b``."""
    for i, j in itertools.product(range(a.ndim - 1, 0, -1), range(b.ndim - 1, 0, -1)):
        if a.shape[i] != b.shape[j] or a.shape[0] != b.shape[0]:
            continue
        for normalize in (False, True):
            if close(y, _dot(a, b, i, j, normalize)):
                return {"axes": [i, j], "normalize": normalize}
    return None


def _dot(a: Array, b: Array, i: int, j: int, normalize: bool) -> Array:
    import numpy as np

    if normalize:
        a = a / np.sqrt(np.square(a).sum(i, keepdims=True))
        b = b / np.sqrt(np.square(b).sum(j, keepdims=True))
    rows = np.moveaxis(a, i, -1)
    columns = np.moveaxis(b, j, -1)
    made = np.stack([np.tensordot(x, y, (-1, -1)) for x, y in zip(rows, columns, strict=True)])
    return made[:, None] if made.ndim == 1 else made


def _in_order(cut: Cut) -> tuple[str, ...]:
    """The inputs as the root's operands come to them, the first operand's first."""
    inside = {node.name: node for node in cut.interior}
    found: dict[str, None] = {}
    todo, seen = [cut.root], set[str]()
    while todo:
        tensor = todo.pop()
        if tensor in cut.inputs:
            found[tensor] = None
        elif tensor not in seen:
            seen.add(tensor)
            node = inside.get(parse_input(tensor).node)
            todo += [cut.view.resolve(i) for i in reversed(node.inputs if node else [])]
    return tuple(found)

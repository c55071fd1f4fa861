"""Layers that are an activation function with parameters or weights of their own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelfmt.dtypes import float32
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.cuts import MOST_ELEMENTS, Cut, cuts
from modelfmt.graphs.view import View
from modelfmt.layers.activations import canonical_activation
from modelfmt.layers.codec import Claim, LayerCodec, longest, shaped
from modelfmt.layers.likeness import ROOTS, claim_of, close
from modelfmt.layers.registry import register_layer
from modelfmt.layers.template import (
    Field,
    Match,
    Weight,
    X,
    clipped,
    greater,
    one_of,
    only,
    op,
)
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_ELU = op("Elu", X)
_ALPHA = Field("negative_slope")
_MAX = Field("max_value")
_THRESHOLD = Field("threshold")
_FLOAT = {"DstT": float32}
_ABOVE = one_of(
    op("Mul", X, op("Cast", greater(X, _THRESHOLD), **_FLOAT)),
    op("SelectV2", greater(X, _THRESHOLD), X, 0.0),
)
_BELOW = op("Relu", op("AddV2", op("Neg", X), _THRESHOLD))
_SLOPED = op("Mul", _ALPHA, op("Relu", op("Neg", X)))
_NO_SLOPE = {"negative_slope": 0.0}
_NO_THRESHOLD = {"threshold": 0.0}


class _Curved(LayerCodec):
    """A function of each number by itself: told by its nodes, or by what they compute."""

    supports_masking = True

    def roots(self) -> frozenset[str]:
        return super().roots() | ROOTS

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        spelled = super().recognise(tensor, graph)
        return longest(spelled, claim_of(self.class_name, tensor, graph))


@register_layer
class LeakyReLU(_Curved):
    """LeakyReLU.  y = x where x > 0, else negative_slope * x

    Nodes: LeakyRelu(x)        Source: Keras, LeakyReLU.call
    """

    class_name = "LeakyReLU"
    supports_masking = True
    config = {"negative_slope": 0.3}
    template = op("LeakyRelu", X, alpha=_ALPHA)
    also_read = (
        op("Sub", op("Relu", X), _SLOPED),
        op("Maximum", X, op("Mul", X, _ALPHA)),
    )

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Without a slope it is relu."""
        if not layer.config["negative_slope"]:
            return canonical_activation("relu")
        return super().canonical(layer, shapes)


@register_layer
class ReLU(_Curved):
    """ReLU.  y = min(max_value, x) where x > threshold, else negative_slope * (x - threshold)

    Nodes: Relu, Relu6, or a chain of Greater, Mul, Minimum, Maximum, Sub
    Source: Keras, ReLU.call and activations.relu
    """

    class_name = "ReLU"
    supports_masking = True
    config = {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}
    template = one_of(
        only(op("Relu", X), max_value=None, **_NO_SLOPE, **_NO_THRESHOLD),
        only(op("Relu6", X), max_value=6.0, **_NO_SLOPE, **_NO_THRESHOLD),
        only(op("LeakyRelu", X, alpha=_ALPHA), max_value=None, **_NO_THRESHOLD),
        only(clipped(op("Relu", X), 0.0, _MAX), **_NO_SLOPE, **_NO_THRESHOLD),
        only(_ABOVE, max_value=None, **_NO_SLOPE),
        only(clipped(_ABOVE, 0.0, _MAX), **_NO_SLOPE),
        only(op("Sub", clipped(op("Relu", X), 0.0, _MAX), _SLOPED), **_NO_THRESHOLD),
        only(op("Sub", _ABOVE, op("Mul", _ALPHA, _BELOW)), max_value=None),
        op("Sub", clipped(_ABOVE, 0.0, _MAX), op("Mul", _ALPHA, _BELOW)),
    )
    also_read = (
        only(op("Minimum", op("Relu", X), _MAX), **_NO_SLOPE, **_NO_THRESHOLD),
        only(clipped(X, 0.0, _MAX), **_NO_SLOPE, **_NO_THRESHOLD),
        only(op("Sub", op("Relu6", X), _SLOPED), max_value=6.0, **_NO_THRESHOLD),
    )

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """The function or layer that computes the same with fewer parameters, if there is one."""
        slope, threshold = layer.config["negative_slope"], layer.config["threshold"]
        largest = layer.config["max_value"]
        if not threshold and not slope and largest in (None, 6.0):
            return canonical_activation("relu" if largest is None else "relu6")
        if not threshold and largest is None:
            return [Layer("LeakyReLU", "", {"negative_slope": slope})]
        return super().canonical(layer, shapes)

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; numbers as floats, since files write 0 and 0.0 alike."""
        whole = super().completed(config, weights)
        for key in ("negative_slope", "threshold", "max_value"):
            if whole[key] is not None:
                whole[key] = float(whole[key])
        return whole


@register_layer
class ThresholdedReLU(LayerCodec):
    """ThresholdedReLU of Keras 1 and 2.  y = x where x > theta, else 0

    Read back as ReLU(threshold=theta), since Keras 3 has no class of this name.
    """

    class_name = "ThresholdedReLU"
    supports_masking = True
    config = {"theta": 1.0}

    @staticmethod
    def _relu(layer: Layer) -> Layer:
        config = {"threshold": float(layer.config["theta"]), "max_value": None, **_NO_SLOPE}
        return Layer("ReLU", layer.name, config)

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """A ReLU with a threshold."""
        return ReLU().canonical(self._relu(layer), shapes)

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return [ReLU.template.write(self._relu(layer), inputs, graph)]


@register_layer
class ELU(_Curved):
    """ELU.  y = x where x > 0, else alpha * (exp(x) - 1)

    Nodes: Elu(x), or SelectV2(x > 0, Elu(x), alpha * Elu(x))        Source: Keras, ELU.call
    """

    class_name = "ELU"
    supports_masking = True
    config = {"alpha": 1.0}
    template = one_of(
        only(_ELU, alpha=1.0),
        op("SelectV2", greater(X, 0.0), _ELU, op("Mul", Field("alpha"), _ELU)),
    )
    also_read = (op("SelectV2", greater(X, 0.0), X, op("Mul", Field("alpha"), _ELU)),)

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """With alpha 1 it is elu."""
        if layer.config["alpha"] == 1:
            return canonical_activation("elu")
        return super().canonical(layer, shapes)


@register_layer
class PReLU(LayerCodec):
    """PReLU.  y = relu(x) - alpha * relu(-x)

    Shapes:  x (batch, ...), alpha as x without batch, 1 along shared axes
    Weights: alpha
    Nodes:   AddV2(Relu(x), Mul(Neg(alpha), Relu(Neg(x))))        Source: Keras, PReLU.call
    """

    class_name = "PReLU"
    supports_masking = True
    weights = ("alpha",)
    config = {"shared_axes": None}
    template = op(
        "AddV2",
        op("Relu", X),
        op("Mul", op("Neg", Weight("alpha")), op("Relu", op("Neg", X))),
    )

    def roots(self) -> frozenset[str]:
        return super().roots() | ROOTS

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        """By its nodes as Keras writes them, or by what they compute."""
        return super().recognise(tensor, graph) or _bent(tensor, graph)

    def refine(self, match: Match, graph: View) -> Match | None:
        """The shared axes are those along which alpha is 1 and x is not."""
        shape, alpha = graph.shape(match.inputs[0]), match.weights["alpha"].root.shape
        if shape is None or len(alpha) != len(shape) - 1:
            return None
        return match.also(shared_axes=_shared_axes(shape, alpha))

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """The shared axes are those that make a difference."""
        shape, alpha = shapes[0], layer.weight("alpha").shape
        if shape is None or len(alpha) != len(shape) - 1:
            return super().canonical(layer, shapes)
        return [dataclasses.replace(layer, config={"shared_axes": _shared_axes(shape, alpha)})]


def _shared_axes(shape: Sequence[int | None], alpha: Sequence[int]) -> list[int] | None:
    """The axes along which alpha is 1 and x is not, counted from 1, without the batch."""
    sizes = enumerate(zip(shape[1:], alpha, strict=True))
    return [axis + 1 for axis, (wide, own) in sizes if own == 1 and wide != 1] or None


def _bent(tensor: str, view: View) -> Claim | None:
    """The claim of a PReLU on a part that scales what is below zero by a stored tensor."""
    import numpy as np

    from modelfmt.ops.numbers import ELEMENTWISE

    # What is above and below zero comes together in the last node: no part in between is one by
    # itself, or it would be a layer of its own.
    for cut in cuts(view, tensor)[:1]:
        shape = view.shape(cut.inputs[0])
        if not cut.ops <= ELEMENTWISE or shape is None or len(cut.weights) > 1:
            return None
        if cut.escapes or not cut.weights or len(cut.interior) < 2:
            continue
        stored, axes = cut.weights[0], len(shape) - 1
        sizes = stored.shape if len(stored.shape) == axes else (*[1] * (axes - 1), stored.size)
        if len(sizes) != axes or math.prod(sizes) > MOST_ELEMENTS:
            return None
        random = np.random.default_rng(0)
        tried = (4, *(size if size > 1 else 3 for size in sizes))
        x = random.normal(0, 1, tried) * 10.0 ** random.uniform(-2, 3, tried)
        # max(x, alpha * x) is one as long as alpha is not above 1.
        highest = 3.0 if (stored.numpy() > 1).any() else 1.0
        alpha = random.uniform(0.0, highest, sizes)
        y = cut.run([x], {id(stored): alpha.reshape(stored.shape)})
        if y is not None and close(y, np.where(x > 0, x, alpha * x)):
            weight = shaped(stored, sizes, view)
        elif (made := _slopes(cut, x, sizes)) is not None:
            weight = made
        else:
            continue
        config = {"shared_axes": _shared_axes(shape, sizes)}
        return Claim(cut.inputs, config, {"alpha": weight}, cut.nodes)
    return None


def _slopes(cut: Cut, x: Array, sizes: Sequence[int]) -> Tensor | None:
    """The alpha that follows from a stored tensor and numbers, where a part computes a PReLU."""
    import numpy as np

    below, y = cut.run([np.full(x.shape, -1.0)]), cut.run([x])
    if below is None or y is None or below.shape != x.shape:
        return None
    alpha = -below[(0, *(slice(None) if size > 1 else slice(1) for size in sizes))]
    if not close(y, np.where(x > 0, x, alpha * x)):
        return None
    key = "alpha", cut.root
    if key not in cut.view.memo:
        stored = cut.weights[0]
        array = alpha.astype(stored.dtype.numpy)
        cut.view.memo[key] = Tensor.from_numpy(f"{stored.name}/alpha", array)
    found = cut.view.memo[key]
    return found if isinstance(found, Tensor) else None

"""Stretching: parts of a graph that scale and move each channel by stored numbers.

    y = gamma * (x - mean) / sqrt(variance + epsilon) + beta         the weights told apart
    y = x * scale + offset                                           what is left of it when folded

Whatever the order and spelling of the sums and products, the part is run on numbers, and the stored
tensors are tried in each role.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelfmt.graph import Node
from modelfmt.graphs.cuts import Cut, cuts
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, normal_axis, shaped
from modelfmt.layers.likeness import close, keeps_digits
from modelfmt.layers.standardising import standardised
from modelfmt.layers.template import tidy
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

#: Op types in which such a part may end.
ROOTS = frozenset({"AddV2", "Sub", "Mul", "RealDiv", "BiasAdd", "BatchNormWithGlobalNormalization"})

#: Roles of the stored tensors, by their number.
_ROLES: Mapping[int, Sequence[tuple[str, ...]]] = {
    2: [("moving_mean", "moving_variance")],
    3: [("gamma", "moving_mean", "moving_variance"), ("beta", "moving_mean", "moving_variance")],
    4: [("gamma", "beta", "moving_mean", "moving_variance")],
}
#: Products with a kernel: what is added right behind one is that layer's bias.
_PRODUCTS = frozenset({
    "MatMul", "BatchMatMulV2", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "Einsum",
    "Conv2DBackpropInput", "Conv3DBackpropInputV2",
})  # fmt: skip
_MOST_CHANNELS = 1 << 16
#: Two results that far apart, relative to the largest, differ by rounding only.
_ROUNDED = 3e-6
#: What stands between x and y; what scales and offsets are computed from may be anything.
_LINEAR = {*ROOTS, "Neg", "Cast", "DivNoNan"}


def stretched(tensor: str, view: View) -> Claim | None:
    """The claim of a BatchNormalization on the part below ``tensor``."""
    if standardised(tensor, view) is not None:
        return None
    folded: list[Cut] = []
    for cut in _parts(tensor, view):
        if 2 <= len(cut.weights) <= 4 and (claim := _normalization(cut)) is not None:
            return claim
        if not _takes_a_bias(cut):
            folded.append(cut)
    return next(filter(None, map(_folded, reversed(folded))), None)


def _parts(tensor: str, view: View) -> Iterator[Cut]:
    for cut in cuts(view, tensor):
        if not cut.ops <= _LINEAR or not cut.is_chain or _limits(cut):
            return
        sizes = {weight.size for weight in cut.weights}
        if len(sizes) != 1 or cut.escapes or len(cut.weights) > 8:
            if len(sizes) > 1:
                return
            continue
        dtype = view.dtype(cut.inputs[0])
        if dtype is not None and dtype.is_floating and next(iter(sizes)) <= _MOST_CHANNELS:
            yield cut


def _limits(cut: Cut) -> bool:
    """Whether a deviation is kept from being too small, as a Normalization does."""
    return any(node.op == "Maximum" for node in cut.settled.values())


def _takes_a_bias(cut: Cut) -> bool:
    """Whether the part reaches down to the bias of a product with a kernel."""
    if len(cut.interior) == 1:
        return False

    def is_bias(node: Node) -> bool:
        above = [cut.view.producer(i) for i in node.inputs]
        return any(each is not None and each.op in _PRODUCTS for each in above)

    return any(node.op in ("AddV2", "BiasAdd") and is_bias(node) for node in cut.interior)


def _axes(cut: Cut) -> list[int]:
    """The axes of x along which the weights may lie, the last first."""
    shape, size = cut.view.shape(cut.inputs[0]), cut.weights[0].size
    if shape is None:
        return [-1]
    return [k for k in range(len(shape) - 1, 0, -1) if shape[k] in (size, None)]


def _sample(cut: Cut, axis: int) -> tuple[Array, list[int]]:
    """x to try, small along the other axes, and the shape in which a weight broadcasts with it."""
    import numpy as np

    known = cut.view.shape(cut.inputs[0])
    shape: tuple[int | None, ...] = known or (None, None)
    axis %= len(shape)
    sizes = [1 if size == 1 else 2 for size in shape]
    sizes[axis] = cut.weights[0].size
    # With 2 channels the other axes are longer, or any of them might be the channels'.
    if sizes[axis] == 2:
        sizes = [3 if k != axis and size > 1 else size for k, size in enumerate(sizes)]
    random = np.random.default_rng(0)
    x = random.normal(0.5, 1.0, sizes) * 10.0 ** random.uniform(-1, 3, sizes)
    return x, [size if k == axis else 1 for k, size in enumerate(sizes)]


def _normalization(cut: Cut) -> Claim | None:
    import numpy as np

    random = np.random.default_rng(1)
    values = [random.uniform(0.5, 1.5, cut.weights[0].size) for _ in cut.weights]
    given = {
        id(weight): value.reshape(weight.shape)
        for weight, value in zip(cut.weights, values, strict=True)
    }
    for axis in _axes(cut):
        x, broad = _sample(cut, axis)
        y = cut.run([x], given)
        if y is None or y.shape != x.shape:
            continue
        for names in _ROLES[len(values)]:
            for order in itertools.permutations(range(len(values))):
                places = dict(zip(names, order, strict=True))
                roles = {name: values[k].reshape(broad) for name, k in places.items()}
                for epsilon in [*cut.numbers, 0.0]:
                    if close(y, _normalized(x, roles, epsilon)):
                        stored = {n: _vector(cut, cut.weights[k]) for n, k in places.items()}
                        if _holds(cut, x, broad, stored, epsilon):
                            return _claim(cut, axis, epsilon, stored)
    return None


def _holds(
    cut: Cut, x: Array, broad: Sequence[int], stored: Mapping[str, Tensor], epsilon: float
) -> bool:
    """Whether the roles hold for what is stored, too: with a variance of 0, say."""
    import numpy as np

    y = cut.run([x])
    roles = {n: t.numpy().astype("float64").reshape(broad) for n, t in stored.items()}
    with np.errstate(all="ignore"):
        wanted = _normalized(x, roles, epsilon)
    return y is not None and _agree(y, wanted, broad)


def _agree(got: Array, wanted: Array, broad: Sequence[int]) -> bool:
    """Whether two results are equal up to rounding, measured by the largest of each channel."""
    import numpy as np

    if got.shape != wanted.shape or not (np.isfinite(got) & np.isfinite(wanted)).all():
        return False
    others = tuple(k for k, size in enumerate(broad) if size == 1)
    largest = np.abs(wanted).max(axis=others, keepdims=True)
    return bool((np.abs(got - wanted) <= _ROUNDED * largest).all())


def _normalized(x: Array, roles: Mapping[str, Array], epsilon: float) -> Any:
    import numpy as np

    inverse = roles.get("gamma", 1.0) / np.sqrt(roles["moving_variance"] + epsilon)
    return (x - roles["moving_mean"]) * inverse + roles.get("beta", 0.0)


def _claim(cut: Cut, axis: int, epsilon: float, stored: Mapping[str, Tensor]) -> Claim:
    config = {
        "axis": normal_axis(axis, cut.view.shape(cut.inputs[0])), "epsilon": tidy(epsilon),
        "scale": "gamma" in stored, "center": "beta" in stored,
    }  # fmt: skip
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {name: stored[name] for name in names if name in stored}
    return Claim(cut.inputs, config, weights, cut.nodes)


def _vector(cut: Cut, weight: Tensor) -> Tensor:
    return shaped(weight, (weight.size,), cut.view)


# -- what is folded ------------------------------------------------------------------------------

_EPSILON = 0.001


def _folded(cut: Cut) -> Claim | None:
    """x * scale + offset, as a BatchNormalization of mean 0 and variance 1 - epsilon."""
    import numpy as np

    for axis in _axes(cut):
        x, broad = _sample(cut, axis)
        ends = [cut.run([np.full(x.shape, value)]) for value in (0.0, 1.0)]
        y = cut.run([x])
        if y is None or ends[0] is None or ends[1] is None or y.shape != x.shape:
            continue
        first = tuple(slice(None) if size > 1 else slice(1) for size in broad)
        if not (np.isfinite(ends[0]) & np.isfinite(ends[1])).all():
            continue
        offset, scale = ends[0][first], (ends[1] - ends[0])[first]
        if not _agree(y, x * scale + offset, broad):
            continue
        if not keeps_digits(cut, scale, offset):
            return None
        stored = {
            "gamma": _of(scale, 1.0, cut, "scale"), "beta": _of(offset, 0.0, cut, "offset"),
            "moving_mean": _made(np.zeros(scale.size), cut, "mean"),
            "moving_variance": _made(np.full(scale.size, 1 - _EPSILON), cut, "variance"),
        }
        made = {name: tensor for name, tensor in stored.items() if tensor is not None}
        if _agree(y, _computed(x, made, broad), broad):
            return _claim(cut, axis, _EPSILON, made)
    return None


def _computed(x: Array, stored: Mapping[str, Tensor], broad: Sequence[int]) -> Any:
    """What Keras computes of x with stored numbers, its factor and offset in their precision."""
    import numpy as np

    kind = stored["moving_variance"].dtype.numpy
    mean, variance = (stored[f"moving_{n}"].numpy().reshape(broad) for n in ("mean", "variance"))
    with np.errstate(all="ignore"):
        factor = (1 / np.sqrt(variance + kind.type(_EPSILON))).astype(kind)
        if "gamma" in stored:
            factor = factor * stored["gamma"].numpy().reshape(broad)
        offset = -mean * factor
        if "beta" in stored:
            offset = offset + stored["beta"].numpy().reshape(broad)
        return x * factor.astype("float64") + offset.astype("float64")


def _of(values: Array, nothing: float, cut: Cut, name: str) -> Tensor | None:
    """The stored tensor that holds ``values``, else a new one; None where it does nothing."""
    import numpy as np

    if bool((values == nothing).all()):
        return None
    for weight in cut.weights:
        stored = weight.numpy().ravel()
        if np.allclose(stored, values.ravel(), rtol=1e-7, atol=0):
            return _vector(cut, weight)
    return _made(values, cut, name)


def _made(values: Array, cut: Cut, name: str) -> Tensor:
    """A tensor of numbers that follow from those of the graph."""
    key = "folded", cut.root, name
    if key not in cut.view.memo:
        like = cut.weights[0]
        array = values.ravel().astype(like.dtype.numpy)
        cut.view.memo[key] = Tensor.from_numpy(f"{like.name}/{name}", array)
    found = cut.view.memo[key]
    assert isinstance(found, Tensor)
    return found

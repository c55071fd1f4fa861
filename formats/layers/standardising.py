"""Standardising: parts of a graph that take a stored mean away and divide by a stored deviation.

    y = (x - mean) / max(sqrt(variance), 1e-7)       Normalization, as Keras writes it
    y = (x - mean) / deviation                       what is left of it when constants are folded
    y = (x - mean) * factor                          or turned into products
    y = mean + x * max(sqrt(variance), 1e-7)         inverted

They look like a batch normalization without epsilon, and are none: where the variance is 0 the
result is 1e7 times as large, not whatever an epsilon leaves of it; and the mean is taken away
before anything is multiplied, so that large ones cost no digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from modelfmt import dtypes
from modelfmt.graph import Node
from modelfmt.graphs.cuts import between
from modelfmt.graphs.view import Constant, View
from modelfmt.layers.codec import Claim, normal_axes, shaped
from modelfmt.network import Config
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

#: Op types in which such a part ends.
ROOTS = frozenset({"RealDiv", "Mul", "AddV2"})
#: Keras' ``backend.epsilon()``, which no deviation is smaller than.
LEAST = 1e-7
#: How far a deviation may be from the root of the variance that is made of it: a rounding or two.
_ROUNDED = 2.0**-22


class _Spread(NamedTuple):
    """What x is divided by: a stored variance, or one made of the ``deviation`` that is stored."""

    stored: Constant
    variance: Array
    is_made: bool


def standardised(tensor: str, view: View) -> Claim | None:
    """The claim of a Normalization on the part below ``tensor``."""
    node = view.producer(tensor)
    if node is None or node.op not in ROOTS:
        return None
    for x, mean, spread, inverted in _readings(node, view):
        claim = _claim(tensor, x, mean, spread, inverted, view)
        if claim is not None:
            return claim
    return None


def _readings(node: Node, view: View) -> Iterator[tuple[str, Constant, _Spread, bool]]:
    """x, the mean, the spread, and whether it is inverted."""
    if node.op == "AddV2":
        for mean, other in (node.inputs, node.inputs[::-1]):
            scaled, stored = view.producer(other), view.constant(mean)
            if stored is None or scaled is None or scaled.op != "Mul":
                continue
            for x, by in (scaled.inputs, scaled.inputs[::-1]):
                if (spread := _limited(by, view)) is not None:
                    yield x, stored, spread, True
        return
    for moved, by in (node.inputs, node.inputs[::-1])[: 2 if node.op == "Mul" else 1]:
        above = view.producer(moved)
        if above is None or above.op != "Sub":
            continue
        x, mean = above.inputs
        stored = view.constant(mean)
        if stored is None:
            continue
        spread = _limited(by, view) if node.op == "RealDiv" else None
        spread = spread or _folded(by, view, node.op == "Mul")
        if spread is not None:
            yield x, stored, spread, False


def _limited(tensor: str, view: View) -> _Spread | None:
    """Of Maximum(Sqrt(variance), 1e-7), or of the root alone where no variance is as small."""
    node = view.producer(tensor)
    least = None
    if node is not None and node.op == "Maximum":
        for root, number in (node.inputs, node.inputs[::-1]):
            least = view.scalar(number)
            if least is not None:
                node = view.producer(root)
                break
        if least is None or abs(least - LEAST) > 1e-12:
            return None
    if node is None or node.op != "Sqrt":
        return None
    stored = view.constant(node.inputs[0])
    if stored is None or stored.root.dtype is not dtypes.float32:
        return None
    variance = stored.root.numpy().reshape(stored.shape)
    if least is None and not (variance >= 2 * LEAST * LEAST).all():
        return None
    return _Spread(stored, variance, False)


def _folded(tensor: str, view: View, is_factor: bool) -> _Spread | None:
    """Of a deviation, or of what it divides by 1, that is stored as it is."""
    import numpy as np

    stored = view.constant(tensor)
    if stored is None or stored.root.dtype is not dtypes.float32 or stored.root.size < 2:
        return None
    values = stored.root.numpy().reshape(stored.shape)
    with np.errstate(all="ignore"):
        deviation = 1.0 / values.astype("float64") if is_factor else values.astype("float64")
        variance = (deviation * deviation).astype("float32")
        again = np.maximum(np.sqrt(variance), np.float32(LEAST))
        close = np.abs(again - deviation) <= _ROUNDED * deviation
    if not (np.isfinite(variance).all() and (deviation > 0).all() and close.all()):
        return None
    return _Spread(stored, variance, True)


def _claim(
    tensor: str, x: str, mean: Constant, spread: _Spread, inverted: bool, view: View
) -> Claim | None:
    """The claim, where the stored tensors lie along axes of x that are known."""
    import numpy as np

    x = view.resolve(x)
    shape, cut = view.shape(x), between(view, tensor, [x])
    is_float = view.dtype(x) is dtypes.float32 and mean.root.dtype is dtypes.float32
    if shape is None or cut is None or not is_float or view.constant(x) is not None:
        return None
    seen = (mean.shape, spread.stored.shape)
    if not any(seen) or max(map(len, seen)) > len(shape):
        return None
    means = mean.root.numpy().reshape(mean.shape)
    broad = [1] * len(shape)
    for each in seen:
        for place, size in enumerate(each, len(shape) - len(each)):
            if size != 1 and broad[place] not in (1, size):
                return None
            broad[place] = max(broad[place], size)
    axes = [k for k, size in enumerate(broad) if size != 1]
    if 0 in axes or any(shape[k] != broad[k] for k in axes):
        return None
    config: Config = {"axis": normal_axes(axes, shape), "invert": inverted}
    nodes, taken = _with_cast(x, cut.nodes, view)
    if not np.isfinite(means).all() or not np.isfinite(spread.variance).all():
        return None
    if _is_one(means) and _is_one(spread.variance):
        config["mean"], config["variance"] = float(means.flat[0]), float(spread.variance.flat[0])
        return Claim((taken,), config, {}, nodes)
    sizes = tuple(broad[k] for k in axes)
    variance = None if spread.is_made else spread.stored
    weights = {
        "mean": _along(means, mean, sizes, axes, "mean", view),
        "variance": _along(spread.variance, variance, sizes, axes, "variance", view),
        "count": _kept(("count", tensor), np.zeros((), "int64"), "count", view),
    }
    return Claim((taken,), config, weights, nodes)


def _is_one(values: Array) -> bool:
    """Whether one number stands for all, as where it was stated."""
    return bool((values == values.flat[0]).all())


def _along(
    values: Array, stored: Constant | None, sizes: tuple[int, ...], axes: list[int], name: str,
    view: View,
) -> Tensor:  # fmt: skip
    """The stored tensor, or a new one, with just the axes of x that it lies along."""
    import numpy as np

    count = int(np.prod(sizes))
    if stored is not None and stored.root.size == count:
        return shaped(stored.root, sizes, view)
    if values.ndim and values.size != count:
        rank = max(max(axes) + 1, values.ndim)
        values = values.reshape((1,) * (rank - values.ndim) + values.shape)
        values = values[tuple(slice(None) if k in axes else 0 for k in range(rank))]
    key = ("standard", None if stored is None else id(stored.root), name, values.tobytes())
    array = np.broadcast_to(values.reshape(sizes) if values.size == count else values, sizes)
    return _kept(key, array, name, view)


def _kept(key: object, array: Array, name: str, view: View) -> Tensor:
    """A tensor of these numbers, the same one each time."""
    found = view.memo.setdefault(key, Tensor.from_numpy(name, array))
    assert isinstance(found, Tensor)
    return found


def _with_cast(x: str, nodes: tuple[str, ...], view: View) -> tuple[tuple[str, ...], str]:
    """With the Cast of integers that the layer itself does, where nothing else reads it."""
    node = view.producer(x)
    if node is None or node.op != "Cast" or len(view.consumers.get(node.name, ())) != 1:
        return nodes, x
    source = view.resolve(node.inputs[0])
    kind = view.dtype(source)
    if kind is None or not kind.is_integer or node.name in view.output_nodes:
        return nodes, x
    return (*nodes, node.name), source

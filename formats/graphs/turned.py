"""Constants seen in another order: kernels that a graph stores in one layout and uses in another.

A View shows a constant through reshapes, which leave its elements where they are. Transpose and
ReverseV2 do not, and who reads a product of matrices wants the one that is stored; a convolution
has no other way to be of it.
"""

from __future__ import annotations

from modelfmt.graphs.cuts import weight_of
from modelfmt.graphs.facts import RESHAPING, Constant
from modelfmt.graphs.view import View
from modelfmt.tensor import Tensor

_TURNING = {"Transpose", "ReverseV2"}
#: So many turns, one after another.
_MOST = 8


def turned(view: View, tensor: str, most: int = _MOST) -> Constant | None:
    """The constant behind a tensor, through reshapes and turns, or a weight that is computed from
    constants; None where it takes more.

    The same object each time, so that what shares a kernel is found to.
    """
    known = view.constant(tensor)
    node = view.producer(tensor)
    if known is not None or node is None or not most:
        return known
    if node.op not in _TURNING | RESHAPING:
        return weight_of(view, tensor)
    inner, shape = turned(view, node.inputs[0], most - 1), view.shape(tensor)
    if inner is None or inner.root.strings is not None or shape is None or None in shape:
        return None
    if node.op in RESHAPING:
        return Constant(inner.root, tuple(size for size in shape if size is not None))
    stated = view.ints(node.inputs[1])
    if stated is None or None in stated:
        return None
    axes = tuple(axis for axis in stated if axis is not None)
    root = _turned(view, inner, node.op, axes)
    return None if root is None else Constant(root, root.shape)


def _turned(view: View, constant: Constant, op: str, axes: tuple[int, ...]) -> Tensor | None:
    import numpy as np

    key, rank = ("turned", id(constant.root), constant.shape, op, axes), len(constant.shape)
    if key not in view.memo:
        root, shape = constant.root.reshaped(constant.shape), constant.shape
        if op == "Transpose" and sorted(axes) == list(range(rank)):
            shape = tuple(shape[axis] for axis in axes)
            view.memo[key] = root.changed(lambda value: value.transpose(axes), shape)
        elif op == "ReverseV2" and all(-rank <= axis < rank for axis in axes):
            view.memo[key] = root.changed(lambda value: np.flip(value, axes))
    found = view.memo.get(key)
    return found if isinstance(found, Tensor) else None

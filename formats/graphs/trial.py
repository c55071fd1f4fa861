"""Trials: what a few nodes compute, found by computing it for sizes or indices of one's own choice.

A causal mask is written in many ways (Cumsum, Range, MatrixBandPart), and so is a lookup in a table
that stands in parts. None of them needs to be known by its spelling: for T = 5 and S = 7 a mask is
causal or not, and all indices there are show the whole table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from modelfmt.dtypes import DType
from modelfmt.errors import ModelFormatError
from modelfmt.graph import Node, parse_input

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from modelfmt.graphs.view import View

    Array = npt.NDArray[Any]

#: The size that a tensor shall have along an axis; None where nobody says so.
SizeOf = Callable[[str, int], int | None]
#: More elements than this are not computed for a trial.
_MOST = 1 << 26


class _Untried(Exception):
    """A node whose value follows from nothing that is given."""


def tried(
    tensor: str, view: View, given: Mapping[str, Array], size_of: SizeOf = lambda *_: None
) -> Array | None:
    """The value of ``tensor``, or None where it depends on more than what is given.

    Args:
        tensor: what to compute.
        view: where.
        given: values of tensors, by their resolved names.
        size_of: sizes for the axes that are not known, of tensors that are not computed.
    """
    import numpy as np

    trial = _Trial(view, given, size_of)
    try:
        with np.errstate(all="ignore"):
            return trial.value(tensor)
    except (_Untried, ModelFormatError, ValueError, IndexError, TypeError, OverflowError):
        return None
    except MemoryError:
        return None


class _Trial:
    def __init__(self, view: View, given: Mapping[str, Array], size_of: SizeOf) -> None:
        self.view, self.size_of = view, size_of
        self.values: dict[str, Array] = dict(given)

    def value(self, tensor: str) -> Array:
        """The value of a tensor, its inputs computed first. Raises _Untried."""
        todo = [self.view.resolve(tensor)]
        for _ in range(100_000):
            if not todo:
                return self.values[self.view.resolve(tensor)]
            current = todo[-1]
            if current in self.values or self._at_hand(current):
                todo.pop()
                continue
            node = self.view.producer(current)
            if node is None or node.op not in _RULES:
                raise _Untried
            missing = [
                name for i in node.inputs
                if (name := self.view.resolve(i)) not in self.values and not self._at_hand(name)
            ]  # fmt: skip
            if missing:
                todo.extend(missing)
                continue
            made = _RULES[node.op](node, self, *(self.values[self.view.resolve(i)]
                                                 for i in node.inputs))
            outputs = made if isinstance(made, list) else [made]
            if sum(array.size for array in outputs) > _MOST:
                raise _Untried
            for k, array in enumerate(outputs):
                self.values[f"{node.name}:{k}" if k else node.name] = array
        raise _Untried

    def _at_hand(self, tensor: str) -> bool:
        """Whether a tensor's value is stored, or its shape is all that is asked for."""
        import numpy as np

        constant = self.view.constant(tensor)
        if constant is not None:
            if constant.root.strings is not None or constant.root.size > _MOST:
                raise _Untried
            self.values[tensor] = constant.root.numpy().reshape(constant.shape)
            return True
        node = self.view.producer(tensor)
        if node is None or node.op not in _OF_SHAPES or parse_input(tensor).port:
            return False
        source = self.view.resolve(node.inputs[0])
        shape = self.values[source].shape if source in self.values else self._shape(source)
        if shape is None:
            return False
        if node.op in ("Shape", "Size", "Rank"):
            whole = np.asarray(shape, np.int64)
            made = {"Shape": whole, "Size": whole.prod(), "Rank": np.asarray(len(shape))}[node.op]
            self.values[tensor] = np.asarray(made, np.int32)
        else:
            fill = np.ones if node.op == "OnesLike" else np.zeros
            if np.prod(np.asarray(shape, np.float64)) > _MOST:
                raise _Untried
            self.values[tensor] = fill(shape, self.dtype(tensor))
        return True

    def _shape(self, tensor: str) -> tuple[int, ...] | None:
        """The shape of a tensor that is not computed, where it is told."""
        known = self.view.shape(tensor)
        if known is None:
            return None
        found = []
        for axis, size in enumerate(known):
            told = self.size_of(tensor, axis) if size is None else size
            if told is None:
                return None
            found.append(told)
        return tuple(found)

    def attr(self, node: Node, name: str) -> Any:
        return self.view.attr(node, name)

    def dtype(self, tensor: str) -> np.dtype[Any]:
        """numpy's dtype of a tensor. Raises _Untried."""
        import numpy as np

        found = self.view.dtype(tensor)
        if found is None:
            raise _Untried
        return np.dtype(found.numpy)


_OF_SHAPES = {"Shape", "Size", "Rank", "OnesLike", "ZerosLike"}


def _numpy(name: str) -> Callable[..., Array]:
    def compute(node: Node, trial: _Trial, *arrays: Array) -> Array:
        import numpy as np

        made: Array = np.asarray(getattr(np, name)(*arrays))
        return made

    return compute


def _divided(node: Node, trial: _Trial, x: Array, y: Array) -> Array:
    """Integers as C divides them: Div of TensorFlow 0.12."""
    import numpy as np

    if x.dtype.kind not in "iu":
        raise _Untried
    return np.asarray(np.trunc(np.true_divide(x, y)), x.dtype)


def _cast(node: Node, trial: _Trial, x: Array) -> Array:
    kind = trial.attr(node, "DstT")
    if not isinstance(kind, DType):
        raise _Untried
    return x.astype(kind.numpy)


def _cumsum(node: Node, trial: _Trial, x: Array, axis: Array) -> Array:
    if trial.attr(node, "exclusive") or trial.attr(node, "reverse"):
        raise _Untried
    return x.cumsum(int(axis), dtype=x.dtype)


def _band(node: Node, trial: _Trial, x: Array, lower: Array, upper: Array) -> Array:
    import numpy as np

    rows, columns = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])
    low, high = int(lower), int(upper)
    kept = ((low < 0) | (rows - columns <= low)) & ((high < 0) | (columns - rows <= high))
    return np.where(kept, x, np.zeros((), x.dtype))


def _slice(node: Node, trial: _Trial, x: Array, *bounds: Array) -> Array:
    masks = {
        key: int(trial.attr(node, f"{key}_mask") or 0)
        for key in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    parts: list[Any] = []
    for k, (first, last, step) in enumerate(zip(*(b.tolist() for b in bounds), strict=True)):
        if masks["ellipsis"] >> k & 1:
            parts.append(...)
        elif masks["new_axis"] >> k & 1:
            parts.append(None)
        elif masks["shrink_axis"] >> k & 1:
            parts.append(first)
        else:
            start = None if masks["begin"] >> k & 1 else first
            stop = None if masks["end"] >> k & 1 else last
            parts.append(slice(start, stop, step))
    made: Array = x[tuple(parts)]
    return made


def _pack(node: Node, trial: _Trial, *arrays: Array) -> Array:
    import numpy as np

    return np.stack(arrays, int(trial.attr(node, "axis") or 0))


def _range(node: Node, trial: _Trial, *limits: Array) -> Array:
    import numpy as np

    start, limit, delta = (each.item() for each in limits)
    if delta == 0 or abs((limit - start) / delta) > _MOST:
        raise _Untried
    return np.arange(start, limit, delta, dtype=limits[0].dtype)


def _fill(node: Node, trial: _Trial, sizes: Array, value: Array) -> Array:
    import numpy as np

    if sizes.astype(np.float64).prod() > _MOST:
        raise _Untried
    return np.full(sizes.tolist(), value)


def _gather(node: Node, trial: _Trial, x: Array, places: Array, *axis: Array) -> Array:
    if trial.attr(node, "batch_dims"):
        raise _Untried
    if places.size and (places.min() < 0 or places.max() >= x.shape[int(axis[0]) if axis else 0]):
        raise _Untried
    return x.take(places, int(axis[0]) if axis else 0)


def _partition(node: Node, trial: _Trial, x: Array, places: Array) -> list[Array]:
    count = int(trial.attr(node, "num_partitions"))
    return [x[places == k] for k in range(count)]


def _stitch(node: Node, trial: _Trial, *arrays: Array) -> Array:
    import numpy as np

    half = len(arrays) // 2
    places, values = arrays[:half], arrays[half:]
    rows = max((int(p.max()) + 1 for p in places if p.size), default=0)
    behind = values[0].shape[places[0].ndim :]
    made = np.zeros((rows, *behind), values[0].dtype)
    for where, what in zip(places, values, strict=True):
        made[where.ravel()] = what.reshape(where.size, *behind)
    return made


def _reduced(name: str) -> Callable[..., Array]:
    def compute(node: Node, trial: _Trial, x: Array, axes: Array) -> Array:
        import numpy as np

        over = tuple(int(a) for a in axes.ravel())
        made: Array = getattr(np, name)(x, axis=over, keepdims=bool(trial.attr(node, "keep_dims")))
        return np.asarray(made, x.dtype)

    return compute


def _squeeze(node: Node, trial: _Trial, x: Array) -> Array:
    axes = trial.attr(node, "squeeze_dims")
    return x.squeeze(tuple(axes) if axes else None)


def _tile(node: Node, trial: _Trial, x: Array, multiples: Array) -> Array:
    import numpy as np

    if x.size * multiples.astype(np.float64).prod() > _MOST:
        raise _Untried
    return np.tile(x, multiples.tolist())


def _joined(node: Node, trial: _Trial, *arrays: Array) -> Array:
    import numpy as np

    return np.concatenate(arrays[:-1], int(arrays[-1]))


def _expand(node: Node, trial: _Trial, x: Array, axis: Array) -> Array:
    import numpy as np

    return np.expand_dims(x, int(axis.ravel()[0]))


_RULES: Mapping[str, Callable[..., Array | list[Array]]] = {
    "RealDiv": _divided, "Mod": _numpy("fmod"), "AddV2": _numpy("add"),
    "Sub": _numpy("subtract"), "Mul": _numpy("multiply"),
    "FloorDiv": _numpy("floor_divide"), "FloorMod": _numpy("mod"), "Abs": _numpy("abs"),
    "Neg": _numpy("negative"), "Maximum": _numpy("maximum"), "Minimum": _numpy("minimum"),
    "Less": _numpy("less"), "LessEqual": _numpy("less_equal"), "Greater": _numpy("greater"),
    "GreaterEqual": _numpy("greater_equal"), "Equal": _numpy("equal"),
    "NotEqual": _numpy("not_equal"), "LogicalAnd": _numpy("logical_and"),
    "LogicalOr": _numpy("logical_or"), "LogicalNot": _numpy("logical_not"),
    "SelectV2": _numpy("where"), "Cast": _cast, "Cumsum": _cumsum, "MatrixBandPart": _band,
    "StridedSlice": _slice, "Pack": _pack, "Range": _range, "Fill": _fill, "Tile": _tile,
    "GatherV2": _gather, "Gather": _gather, "DynamicPartition": _partition,
    "DynamicStitch": _stitch, "ParallelDynamicStitch": _stitch, "ConcatV2": _joined,
    "Sum": _reduced("sum"), "Prod": _reduced("prod"), "Squeeze": _squeeze,
    "Reshape": lambda node, trial, x, shape: x.reshape(shape.tolist()),
    "Transpose": lambda node, trial, x, order: x.transpose(order.tolist()),
    "ExpandDims": _expand,
    **{op: lambda node, trial, x: _shape_only(node, trial, x) for op in sorted(_OF_SHAPES)},
    "BroadcastTo": lambda node, trial, x, shape: _broadcast(x, shape),
}  # fmt: skip


def _shape_only(node: Node, trial: _Trial, x: Array) -> Array:
    import numpy as np

    if node.op in ("OnesLike", "ZerosLike"):
        return np.full_like(x, node.op == "OnesLike")
    whole = np.asarray(x.shape, np.int32)
    made = {"Shape": whole, "Size": whole.prod(), "Rank": np.asarray(x.ndim)}[node.op]
    return np.asarray(made, np.int32)


def _broadcast(x: Array, shape: Array) -> Array:
    import numpy as np

    return np.broadcast_to(x, shape.tolist())

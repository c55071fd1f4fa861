"""Operands of operations: numbers, arrays and tensors alike made tensors of one dtype.

A number beside a tensor takes the tensor's dtype where it can hold it (x + 2, x + 2.0). Tensors of
two dtypes meet in Keras 3 as in its ``result_type``: the smallest dtype above both in

    bool < int* < int8 < int16 < int32 < int64 < float* < bfloat16, float16 < float32 < float64
           int* < uint8 < int16, uint16 < int32, uint32 < int64, uint64 < float*

where int* and float* are Python's numbers, which alone become int32 and float32. TensorFlow itself
never mixes dtypes. Source: Keras, backend/common/dtypes.py; jax, type promotion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import TensorName

#: Each dtype and those directly above it.
_ABOVE = {
    "bool": "int*", "int*": "uint8 int8", "uint8": "int16 uint16", "uint16": "int32 uint32",
    "uint32": "int64 uint64", "uint64": "float*", "int8": "int16", "int16": "int32",
    "int32": "int64", "int64": "float*", "float*": "bfloat16 float16", "bfloat16": "float32",
    "float16": "float32", "float32": "float64", "float64": "",
}  # fmt: skip
_PLAIN = {"int*": "int32", "float*": "float32"}


def promoted(kinds: Iterable[str]) -> str:
    """The dtype in which values of these dtypes meet; ``int*`` and ``float*`` for numbers.

    Raises:
        ConversionError: there is none (text, complex numbers).
    """
    wanted = list(dict.fromkeys(kinds))
    if len(wanted) == 1:
        return _PLAIN.get(wanted[0], wanted[0])
    if not wanted or any(kind not in _ABOVE for kind in wanted):
        raise ConversionError("operands of dtypes that do not meet", found=", ".join(wanted))
    common = set.intersection(*map(_upwards, wanted))
    least = next(kind for kind in common if _upwards(kind) >= common)
    return _PLAIN.get(least, least)


def _upwards(kind: str) -> set[str]:
    found, todo = set[str](), [kind]
    while todo:
        kind = todo.pop()
        if kind not in found:
            found.add(kind)
            todo += _ABOVE[kind].split()
    return found


def revived(value: Any) -> Any:
    """An argument as configs spell it, with arrays and slices as Python has them.

    ``__numpy__`` and ``__tensor__`` hold nested lists and a dtype, ``__slice__`` start, stop and
    step; tf.keras writes a slice without a class.
    """
    import numpy as np

    if isinstance(value, list | tuple):
        return [revived(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    config = value.get("config")
    held = config if isinstance(config, dict) else {}
    match value.get("class_name"):
        case "__numpy__" | "__tensor__":
            dtype = dtypes.from_name(str(held.get("dtype") or "float32"))
            return np.asarray(held.get("value"), dtype.numpy)
        case "__slice__":
            return slice(*(revived(held.get(key)) for key in ("start", "stop", "step")))
        case "__ellipsis__":
            return Ellipsis
        case "__tuple__":
            return revived(held.get("items", value.get("items", [])))
        case None if set(value) == {"start", "stop", "step"}:
            return slice(*(revived(value[key]) for key in ("start", "stop", "step")))
    return {key: revived(inner) for key, inner in value.items()}


def tensors_in(value: Any) -> bool:
    """Whether a tensor stands somewhere in a nested list."""
    if isinstance(value, list | tuple):
        return any(tensors_in(inner) for inner in value)
    return isinstance(value, TensorName)


class Ops:
    """A graph as the writers of operations use it.

    Values are TensorNames, numbers, arrays, and lists of those. ``keras`` says which rules hold
    for them: those of Keras 3, else those of TensorFlow's own functions.
    """

    def __init__(self, graph: GraphBuilder, *, keras: bool) -> None:
        self.graph, self.keras = graph, keras

    def op(self, op: str, *operands: Any, **attrs: Any) -> TensorName:
        """One node; its first output."""
        return TensorName(self.graph.op(op, *operands, **attrs))

    def ops(self, op: str, *operands: Any, **attrs: Any) -> list[TensorName]:
        """One node; all its outputs."""
        return [TensorName(name) for name in self.graph.ops(op, *operands, **attrs)]

    # -- what is known ------------------------------------------------------------------------

    def shape(self, x: str) -> Dims:
        return self.graph.shape(x)

    def dtype(self, x: str) -> str:
        return self.graph.dtype(x).name

    def dims(self, x: str) -> tuple[int | None, ...]:
        """The shape of a tensor of known rank. Raises ConversionError."""
        shape = self.shape(x)
        if shape is None:
            raise ConversionError("an operation on a tensor of unknown rank cannot be written")
        return shape

    def rank(self, x: str) -> int:
        return len(self.dims(x))

    def axis(self, x: str, axis: Any, *, more: int = 0) -> int:
        """An axis counted from the front; ``more`` axes are about to be added.

        Raises:
            ConversionError: no such axis, or one that is not known before running.
        """
        rank = self.rank(x) + more
        if isinstance(axis, bool) or not isinstance(axis, int) or not -rank <= axis < rank:
            raise ConversionError("no axis of the tensor", expected=f"of {rank}", found=axis)
        return axis % rank

    def axes(self, x: str, axis: Any) -> list[int]:
        """One axis, several, or None for all of them, counted from the front."""
        if axis is None:
            return list(range(self.rank(x)))
        return [self.axis(x, a) for a in (axis if isinstance(axis, list | tuple) else [axis])]

    def is_float(self, x: str) -> bool:
        return self.graph.dtype(x).is_floating

    # -- values become tensors ------------------------------------------------------------------

    def tensor(self, value: Any, dtype: str | None = None) -> TensorName:
        """A value as a tensor; a literal takes ``dtype``, or its own kind's: float32, int32, bool.

        Raises:
            ConversionError: not a value, or one that the dtype cannot hold.
        """
        import numpy as np

        if isinstance(value, TensorName):
            return value if dtype is None else self.cast(value, dtype)
        if isinstance(value, list | tuple) and tensors_in(value):
            parts = self.same(*value) if dtype is None else [self.tensor(v, dtype) for v in value]
            return self.op("Pack", *parts, axis=0)
        kind = self.kind(value)
        target = dtypes.from_name(dtype or _PLAIN.get(kind, kind))
        array = np.asarray(value)
        if array.dtype.kind == "f" and target.is_integer and (array != np.trunc(array)).any():
            raise ConversionError(f"{target} cannot hold the operand", found=f"{value!r:.80}")
        return TensorName(self.graph.const(array.astype(target.numpy), target))

    def kind(self, value: Any) -> str:
        """The dtype of a value as ``promoted`` takes it. Raises ConversionError."""
        import numpy as np

        if isinstance(value, TensorName):
            return self.dtype(value)
        if isinstance(value, np.ndarray):
            return dtypes.from_numpy(value.dtype).name
        if isinstance(value, list | tuple):
            if tensors_in(value):
                return promoted(self.kind(inner) for inner in value)
            found = np.asarray(value).dtype.kind
            if found in "bif":
                whole = {"b": "bool", "i": "int*", "f": "float*"}[found]
                return _PLAIN.get(whole, whole) if self.keras else whole
        elif isinstance(value, bool):
            return "bool"
        elif isinstance(value, int | float):
            return "int*" if isinstance(value, int) else "float*"
        raise ConversionError(
            "not an operand", expected="a tensor or numbers", found=f"{value!r:.80}"
        )

    def meeting(self, *values: Any, also: Sequence[str] = ()) -> str:
        """The dtype in which values meet; ``also`` are further ones that count."""
        kinds = [self.kind(value) for value in values]
        if not self.keras and not also:
            kinds = [k for k in kinds if "*" not in k and k != "bool"][:1] or kinds
        return promoted([*kinds, *also])

    def same(self, *values: Any, also: Sequence[str] = ()) -> list[TensorName]:
        """The values as tensors of the dtype in which they meet."""
        dtype = self.meeting(*values, also=also)
        if not self.keras and not also:  # two tensors of two dtypes are TensorFlow's to refuse
            return [v if isinstance(v, TensorName) else self.tensor(v, dtype) for v in values]
        return [self.tensor(value, dtype) for value in values]

    def floats(self, *values: Any) -> list[TensorName]:
        """As ``same``, and in Keras 3 integers become floats."""
        return self.same(*values, also=["float*"] if self.keras else [])

    def cast(self, x: Any, dtype: str) -> TensorName:
        """A tensor of ``dtype``."""
        x = self.tensor(x)
        target = dtypes.from_name(dtype)
        return x if self.dtype(x) == dtype else self.op("Cast", x, DstT=target)

    # -- sizes ------------------------------------------------------------------------------------

    def size(self, x: str, axis: int) -> int | TensorName:
        """A size of a tensor: a number where known, else a scalar int32 tensor."""
        known = self.dims(x)[axis]
        if known is not None:
            return known
        axis %= self.rank(x)
        return self.op(
            "StridedSlice", self.op("Shape", x), [axis], [axis + 1], [1], shrink_axis_mask=1
        )

    def sizes(self, x: str) -> list[int | TensorName]:
        return [self.size(x, axis) for axis in range(self.rank(x))]

    def vector(self, sizes: Any) -> Any:
        """An operand of int32 numbers, of which some may be tensors."""
        import numpy as np

        if isinstance(sizes, TensorName):
            return self.cast(sizes, "int32")
        if isinstance(sizes, int):
            sizes = [sizes]
        if tensors_in(sizes):
            return self.op("Pack", *[self.tensor(s, "int32") for s in sizes], axis=0)
        return np.asarray(sizes, "int32")

    def product(self, sizes: Sequence[int | TensorName]) -> int | TensorName:
        """The product of sizes, a number where all are."""
        total: int | TensorName = 1
        for size in sizes:
            if isinstance(total, int) and isinstance(size, int):
                total *= size
            elif total == 1:
                total = size
            elif size != 1:
                total = self.op("Mul", self.tensor(total, "int32"), self.tensor(size, "int32"))
        return total

    def reshape(self, x: str, sizes: Sequence[int | TensorName | None]) -> TensorName:
        """A tensor of other sizes; None: -1, once at most."""
        unknown = [k for k, s in enumerate(sizes) if not isinstance(s, int)]
        if len(unknown) == 1 and -1 not in sizes:
            return self.op("Reshape", x, [-1 if k in unknown else s for k, s in enumerate(sizes)])
        return self.op("Reshape", x, self.vector([-1 if s is None else s for s in sizes]))

    def turned(self, x: str, order: Sequence[int]) -> TensorName:
        """The axes in another order; nothing where it is the same."""
        if list(order) == list(range(len(order))):
            return TensorName(x)
        return self.op("Transpose", x, list(order))

    def moved(self, x: str, source: Sequence[int], target: Sequence[int]) -> TensorName:
        """Axes moved to other places, the rest keeping its order."""
        rank = self.rank(x)
        pairs = {t % rank: s % rank for s, t in zip(source, target, strict=True)}
        rest = iter(a for a in range(rank) if a not in pairs.values())
        return self.turned(x, [pairs[k] if k in pairs else next(rest) for k in range(rank)])

    def flat(self, x: str) -> TensorName:
        return self.op("Reshape", x, [-1])

    def named_dtype(self, name: Any) -> DType:
        """A dtype that an argument names. Raises ConversionError."""
        if isinstance(name, dict):  # tf.keras: {"class_name": "TypeSpec"...}; Keras: a DType object
            name = (name.get("config") or {}).get("name") or name.get("value") or name
        if isinstance(name, str) and name:
            return dtypes.from_name({"float": "float32", "int": "int32"}.get(name, name))
        raise ConversionError("not a dtype", found=f"{name!r:.60}")

"""Operations said in the words of a Keras major: the twin of what ``codecs`` reads.

What is said is a row of the tables and the writer's arguments. The rows of one writer mean the
same, so it can be said in any of them: as a class of keras.ops for Keras 3, as a TFOpLambda for
Keras 2. Source: Keras ops/operation.py, saving/serialization_lib.py; tf_keras
layers/core/tf_op_layer.py.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from modelfmt import dtypes
from modelfmt.layers.codec import tensor_names
from modelfmt.layers.operations.table import REQUIRED, Operation, spellings
from modelfmt.network import Config, Layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: How many arguments the call of an operation of Keras takes where it is not one; the others
#: are its constructor's. Read off keras 3.15.1.
_CALLED = {
    name: count
    for count, names in {
        2: """Append Pad Average Matmul Dot Inner Vdot Tensordot Outer Kron Cross Solve
        SolveTriangular Heaviside AllClose FullLike Linspace IsIn Add Subtract Multiply Maximum
        Fmax Minimum Fmin Power BitwiseAnd BitwiseOr BitwiseXor LeftShift BitwiseLeftShift
        RightShift BitwiseRightShift Equal NotEqual Greater GreaterEqual Less LessEqual Divide
        TrueDivide Arctan2 Nextafter FloorDivide Mod LogicalAnd LogicalOr LogicalXor DivideNoNan
        Fmod Ldexp Logaddexp Logaddexp2 Hypot RMSNorm PSNR InTopK Percentile Quantile SearchSorted
        Digitize GetItem Slice Take TakeAlongAxis Scatter Conv DepthwiseConv SegmentSum SegmentMax
        SegmentMin SegmentProd BinaryCrossentropy CategoricalCrossentropy
        SparseCategoricalCrossentropy Lstsq CDist Logspace Geomspace Rearrange Polar Correlate""",
        3: "Where Select Arange LayerNorm ScatterUpdate SliceUpdate SeparableConv",
        4: "Isclose",
        5: "BatchNorm",
        6: "DotProductAttention",
    }.items()
    for name in names.split()
}
#: Classes that take numbers where their function takes tensors too.
_OF_NUMBERS = frozenset({"Arange", "Linspace", "Slice"})
#: Functions of one Keras that another one's files would not find.
_PRIVATE = ("keras.", "compat.", "grad_pass_through")
#: Functions that files name, and that tf_keras does not find by these names.
UNFOUND = frozenset({
    "where_v2", "nn.softmax_cross_entropy_with_logits_v2", "zeros_like_v2", "ones_like_v2",
    "shape_v2", "__operators__.and", "__operators__.or", "__operators__.xor", "math.div",
    "__operators__.invert", "depth_to_space", "space_to_depth",
})  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Said:
    """What some nodes compute, as operations applied to values.

    Values are TensorNames, numbers, arrays, slices, lists of those, and other Saids.

    Attributes:
        choices: rows and their arguments, each of which would do, and whether no other row of
            the same writer would.
        output: which of the operation's outputs is meant.
    """

    choices: tuple[tuple[Operation, tuple[Any, ...], bool], ...]
    output: int = 0

    def out(self, output: int) -> Said:
        """Another output of the same application."""
        return dataclasses.replace(self, output=output)


@dataclasses.dataclass(frozen=True)
class Spelled:
    """An operation in the words of one major: a layer's class and config, and its call's
    arguments, TensorNames among them.
    """

    class_name: str
    config: Config
    args: Sequence[Any]
    kwargs: Mapping[str, Any]

    def layer(self, name: str) -> Layer:
        """The layer, without calls."""
        layer = Layer(self.class_name, name, dict(self.config))
        if "function" not in self.config:
            layer.extras = {"module": "keras.ops", "registered_name": self.class_name}
        return layer


def spelled(
    row: Operation, values: Sequence[Any], major: int, exact: bool = False
) -> list[Spelled]:
    """All the ways in which Keras ``major`` can say ``row`` with the writer's ``values``."""
    found = []
    for other in [row] if exact else spellings(row):
        if other.name in UNFOUND or other.name.startswith(_PRIVATE):
            continue
        if other.of_keras == (major == 3):
            made = _as_class(other, values) if major == 3 else _as_function(other, values)
            if made is not None:
                found.append(made)
    return found


def _named(row: Operation, values: Sequence[Any]) -> list[tuple[str, Any, Any]] | None:
    """Name, default and value of each argument that the row has; None where one that it lacks
    has a value of its own.
    """
    found: list[tuple[str, Any, Any]] = []
    if len(values) != len(row.parameters):
        return None
    for (name, default), value in zip(row.parameters, values, strict=True):
        if not name.startswith("_"):
            found.append((name, default, value))
        elif not _same(value, default):
            return None
    return found


def _same(value: Any, default: Any) -> bool:
    plain = isinstance(value, bool | int | float | str | list | None)
    return plain and type(value) is type(default) and value == default


def _as_class(row: Operation, values: Sequence[Any]) -> Spelled | None:
    named = _named(row, values)
    if named is None:
        return None
    count = _CALLED.get(row.name, 1)
    called, built = named[:count], named[count:]
    while called and called[-1][1] is not REQUIRED and _same(called[-1][2], called[-1][1]):
        called = called[:-1]
    args = [_literal(_as_array(row, value)) for _, _, value in called]
    if row.variadic:
        args = list(args[0])
    if row.name in _OF_NUMBERS and tensor_names(args):
        return None
    if row.name == "Norm" and values[1] == "euclidean":
        return None
    if row.name == "GetItem" and not _is_plain_key(values[1]):
        return None
    config = {n: _literal(v) for n, d, v in built if d is REQUIRED or not _same(v, d)}
    if tensor_names(config):
        return None  # a constructor takes no tensors
    return Spelled(row.name, config, args, {})


def _is_plain_key(key: Any) -> bool:
    """Whether Keras loads a call with this key: it tells no ellipsis from an object's class, and
    slices between numbers only.
    """
    for item in key if isinstance(key, list) else [key]:
        ends = [item.start, item.stop, item.step] if isinstance(item, slice) else [item]
        if any(end is Ellipsis or isinstance(end, str) for end in ends):
            return False
    return True


def _as_array(row: Operation, value: Any) -> Any:
    """Numbers that Keras asks for their dtype or shape, as an array."""
    import numpy as np

    if isinstance(value, int) and not isinstance(value, bool) and row.name.startswith("Bitwise"):
        return np.asarray([value], "int32")
    if isinstance(value, list) and value and row.name != "GetItem" and not tensor_names(value):
        array = np.asarray(value) if _are_numbers(value) else None
        if array is not None and array.dtype.kind in "bif":
            return array.astype({"b": "bool", "i": "int32", "f": "float32"}[array.dtype.kind])
    return value


def _are_numbers(value: Any) -> bool:
    if isinstance(value, list):
        return all(_are_numbers(inner) for inner in value)
    return isinstance(value, bool | int | float)


def _as_function(row: Operation, values: Sequence[Any]) -> Spelled | None:
    named = _named(row, values)
    if named is None or row.variadic:  # of many arguments tf.keras saves the first only
        return None
    (_, _, first), *rest = named
    kwargs = {n: _plain(v) for n, d, v in rest if d is REQUIRED or not _same(v, d)}
    if row.name == "expand_dims" and isinstance(values[1], list):
        return None
    # An argument of None is as good as left out.
    if row.name != "pad" and any(d is not None and v is None for _, d, v in rest):
        return None
    slicing = row.name == "__operators__.getitem"
    class_name = "SlicingOpLambda" if slicing else "TFOpLambda"
    return Spelled(class_name, {"function": row.name}, [_plain(first)], kwargs)


def _literal(value: Any) -> Any:
    """An argument as Keras 3 serialises it."""
    import numpy as np

    if isinstance(value, np.ndarray):
        dtype = dtypes.from_numpy(value.dtype).name
        if value.ndim == 0 and dtype in ("float32", "int32", "bool"):
            return value.item()
        return {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": dtype}}
    if isinstance(value, slice):
        ends = {key: _literal(getattr(value, key)) for key in ("start", "stop", "step")}
        return {"class_name": "__slice__", "config": ends}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, list | tuple):
        return [_literal(inner) for inner in value]
    return value


def _plain(value: Any) -> Any:
    """An argument as tf.keras serialises it: arrays as nested lists."""
    import numpy as np

    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, slice):
        return {key: _plain(getattr(value, key)) for key in ("start", "stop", "step")}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__"}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value



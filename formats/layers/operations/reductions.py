"""Operations over axes: sums and kin.

``axis=None`` means all axes. Keras 3 adds up truth values and small integers in 32 bits, and takes
the mean of integers in float32. Source: Keras backend/tensorflow/numpy.py and math.py;
TensorFlow python/ops/math_ops.py.
"""

from __future__ import annotations

from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.reading import Reading, reads
from modelfmt.layers.operations.saying import Said
from modelfmt.layers.operations.table import Writer, operation
from modelfmt.layers.operations.values import Ops

_WIDER = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32",
          "uint16": "uint32"}  # fmt: skip


def reduced(ops: Ops, op: str, x: str, axis: Any, keepdims: Any) -> TensorName:
    """One node that reduces ``x`` over one axis, several, or None for all of them."""
    return ops.op(op, x, ops.axes(x, axis), keep_dims=bool(keepdims))


def _total(ops: Ops, op: str, x: Any, axis: Any, keepdims: Any, dtype: Any = None) -> TensorName:
    """Sum or Prod, in the dtype that Keras 3 adds up in."""
    x = ops.tensor(x)
    if dtype is not None:
        x = ops.cast(x, ops.named_dtype(dtype).name)
    elif ops.keras:
        x = ops.cast(x, _WIDER.get(ops.dtype(x), ops.dtype(x)))
    return reduced(ops, op, x, axis, keepdims)


def _summing(op: str) -> Writer:
    return lambda ops, x, axis, keepdims, dtype: _total(ops, op, x, axis, keepdims, dtype)


def _logical(op: str) -> Writer:
    return lambda ops, x, axis, keepdims: reduced(ops, op, ops.cast(x, "bool"), axis, keepdims)


def _extreme(op: str, of_bools: str, between: str) -> Writer:
    def write(ops: Ops, x: Any, axis: Any, keepdims: Any, initial: Any) -> TensorName:
        x = ops.tensor(x)
        made = reduced(ops, of_bools if ops.dtype(x) == "bool" else op, x, axis, keepdims)
        if initial is None:
            return made
        if ops.dtype(x) == "bool":
            raise ConversionError(f"{op} of truth values with an initial one")
        return ops.op(between, made, ops.tensor(initial, ops.dtype(made)))

    return write


_TF = "(input_tensor, axis=None, keepdims=False"
operation(f"Sum(x, axis=None, keepdims=False, _dtype=None) math.reduce_sum{_TF}, _dtype=None)")(
    _summing("Sum")
)
operation(f"Prod(x, axis=None, keepdims=False, dtype=None) math.reduce_prod{_TF}, _dtype=None)")(
    _summing("Prod")
)
operation(f"All(x, axis=None, keepdims=False) math.reduce_all{_TF})")(_logical("All"))
operation(f"Any(x, axis=None, keepdims=False) math.reduce_any{_TF})")(_logical("Any"))
operation(
    "Max(x, axis=None, keepdims=False, initial=None)",
    f"Amax(x, axis=None, keepdims=False, _initial=None) math.reduce_max{_TF}, _initial=None)",
)(_extreme("Max", "Any", "Maximum"))
operation(
    "Min(x, axis=None, keepdims=False, initial=None)",
    f"Amin(x, axis=None, keepdims=False, _initial=None) math.reduce_min{_TF}, _initial=None)",
)(_extreme("Min", "All", "Minimum"))


@operation("Mean(x, axis=None, keepdims=False)", f"math.reduce_mean{_TF})")
def write_mean(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
    return reduced(ops, "Mean", ops.floats(x)[0], axis, keepdims)


@reads("Sum", "Prod", "Max", "Min", "Mean", "All", "Any")
def _read_reduction(r: Reading) -> Said:
    """Keras 3 adds up in wider integers: then by way of those, and back."""
    made = r.say(r.op, r.x(0), axis=r.axes(1), keepdims=bool(r.attr("keep_dims")))
    kind = r.output_dtype()
    if kind in _WIDER and r.op in ("Sum", "Prod"):
        return r.say("Cast", made, kind)
    return made


@operation("Var(x, axis=None, keepdims=False)", f"math.reduce_variance{_TF})")
def write_variance(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
    """The mean of the squared distances from the mean."""
    x = ops.floats(x)[0]
    apart = ops.op("Sub", x, reduced(ops, "Mean", x, axis, True))
    return reduced(ops, "Mean", ops.op("Square", apart), axis, keepdims)


@operation("Std(x, axis=None, keepdims=False)", f"math.reduce_std{_TF})")
def _deviation(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
    return ops.op("Sqrt", write_variance(ops, x, axis, keepdims))


@operation(
    "Moments(x, axes, keepdims=False, synchronized=False)",
    "nn.moments(x, axes, keepdims=False, _synchronized=False)",
)
def _moments(ops: Ops, x: Any, axes: Any, keepdims: Any, synchronized: Any) -> list[TensorName]:
    return [write_mean(ops, x, axes, keepdims), write_variance(ops, x, axes, keepdims)]


@operation("Average(x, weights=None, axis=None)")
def _average(ops: Ops, x: Any, weights: Any, axis: Any) -> TensorName:
    if weights is None:
        return write_mean(ops, x, axis, False)
    x, weights = ops.floats(x, weights)
    if ops.rank(x) != ops.rank(weights):
        weights = ops.reshape(
            weights,
            [ops.size(weights, 0) if k in ops.axes(x, axis) else 1 for k in range(ops.rank(x))],
        )
    total = reduced(ops, "Sum", ops.op("Mul", x, weights), axis, False)
    return ops.op("RealDiv", total, reduced(ops, "Sum", weights, axis, False))


@operation("Ptp(x, axis=None, keepdims=False)")
def _range(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
    x = ops.tensor(x)
    largest, least = (reduced(ops, op, x, axis, keepdims) for op in ("Max", "Min"))
    return ops.op("Sub", largest, least)


@operation(
    "CountNonzero(x, axis=None, _keepdims=False, _dtype='int32')",
    "math.count_nonzero(input, axis=None, keepdims=False, dtype='int64')",
)
def _count(ops: Ops, x: Any, axis: Any, keepdims: Any, dtype: Any) -> TensorName:
    x = ops.tensor(x)
    seen = x if ops.dtype(x) == "bool" else ops.op("NotEqual", x, ops.tensor(0, ops.dtype(x)))
    return reduced(ops, "Sum", ops.cast(seen, ops.named_dtype(dtype).name), axis, keepdims)


@operation("Logsumexp(x, axis=None, keepdims=False)", f"math.reduce_logsumexp{_TF})")
def write_logsumexp(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
    """log(sum(exp(x - m))) + m, m being the largest where that is finite, else 0."""
    x = ops.floats(x)[0]
    largest = reduced(ops, "Max", x, axis, True)
    finite = ops.op("IsFinite", largest)
    largest = ops.op("SelectV2", finite, largest, ops.op("ZerosLike", largest))
    powers = ops.op("Exp", ops.op("Sub", x, largest))
    made = ops.op("Log", reduced(ops, "Sum", powers, axis, keepdims))
    if not keepdims:
        largest = ops.op("Squeeze", largest, squeeze_dims=ops.axes(x, axis))
    return ops.op("AddV2", made, largest)


@operation("math.reduce_euclidean_norm(input_tensor, axis=None, keepdims=False)")
def write_length(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
    squares = ops.op("Square", ops.floats(x)[0])
    return ops.op("Sqrt", reduced(ops, "Sum", squares, axis, keepdims))


@reads("EuclideanNorm")
def _read_length(r: Reading) -> Said:
    axes, kept = r.axes(1), bool(r.attr("keep_dims"))
    squares = r.say("Sum", r.say("Square", r.x(0)), axis=axes, keepdims=kept)
    return r.say("Sqrt", squares)


@reads("L2Loss")
def _read_half_square(r: Reading) -> Said:
    return r.say("Multiply", r.say("Sum", r.say("Square", r.x(0))), 0.5)


# -- without what is no number -----------------------------


def _without(ops: Ops, x: Any, value: float) -> tuple[TensorName, TensorName]:
    """The tensor with ``value`` for NaN, and where NaN stood."""
    x = ops.tensor(x)
    if not ops.is_float(x):
        return x, ops.op("ZerosLike", ops.cast(x, "bool"))
    nan = ops.op("IsNan", x)
    return ops.op("SelectV2", nan, ops.tensor(value, ops.dtype(x)), x), nan


@operation("Nansum(x, axis=None, keepdims=False)")
def _nansum(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
    return _total(ops, "Sum", _without(ops, x, 0.0)[0], axis, keepdims)


@operation("Nanprod(x, axis=None, keepdims=False)")
def _nanprod(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
    return _total(ops, "Prod", _without(ops, x, 1.0)[0], axis, keepdims)


@operation("Nanmean(x, axis=None, keepdims=False)")
def _nanmean(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
    kept, nan = _without(ops, ops.floats(x)[0], 0.0)
    count = ops.cast(ops.op("LogicalNot", nan), ops.dtype(kept))
    total = reduced(ops, "Sum", kept, axis, keepdims)
    return ops.op("RealDiv", total, reduced(ops, "Sum", count, axis, keepdims))


@operation("Nanvar(x, axis=None, keepdims=False)")
def _nanvar(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
    x = ops.floats(x)[0]
    apart = ops.op("Square", ops.op("Sub", x, _nanmean(ops, x, axis, True)))
    return _nanmean(ops, apart, axis, keepdims)


@operation("Nanstd(x, axis=None, keepdims=False)")
def _nanstd(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
    return ops.op("Sqrt", _nanvar(ops, x, axis, keepdims))


def _nan_extreme(op: str, limit: float) -> Writer:
    def write(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
        """NaN where nothing but NaN stands."""
        kept, nan = _without(ops, ops.floats(x)[0], limit)
        made = reduced(ops, op, kept, axis, keepdims)
        none = reduced(ops, "All", nan, axis, keepdims)
        return ops.op("SelectV2", none, ops.tensor(float("nan"), ops.dtype(made)), made)

    return write


operation("Nanmax(x, axis=None, keepdims=False)")(_nan_extreme("Max", float("-inf")))
operation("Nanmin(x, axis=None, keepdims=False)")(_nan_extreme("Min", float("inf")))

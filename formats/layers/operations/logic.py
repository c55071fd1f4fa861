"""Operations that ask whether, and choose: where, select, closeness, NaN; and other dtypes.

Source: Keras backend/tensorflow/numpy.py and core.py; TensorFlow python/ops/math_ops.py.
"""

from __future__ import annotations

import math
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.reading import Reading, reads
from modelfmt.layers.operations.saying import Said
from modelfmt.layers.operations.table import Writer, operation
from modelfmt.layers.operations.values import Ops


@operation("Heaviside(x1, x2)")
def _heaviside(ops: Ops, x: Any, at_zero: Any) -> TensorName:
    x, at_zero = ops.floats(x, at_zero)
    one, zero = ops.op("OnesLike", x), ops.op("ZerosLike", x)
    above = ops.op("SelectV2", ops.op("Greater", x, zero), one, at_zero)
    return ops.op("SelectV2", ops.op("Less", x, zero), zero, above)


def _infinite(sign: float) -> Writer:
    def write(ops: Ops, x: Any) -> TensorName:
        x = ops.floats(x)[0]
        return ops.op("Equal", x, ops.tensor(sign * math.inf, ops.dtype(x)))

    return write


operation("Isposinf(x)")(_infinite(1.0))
operation("Isneginf(x)")(_infinite(-1.0))


@operation("Isreal(x)")
def _is_real(ops: Ops, x: Any) -> TensorName:
    return ops.op("OnesLike", ops.cast(x, "bool"))


@operation("Isclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False)")
def write_isclose(ops: Ops, x: Any, y: Any, rtol: Any, atol: Any, equal_nan: bool) -> TensorName:
    """|x - y| <= atol + rtol |y|; of integers equality."""
    x, y = ops.same(x, y)
    if not ops.is_float(x):
        return ops.op("Equal", x, y)
    kind = ops.dtype(x)
    room = ops.op("Mul", ops.op("Abs", y), ops.tensor(rtol, kind))
    room = ops.op("AddV2", room, ops.tensor(atol, kind))
    near = ops.op("LessEqual", ops.op("Abs", ops.op("Sub", x, y)), room)
    if not equal_nan:
        return near
    return ops.op("LogicalOr", near, ops.op("LogicalAnd", ops.op("IsNan", x), ops.op("IsNan", y)))


@operation("AllClose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False)")
def _all_close(ops: Ops, x: Any, y: Any, rtol: Any, atol: Any, equal_nan: bool) -> TensorName:
    near = write_isclose(ops, x, y, rtol, atol, equal_nan)
    return ops.op("All", near, list(range(ops.rank(near))))


@operation("NanToNum(x, nan=0.0, posinf=None, neginf=None)")
def _nan_to_num(ops: Ops, x: Any, nan: Any, above: Any, below: Any) -> TensorName:
    import numpy as np

    x = ops.tensor(x)
    kind = ops.dtype(x)
    if not ops.is_float(x):
        return ops.op("Identity", x)
    largest = float(np.finfo(ops.graph.dtype(x).numpy).max)
    x = ops.op("SelectV2", ops.op("IsNan", x), ops.tensor(nan, kind), x)
    for limit, value in ((math.inf, above), (-math.inf, below)):
        value = math.copysign(largest, limit) if value is None else value
        found = ops.op("Equal", x, ops.tensor(limit, kind))
        x = ops.op("SelectV2", found, ops.tensor(value, kind), x)
    return TensorName(x)


@operation(
    "Where(condition, x1=None, x2=None) where(condition, x=None, y=None) "
    "where_v2(condition, x=None, y=None)"
)
def write_where(ops: Ops, condition: Any, x: Any, y: Any) -> TensorName | list[TensorName]:
    """x where the condition holds, else y; without them the places where it holds."""
    condition = ops.cast(condition, "bool")
    if x is None and y is None:
        if ops.keras:
            return write_nonzero(ops, condition)
        return ops.op("Where", condition)
    x, y = ops.same(x, y)
    return ops.op("SelectV2", condition, x, y)


@reads("SelectV2")
def _read_choice(r: Reading) -> Said:
    condition, x, y = r.operands()
    if r.view.graph[r.node.name].op == "Select" and r.rank(0) == 1 < r.rank(1):
        # Source: TensorFlow's Select; a vector of conditions chooses rows.
        condition = r.say("Reshape", condition, [-1, *[1] * (r.rank(1) - 1)])
    return r.say("Where", condition, x, y)


@reads("Where")
def _read_places(r: Reading) -> Said:
    """Where a condition holds, one row a place."""
    found = r.say("Nonzero", r.x(0))
    rows = r.say("Stack", r.outputs(found, r.rank(0)), axis=1)
    return r.any_of(r.exactly("where", r.x(0)), r.say("Cast", rows, r.output_dtype()))


@operation("Nonzero(x)")
def write_nonzero(ops: Ops, x: Any) -> list[TensorName]:
    """The places that are not zero, axis by axis."""
    x = ops.cast(x, "bool")
    count = ops.rank(x)
    places = ops.ops("Unpack", ops.op("Where", x), num=count, axis=1)
    return [ops.cast(place, "int32") for place in places]


@operation("Select(condlist, choicelist, default=0)")
def _select(ops: Ops, conditions: Any, choices: Any, default: Any) -> TensorName:
    """The first choice whose condition holds."""
    *choices, made = ops.same(*choices, default)
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        made = ops.op("SelectV2", ops.cast(condition, "bool"), choice, made)
    return made


@operation("math.add_n(inputs)", "math.accumulate_n(inputs)")
def _sum_of_all(ops: Ops, inputs: Any) -> TensorName:
    return ops.op("AddN", *ops.same(*(inputs if isinstance(inputs, list) else [inputs])))


@reads("AddN")
def _read_sum_of_all(r: Reading) -> Said:
    first, *rest = r.operands()
    total = first
    for each in rest:
        total = r.say("Add", total, each)
    direct = r.say("math.add_n", [first, *rest])
    return r.any_of(direct, total) if isinstance(total, Said) else direct


@operation("Cast(x, dtype) SaturateCast(x, dtype) cast(x, dtype) dtypes.cast(x, dtype)")
def write_cast(ops: Ops, x: Any, dtype: Any) -> TensorName:
    x, target = ops.tensor(x), ops.named_dtype(dtype).name
    return ops.op("Identity", x) if ops.dtype(x) == target else ops.cast(x, target)


@reads("Bitcast")
def _read_bits(r: Reading) -> Said:
    return r.say("View bitcast", r.x(0), r.output_dtype())


@reads("Cast")
def _read_cast(r: Reading) -> Said:
    return r.say("Cast", r.x(0), r.output_dtype())


@operation(
    "ConvertToTensor(x, dtype=None, sparse=None, ragged=None)",
    "Array(x, dtype=None, _sparse=None, _ragged=None)",
    "convert_to_tensor(value, dtype=None, _sparse=None, _ragged=None)",
)
def _converted(ops: Ops, x: Any, dtype: Any, sparse: Any, ragged: Any) -> TensorName:
    if sparse or ragged:
        raise ConversionError("only dense tensors can be written")
    return ops.op("Identity", ops.tensor(x)) if dtype is None else write_cast(ops, x, dtype)

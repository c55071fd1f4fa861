"""Operations element by element: arithmetic, comparisons, logic, functions of one number.

The tables pair TensorFlow's op with the names that ask for it; what takes more than one node has
a function of its own. Source: Keras ops/numpy.py and backend/tensorflow/numpy.py; TensorFlow
python/ops/math_ops.py.
"""

from __future__ import annotations

import math
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.reading import Reading, Unread, reads, reads_as
from modelfmt.layers.operations.saying import Said
from modelfmt.layers.operations.table import Writer, each, operation
from modelfmt.layers.operations.values import Ops

#: Two operands in the dtype in which they meet.
_BINARY = {
    "AddV2": "Add(x1, x2) math.add(x, y) __operators__.add(x, y)",
    "Sub": "Subtract(x1, x2) math.subtract(x, y)",
    "Mul": "Multiply(x1, x2) math.multiply(x, y)",
    "Maximum": "Maximum(x1, x2) Fmax(x1, x2) math.maximum(x, y)",
    "Minimum": "Minimum(x1, x2) Fmin(x1, x2) math.minimum(x, y)",
    "Pow": "Power(x1, x2) math.pow(x, y)",
    "SquaredDifference": "math.squared_difference(x, y)",
    "BitwiseAnd": "BitwiseAnd(x, y) bitwise.bitwise_and(x, y)",
    "BitwiseOr": "BitwiseOr(x, y) bitwise.bitwise_or(x, y)",
    "BitwiseXor": "BitwiseXor(x, y) bitwise.bitwise_xor(x, y)",
    "LeftShift": "LeftShift(x, y) BitwiseLeftShift(x, y) bitwise.left_shift(x, y)",
    "RightShift": "RightShift(x, y) BitwiseRightShift(x, y) bitwise.right_shift(x, y)",
    "Equal": "Equal(x1, x2) math.equal(x, y) __operators__.eq(self, other)",
    "NotEqual": "NotEqual(x1, x2) math.not_equal(x, y) __operators__.ne(self, other)",
    "Greater": "Greater(x1, x2) math.greater(x, y)",
    "GreaterEqual": "GreaterEqual(x1, x2) math.greater_equal(x, y)",
    "Less": "Less(x1, x2) math.less(x, y)",
    "LessEqual": "LessEqual(x1, x2) math.less_equal(x, y)",
    "DivNoNan": "math.divide_no_nan(x, y)",
    "MulNoNan": "math.multiply_no_nan(x, y)",
    "Xlogy": "math.xlogy(x, y)",
    "Xdivy": "math.xdivy(x, y)",
}
#: The same for floats only: Keras 3 makes floats of integers.
_BINARY_FLOAT = {
    "RealDiv": "Divide(x1, x2) TrueDivide(x1, x2)",
    "Atan2": "Arctan2(x1, x2) math.atan2(y, x)",
    "NextAfter": "Nextafter(x1, x2) math.nextafter(x1, x2)",
}
#: For integers that truth values become.
_BINARY_NUMBER = {
    "FloorDiv": "FloorDivide(x1, x2) math.floordiv(x, y) compat.v1.floor_div(x, y)",
    "FloorMod": "Mod(x1, x2) math.floormod(x, y) math.mod(x, y)",
}
_LOGICAL = {
    "LogicalAnd": "LogicalAnd(x1, x2) math.logical_and(x, y) __operators__.and(x, y)",
    "LogicalOr": "LogicalOr(x1, x2) math.logical_or(x, y) __operators__.or(x, y)",
    "NotEqual": "LogicalXor(x1, x2) math.logical_xor(x, y) __operators__.xor(x, y)",
}
#: One operand; floats of integers in Keras 3.
_UNARY_FLOAT = {
    "Acos": "Arccos math.acos", "Acosh": "Arccosh math.acosh", "Asin": "Arcsin math.asin",
    "Asinh": "Arcsinh math.asinh", "Atan": "Arctan math.atan", "Atanh": "Arctanh math.atanh",
    "Ceil": "Ceil math.ceil", "Cos": "Cos math.cos", "Cosh": "Cosh math.cosh",
    "Erf": "Erf math.erf", "Erfc": "Erfc math.erfc", "Erfinv": "Erfinv math.erfinv",
    "BesselI0": "I0 math.bessel_i0",
    "Exp": "Exp math.exp", "Expm1": "Expm1 math.expm1", "Floor": "Floor math.floor",
    "IsFinite": "Isfinite math.is_finite", "IsInf": "Isinf math.is_inf",
    "IsNan": "Isnan math.is_nan", "Log": "Log math.log", "Log1p": "Log1p math.log1p",
    "Rsqrt": "Rsqrt math.rsqrt", "Sin": "Sin math.sin", "Sinh": "Sinh math.sinh",
    "Sqrt": "Sqrt math.sqrt", "Tan": "Tan math.tan", "Tanh": "Tanh math.tanh nn.tanh",
    "Lgamma": "math.lgamma", "Digamma": "math.digamma", "Rint": "math.rint",
    "Ndtri": "math.ndtri",
}  # fmt: skip
#: One operand of any dtype of numbers.
_UNARY = {
    "Neg": "Negative math.negative", "Sign": "Sign math.sign",
    "Identity": "Copy identity stop_gradient StopGradient Conj Conjugate Real "
    "grad_pass_through keras.backend.identity",
}  # fmt: skip

#: Ops that have a reader of their own.
_READ_OTHERWISE = {"RealDiv", "SquaredDifference", "Xlogy", "Xdivy", "MulNoNan", "DivNoNan"}


def _binary(op: str) -> Writer:
    return lambda ops, x, y: ops.op(op, *ops.same(x, y))


def _binary_float(op: str) -> Writer:
    return lambda ops, x, y: ops.op(op, *ops.floats(x, y))


def _binary_number(op: str) -> Writer:
    return lambda ops, x, y: ops.op(op, *ops.same(x, y, also=["int*"] if ops.keras else []))


def _logical(op: str) -> Writer:
    return lambda ops, x, y: ops.op(op, ops.cast(x, "bool"), ops.cast(y, "bool"))


def _unary(op: str) -> Writer:
    return lambda ops, x: ops.op(op, ops.tensor(x))


def _unary_float(op: str) -> Writer:
    return lambda ops, x: ops.op(op, *ops.floats(x))


for table, make in (
    (_BINARY, _binary), (_BINARY_FLOAT, _binary_float), (_BINARY_NUMBER, _binary_number),
    (_LOGICAL, _logical),
):  # fmt: skip
    for op, spellings in table.items():
        operation(spellings)(make(op))
        if op not in _READ_OTHERWISE and (table is not _LOGICAL or op != "NotEqual"):
            reads_as(op, spellings.partition("(")[0])
for unary_table, make_one in ((_UNARY, _unary), (_UNARY_FLOAT, _unary_float)):
    for op, names in unary_table.items():
        write = make_one(op)
        each(names, "x", write)
        reads_as(op, names.split()[0])


@operation("math.truediv(x, y) math.divide(x, y) math.div(x, y)")
def _true_division(ops: Ops, x: Any, y: Any) -> TensorName:
    """TensorFlow's: of integers of up to 16 bits float32, of others float64."""
    x, y = ops.same(x, y)
    if not ops.is_float(x):
        kind = "float32" if ops.dtype(x) in ("int8", "uint8", "int16", "uint16") else "float64"
        x, y = ops.cast(x, kind), ops.cast(y, kind)
    return ops.op("RealDiv", x, y)


@reads("RealDiv")
def _read_division(r: Reading) -> Said:
    if r.output_dtype().startswith(("int", "uint")):
        raise Unread  # Div of integers cuts off
    return r.say("Divide math.truediv", *r.operands())


@operation("DivideNoNan(x1, x2)")
def _division_without_nan(ops: Ops, x: Any, y: Any) -> TensorName:
    return ops.op("DivNoNan", *ops.floats(x, y))


reads_as("DivNoNan", "DivideNoNan math.divide_no_nan")


def _where_not(r: Reading, zero: Any, value: Said) -> Said:
    """``value``, but 0 where ``zero`` is, whatever the value is there."""
    return r.say("Where", r.say("Equal", zero, 0.0), r.say("ZerosLike", value), value)


@reads("SquaredDifference")
def _read_squared_difference(r: Reading) -> Said:
    x, y = r.operands()
    return r.any_of(
        r.say("math.squared_difference", x, y), r.say("Square", r.say("Subtract", x, y))
    )


@reads("MulNoNan", "Xlogy", "Xdivy")
def _read_no_nan(r: Reading) -> Said:
    """Products that are 0 where one factor is."""
    x, y = r.operands()
    if r.op == "MulNoNan":
        return r.any_of(
            r.say("math.multiply_no_nan", x, y), _where_not(r, y, r.say("Multiply", x, y))
        )
    if r.op == "Xlogy":
        product = r.say("Multiply", x, r.say("Log", y))
        return r.any_of(r.say("math.xlogy", x, y), _where_not(r, x, product))
    return r.any_of(r.say("math.xdivy", x, y), _where_not(r, x, r.say("Divide math.truediv", x, y)))


@operation("Absolute(x) Abs(x) math.abs(x)")
def _absolute(ops: Ops, x: Any) -> TensorName:
    x = ops.tensor(x)
    return x if ops.dtype(x) == "bool" or ops.dtype(x)[0] == "u" else ops.op("Abs", x)


reads_as("Abs", "Absolute")


@operation("Fabs(x)")
def _float_absolute(ops: Ops, x: Any) -> TensorName:
    return ops.op("Abs", *ops.floats(x))


@operation("Square(x) math.square(x)")
def _square(ops: Ops, x: Any) -> TensorName:
    x = ops.tensor(x)
    return ops.op("Square", ops.cast(x, "int32") if ops.dtype(x) == "bool" else x)


reads_as("Square", "Square")


@operation("Reciprocal(x) math.reciprocal(x)")
def _reciprocal(ops: Ops, x: Any) -> TensorName:
    x = ops.floats(x)[0]
    return ops.op("RealDiv", ops.tensor(1.0, ops.dtype(x)), x)


reads_as("Reciprocal", "Reciprocal")
reads_as("Inv", "Reciprocal")


@operation("LogicalNot(x) math.logical_not(x) __operators__.invert(x)")
def _not(ops: Ops, x: Any) -> TensorName:
    return ops.op("LogicalNot", ops.cast(x, "bool"))


reads_as("LogicalNot", "LogicalNot")


@operation("BitwiseInvert(x) BitwiseNot(x) bitwise.invert(x)")
def _invert(ops: Ops, x: Any) -> TensorName:
    return ops.op("Invert", ops.tensor(x))


reads_as("Invert", "BitwiseInvert")


@operation("Clip(x, x_min, x_max) clip_by_value(t, clip_value_min, clip_value_max)")
def write_clip(ops: Ops, x: Any, low: Any, high: Any) -> TensorName:
    x = ops.tensor(x)
    if ops.dtype(x) == "bool":
        x = ops.cast(x, "int32")
    if high is not None:
        x = ops.op("Minimum", x, ops.tensor(high, ops.dtype(x)))
    return x if low is None else ops.op("Maximum", x, ops.tensor(low, ops.dtype(x)))


reads_as("ClipByValue", "Clip")


@operation("Round(x, decimals=0) math.round(x, _decimals=0)")
def _round(ops: Ops, x: Any, decimals: int) -> TensorName:
    """Halves to the even neighbour; decimals by a power of ten."""
    x = ops.tensor(x)
    if not ops.is_float(x):
        if decimals < 0:
            raise ConversionError("integers rounded to tens cannot be written")
        return ops.op("Identity", ops.cast(x, "int32") if ops.dtype(x) == "bool" else x)
    if decimals == 0:
        return ops.op("Round", x)
    factor = ops.tensor(10.0**decimals, ops.dtype(x))
    return ops.op("RealDiv", ops.op("Round", ops.op("Mul", x, factor)), factor)


reads_as("Round", "Round")
reads_as("Rint", "Round")


@operation("Trunc(x)")
def _truncate(ops: Ops, x: Any) -> TensorName:
    x = ops.tensor(x)
    if not ops.is_float(x):
        return ops.op("Identity", x)
    below = ops.op("Less", x, ops.tensor(0.0, ops.dtype(x)))
    return ops.op("SelectV2", below, ops.op("Ceil", x), ops.op("Floor", x))


@operation("Fmod(x1, x2)")
def _c_remainder(ops: Ops, x: Any, y: Any) -> TensorName:
    """With the sign of the dividend."""
    return ops.op("TruncateMod", *ops.same(x, y, also=["int*"]))


@reads("TruncateMod")
def _read_c_remainder(r: Reading) -> Said:
    """The sign of x times the remainder of the sizes."""
    x, y = r.operands()
    sizes = r.say("Mod", r.say("Absolute", x), r.say("Absolute", y))
    return r.any_of(r.say("Fmod", x, y), r.say("Multiply", r.say("Sign", x), sizes))


def _scaled(ops: Ops, x: Any, function: str | None, factor: float) -> TensorName:
    x = ops.floats(x)[0]
    made = ops.op(function, x) if function else x
    return ops.op("Mul", made, ops.tensor(factor, ops.dtype(x)))


@operation("Deg2rad(x)")
def _radians(ops: Ops, x: Any) -> TensorName:
    return _scaled(ops, x, None, math.pi / 180)


@operation("Rad2deg(x)")
def _degrees(ops: Ops, x: Any) -> TensorName:
    return _scaled(ops, x, None, 180 / math.pi)


def _log_of_base(ops: Ops, x: Any, base: float) -> TensorName:
    made = ops.op("Log", *ops.floats(x))
    return ops.op("RealDiv", made, ops.tensor(math.log(base), ops.dtype(made)))


@operation("Log2(x)")
def _log2(ops: Ops, x: Any) -> TensorName:
    return _log_of_base(ops, x, 2.0)


@operation("Log10(x)")
def _log10(ops: Ops, x: Any) -> TensorName:
    return _log_of_base(ops, x, 10.0)


@operation("Exp2(x)")
def _exp2(ops: Ops, x: Any) -> TensorName:
    x = ops.floats(x)[0]
    return ops.op("Pow", ops.tensor(2.0, ops.dtype(x)), x)


@operation("Ldexp(x1, x2)")
def _ldexp(ops: Ops, x: Any, exponent: Any) -> TensorName:
    x = ops.floats(x)[0]
    two = ops.tensor(2.0, ops.dtype(x))
    return ops.op("Mul", x, ops.op("Pow", two, ops.tensor(exponent, ops.dtype(x))))


@operation("Logaddexp(x1, x2)")
def write_logaddexp(ops: Ops, x: Any, y: Any) -> TensorName:
    """max + log1p(exp(-|x - y|))."""
    x, y = ops.floats(x, y)
    apart = ops.op("Neg", ops.op("Abs", ops.op("Sub", x, y)))
    return ops.op("AddV2", ops.op("Maximum", x, y), ops.op("Log1p", ops.op("Exp", apart)))


@operation("Logaddexp2(x1, x2)")
def _logaddexp2(ops: Ops, x: Any, y: Any) -> TensorName:
    x, y = ops.floats(x, y)
    log2 = ops.tensor(math.log(2.0), ops.dtype(x))
    made = write_logaddexp(ops, ops.op("Mul", x, log2), ops.op("Mul", y, log2))
    return ops.op("RealDiv", made, log2)


@operation("Hypot(x1, x2)")
def _hypotenuse(ops: Ops, x: Any, y: Any) -> TensorName:
    """The larger times sqrt(1 + ratio squared), which squares nothing large."""
    x, y = (ops.op("Abs", each) for each in ops.floats(x, y))
    larger = ops.op("Maximum", x, y)
    ratio = ops.op("DivNoNan", ops.op("Minimum", x, y), larger)
    root = ops.op("Sqrt", ops.op("AddV2", ops.op("Square", ratio), 1.0))
    return ops.op("Mul", larger, root)


@operation("Cbrt(x)")
def _cube_root(ops: Ops, x: Any) -> TensorName:
    x = ops.floats(x)[0]
    root = ops.op("Pow", ops.op("Abs", x), ops.tensor(1 / 3, ops.dtype(x)))
    return ops.op("Mul", ops.op("Sign", x), root)


@operation("Sinc(x)")
def _sinc(ops: Ops, x: Any) -> TensorName:
    """sin(pi x) / (pi x), and 1 at 0."""
    x = ops.op("Mul", ops.floats(x)[0], math.pi)
    zero = ops.op("Equal", x, 0.0)
    one = ops.tensor(1.0, ops.dtype(x))
    return ops.op(
        "SelectV2", zero, one, ops.op("RealDiv", ops.op("Sin", x), ops.op("SelectV2", zero, one, x))
    )

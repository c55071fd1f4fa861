"""Shape rules of elementwise ops, and the arithmetic that computes with sizes."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from modelfmt.graph import Dims
from modelfmt.ops.shape_core import Call, Rule, Static, full, partial

#: Larger operands are no sizes, and powers of them would never end.
LIMIT = 2**31


def _truncated(a: Any, b: Any) -> Any:
    """C's division: towards zero."""
    if isinstance(a, float) or isinstance(b, float):
        return a / b
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: Any, b: Any) -> Any:
    """C's remainder: with the sign of the dividend."""
    return math.fmod(a, b) if isinstance(a, float) else a - b * _truncated(a, b)


def _power(a: Any, b: Any) -> Any:
    if not isinstance(b, int) or not 0 <= b <= 64:
        raise ArithmeticError
    return a**b


_UNARY: dict[str, Callable[[Any], Any]] = {
    "Abs": abs, "Neg": operator.neg, "Square": lambda x: x * x, "Sign": lambda x: (x > 0) - (x < 0),
    "Floor": lambda x: float(math.floor(x)), "Ceil": lambda x: float(math.ceil(x)),
    "Round": lambda x: type(x)(round(x)), "Rint": lambda x: float(round(x)), "Sqrt": math.sqrt,
    "LogicalNot": operator.not_,
}

_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add, "AddV2": operator.add, "Sub": operator.sub, "Mul": operator.mul,
    "FloorDiv": operator.floordiv, "FloorMod": operator.mod, "RealDiv": operator.truediv,
    "Div": _truncated, "TruncateDiv": _truncated, "Mod": _remainder, "TruncateMod": _remainder,
    "Maximum": max, "Minimum": min, "Pow": _power,
    "SquaredDifference": lambda x, y: (x - y) * (x - y),
    "Equal": operator.eq, "NotEqual": operator.ne, "Less": operator.lt,
    "LessEqual": operator.le, "Greater": operator.gt, "GreaterEqual": operator.ge,
    "LogicalAnd": lambda x, y: x and y, "LogicalOr": lambda x, y: x or y,
}

#: What one operand alone decides, whatever the other is.
_DECIDING = {"LogicalAnd": False, "LogicalOr": True}


def _careful(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function over Python numbers, None where an operand is None or the sum fails."""

    def guarded(*operands: Any) -> Any:
        if None in operands or not all(abs(e) <= LIMIT for e in operands):
            return None
        try:
            return function(*operands)
        except (ArithmeticError, ValueError):
            return None

    return guarded


def apply(function: Callable[..., Any], *operands: Any) -> Any:
    """An elementwise function over object arrays, with broadcasting; None where one is None."""
    import numpy as np

    if any(operand is None for operand in operands):
        return None
    with np.errstate(all="ignore"):
        result = np.frompyfunc(function, len(operands), 1)(*operands)
    return np.asarray(result, dtype=object)


def unary(call: Call) -> Static:
    """One operand, the same shape."""
    function = _UNARY.get(call.op)
    value = call.value(0) if function else None
    return Static(call.shape(0), apply(_careful(function), value) if function else None)


def binary(call: Call) -> Static:
    """Two operands that broadcast."""
    function = _BINARY.get(call.op)
    if call.op in ("Equal", "NotEqual") and not call.attr("incompatible_shape_error"):
        if call.shape(0) == call.shape(1) and None not in (call.shape(0) or (None,)):
            return Static(call.shape(0))
        return Static(None)
    shape = call.broadcast(call.shape(0), call.shape(1))
    if function is None or shape is None:
        return Static(shape)
    if call.inputs[0].value is None and call.inputs[1].value is None:
        return Static(shape)
    careful, deciding = _careful(function), _DECIDING.get(call.op)

    def element(a: Any, b: Any) -> Any:
        decided = deciding is not None and deciding in (a, b)
        return deciding if decided else careful(a, b)

    return Static(shape, apply(element, partial(call.input(0)), partial(call.input(1))))


def like_first(call: Call) -> Dims:
    return call.shape(0)


def alike(call: Call) -> Dims:
    """AddN: all operands have the same shape."""
    shape = call.shape(0)
    for index in range(1, len(call.inputs)):
        shape = call.merge_shapes(shape, call.shape(index), "shapes of the operands")
    return shape


def string_join(call: Call) -> Dims:
    """StringJoin: operands of one shape, scalars beside them."""
    shapes = [call.shape(index) for index in range(len(call.inputs))]
    result: Dims = None if None in shapes else ()
    for shape in shapes:
        if shape:
            result = call.merge_shapes(result or None, shape, "shapes of the operands")
    return result


def cast(call: Call) -> Static:
    """Cast: numbers change their kind, truncated towards zero."""
    kind = str(call.attr("DstT"))
    convert = bool if kind == "bool" else int if "int" in kind else float
    return Static(call.shape(0), apply(_careful(convert), call.value(0)))


def filled_like(call: Call) -> Static:
    """OnesLike, ZerosLike."""
    shape = call.shape(0)
    return Static(shape, full(shape, 1 if call.op == "OnesLike" else 0))


def select(call: Call) -> Static:
    """SelectV2 broadcasts; Select wants equal shapes, or a scalar or vector condition."""
    if call.op == "Select":
        shape = call.merge_shapes(call.shape(1), call.shape(2), "shapes of the branches")
        condition = call.shape(0)
        if shape and condition:
            chosen = shape[:1] if len(condition) == 1 else shape
            head = call.merge_shapes(chosen, condition, "shape of the condition") or ()
            shape = (*head, *shape[len(head) :])
    else:
        shape = call.broadcast(call.shape(0), call.broadcast(call.shape(1), call.shape(2)))
    conditions = call.value(0)
    if shape is None or len(shape) > 1 or conditions is None or conditions.ndim > len(shape):
        return Static(shape)

    def choose(condition: Any, yes: Any, no: Any) -> Any:
        if condition is None:
            return yes if yes == no else None
        return yes if condition else no

    branches = partial(call.input(1)), partial(call.input(2))
    return Static(shape, apply(choose, conditions, *branches))


_FAMILIES: dict[Rule, str] = {
    unary: (
        "Abs Acos Acosh Asin Asinh Atan Atanh Ceil Conj Cos Cosh Digamma Elu Erf Erfc Erfinv Exp "
        "Expm1 Floor Imag Inv Invert IsFinite IsInf IsNan LeakyRelu Lgamma Log Log1p LogicalNot "
        "Ndtri Neg Real ComplexAbs Angle Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign "
        "Sin Sinh Softplus Softsign Sqrt Square Tan Tanh"
    ),
    binary: " ".join(_BINARY) + " Atan2 BitwiseAnd BitwiseOr BitwiseXor Complex DivNoNan MulNoNan "
    "LeftShift RightShift NextAfter Xdivy Xlogy Xlog1py Igamma Igammac Zeta Polygamma",
    like_first: (
        "Softmax LogSoftmax LRN BatchNormWithGlobalNormalization ClipByValue Cumsum Cumprod "
        "CumulativeLogsumexp ReverseSequence Roll AsString StringLower StringUpper "
        "StringStrip StringLength StringToHashBucket StringToHashBucketFast StringToNumber "
        "StringToHashBucketStrong RegexReplace StaticRegexReplace RegexFullMatch "
        "StaticRegexFullMatch Bucketize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars "
        "FakeQuantWithMinMaxVarsPerChannel QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 "
        "AdjustContrastv2 AdjustHue AdjustSaturation RGBToHSV HSVToRGB MatrixBandPart Cholesky "
        "Cross MatrixInverse RandomShuffle TensorScatterUpdate TensorScatterAdd FFT IFFT FFT2D "
        "IFFT2D ReluGrad Relu6Grad LeakyReluGrad EluGrad SeluGrad SigmoidGrad TanhGrad "
        "SoftplusGrad SoftsignGrad RsqrtGrad SqrtGrad ReciprocalGrad LRNGrad MaxPoolGrad"
    ),
    alike: "AddN AccumulateNV2",
    string_join: "StringJoin",
    cast: "Cast",
    filled_like: "OnesLike ZerosLike",
    select: "Select SelectV2",
}

RULES: dict[str, Rule] = {op: rule for rule, ops in _FAMILIES.items() for op in ops.split()}

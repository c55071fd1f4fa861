"""Shape rules of elementwise ops, products, reductions, gathering and control flow."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from modelfmt.graph import Dims, Shape
from modelfmt.shape_core import Call, Rule, Size, Static, full, partial

# --- elementwise: the arithmetic that shapes are computed with ---


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

#: Larger operands are no sizes, and powers of them would never end.
_LIMIT = 2**31


def _careful(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function over Python numbers, None where an operand is None or the sum fails."""

    def apply(*operands: Any) -> Any:
        if None in operands or not all(abs(e) <= _LIMIT for e in operands):
            return None
        try:
            return function(*operands)
        except (ArithmeticError, ValueError):
            return None

    return apply


def _map(function: Callable[..., Any], *operands: Any) -> Any:
    """An elementwise function over object arrays, with broadcasting; None where one is None."""
    import numpy as np

    if any(operand is None for operand in operands):
        return None
    result = np.frompyfunc(function, len(operands), 1)(*operands)
    return np.asarray(result, dtype=object)


def unary(call: Call) -> Static:
    """One operand, the same shape."""
    function = _UNARY.get(call.op)
    value = call.value(0) if function else None
    return Static(call.shape(0), _map(_careful(function), value) if function else None)


def same(call: Call) -> Static:
    """The first operand as it is, or made to look so: Identity, StopGradient."""
    return Static(call.shape(0), call.value(0))


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
    return Static(shape, _map(_careful(function), partial(call.input(0)), partial(call.input(1))))


def like_first(call: Call) -> Dims:
    return call.shape(0)


def alike(call: Call) -> Dims:
    """AddN: all operands have the same shape."""
    shape = call.shape(0)
    for index in range(1, len(call.inputs)):
        shape = call.merge_shapes(shape, call.shape(index), "shapes of the operands")
    return shape


def cast(call: Call) -> Static:
    """Cast: numbers change their kind, truncated towards zero."""
    kind = str(call.attr("DstT"))
    convert = bool if kind == "bool" else int if "int" in kind else float
    return Static(call.shape(0), _map(_careful(convert), call.value(0)))


def filled_like(call: Call) -> Static:
    """OnesLike, ZerosLike."""
    shape = call.shape(0)
    return Static(shape, full(shape, 1 if call.op == "OnesLike" else 0))


def select(call: Call) -> Static:
    """SelectV2 broadcasts; Select wants equal shapes, or a scalar or vector condition."""
    if call.op == "Select":
        shape = call.merge_shapes(call.shape(1), call.shape(2), "shapes of the branches")
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
    return Static(shape, _map(choose, conditions, *branches))


# --- products ---


def matmul(call: Call) -> Dims:
    """MatMul: (m, k) by (k, n), each perhaps transposed."""
    a, b = call.ranked(0, 2), call.ranked(1, 2)
    m, k = a[::-1] if call.attr("transpose_a") else a
    k2, n = b[::-1] if call.attr("transpose_b") else b
    call.merge(k, k2, "inner sizes")
    return (m, n)


def batch_matmul(call: Call) -> Dims:
    """BatchMatMul: (..., m, k) by (..., k, n); V2 and V3 broadcast the dots."""
    a, b = call.shape(0), call.shape(1)
    for index, shape in enumerate((a, b)):
        if shape is not None and len(shape) < 2:
            call.fail(f"rank of input {index}", "at least 2", Shape(shape))
    m, k = (None, None) if a is None else a[-2:]
    k2, n = (None, None) if b is None else b[-2:]
    if call.attr("adj_x"):
        m, k = k, m
    if call.attr("adj_y"):
        k2, n = n, k2
    call.merge(k, k2, "inner sizes")
    left, right = a and a[:-2], b and b[:-2]
    if call.op == "BatchMatMul":
        batch = call.merge_shapes(left, right, "batch dimensions")
    else:
        batch = call.broadcast(left, right)
    return None if batch is None else (*batch, m, n)


def einsum(call: Call) -> Dims:
    """Einsum: a size for each letter; an ellipsis stands for sizes that broadcast."""
    left, _, right = str(call.attr("equation")).replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(call.inputs):
        call.fail("operands of the equation", len(terms), len(call.inputs))
    sizes: dict[str, Size] = {}
    dots: Dims = ()
    for index, term in enumerate(terms):
        shape = call.shape(index)
        if shape is None:
            if "..." in term:
                dots = None
            continue
        head, ellipsis, tail = term.partition("...")
        count = len(shape) - len(head) - len(tail)
        if count < 0 or (count and not ellipsis):
            call.fail(f"rank of input {index}", f"that of {term!r}", Shape(shape))
        for letter, size in zip(head, shape, strict=False):
            sizes[letter] = call.merge(sizes.get(letter), size, f"size of {letter!r}")
        for letter, size in zip(tail, shape[len(shape) - len(tail) :], strict=True):
            sizes[letter] = call.merge(sizes.get(letter), size, f"size of {letter!r}")
        if ellipsis:
            dots = call.broadcast(dots, shape[len(head) : len(head) + count])
    head, ellipsis, tail = right.partition("...")
    if ellipsis and dots is None:
        return None
    middle = dots or () if ellipsis else ()
    return (*(sizes.get(c) for c in head), *middle, *(sizes.get(c) for c in tail))


# --- reductions ---


def reduction(call: Call) -> Static:
    """Sum and kin over the axes of the second operand."""
    shape = call.shape(0)
    axes, keep = call.known(1), bool(call.attr("keep_dims"))
    if shape is None:
        return Static(None)
    if axes is None:
        if keep:
            return Static((None,) * len(shape))
        one = len(call.vector(1) or ()) == 1
        return Static((None,) * (len(shape) - 1) if one else None)
    gone = {call.axis(axis, len(shape)) for axis in axes}
    if keep:
        result: Dims = tuple(1 if d in gone else size for d, size in enumerate(shape))
    else:
        result = tuple(size for d, size in enumerate(shape) if d not in gone)
    value = call.value(0)
    function = _REDUCE.get(call.op)
    if value is None or function is None or value.ndim != 1 or None in value or not gone:
        return Static(result, value if not gone else None)
    items = list(value)
    if not items and call.op in ("Max", "Min"):
        return Static(result)
    small = all(abs(e) <= _LIMIT for e in items)
    return Static(result, full(result, function(items)) if small else None)


_REDUCE: dict[str, Callable[[list[Any]], Any]] = {
    "Sum": sum, "Prod": math.prod, "Max": max, "Min": min, "All": all, "Any": any,
}


def arg_reduction(call: Call) -> Dims:
    """ArgMax, ArgMin: the axis of the second operand goes."""
    shape, axis = call.shape(0), call.integer(1)
    if shape is None:
        return None
    if not shape:
        return ()
    if axis is None:
        return (None,) * (len(shape) - 1)
    gone = call.axis(axis, len(shape))
    return shape[:gone] + shape[gone + 1 :]


def scalar(call: Call) -> Dims:
    return ()


def top_k(call: Call) -> list[Dims]:
    """TopKV2: values and indices, k of the last axis."""
    shape, k = call.shape(0), call.integer(1)
    if shape is None:
        return [None, None]
    if not shape:
        call.fail("rank of input 0", "at least 1", 0)
    return [(*shape[:-1], k)] * 2


def bincount(call: Call) -> Dims:
    """DenseBincount: (n,) or (batch, n) to (size,) or (batch, size)."""
    shape, size = call.shape(0), call.integer(1)
    return None if shape is None else (*shape[:-1], size)


# --- gathering ---


def gather(call: Call) -> Static:
    """GatherV2, Gather: params[:axis] + indices[batch_dims:] + params[axis + 1:]."""
    shape, indices = call.shape(0), call.shape(1)
    axis = call.integer(2) if call.op == "GatherV2" else 0
    batch = call.int_attr("batch_dims") if call.op == "GatherV2" else 0
    if shape is None or indices is None:
        return Static(None)
    if batch < 0:
        batch += len(indices)
    if not 0 <= batch <= len(indices):
        call.fail("batch_dims", f"at most {len(indices)}", batch)
    if axis is None:
        return Static((None,) * max(len(shape) - 1 + len(indices) - batch, 0))
    axis = call.axis(axis, len(shape))
    result = shape[:axis] + indices[batch:] + shape[axis + 1 :]
    params, wanted = call.value(0), call.value(1)
    if params is None or wanted is None or params.ndim != 1 or batch:
        return Static(result)
    items = list(params)

    def take(index: Any) -> Any:
        return None if index is None or not -len(items) <= index < len(items) else items[index]

    return Static(result, _map(take, wanted))


def gather_nd(call: Call) -> Dims:
    """GatherNd: indices[:-1] + params[indices[-1]:]."""
    params, indices = call.shape(0), call.shape(1)
    if params is None or indices is None or not indices or indices[-1] is None:
        return None
    if indices[-1] > len(params):
        call.fail("last size of indices", f"at most {len(params)}", indices[-1])
    return indices[:-1] + params[indices[-1] :]


def one_hot(call: Call) -> Dims:
    """OneHot: depth inserted at axis, -1 for the end."""
    shape, depth = call.shape(0), call.integer(1)
    if shape is None:
        return None
    axis = call.int_attr("axis")
    axis = len(shape) if axis == -1 else axis
    if not 0 <= axis <= len(shape):
        call.fail("axis", f"in [-1, {len(shape)}]", axis)
    return (*shape[:axis], depth, *shape[axis:])


def where(call: Call) -> Dims:
    shape = call.shape(0)
    return (None, None if shape is None else len(shape))


# --- control flow, variables, lists ---


def switch(call: Call) -> list[Static]:
    return [same(call)] * 2


def merge(call: Call) -> list[Dims]:
    """Merge: what its inputs have in common, and the index of the one that came."""
    shapes = [call.shape(index) for index in range(len(call.inputs))]
    first = shapes[0] if shapes else None
    if first is None or any(s is None or len(s) != len(first) for s in shapes):
        return [None, ()]
    columns = zip(*(s for s in shapes if s is not None), strict=True)
    return [tuple(column[0] if len(set(column)) == 1 else None for column in columns), ()]


def each(call: Call) -> list[Static]:
    """IdentityN: every input as it is."""
    return [Static(call.shape(i), call.value(i)) for i in range(len(call.inputs))]


def assign(call: Call) -> Dims:
    return call.merge_shapes(call.shape(0), call.shape(1), "shape of the value")


def list_stack(call: Call) -> Dims:
    """TensorListStack: num_elements rows of element_shape, the second operand's value."""
    shape, count = call.dims(1), call.int_attr("num_elements")
    return None if shape is None else (count if count >= 0 else None, *shape)


def list_item(call: Call) -> Dims:
    return call.dims(2)


_FAMILIES: dict[Rule, str] = {
    unary: (
        "Abs Acos Acosh Asin Asinh Atan Atanh Ceil Conj Cos Cosh Digamma Elu Erf Erfc Erfinv Exp "
        "Expm1 Floor Imag Inv Invert IsFinite IsInf IsNan LeakyRelu Lgamma Log Log1p LogicalNot "
        "Ndtri Neg Real ComplexAbs Angle Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign "
        "Sin Sinh Softplus Softsign Sqrt Square Tan Tanh"
    ),
    same: (
        "Identity Snapshot StopGradient PreventGradient CheckNumerics CheckNumericsV2 Print "
        "DeepCopy Enter RefEnter Exit RefExit NextIteration RefNextIteration"
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
        "MatrixInverse RandomShuffle TensorScatterUpdate TensorScatterAdd FFT IFFT FFT2D IFFT2D"
    ),
    alike: "AddN AccumulateNV2",
    cast: "Cast",
    filled_like: "OnesLike ZerosLike",
    select: "Select SelectV2",
    matmul: "MatMul SparseMatMul _FusedMatMul",
    batch_matmul: "BatchMatMul BatchMatMulV2 BatchMatMulV3",
    einsum: "Einsum",
    reduction: "All Any Max Mean Min Prod Sum EuclideanNorm",
    arg_reduction: "ArgMax ArgMin",
    scalar: (
        "L2Loss LoopCond VarHandleOp VarIsInitializedOp HashTableV2 MutableHashTableV2 "
        "LookupTableSizeV2 TensorListReserve TensorListFromTensor TensorListSetItem "
        "EmptyTensorList TensorListLength ShardedFilename TensorArraySizeV3"
    ),
    top_k: "TopKV2",
    bincount: "DenseBincount",
    gather: "Gather GatherV2",
    gather_nd: "GatherNd",
    one_hot: "OneHot",
    where: "Where",
    switch: "Switch RefSwitch",
    merge: "Merge RefMerge",
    each: "IdentityN",
    assign: "Assign",
    list_stack: "TensorListStack",
    list_item: "TensorListGetItem",
}

RULES: dict[str, Rule] = {op: rule for rule, ops in _FAMILIES.items() for op in ops.split()}

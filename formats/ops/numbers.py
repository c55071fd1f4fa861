"""Numbers: what ops compute, in numpy, for parts of graphs that are small enough to try out.

``compute`` knows the ops that layers are spelled with: elementwise functions, reductions, changes
of shape, products of matrices, fused normalization. Floats are float64 whatever the graph says, so
that two spellings of one function differ by the rounding of their constants only.

Source: the kernels of tensorflow/core/kernels and their numpy counterparts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from modelfmt.dtypes import DType

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

#: A node's op, its attrs by name, its inputs -> the values of its outputs.
Attr = Callable[[str], Any]


class UncomputedError(Exception):
    """An op, or a form of it, that nothing is known of here."""


def _elementwise(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function of a number, of arrays: for the few that numpy lacks."""

    def of_array(x: Array) -> Array:
        flat = np.array([function(each) for each in x.ravel().tolist()], "float64")
        return flat.reshape(x.shape)

    return of_array


def _sigmoid(x: Array) -> Array:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def _softplus(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _elu(x: Array) -> Array:
    return np.asarray(np.where(x > 0, x, np.expm1(np.minimum(x, 0))))


_SELU, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

#: Functions of one tensor, element by element.
UNARY: Mapping[str, Callable[[Array], Any]] = {
    "Neg": np.negative, "Abs": np.abs, "Exp": np.exp, "Expm1": np.expm1, "Log": np.log,
    "Log1p": np.log1p, "Sqrt": np.sqrt, "Square": np.square, "Sign": np.sign, "Sin": np.sin,
    "Cos": np.cos, "Tan": np.tan, "Atan": np.arctan, "Sinh": np.sinh, "Cosh": np.cosh,
    "Tanh": np.tanh, "Floor": np.floor, "Ceil": np.ceil, "Rint": np.rint, "Round": np.rint,
    "LogicalNot": np.logical_not, "IsFinite": np.isfinite, "IsNan": np.isnan,
    "IsInf": np.isinf, "OnesLike": np.ones_like, "ZerosLike": np.zeros_like,
    "Rsqrt": lambda x: 1.0 / np.sqrt(x), "Reciprocal": lambda x: 1.0 / x, "Inv": lambda x: 1.0 / x,
    "Sigmoid": _sigmoid, "Softplus": _softplus, "Softsign": lambda x: x / (1.0 + np.abs(x)),
    "Relu": lambda x: np.maximum(x, 0), "Relu6": lambda x: np.clip(x, 0, 6), "Elu": _elu,
    "Selu": lambda x: _SELU * np.where(x > 0, x, _SELU_ALPHA * np.expm1(np.minimum(x, 0))),
    "Erf": _elementwise(math.erf), "Erfc": _elementwise(math.erfc),
}  # fmt: skip


def _quotient(x: Array, y: Array) -> Array:
    return np.asarray(np.where(y == 0, 0.0, x / np.where(y == 0, 1.0, y)))


#: Functions of two tensors that broadcast.
BINARY: Mapping[str, Callable[[Array, Array], Any]] = {
    "AddV2": np.add, "Sub": np.subtract, "Mul": np.multiply, "Maximum": np.maximum,
    "Minimum": np.minimum, "Pow": np.power, "FloorDiv": np.floor_divide, "FloorMod": np.mod,
    "RealDiv": np.true_divide, "DivNoNan": _quotient,
    "SquaredDifference": lambda x, y: np.square(x - y),
    "Greater": np.greater, "GreaterEqual": np.greater_equal, "Less": np.less,
    "LessEqual": np.less_equal, "Equal": np.equal, "NotEqual": np.not_equal,
    "LogicalAnd": np.logical_and, "LogicalOr": np.logical_or,
}  # fmt: skip

#: Ops that treat every element alike, wherever it stands.
ELEMENTWISE = frozenset(
    {*UNARY, *BINARY, "SelectV2", "Cast", "LeakyRelu", "AddN", "BiasAdd", "ClipByValue"}
)

#: Ops that draw random numbers, of which ``compute`` knows nothing.
RANDOM = frozenset({"RandomUniform", "RandomStandardNormal", "TruncatedNormal"})

_REDUCTIONS: Mapping[str, Callable[..., Any]] = {
    "Sum": np.sum, "Mean": np.mean, "Max": np.max, "Min": np.min, "Prod": np.prod, "Any": np.any,
    "All": np.all,
}  # fmt: skip


def _axes(x: Array, axes: Array) -> tuple[int, ...]:
    return tuple(int(axis) % max(x.ndim, 1) for axis in np.ravel(axes))


def _squeezed(attr: Attr, x: Array) -> Array:
    stated = attr("squeeze_dims") or attr("axis") or []
    axes = tuple(axis % x.ndim for axis in stated)
    return np.squeeze(x, axes or None)


_MASKS = ("begin", "end", "new_axis", "shrink_axis")


def _strided(attr: Attr, x: Array, begin: Array, end: Array, step: Array) -> Array:
    if attr("ellipsis_mask"):
        raise UncomputedError
    bits = {key: int(attr(f"{key}_mask") or 0) for key in _MASKS}
    places: list[Any] = []
    for k, (first, last, stride) in enumerate(zip(begin, end, step, strict=True)):
        if bits["new_axis"] >> k & 1:
            places.append(None)
        elif bits["shrink_axis"] >> k & 1:
            places.append(int(first))
        else:
            places.append(slice(
                None if bits["begin"] >> k & 1 else int(first),
                None if bits["end"] >> k & 1 else int(last), int(stride),
            ))
    return np.asarray(x[tuple(places)])


def _matmul(attr: Attr, x: Array, y: Array) -> Array:
    if attr("transpose_a") or attr("adj_x"):
        x = np.swapaxes(x, -1, -2)
    if attr("transpose_b") or attr("adj_y"):
        y = np.swapaxes(y, -1, -2)
    return np.asarray(x @ y)


def _fused(
    attr: Attr, x: Array, scale: Array, offset: Array, mean: Array, variance: Array
) -> Array:
    """FusedBatchNorm: along all axes but the channels' where it is training."""
    axis = x.ndim - 1 if str(attr("data_format") or "NHWC")[-1] == "C" else 1
    shape = [-1 if k == axis else 1 for k in range(x.ndim)]
    if attr("is_training"):
        others = tuple(k for k in range(x.ndim) if k != axis)
        mean, variance = x.mean(others), x.var(others)
    inverse = scale / np.sqrt(variance + attr("epsilon"))
    return np.asarray(x * inverse.reshape(shape) + (offset - mean * inverse).reshape(shape))


def _global(attr: Attr, x: Array, mean: Array, variance: Array, beta: Array, gamma: Array) -> Array:
    inverse = 1.0 / np.sqrt(variance + attr("variance_epsilon"))
    if attr("scale_after_normalization"):
        inverse = inverse * gamma
    return np.asarray(x * inverse + (beta - mean * inverse))


def _biased(attr: Attr, x: Array, bias: Array) -> Array:
    if str(attr("data_format") or "NHWC")[1:2] == "C" and x.ndim > 2:
        bias = bias.reshape([-1] + [1] * (x.ndim - 2))
    return np.asarray(x + bias)


def _softmax(x: Array) -> Array:
    raised = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True))


def _cast(attr: Attr, x: Array) -> Array:
    wanted = attr("DstT")
    if not isinstance(wanted, DType):
        raise UncomputedError
    if wanted.is_floating:
        return x.astype("float64")
    if wanted.is_integer:
        return np.trunc(x).astype("int64") if x.dtype.kind == "f" else x.astype("int64")
    if wanted.name != "bool":
        raise UncomputedError
    return x.astype(bool)


def _chosen(attr: Attr, where: Array, x: Array, y: Array) -> Array:
    if where.ndim == 1 and x.ndim > 1 and where.shape[0] == x.shape[0] != x.shape[-1]:
        where = where.reshape([-1] + [1] * (x.ndim - 1))  # Select takes whole rows
    return np.where(where, x, y)


def _joined(attr: Attr, *inputs: Array) -> Array:
    return np.concatenate(inputs[:-1], int(inputs[-1]))


def _summed(attr: Attr, x: Array, axis: Array) -> Array:
    if attr("exclusive") or attr("reverse"):
        raise UncomputedError
    return np.cumsum(x, int(axis))


_OTHERS: Mapping[str, Callable[..., Any]] = {
    "SelectV2": _chosen, "Cast": _cast, "BiasAdd": _biased, "AddN": lambda attr, *x: sum(x),
    "ClipByValue": lambda attr, x, low, high: np.clip(x, low, high),
    "LeakyRelu": lambda attr, x: np.where(x > 0, x, x * attr("alpha")),
    "Softmax": lambda attr, x: _softmax(x), "LogSoftmax": lambda attr, x: np.log(_softmax(x)),
    "Reshape": lambda attr, x, shape: x.reshape([int(size) for size in shape]),
    "ExpandDims": lambda attr, x, axis: np.expand_dims(x, int(np.ravel(axis)[0])),
    "Squeeze": _squeezed,
    "Transpose": lambda attr, x, order: np.transpose(x, [int(k) for k in order]),
    "Fill": lambda attr, dims, value: np.full([int(size) for size in dims], value),
    "BroadcastTo": lambda attr, x, dims: np.broadcast_to(x, [int(size) for size in dims]),
    "Tile": lambda attr, x, times: np.tile(x, [int(each) for each in times]),
    "Pack": lambda attr, *x: np.stack(x, attr("axis") or 0),
    "ConcatV2": _joined, "StridedSlice": _strided, "Cumsum": _summed,
    "Range": lambda attr, first, last, step: np.arange(first, last, step),
    "GatherV2": lambda attr, x, places, axis: np.take(x, places, int(axis)),
    "Size": lambda attr, x: np.asarray(x.size), "Rank": lambda attr, x: np.asarray(x.ndim),
    "MatMul": _matmul, "BatchMatMulV2": _matmul,
    "Einsum": lambda attr, *x: np.einsum(str(attr("equation")), *x),
    "FusedBatchNormV3": _fused, "BatchNormWithGlobalNormalization": _global,
    "Shape": lambda attr, x: np.asarray(x.shape),
    "TopKV2": lambda attr, x, k: (
        -np.sort(-x, -1)[..., : int(k)], np.argsort(-x, -1, kind="stable")[..., : int(k)]
    ),
    "Split": lambda attr, axis, x: tuple(np.split(x, attr("num_split"), int(axis))),
    "SplitV": lambda attr, x, spans, axis: tuple(
        np.split(x, np.cumsum(spans)[:-1].astype(int), int(axis))
    ),
    "Unpack": lambda attr, x: tuple(np.moveaxis(x, attr("axis") or 0, 0)),
}  # fmt: skip

#: Every op that ``compute`` has something to say of.
COMPUTED = frozenset({*UNARY, *BINARY, *_REDUCTIONS, *_OTHERS})


def compute(op: str, attr: Attr, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """The outputs of a node.

    Args:
        op: as the newest TensorFlow calls it.
        attr: the node's attrs by name, with TensorFlow's defaults.
        inputs: floats as float64, integers as int64.

    Returns:
        One array for each output that is known; of a fused normalization the first only.

    Raises:
        UncomputedError: the op is not known, or does not fit these values.
    """
    try:
        with np.errstate(all="ignore"):
            made = _apply(op, attr, inputs)
    except (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError) as error:
        raise UncomputedError(f"{op}: {error}") from error
    return tuple(map(np.asarray, made)) if isinstance(made, tuple) else (np.asarray(made),)


def _apply(op: str, attr: Attr, inputs: Sequence[Array]) -> Any:
    if op in UNARY:
        return UNARY[op](*inputs)
    if op in BINARY:
        return BINARY[op](*inputs)
    if op in _REDUCTIONS:
        x, axes = inputs
        return _REDUCTIONS[op](x, axis=_axes(x, axes), keepdims=bool(attr("keep_dims")))
    if op in _OTHERS:
        return _OTHERS[op](attr, *inputs)
    raise UncomputedError(op)

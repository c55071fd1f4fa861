"""Operations that make numbers of matrices, and matrices of lines: inverses, ranks, distances.

Source: Keras backend/tensorflow/linalg.py, numpy.py and math.py; TensorFlow python/ops/linalg.
"""

from __future__ import annotations

from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.making import write_linspace
from modelfmt.layers.operations.table import operation
from modelfmt.layers.operations.values import Ops


@operation("CholeskyInverse(x, upper=False)")
def _cholesky_inverse(ops: Ops, x: Any, upper: Any) -> TensorName:
    """The inverse of the matrix of which x is the Cholesky factor."""
    import numpy as np

    x = ops.floats(x)[0]
    side = ops.dims(x)[-1]
    if side is None or ops.rank(x) != 2:
        raise ConversionError("the inverse of one factor of known size can be written")
    unit = ops.tensor(np.eye(side), ops.dtype(x))
    half = ops.op("MatrixTriangularSolve", x, unit, lower=not upper)
    return ops.op("MatMul", half, half, transpose_a=not upper, transpose_b=bool(upper))


@operation("Logdet(x) linalg.logdet(matrix)")
def _log_determinant(ops: Ops, x: Any) -> TensorName:
    """Of a positive definite matrix: twice the sum of the logs on its factor's diagonal."""
    x = ops.floats(x)[0]
    diagonal = ops.op("MatrixDiagPart", ops.op("Cholesky", x))
    total = ops.op("Sum", ops.op("Log", diagonal), [-1])
    return ops.op("Mul", total, ops.tensor(2.0, ops.dtype(x)))


@operation("Slogdet(x) linalg.slogdet(input)")
def _sign_and_log(ops: Ops, x: Any) -> list[TensorName]:
    return ops.ops("LogMatrixDeterminant", ops.floats(x)[0])


def _values(ops: Ops, x: TensorName) -> list[TensorName]:
    """The singular values, u and v, of the thin decomposition."""
    return ops.ops("Svd", x, full_matrices=False, compute_uv=True)


def _epsilon(ops: Ops, x: str) -> float:
    import numpy as np

    return float(np.finfo(ops.graph.dtype(x).numpy).eps)


def _sides(ops: Ops, x: str) -> tuple[int, int]:
    rows, columns = ops.dims(x)[-2:]
    if rows is None or columns is None:
        raise ConversionError("a matrix of known size is wanted", found=ops.shape(x))
    return rows, columns


@operation("MatrixRank(x, tol=None) linalg.matrix_rank(a, tol=None, *, validate_args=False)")
def _rank(ops: Ops, x: Any, least: Any) -> TensorName:
    """How many singular values are above a limit: epsilon times the largest, times the size."""
    x = ops.floats(x)[0]
    sizes = _sides(ops, x)
    values = ops.ops("Svd", x, compute_uv=False, full_matrices=False)[0]
    if least is None:
        factor = ops.tensor(_epsilon(ops, x) * max(sizes), ops.dtype(x))
        limit = ops.op("Mul", ops.op("Max", values, [-1], keep_dims=True), factor)
    else:
        limit = ops.tensor(least, ops.dtype(x))
    return ops.op("Sum", ops.cast(ops.op("Greater", values, limit), "int32"), [-1])


@operation("Pinv(x, rcond=None) linalg.pinv(a, rcond=None, *, validate_args=False)")
def _pseudo_inverse(ops: Ops, x: Any, least: Any) -> TensorName:
    """v / s @ transpose(u), small singular values left out."""
    x = ops.floats(x)[0]
    rows, columns = _sides(ops, x)
    kind = ops.dtype(x)
    ratio = 10.0 * max(rows, columns) * _epsilon(ops, x) if least is None else least
    values, u, v = _values(ops, x)
    limit = ops.op(
        "Mul", ops.op("Max", values, [-1], keep_dims=True), ops.tensor(ratio, kind)
    )
    inverse = ops.op(
        "SelectV2", ops.op("Greater", values, limit), ops.op("Reciprocal", values),
        ops.op("ZerosLike", values),
    )  # fmt: skip
    scaled = ops.op("Mul", v, ops.op("ExpandDims", inverse, -2))
    return ops.op("BatchMatMulV2", scaled, u, adj_y=True)


@operation("Lstsq(a, b, rcond=None)")
def _least_squares(ops: Ops, a: Any, b: Any, least: Any) -> TensorName:
    """v @ (transpose(u) @ b / s), singular values below a part of the largest left out."""
    a, b = ops.floats(a, b)
    kind, sizes = ops.dtype(a), _sides(ops, a)
    line = ops.rank(b) == 1
    b = ops.op("ExpandDims", b, 1) if line else b
    ratio = _epsilon(ops, a) * max(sizes) if least is None else least
    ratio = _epsilon(ops, a) if ratio < 0 else ratio
    values, u, v = _values(ops, a)
    limit = ops.op("Mul", ops.op("Max", values, [0]), ops.tensor(ratio, kind))
    inverse = ops.op(
        "SelectV2", ops.op("GreaterEqual", values, limit), ops.op("Reciprocal", values),
        ops.op("ZerosLike", values),
    )  # fmt: skip
    parts = ops.op("MatMul", u, b, transpose_a=True)
    parts = ops.op("Mul", ops.op("ExpandDims", inverse, 1), parts)
    made = ops.op("MatMul", v, parts)
    return ops.flat(made) if line else made


@operation("CDist(x, y)")
def _distances(ops: Ops, x: Any, y: Any) -> TensorName:
    """From every row of x to every row of y."""
    x, y = ops.floats(x, y)
    apart = ops.op("Sub", ops.op("ExpandDims", x, -2), ops.op("ExpandDims", y, -3))
    return ops.op("Sqrt", ops.op("Sum", ops.op("Square", apart), [-1]))


@operation("Corrcoef(x)")
def _correlations(ops: Ops, x: Any) -> TensorName:
    """Between the rows of x, each around its mean."""
    x = ops.floats(x)[0]
    kind = ops.dtype(x)
    apart = ops.op("Sub", x, ops.op("Mean", x, [-1], keep_dims=True))
    samples = ops.cast(ops.tensor(ops.size(x, ops.rank(x) - 1), "int32"), kind)
    more = ops.op("Sub", samples, ops.tensor(1.0, kind))
    op = "MatMul" if ops.rank(x) == 2 else "BatchMatMulV2"
    turned = {"transpose_b": True} if op == "MatMul" else {"adj_y": True}
    if ops.rank(x) != 2:
        raise ConversionError("correlations of one matrix can be written", found=ops.shape(x))
    both = ops.op("RealDiv", ops.op(op, apart, apart, **turned), more)
    spread = ops.op("Sqrt", ops.op("MatrixDiagPart", both))
    outer = ops.op("Mul", ops.op("ExpandDims", spread, 1), spread)
    made = ops.op("Minimum", ops.op("RealDiv", both, outer), ops.tensor(1.0, kind))
    return ops.op("Maximum", made, ops.tensor(-1.0, kind))


@operation("Vander(x, N=None, increasing=False)")
def _powers(ops: Ops, x: Any, count: Any, upwards: Any) -> TensorName:
    """The powers of each element in a row."""
    import numpy as np

    x = ops.tensor(x)
    count = ops.dims(x)[0] if count is None else count
    if not isinstance(count, int):
        raise ConversionError("an unknown number of powers cannot be written")
    kind = ops.dtype(x)
    within = kind if ops.is_float(x) and kind == "float64" else "float32"
    powers = np.arange(count) if upwards else np.arange(count)[::-1]
    made = ops.op(
        "Pow", ops.op("ExpandDims", ops.cast(x, within), -1), ops.tensor(powers * 1.0, within)
    )
    return ops.cast(made, kind)


_LINE = "(start, stop, num=50, endpoint=True, "


@operation(f"Logspace{_LINE}base=10, dtype=None, axis=0)")
def _log_space(ops: Ops, start: Any, stop: Any, count: Any, endpoint: Any, base: Any, dtype: Any,
               axis: Any) -> TensorName:  # fmt: skip
    line = write_linspace(ops, start, stop, count, endpoint, False, dtype, axis)
    return ops.op("Pow", ops.tensor(float(base), ops.dtype(line)), line)


@operation(f"Geomspace{_LINE}dtype=None, axis=0)")
def _geometric_space(ops: Ops, start: Any, stop: Any, count: Any, endpoint: Any, dtype: Any,
                     axis: Any) -> TensorName:  # fmt: skip
    """Powers of ten between the logs of the sizes, times the sign of ``start`` as it is."""
    import math

    start, stop = ops.floats(start, stop)
    if dtype is not None:
        start, stop = (ops.cast(x, ops.named_dtype(dtype).name) for x in (start, stop))
    ten = ops.tensor(math.log(10.0), ops.dtype(start))
    ends = [ops.op("RealDiv", ops.op("Log", ops.op("Abs", x)), ten) for x in (start, stop)]
    line = write_linspace(ops, ends[0], ends[1], count, endpoint, False, dtype, axis)
    made = ops.op("Pow", ops.tensor(10.0, ops.dtype(line)), line)
    return ops.op("Mul", made, ops.op("Sign", start))


@operation("linalg.adjoint(matrix)")
def _adjoint(ops: Ops, x: Any) -> TensorName:
    x = ops.tensor(x)
    turned = ops.moved(x, [-1], [-2])
    return ops.op("Conj", turned) if "complex" in ops.dtype(x) else turned


@operation("clip_by_norm(t, clip_norm, axes=None)")
def _clipped(ops: Ops, x: Any, most: Any, axes: Any) -> TensorName:
    """x times most, by its norm where that is more."""
    x = ops.tensor(x)
    kind = ops.dtype(x)
    limit = ops.tensor(most, kind)
    squares = ops.op("Sum", ops.op("Square", x), ops.axes(x, axes), keep_dims=True)
    norm = ops.op("Sqrt", squares)
    return ops.op("RealDiv", ops.op("Mul", x, limit), ops.op("Maximum", norm, limit))


@operation("math.zero_fraction(value)")
def _zero_fraction(ops: Ops, x: Any) -> TensorName:
    x = ops.tensor(x)
    none = ops.cast(ops.op("Equal", x, ops.tensor(0, ops.dtype(x))), "float32")
    return ops.op("Mean", none, list(range(ops.rank(x))))


@operation("nn.crelu(features, axis=-1)")
def _both_signs(ops: Ops, x: Any, axis: Any) -> TensorName:
    x = ops.tensor(x)
    both = ops.op("ConcatV2", x, ops.op("Neg", x), ops.axis(x, axis), N=2)
    return ops.op("Relu", both)

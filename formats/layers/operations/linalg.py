"""Operations on matrices: products, decompositions, norms, triangles and diagonals.

Matrices stand in the last two axes. Integers are multiplied as floats in Keras 3, and turned back.
Source: Keras backend/tensorflow/numpy.py and linalg.py; TensorFlow python/ops/math_ops.py.
"""

from __future__ import annotations

import math
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.einsum import write_einsum
from modelfmt.layers.operations.arrays import listed
from modelfmt.layers.operations.reading import Reading, Unread, reads, reads_as
from modelfmt.layers.operations.reductions import reduced
from modelfmt.layers.operations.saying import Said
from modelfmt.layers.operations.table import operation
from modelfmt.layers.operations.values import Ops

# -- products -----------------------------


def _as_floats(ops: Ops, x: Any, y: Any) -> tuple[TensorName, TensorName, str]:
    """Both as floats to be multiplied, and the dtype of the product."""
    x, y = ops.same(x, y)
    kind = ops.dtype(x)
    if ops.keras and not ops.is_float(x):
        x, y = ops.cast(x, "float32"), ops.cast(y, "float32")
    return x, y, kind


def _along(ops: Ops, x: str, y: str, left: list[int], right: list[int]) -> TensorName:
    """The product of all of x with all of y, summed over these axes: one MatMul."""
    keep_x = [k for k in range(ops.rank(x)) if k not in left]
    keep_y = [k for k in range(ops.rank(y)) if k not in right]
    sizes = [*(ops.size(x, k) for k in keep_x), *(ops.size(y, k) for k in keep_y)]
    inner = [
        a if isinstance(a, int) else b
        for a, b in zip(
            (ops.size(x, k) for k in left), (ops.size(y, k) for k in right), strict=True
        )
    ]
    both = ops.product(inner)
    rows = ops.reshape(
        ops.turned(x, [*keep_x, *left]), [ops.product([ops.size(x, k) for k in keep_x]), both]
    )
    columns = ops.reshape(
        ops.turned(y, [*right, *keep_y]), [both, ops.product([ops.size(y, k) for k in keep_y])]
    )
    return ops.reshape(ops.op("MatMul", rows, columns), sizes)


@operation("Matmul(x1, x2)")
def write_matmul(ops: Ops, x: Any, y: Any) -> TensorName:
    x, y, kind = _as_floats(ops, x, y)
    rank_x, rank_y = ops.rank(x), ops.rank(y)
    if rank_x == rank_y == 2:
        made = ops.op("MatMul", x, y)
    elif rank_y == 1:
        made = _along(ops, x, y, [rank_x - 1], [0])
    elif rank_x == 1:
        made = _along(ops, x, y, [0], [rank_y - 2])
    elif rank_y == 2:
        made = _along(ops, x, y, [rank_x - 1], [0])
    else:
        made = ops.op("BatchMatMulV2", x, y)
    return ops.cast(made, kind)


@operation(
    "linalg.matmul(a, b, transpose_a=False, transpose_b=False, adjoint_a=False, adjoint_b=False, "
    "*, a_is_sparse=False, b_is_sparse=False, grad_a=False, grad_b=False)"
)
def _matmul(ops: Ops, x: Any, y: Any, turn_x: Any, turn_y: Any, adj_x: Any, adj_y: Any
            ) -> TensorName:  # fmt: skip
    x, y = ops.same(x, y)
    left, right = bool(turn_x or adj_x), bool(turn_y or adj_y)
    if ops.rank(x) == 2 == ops.rank(y):
        return ops.op("MatMul", x, y, transpose_a=left, transpose_b=right)
    return ops.op("BatchMatMulV2", x, y, adj_x=left, adj_y=right)


@reads("MatMul", "BatchMatMulV2")
def _read_matmul(r: Reading) -> Said:
    names = ("transpose_a", "transpose_b") if r.op == "MatMul" else ("adj_x", "adj_y")
    x, y = r.operands()
    left, right = (bool(r.attr(name)) for name in names)
    direct = r.say("linalg.matmul", x, y, transpose_a=left, transpose_b=right)
    turned = (
        r.say("Swapaxes", each, -1, -2) if turn else each for each, turn in ((x, left), (y, right))
    )
    return r.any_of(direct, r.say("Matmul", *turned))


@operation(
    "linalg.matvec(a, b, transpose_a=False, "
    "*, adjoint_a=False, a_is_sparse=False, b_is_sparse=False)",
)
def _matvec(ops: Ops, x: Any, y: Any, turned: Any) -> TensorName:
    x, y = ops.same(x, y)
    made = ops.op("BatchMatMulV2", x, ops.op("ExpandDims", y, -1), adj_x=bool(turned))
    return ops.op("Squeeze", made, squeeze_dims=[-1])


@operation("Dot(x1, x2)")
def _dot(ops: Ops, x: Any, y: Any) -> TensorName:
    x, y, kind = _as_floats(ops, x, y)
    rank_x, rank_y = ops.rank(x), ops.rank(y)
    if not rank_x or not rank_y:
        return ops.cast(ops.op("Mul", x, y), kind)
    return ops.cast(_along(ops, x, y, [rank_x - 1], [max(rank_y - 2, 0)]), kind)


@operation("Inner(x1, x2)")
def _inner(ops: Ops, x: Any, y: Any) -> TensorName:
    x, y, kind = _as_floats(ops, x, y)
    if not ops.rank(x) or not ops.rank(y):
        return ops.cast(ops.op("Mul", x, y), kind)
    return ops.cast(_along(ops, x, y, [ops.rank(x) - 1], [ops.rank(y) - 1]), kind)


@operation("Vdot(x1, x2)")
def _vdot(ops: Ops, x: Any, y: Any) -> TensorName:
    x, y, kind = _as_floats(ops, x, y)
    return ops.cast(_along(ops, ops.flat(x), ops.flat(y), [0], [0]), kind)


@operation("Tensordot(x1, x2, axes=2) tensordot(a, b, axes)")
def _tensordot(ops: Ops, x: Any, y: Any, axes: Any) -> TensorName:
    x, y, kind = _as_floats(ops, x, y)
    if isinstance(axes, int):
        rank = ops.rank(x)
        left, right = list(range(rank - axes, rank)), list(range(axes))
    else:
        left, right = ops.axes(x, axes[0]), ops.axes(y, axes[1])
    return ops.cast(_along(ops, x, y, left, right), kind)


@operation("Outer(x1, x2)")
def _outer(ops: Ops, x: Any, y: Any) -> TensorName:
    x, y = ops.same(x, y)
    return ops.op("Mul", ops.reshape(x, [-1, 1]), ops.reshape(y, [1, -1]))


@operation("Kron(x1, x2)")
def _kron(ops: Ops, x: Any, y: Any) -> TensorName:
    """Every element of x times all of y."""
    x, y = ops.same(x, y)
    rank = max(ops.rank(x), ops.rank(y))
    sizes = [[*[1] * (rank - ops.rank(t)), *ops.sizes(t)] for t in (x, y)]
    left = ops.reshape(x, [s for size in sizes[0] for s in (size, 1)])
    right = ops.reshape(y, [s for size in sizes[1] for s in (1, size)])
    whole = [ops.product(pair) for pair in zip(*sizes, strict=True)]
    return ops.reshape(ops.op("Mul", left, right), whole)


@operation(
    "Cross(x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None)",
    "linalg.cross(a, b, _a=-1, _b=-1, _c=-1, _axis=None)",
)
def _cross(ops: Ops, x: Any, y: Any, a: Any, b: Any, c: Any, axis: Any) -> TensorName:
    x, y = ops.same(x, y)
    if axis is not None:
        a = b = c = axis
    x, y = ops.moved(x, [a], [-1]), ops.moved(y, [b], [-1])
    if ops.dims(x)[-1] != 3 or ops.dims(y)[-1] != 3:
        raise ConversionError("a cross product of three numbers each can be written")
    return ops.moved(ops.op("Cross", x, y), [-1], [c])


reads_as("Cross", "Cross")


@operation("Einsum(*operands, subscripts)")
def _einsum(ops: Ops, operands: Any, equation: Any) -> TensorName:
    kind = ops.meeting(*operands)
    tensors = [ops.tensor(x, kind) for x in operands]
    if not ops.is_float(tensors[0]):
        tensors = [ops.cast(x, "float32") for x in tensors]
    return ops.cast(_product(ops, equation, tensors), kind)


@reads("Einsum")
def _read_einsum(r: Reading) -> Said:
    return r.say("Einsum", *r.operands(), subscripts=str(r.attr("equation")))


@operation("einsum(*inputs) linalg.einsum(*inputs) meshgrid(*inputs)")
def _lost(ops: Ops, inputs: Any) -> TensorName:
    raise ConversionError(
        "of a function's many arguments tf.keras saves the first only"
    )


def _product(ops: Ops, equation: str, tensors: list[TensorName]) -> TensorName:
    left, arrow, right = str(equation).replace(" ", "").partition("->")
    if not arrow:  # the letters that stand once, in order
        right = "".join(sorted(a for a in set(left) if a.isalpha() and left.count(a) == 1))
        right = ("..." if "..." in left else "") + right
    if len(tensors) == 1:
        return ops.op("Einsum", *tensors, equation=f"{left}->{right}")
    terms = left.split(",")
    if len(terms) != len(tensors) or (len(tensors) > 2 and "..." in left):
        raise ConversionError("an equation that does not fit its factors", found=equation)
    made, first = tensors[0], terms[0]
    for k in range(1, len(tensors)):  # two at a time, keeping the letters that are still asked for
        later = "".join(terms[k + 1 :]) + right
        both = "".join(dict.fromkeys(first + terms[k]))
        kept = right if k == len(tensors) - 1 else "".join(a for a in both if a in later)
        made = TensorName(write_einsum(f"{first},{terms[k]}->{kept}", made, tensors[k], ops.graph))
        first = kept
    return made


# -- diagonals and triangles -----------------------------


def _band(ops: Ops, x: TensorName, k: Any, lower: bool) -> TensorName:
    """x below the k-th diagonal, that included, or above it; elsewhere 0."""
    if k == 0:
        below, above = (-1, 0) if lower else (0, -1)
        return ops.op("MatrixBandPart", x, ops.tensor(below, "int32"), ops.tensor(above, "int32"))
    rows, columns = (
        ops.op("Range", 0, ops.tensor(ops.size(x, axis), "int32"), 1) for axis in (-2, -1)
    )
    apart = ops.op("Sub", ops.op("ExpandDims", rows, 1), columns)
    inside = ops.op("GreaterEqual" if lower else "LessEqual", apart, ops.tensor(-k, "int32"))
    return ops.op("SelectV2", inside, x, ops.op("ZerosLike", x))


@operation("Tril(x, k=0)")
def _lower(ops: Ops, x: Any, k: Any) -> TensorName:
    return _band(ops, ops.tensor(x), k, True)


@operation("Triu(x, k=0)")
def _upper(ops: Ops, x: Any, k: Any) -> TensorName:
    return _band(ops, ops.tensor(x), k, False)


@operation("linalg.band_part(input, num_lower, num_upper)")
def _band_part(ops: Ops, x: Any, below: Any, above: Any) -> TensorName:
    return ops.op("MatrixBandPart", x, ops.tensor(below, "int32"), ops.tensor(above, "int32"))


@reads("MatrixBandPart")
def _read_band(r: Reading) -> Said:
    """Keras 3 has triangles: of those on both sides of the diagonal, one of the other."""
    x, below, above = r.x(0), r.number(1), r.number(2)
    made = x if below < 0 else r.say("Triu", x, k=-below)
    made = made if above < 0 else r.say("Tril", made, k=above)
    if not isinstance(made, Said):
        raise Unread
    return r.any_of(r.say("linalg.band_part", x, below, above), made)


@operation(
    "Diagonal(x, offset=0, axis1=0, axis2=1)",
    "linalg.diag_part(input, k=0, _axis1=-2, _axis2=-1, *, padding_value=0, "
    "align='RIGHT_LEFT')",
    "linalg.tensor_diag_part(input, _k=0, _axis1=-2, _axis2=-1)",
)
def write_diagonal(ops: Ops, x: Any, k: Any, first: Any, second: Any) -> TensorName:
    x = ops.moved(ops.tensor(x), [first, second], [-2, -1])
    if k:
        rank = ops.rank(x)
        axis = rank - 1 if k > 0 else rank - 2
        begin = [abs(k) if a == axis else 0 for a in range(rank)]
        every = (1 << rank) - 1
        x = ops.op(
            "StridedSlice",
            x,
            begin,
            [0] * rank,
            [1] * rank,
            end_mask=every,
            begin_mask=every & ~(1 << axis),
        )
    return ops.op("MatrixDiagPart", x)


@operation(
    "Trace(x, offset=0, axis1=0, axis2=1)", "linalg.trace(x, _offset=0, _axis1=-2, _axis2=-1)"
)
def _trace(ops: Ops, x: Any, k: Any, first: Any, second: Any) -> TensorName:
    x = ops.tensor(x)
    if ops.dtype(x) in ("bool", "int8", "int16"):
        x = ops.cast(x, "int32")
    return ops.op("Sum", write_diagonal(ops, x, k, first, second), [-1])


@operation(
    "linalg.diag(diagonal, *, k=0, num_rows=-1, num_cols=-1, padding_value=0, align='RIGHT_LEFT')",
)
def _diag(ops: Ops, x: Any) -> TensorName:
    return ops.op("MatrixDiag", ops.tensor(x))


@operation("Diag(x, k=0)", "Diagflat(x, k=0)")
def _numpy_diag(ops: Ops, x: Any, k: Any) -> TensorName:
    """A matrix of a vector's numbers, or the diagonal of a matrix."""
    x = ops.tensor(x)
    if ops.rank(x) == 2:
        return write_diagonal(ops, x, k, 0, 1)
    sides = [[max(-k, 0), max(k, 0)], [max(k, 0), max(-k, 0)]]
    made = ops.op("MatrixDiag", x)
    return ops.op("Pad", made, sides) if k else made


@reads("MatrixDiagPart")
def _read_diagonal(r: Reading) -> Said:
    rank = r.rank(0)
    return r.any_of(
        r.say("linalg.diag_part", r.x(0)),
        r.say("Diagonal", r.x(0), axis1=rank - 2, axis2=rank - 1),
    )


@reads("MatrixDiagPartV2", "MatrixDiagPartV3")
def _read_diagonal_of_number(r: Reading) -> Said:
    k, rank = r.number(1), r.rank(0)
    return r.any_of(
        r.say("linalg.diag_part", r.x(0), k=k),
        r.say("Diagonal", r.x(0), offset=k, axis1=rank - 2, axis2=rank - 1),
    )


@reads("MatrixDiag", "MatrixDiagV2", "MatrixDiagV3")
def _read_matrix_of_diagonal(r: Reading) -> Said:
    """Square: the line where the row is the column, else 0."""
    import numpy as np

    if r.op != "MatrixDiag" and [r.number(k) for k in (1, 2, 3)] != [0, -1, -1]:
        raise Unread
    size = r.dims(0)[-1]
    direct = r.say("linalg.diag", r.x(0))
    if size is None:
        return direct
    row = r.say("ExpandDims", r.x(0), -2)
    placed = r.say("Where", np.eye(size, dtype=bool), row, r.say("ZerosLike", row))
    return r.any_of(direct, placed)


# -- decompositions -----------------------------


@operation("Inv(x) linalg.inv(input, *, adjoint=False)")
def _inverse(ops: Ops, x: Any) -> TensorName:
    return ops.op("MatrixInverse", *ops.floats(x))


@operation("Det(x) linalg.det(input)")
def _determinant(ops: Ops, x: Any) -> TensorName:
    return ops.op("MatrixDeterminant", *ops.floats(x))


reads_as("MatrixInverse", "Inv")
reads_as("MatrixDeterminant", "Det")
reads_as("Cholesky", "Cholesky")


@operation("Cholesky(x, upper=False) linalg.cholesky(input, _upper=False)")
def _cholesky(ops: Ops, x: Any, upper: Any) -> TensorName:
    made = ops.op("Cholesky", *ops.floats(x))
    return ops.moved(made, [-1], [-2]) if upper else made


@operation("Solve(a, b) linalg.solve(matrix, rhs, *, adjoint=False)")
def _solve(ops: Ops, a: Any, b: Any) -> TensorName:
    a, b = ops.floats(a, b)
    if ops.rank(b) == ops.rank(a) - 1:
        made = ops.op("MatrixSolve", a, ops.op("ExpandDims", b, -1))
        return ops.op("Squeeze", made, squeeze_dims=[ops.rank(b)])
    return ops.op("MatrixSolve", a, b)


@reads("MatrixSolve")
def _read_solve(r: Reading) -> Said:
    if r.attr("adjoint"):
        raise Unread
    return r.say("Solve", *r.operands())


@operation(
    "SolveTriangular(a, b, lower=False)",
    "linalg.triangular_solve(matrix, rhs, lower=True, *, adjoint=False)",
)
def _solve_triangular(ops: Ops, a: Any, b: Any, lower: Any) -> TensorName:
    a, b = ops.floats(a, b)
    if ops.rank(b) == ops.rank(a) - 1:
        made = ops.op("MatrixTriangularSolve", a, ops.op("ExpandDims", b, -1), lower=bool(lower))
        return ops.op("Squeeze", made, squeeze_dims=[ops.rank(b)])
    return ops.op("MatrixTriangularSolve", a, b, lower=bool(lower))


@operation("Qr(x, mode='reduced')")
def _qr(ops: Ops, x: Any, mode: Any) -> list[TensorName]:
    return ops.ops("Qr", *ops.floats(x), full_matrices=mode == "complete")


@operation("SVD(x, full_matrices=True, compute_uv=True)")
def _svd(ops: Ops, x: Any, full: Any, vectors: Any) -> list[TensorName] | TensorName:
    values, u, v = ops.ops(
        "Svd", *ops.floats(x), full_matrices=bool(full), compute_uv=bool(vectors)
    )
    if not vectors:
        return values
    # The op hands out v, Keras its transpose; the op's output has no known rank here.
    order = ops.rank(x)
    return [u, values, ops.op("Transpose", v, [*range(order - 2), order - 1, order - 2])]


@operation("Eigh(x) linalg.eigh(tensor)")
def _eigh(ops: Ops, x: Any) -> list[TensorName]:
    return ops.ops("SelfAdjointEigV2", *ops.floats(x))


@reads("MatrixTriangularSolve")
def _read_solve_triangular(r: Reading) -> Said:
    if r.attr("adjoint"):
        raise Unread
    return r.say("SolveTriangular", *r.operands(), lower=bool(r.attr("lower")))


# -- norms -----------------------------


@operation(
    "Norm(x, ord=None, axis=None, keepdims=False)",
    "norm(tensor, ord='euclidean', axis=None, keepdims=False)",
    "linalg.norm(tensor, ord='euclidean', axis=None, keepdims=False)",
)
def write_norm(ops: Ops, x: Any, order: Any, axis: Any, keepdims: Any) -> TensorName:
    """Of a vector; of a matrix the Frobenius norm, and sums of rows or columns."""
    x = ops.floats(x)[0]
    axes = ops.axes(x, axis)
    if isinstance(order, str) and order in ("inf", "-inf"):
        order = float(order)
    if order in (None, "euclidean", "fro") or (order == 2 and len(axes) == 1):
        squares = reduced(ops, "Sum", ops.op("Square", x), axes, keepdims)
        return ops.op("Sqrt", squares)
    size = ops.op("Abs", x)
    if len(axes) == 2 and order in (1, -1, math.inf, -math.inf):
        rows, columns = axes
        inner, outer = (rows, columns) if abs(order) == 1 else (columns, rows)
        made = reduced(ops, "Sum", size, [inner], True)
        made = reduced(ops, "Max" if order > 0 else "Min", made, [outer], True)
        return made if keepdims else ops.op("Squeeze", made, squeeze_dims=axes)
    if len(axes) != 1 or not isinstance(order, int | float):
        raise ConversionError(
            "a norm of this order cannot be written", found=f"ord={order}, axis={listed(axis)}"
        )
    if math.isinf(order):
        return reduced(ops, "Max" if order > 0 else "Min", size, axes, keepdims)
    kind = ops.dtype(x)
    if order == 0:
        seen = ops.cast(ops.op("NotEqual", x, ops.tensor(0, kind)), kind)
        return reduced(ops, "Sum", seen, axes, keepdims)
    if order == 1:
        return reduced(ops, "Sum", size, axes, keepdims)
    total = reduced(ops, "Sum", ops.op("Pow", size, ops.tensor(order, kind)), axes, keepdims)
    return ops.op("Pow", total, ops.tensor(1 / order, kind))

"""Shape rules of products, reductions, gathering and scattering."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from modelfmt.dtypes import DType
from modelfmt.graph import Dims, Shape
from modelfmt.ops.opdefs import MAX_OUTPUTS
from modelfmt.ops.shape_core import Call, Rule, Size, Static, full
from modelfmt.ops.shape_elementwise import LIMIT, apply

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
    if axes is None and shape:
        if keep:
            return Static((None,) * len(shape))
        one = len(call.vector(1) or ()) == 1
        return Static((None,) * (len(shape) - 1) if one else None)
    gone = {call.axis(axis, len(shape)) for axis in axes or ()}
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
    small = all(abs(e) <= LIMIT for e in items)
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

    return Static(result, apply(take, wanted))


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


def diagonal(call: Call) -> Dims:
    """MatrixDiagPart: the diagonal of the last two axes; V2 and V3: the one of number k."""
    shape = call.shape(0)
    known = call.known(1) if len(call.inputs) > 1 else [0]
    if shape is None or len(shape) < 2 or known is None or len(set(known)) != 1:
        return None
    rows, columns = shape[-2:]
    k = known[0]
    if rows is None or columns is None:
        return (*shape[:-2], None)
    return (*shape[:-2], max(min(rows + min(k, 0), columns - max(k, 0)), 0))


def matrix_of_diagonal(call: Call) -> Dims:
    """MatrixDiag: a square matrix for each line; of V2 and V3 only the rank is told."""
    shape = call.shape(0)
    if not shape:
        return None
    if len(call.inputs) > 1 and (
        call.known(1) != [0] or call.known(2) != [-1] or call.known(3) != [-1]
    ):
        return None
    return (*shape, shape[-1])


def bitcast(call: Call) -> Dims:
    """Bitcast: to a dtype of equal size; another one adds or removes an axis."""
    before, after = call.attrs.get("T"), call.attrs.get("type")
    if not isinstance(before, DType) or not isinstance(after, DType):
        return None
    return call.shape(0) if before.itemsize == after.itemsize else None


def where(call: Call) -> Dims:
    shape = call.shape(0)
    return (None, None if shape is None else len(shape))


def cross_entropy(call: Call) -> list[Dims]:
    """(Sparse)SoftmaxCrossEntropyWithLogits: a loss per row, and the gradient."""
    batch, classes = call.ranked(0, 2)
    return [(batch,), (batch, classes)]


def partition(call: Call) -> list[Dims]:
    """DynamicPartition: some rows of data for each of num_partitions."""
    data, parts = call.shape(0), call.shape(1)
    count = call.int_attr("num_partitions")
    if not 1 <= count <= MAX_OUTPUTS:
        call.fail("attr 'num_partitions'", f"in [1, {MAX_OUTPUTS}]", count)
    known = data is not None and parts is not None
    return [(None, *data[len(parts) :]) if known and data and parts else None] * count


def stitch(call: Call) -> Dims:
    """DynamicStitch: N indices, then N data; their rows, put in order."""
    half = len(call.inputs) // 2
    for index in range(half):
        at, data = call.shape(index), call.shape(half + index)
        if at is not None and data is not None:
            return (None, *data[len(at) :])
    return None


_FAMILIES: dict[Rule, str] = {
    matmul: "MatMul SparseMatMul _FusedMatMul",
    batch_matmul: "BatchMatMul BatchMatMulV2 BatchMatMulV3",
    einsum: "Einsum",
    reduction: "All Any Max Mean Min Prod Sum EuclideanNorm",
    arg_reduction: "ArgMax ArgMin",
    top_k: "TopKV2",
    bincount: "DenseBincount",
    gather: "Gather GatherV2",
    gather_nd: "GatherNd",
    one_hot: "OneHot",
    where: "Where",
    bitcast: "Bitcast",
    diagonal: "MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3",
    matrix_of_diagonal: "MatrixDiag MatrixDiagV2 MatrixDiagV3",
    partition: "DynamicPartition",
    stitch: "DynamicStitch ParallelDynamicStitch",
    cross_entropy: "SoftmaxCrossEntropyWithLogits SparseSoftmaxCrossEntropyWithLogits",
}

RULES: dict[str, Rule] = {op: rule for rule, ops in _FAMILIES.items() for op in ops.split()}

"""Shape rules of what makes, cuts and joins shapes: Shape, StridedSlice, Pack, Reshape, ..."""

from __future__ import annotations

import math
from typing import Any

from modelfmt.graph import Dims, Shape
from modelfmt.opdefs import MAX_OUTPUTS
from modelfmt.shape_core import (
    MAX_ELEMENTS,
    Call,
    Rule,
    Size,
    Static,
    array,
    full,
    known,
    partial,
    product,
    valued,
)
from modelfmt.tensor import Tensor

# --- what gives shapes ---


def constant(tensor: Tensor) -> Static:
    """The Static of a Const: its value too, where that is small enough to be shape arithmetic."""
    value = None
    dtype = tensor.dtype
    if tensor.size <= MAX_ELEMENTS and len(tensor.shape) <= 2 and dtype.name in _FOLDED:
        value = tensor.numpy().astype(object)
    return Static(tensor.shape, value, dtype)


_FOLDED = {"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool",
           "float32", "float64"}


def const(call: Call) -> Static:
    value = call.attr("value")
    return constant(value) if isinstance(value, Tensor) else Static(None)


def placeholder(call: Call) -> Dims:
    """Placeholder, VariableV2: the shape attr."""
    dims = call.dims_attr("shape")
    # Variable says [] for unknown too. Source: state_ops.cc.
    return None if call.op == "Variable" and dims == () else dims


def ensure_shape(call: Call) -> Static:
    shape = call.merge_shapes(call.dims_attr("shape"), call.shape(0), "shape of the input")
    return Static(shape, call.value(0))


def shape_of(call: Call) -> list[Static]:
    """Shape, ShapeN: the sizes known so far are the value."""
    result = []
    for index in range(len(call.inputs)):
        dims = call.shape(index)
        result.append(Static((None,)) if dims is None else valued(array(dims)))
    return result


def size(call: Call) -> Static:
    dims = call.shape(0)
    total = None if dims is None else product(dims)
    return Static((), full((), total))


def rank(call: Call) -> Static:
    dims = call.shape(0)
    return Static((), None if dims is None else array(len(dims)))


def output_shapes(call: Call) -> list[Static]:
    """If, While, Case: the attr output_shapes, where it was written; their bodies are not read."""
    shapes = call.attr("output_shapes")
    if isinstance(shapes, list) and shapes:
        return [Static(s.dims if isinstance(s, Shape) else None) for s in shapes]
    return []


# --- what takes shapes ---


def reshape(call: Call) -> Static:
    """Reshape: one -1, or one unknown element beside known ones, takes what is left."""
    given, wanted = call.shape(0), call.vector(1)
    table = call.shape(1)
    if wanted is None or (table is not None and len(table) != 1):
        return Static(() if table == () and wanted else None)
    sizes: list[Size] = [None if e is None or e < 0 else e for e in wanted]
    total = None if given is None else product(given)
    unknown = [d for d, e in enumerate(sizes) if e is None]
    rest = product(e for e in sizes if e is not None)
    if total is not None and rest is not None and len(unknown) <= 1:
        if (total % rest if rest else total) or (not unknown and total != rest):
            found = Shape(tuple(sizes))
            call.fail("shape that does not hold the elements", f"{total} elements", found)
        if unknown and rest:
            sizes[unknown[0]] = total // rest
    value = call.value(0)
    if value is not None and None not in sizes and product(sizes) == value.size:
        return Static(tuple(sizes), value.reshape([e for e in sizes if e is not None]))
    return Static(tuple(sizes))


def fill(call: Call) -> Static:
    shape = call.dims(0)
    return Static(shape, full(shape, call.scalar(1)))


def described(call: Call) -> Dims:
    """RandomUniform and kin: the first operand describes the shape."""
    return call.dims(0)


def broadcast_to(call: Call) -> Dims:
    """BroadcastTo; also SparseToDense, whose second operand is the shape."""
    return call.dims(1)


def scatter_nd(call: Call) -> Dims:
    return call.dims(2)


def broadcast_args(call: Call) -> Static:
    """BroadcastArgs: the shape that two shapes broadcast to."""
    a, b = call.vector(0), call.vector(1)
    if a is None or b is None:
        return Static((None,))
    return valued(array(call.broadcast(tuple(a), tuple(b))))


def broadcast_gradient_args(call: Call) -> list[Dims]:
    return [(None,), (None,)]


def range_(call: Call) -> Static:
    """Range: ceil((limit - start) / delta) numbers."""
    start, limit, delta = (call.scalar(i) for i in range(3))
    if start is None or limit is None or delta is None:
        return Static((None,))
    if delta == 0 or not all(math.isfinite(e) for e in (start, limit, delta)):
        call.fail("delta", "a finite step other than 0", delta)
    exact = isinstance(limit - start, int) and isinstance(delta, int)
    steps = -((start - limit) // delta) if exact else math.ceil((limit - start) / delta)
    count = max(0, int(steps))
    if count > MAX_ELEMENTS or not exact:
        return Static((count,))
    return valued(array([start + delta * i for i in range(count)]))


def tile(call: Call) -> Static:
    shape, times, every = call.shape(0), call.vector(1), call.known(1)
    if shape is None:
        return Static(None if times is None else (None,) * len(times))
    if times is None:
        return Static((None,) * len(shape))
    if len(times) != len(shape):
        call.fail("length of multiples", len(shape), len(times))
    result = tuple(product(pair) for pair in zip(shape, times, strict=True))
    value, total = call.value(0), product(result)
    if value is None or every is None or total is None or total > MAX_ELEMENTS:
        return Static(result)
    import numpy as np

    return Static(result, np.tile(value, every))


# --- dimensions: inserted, removed, exchanged ---


def expand_dims(call: Call) -> Static:
    shape, axis = call.shape(0), call.integer(1)
    if shape is None:
        return Static(None)
    if axis is None:
        return Static((None,) * (len(shape) + 1))
    at = call.axis(axis, len(shape) + 1)
    result = (*shape[:at], 1, *shape[at:])
    value = call.value(0)
    if value is not None:
        value = value.reshape((*value.shape[:at], 1, *value.shape[at:]))
    return Static(result, value)


def squeeze(call: Call) -> Static:
    """Squeeze: the axes of squeeze_dims, else every 1."""
    shape, axes = call.shape(0), call.ints("squeeze_dims")
    if shape is None or (not axes and None in shape):
        return Static(None)
    gone = {call.axis(axis, len(shape)) for axis in axes} if axes else {
        d for d, size in enumerate(shape) if size == 1
    }
    for axis in gone:
        call.merge(1, shape[axis], f"size of axis {axis}")
    result = tuple(size for d, size in enumerate(shape) if d not in gone)
    value = call.value(0)
    return Static(result, None if value is None else value.squeeze(tuple(gone)))


def transpose(call: Call) -> Static:
    shape, order = call.shape(0), call.vector(1)
    length = None if shape is None else len(shape)
    if order is not None:
        length = call.merge(length, len(order), "length of the permutation")
    if length is None:
        return Static(None)
    every = call.known(1)
    if shape is None or every is None:
        return Static((None,) * length)
    axes = [call.axis(axis, length) for axis in every]
    if len(set(axes)) != length:
        call.fail("permutation", f"each of 0 to {length - 1} once", order)
    value = call.value(0)
    return Static(tuple(shape[a] for a in axes), None if value is None else value.transpose(axes))


def invert_permutation(call: Call) -> Static:
    order = call.value(0)
    if order is None or None in order or sorted(order.ravel()) != list(range(order.size)):
        return Static(call.shape(0))
    result = [0] * order.size
    for index, axis in enumerate(order):
        result[axis] = index
    return valued(array(result))


def reverse(call: Call) -> Static:
    """ReverseV2: the axes of the second operand; Reverse: a bool for each."""
    value, axes = call.value(0), call.known(1)
    if value is None or axes is None:
        return Static(call.shape(0))
    if call.op == "Reverse":
        axes = [axis for axis, flag in enumerate(axes) if flag]
    import numpy as np

    gone = tuple(call.axis(axis, value.ndim) for axis in axes)
    return valued(np.flip(value, gone))


# --- pieces joined and split ---


def pack(call: Call) -> Static:
    """Pack: N tensors of one shape along a new axis."""
    shape: Dims = None
    for index in range(len(call.inputs)):
        shape = call.merge_shapes(shape, call.shape(index), "shapes of the operands")
    if shape is None:
        return Static(None)
    at = call.axis(call.int_attr("axis"), len(shape) + 1)
    result = (*shape[:at], len(call.inputs), *shape[at:])
    if all(each.value is None for each in call.inputs):
        return Static(result)
    parts = [partial(each) for each in call.inputs]
    small = [part for part in parts if part is not None]
    total = product(result)
    if len(small) < len(parts) or total is None or total > MAX_ELEMENTS:
        return Static(result)
    import numpy as np

    return Static(result, np.stack(small, axis=at))


def unpack(call: Call) -> list[Static]:
    count, shape = call.int_attr("num"), call.shape(0)
    if not 0 <= count <= MAX_OUTPUTS:
        call.fail("attr 'num'", f"in [0, {MAX_OUTPUTS}]", count)
    if shape is None:
        return [Static(None)] * count
    at = call.axis(call.int_attr("axis"), len(shape))
    call.merge(count, shape[at], "attr 'num'")
    rest, value = shape[:at] + shape[at + 1 :], call.value(0)
    if value is None or at:
        return [Static(rest)] * count
    return [Static(rest, array(item)) for item in value]


def concat(call: Call) -> Static:
    """ConcatV2: values, then axis; Concat: axis, then values."""
    first = call.op == "Concat"
    axis = call.integer(0 if first else len(call.inputs) - 1)
    values = call.inputs[1:] if first else call.inputs[:-1]
    start = 1 if first else 0
    shapes = [call.shape(start + i) for i in range(len(values))]
    ranks = {len(s) for s in shapes if s is not None}
    if len(ranks) > 1:
        call.fail("ranks of the operands", "all the same", sorted(ranks))
    if not ranks:
        return Static(None)
    length = ranks.pop()
    if axis is None:
        return Static((None,) * length)
    at = call.axis(axis, length)
    result: list[Size] = []
    for d in range(length):
        column = [None if s is None else s[d] for s in shapes]
        if d == at:
            result.append(None if None in column else sum(e for e in column if e is not None))
            continue
        merged: Size = None
        for e in column:
            merged = call.merge(merged, e, f"size of axis {d}")
        result.append(merged)
    total = product(result)
    if all(each.value is None for each in values):
        return Static(tuple(result))
    parts = [partial(each) for each in values]
    small = [part for part in parts if part is not None]
    if len(small) < len(parts) or total is None or total > MAX_ELEMENTS:
        return Static(tuple(result))
    import numpy as np

    return Static(tuple(result), np.concatenate(small, axis=at))


def split(call: Call) -> list[Static]:
    """Split: equal parts; SplitV: parts of the sizes given, one -1 takes the rest."""
    many = call.int_attr("num_split")
    if not 1 <= many <= MAX_OUTPUTS:
        call.fail("attr 'num_split'", f"in [1, {MAX_OUTPUTS}]", many)
    at_input, axis_input = (1, 0) if call.op == "Split" else (0, 2)
    shape, axis = call.shape(at_input), call.integer(axis_input)
    if shape is None:
        return [Static(None)] * many
    if axis is None:
        return [Static((None,) * len(shape))] * many
    at = call.axis(axis, len(shape))
    total = shape[at]
    if call.op == "Split":
        if total is not None and total % many:
            call.fail("size to be split", f"a multiple of {many}", total)
        sizes: list[Size] = [None if total is None else total // many] * many
    else:
        sizes = call.vector(1) or [None] * many
        if len(sizes) != many:
            call.fail("length of size_splits", many, len(sizes))
        others = [e for e in sizes if e is not None and e >= 0]
        if len(others) == many:
            call.merge(total, sum(others), "sum of size_splits")
        rest = total - sum(others) if total is not None and len(others) == many - 1 else None
        if rest is not None and rest < 0:
            call.fail("sum of size_splits", f"at most {total}", sum(others))
        sizes = [rest if e is None or e < 0 else e for e in sizes]
    value = call.value(at_input)
    result, start = [], 0
    for e in sizes:
        part = (*shape[:at], e, *shape[at + 1 :])
        if value is None or e is None:
            value = None
            result.append(Static(part))
        else:
            index = (slice(None),) * at + (slice(start, start + e),)
            result.append(Static(part, value[index]))
            start += e
    return result


def slice_(call: Call) -> Static:
    """Slice: size elements from begin on, -1 for all that are left."""
    shape, begins, sizes = call.shape(0), call.vector(1), call.vector(2)
    if shape is None:
        if sizes is None:
            return Static(None if begins is None else (None,) * len(begins))
        return Static(tuple(None if e is None or e < 0 else e for e in sizes))
    length = len(shape)
    begins, sizes = begins or [None] * length, sizes or [None] * length
    if len(begins) != length or len(sizes) != length:
        call.fail("length of begin and size", length, (len(begins), len(sizes)))
    result: list[Size] = []
    for total, begin, count in zip(shape, begins, sizes, strict=True):
        if count is not None and count >= 0:
            if total is not None and (begin or 0) + count > total:
                call.fail("slice past the end", f"at most {total}", (begin or 0) + count)
            result.append(count)
        elif count is None or begin is None or total is None:
            result.append(None)
        else:
            if begin > total:
                call.fail("slice past the end", f"at most {total}", begin)
            result.append(total - begin)
    value, starts = call.value(0), call.known(1)
    if value is None or starts is None or None in result:
        return Static(tuple(result))
    index = [slice(b, b + n) for b, n in zip(starts, known(result), strict=True)]
    return Static(tuple(result), array(value[tuple(index)]))


def strided_slice(call: Call) -> Static:
    """StridedSlice: numpy's indexing, its Ellipsis, newaxis and plain ints being bits of masks.

    Ellipsis wins over newaxis, newaxis over shrink. Source: ValidateStridedSliceOp in
    tensorflow/core/util/strided_slice_op.cc.
    """
    shape = call.shape(0)
    begins, ends, strides = call.vector(1), call.vector(2), call.vector(3)
    begin_mask, end_mask, ellipsis_mask, new_mask, shrink_mask = (
        call.int_attr(f"{name}_mask")
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    )
    spec = next((len(e) for e in (strides, begins, ends) if e is not None), None)
    if shape is None or spec is None:
        return Static(None)
    unknown: list[Size] = [None] * spec
    begins, ends, strides = begins or unknown, ends or unknown, strides or unknown
    if not len(begins) == len(ends) == len(strides):
        call.fail("lengths of begin, end, strides", spec, (len(begins), len(ends), len(strides)))
    bits = [1 << i for i in range(spec)]
    if sum(bool(ellipsis_mask & bit) for bit in bits) > 1:
        call.fail("ellipsis_mask", "at most one bit", ellipsis_mask)
    consumed = sum(not (ellipsis_mask | new_mask) & bit for bit in bits)
    if consumed > len(shape):
        call.fail("slice of more dimensions than there are", len(shape), consumed)
    result: list[Size] = []
    index: list[Any] | None = []
    dim = 0
    for i, bit in enumerate(bits):
        if ellipsis_mask & bit:
            for _ in range(len(shape) - consumed):
                result.append(shape[dim])
                dim += 1
                index = None if index is None else [*index, slice(None)]
            continue
        if new_mask & bit:
            result.append(1)
            index = None if index is None else [*index, None]
            continue
        total, begin, end, stride = shape[dim], begins[i], ends[i], strides[i]
        dim += 1
        if stride == 0:
            call.fail("stride", "other than 0", 0)
        if shrink_mask & bit:
            _check_shrunk(call, total, begin, stride)
            index = None if index is None or begin is None else [*index, int(begin)]
            continue
        low = None if begin_mask & bit else begin
        high = None if end_mask & bit else end
        told = stride is not None and (begin_mask & bit or begin is not None) and (
            end_mask & bit or end is not None
        )
        if told:
            cut = slice(low, high, stride)
            result.append(None if total is None else len(range(*cut.indices(total))))
            index = None if index is None else [*index, cut]
        else:
            whole = begin_mask & end_mask & bit and stride in (1, -1)
            result.append(total if whole else None)
            index = None
    value = call.value(0)
    if value is None or index is None or value.ndim < sum(e is not None for e in index):
        return Static((*result, *shape[dim:]))
    return Static((*result, *shape[dim:]), array(value[tuple(index)]))


def _check_shrunk(call: Call, total: Size, begin: Any, stride: Any) -> None:
    """An index that takes one element must be inside, and go forward."""
    if stride is not None and stride < 0:
        call.fail("stride of a single index", "positive", stride)
    if total is not None and begin is not None and not -total <= begin < total:
        call.fail("index", f"in [{-total}, {total})", begin)


_FAMILIES: dict[Rule, str] = {
    const: "Const HostConst",
    placeholder: "Placeholder PlaceholderV2 PlaceholderWithDefault Variable VariableV2",
    ensure_shape: "EnsureShape",
    shape_of: "Shape ShapeN",
    size: "Size",
    rank: "Rank",
    output_shapes: "If StatelessIf While StatelessWhile Case StatelessCase",
    reshape: "Reshape",
    fill: "Fill",
    described: (
        "RandomUniform RandomUniformInt RandomStandardNormal TruncatedNormal Empty "
        "StatelessRandomUniform StatelessRandomUniformV2 StatelessRandomUniformInt "
        "StatelessRandomUniformIntV2 StatelessRandomNormal StatelessRandomNormalV2 "
        "StatelessTruncatedNormal StatelessTruncatedNormalV2"
    ),
    broadcast_to: "BroadcastTo SparseToDense",
    scatter_nd: "ScatterNd",
    broadcast_args: "BroadcastArgs",
    broadcast_gradient_args: "BroadcastGradientArgs",
    range_: "Range",
    tile: "Tile",
    expand_dims: "ExpandDims",
    squeeze: "Squeeze",
    transpose: "Transpose ConjugateTranspose",
    invert_permutation: "InvertPermutation",
    reverse: "Reverse ReverseV2",
    pack: "Pack",
    unpack: "Unpack",
    concat: "Concat ConcatV2",
    split: "Split SplitV",
    slice_: "Slice",
    strided_slice: "StridedSlice",
}

RULES: dict[str, Rule] = {op: rule for rule, ops in _FAMILIES.items() for op in ops.split()}

"""Shape rules of pieces: Pack, Unpack, Concat, Split, Slice, StridedSlice."""

from __future__ import annotations

from typing import Any

from modelfmt.graph import Dims
from modelfmt.ops.opdefs import MAX_OUTPUTS
from modelfmt.ops.shape_core import (
    Call,
    Rule,
    Size,
    Static,
    array,
    is_small,
    known,
    partial,
)


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
    if len(small) < len(parts) or not is_small(result):
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
    if all(each.value is None for each in values):
        return Static(tuple(result))
    parts = [partial(each) for each in values]
    small = [part for part in parts if part is not None]
    if len(small) < len(parts) or not is_small(tuple(result)):
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
        given = call.vector(1)
        sizes = [None] * many if given is None else given
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
    begins = [None] * length if begins is None else begins
    sizes = [None] * length if sizes is None else sizes
    if len(begins) != length or len(sizes) != length:
        call.fail("length of begin and size", length, (len(begins), len(sizes)))
    result: list[Size] = []
    for total, begin, count in zip(shape, begins, sizes, strict=True):
        if begin is not None and begin < 0:
            call.fail("begin", "at least 0", begin)
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
    begins = unknown if begins is None else begins
    ends = unknown if ends is None else ends
    strides = unknown if strides is None else strides
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
    pack: "Pack",
    unpack: "Unpack",
    concat: "Concat ConcatV2",
    split: "Split SplitV",
    slice_: "Slice",
    strided_slice: "StridedSlice",
}

RULES: dict[str, Rule] = {op: rule for rule, ops in _FAMILIES.items() for op in ops.split()}

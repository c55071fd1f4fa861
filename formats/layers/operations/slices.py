"""Operations that take elements out of a tensor, or put them in: x[1:, ..., None], gather, scatter.

A key of x[key] is a list of numbers, slices, ``...`` and None (a new axis), in the order of the
axes; one StridedSlice says it all. Source: TensorFlow python/ops/array_ops.py, ``_slice_helper``;
Keras backend/tensorflow/core.py and numpy.py.
"""

from __future__ import annotations

from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.arrays import listed
from modelfmt.layers.operations.table import operation
from modelfmt.layers.operations.values import Ops, tensors_in


@operation("GetItem(x, key)", "__operators__.getitem(tensor, slice_spec)")
def write_getitem(ops: Ops, x: Any, key: Any) -> TensorName:
    """x[key]."""
    import numpy as np

    x = ops.tensor(x)
    items = listed(key)
    if len(items) == 1 and isinstance(items[0], TensorName) and ops.dtype(items[0]) == "bool":
        return write_boolean_mask(ops, x, items[0], 0)
    if any(isinstance(i, np.ndarray | list) or _is_vector(ops, i) for i in items):
        raise ConversionError("a key of slices and numbers can be written", found=f"{key!r:.80}")
    begin: list[Any] = []
    end: list[Any] = []
    step: list[Any] = []
    masks = dict.fromkeys(
        ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0
    )
    for k, item in enumerate(items):
        bit = 1 << k
        start: Any = 0
        stop: Any = 0
        by: Any = 1
        if item is Ellipsis:
            masks["ellipsis_mask"] |= bit
        elif item is None:
            masks["new_axis_mask"] |= bit
            stop = 1
        elif isinstance(item, slice):
            by = 1 if item.step is None else item.step
            start, stop = item.start, item.stop
            masks["begin_mask"] |= bit * (start is None)
            masks["end_mask"] |= bit * (stop is None)
            start, stop = 0 if start is None else start, 0 if stop is None else stop
        elif isinstance(item, TensorName):
            masks["shrink_axis_mask"] |= bit
            start, stop = item, ops.op("AddV2", item, ops.tensor(1, ops.dtype(item)))
        elif isinstance(item, int) and not isinstance(item, bool):
            masks["shrink_axis_mask"] |= bit
            start, stop = item, item + 1
        else:
            raise ConversionError("no slice", found=f"{item!r:.60}")
        begin.append(start)
        end.append(stop)
        step.append(by)
    return ops.op("StridedSlice", x, *(ops.vector(v) for v in (begin, end, step)), **masks)


def _is_vector(ops: Ops, item: Any) -> bool:
    return isinstance(item, TensorName) and ops.shape(item) != ()


@operation("Slice(inputs, start_indices, shape) slice(input_, begin, size)")
def _slice(ops: Ops, x: Any, start: Any, sizes: Any) -> TensorName:
    return ops.op("Slice", ops.tensor(x), ops.vector(start), ops.vector(sizes))


@operation(
    "strided_slice(input_, begin, end, strides=None, begin_mask=0, end_mask=0, "
    "ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0)"
)
def _strided(ops: Ops, x: Any, begin: Any, end: Any, strides: Any, *masks: int) -> TensorName:
    names = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    begin = ops.vector(begin)
    strides = ops.op("OnesLike", begin) if strides is None else ops.vector(strides)
    return ops.op(
        "StridedSlice", x, begin, ops.vector(end), strides, **dict(zip(names, masks, strict=True))
    )


def _indices(ops: Ops, indices: Any) -> TensorName:
    indices = ops.tensor(indices)
    known = ops.dtype(indices) in ("int32", "int64")
    return indices if known else ops.cast(indices, "int32")


@operation("Take(x, indices, axis=None)")
def write_take(ops: Ops, x: Any, indices: Any, axis: Any) -> TensorName:
    """Negative indices count from the end."""
    import numpy as np

    x = ops.tensor(x)
    if axis is None:
        x, axis = ops.flat(x), 0
    axis = ops.axis(x, axis)
    literal = not isinstance(indices, TensorName) and not tensors_in(indices)
    if not (literal and (np.asarray(indices) >= 0).all()):
        indices = _from_front(ops, x, _indices(ops, indices), axis)
    return ops.op("GatherV2", x, _indices(ops, indices), axis)


def _from_front(ops: Ops, x: str, indices: TensorName, axis: int) -> TensorName:
    kind = ops.dtype(indices)
    whole = ops.op("AddV2", indices, ops.tensor(ops.size(x, axis), kind))
    return ops.op("SelectV2", ops.op("Less", indices, ops.tensor(0, kind)), whole, indices)


@operation("gather(params, indices, axis=None, batch_dims=0)")
def _gather(ops: Ops, x: Any, indices: Any, axis: Any, batch: Any) -> TensorName:
    x = ops.tensor(x)
    axis = batch if axis is None else axis
    return ops.op("GatherV2", x, _indices(ops, indices), ops.axis(x, axis), batch_dims=int(batch))


@operation("gather_nd(params, indices)")
def _gather_nd(ops: Ops, x: Any, indices: Any) -> TensorName:
    return ops.op("GatherNd", ops.tensor(x), _indices(ops, indices))


@operation("nn.embedding_lookup(params, ids)")
def _lookup(ops: Ops, x: Any, indices: Any) -> TensorName:
    return ops.op("GatherV2", ops.tensor(x), _indices(ops, indices), 0)


@operation("TakeAlongAxis(x, indices, axis=None)")
def _take_along(ops: Ops, x: Any, indices: Any, axis: Any) -> TensorName:
    """x[..., indices[..., k, ...], ...]: of the other axes each place is its own."""
    x, indices = ops.tensor(x), _indices(ops, indices)
    if axis is None:
        x, axis = ops.flat(x), 0
    last, axis = ops.rank(x) - 1, ops.axis(x, axis)
    indices = _from_front(ops, x, indices, axis)
    x, indices = ops.moved(x, [axis], [last]), ops.moved(indices, [axis], [last])
    if last:
        kind = ops.op("Shape", indices)
        common = ops.op("BroadcastArgs", *(_head(ops, ops.op("Shape", x)), _head(ops, kind)))
        x, indices = (
            ops.op("BroadcastTo", t, ops.op("ConcatV2", common, _tail(ops, ops.op("Shape", t)), 0))
            for t in (x, indices)
        )
    made = ops.op("GatherV2", x, indices, last, batch_dims=last)
    return ops.moved(made, [last], [axis])


def _head(ops: Ops, shape: str) -> TensorName:
    return ops.op("StridedSlice", shape, [0], [-1], [1], begin_mask=1)


def _tail(ops: Ops, shape: str) -> TensorName:
    return ops.op("StridedSlice", shape, [-1], [0], [1], end_mask=1)


@operation("boolean_mask(tensor, mask, axis=0)")
def write_boolean_mask(ops: Ops, x: Any, mask: Any, axis: Any) -> TensorName:
    """The rows for which the mask holds, over as many axes as it has."""
    x, mask = ops.tensor(x), ops.tensor(mask, "bool")
    axis, count = ops.axis(x, axis or 0), ops.rank(mask)
    sizes = ops.sizes(x)
    if count > 1:
        x = ops.reshape(
            x, [*sizes[:axis], ops.product(sizes[axis : axis + count]), *sizes[axis + count :]]
        )
    rows = ops.op("Where", ops.flat(mask))
    return ops.op("GatherV2", x, ops.op("Squeeze", rows, squeeze_dims=[1]), axis)


@operation("Scatter(indices, values, shape) scatter_nd(indices, updates, shape)")
def _scatter(ops: Ops, indices: Any, values: Any, shape: Any) -> TensorName:
    indices = _indices(ops, indices)
    sizes = ops.cast(ops.tensor(ops.vector(shape)), ops.dtype(indices))
    return ops.op("ScatterNd", indices, ops.tensor(values), sizes)


@operation(
    "ScatterUpdate(inputs, indices, updates, reduction=None)",
    "tensor_scatter_nd_update(tensor, indices, updates, _reduction=None)",
    "tensor_scatter_nd_add(tensor, indices, updates, _reduction='add')",
    "tensor_scatter_nd_max(tensor, indices, updates, _reduction='max')",
    "tensor_scatter_nd_min(tensor, indices, updates, _reduction='min')",
)
def _scatter_update(ops: Ops, x: Any, indices: Any, updates: Any, reduction: Any) -> TensorName:
    names = {None: "Update", "add": "Add", "max": "Max", "min": "Min"}
    if reduction not in names:
        raise ConversionError("scattering with this reduction", found=reduction)
    x = ops.tensor(x)
    return ops.op(
        f"TensorScatter{names[reduction]}",
        x,
        _indices(ops, indices),
        ops.tensor(updates, ops.dtype(x)),
    )


@operation("SliceUpdate(inputs, start_indices, updates)")
def _slice_update(ops: Ops, x: Any, start: Any, updates: Any) -> TensorName:
    """x with a block of it replaced: the block and a mask, padded to the size of x."""
    x = ops.tensor(x)
    updates = ops.tensor(updates, ops.dtype(x))
    rank = ops.rank(x)
    begin = ops.tensor(ops.vector(start))
    left = ops.op("Sub", ops.op("Shape", x), ops.op("AddV2", begin, ops.op("Shape", updates)))
    widths = ops.op("Pack", begin, left, axis=1)
    inside = ops.op("Pad", ops.op("OnesLike", ops.cast(updates, "bool")), widths)
    made = ops.op("SelectV2", inside, ops.op("Pad", updates, widths), x)
    return made if rank else updates


@operation("Diff(a, n=1, axis=-1)")
def _differences(ops: Ops, x: Any, times: Any, axis: Any) -> TensorName:
    x = ops.tensor(x)
    axis, rank = ops.axis(x, axis), ops.rank(x)
    for _ in range(times):
        later = [slice(None)] * rank
        earlier = [slice(None)] * rank
        later[axis], earlier[axis] = slice(1, None), slice(None, -1)
        op = "NotEqual" if ops.dtype(x) == "bool" else "Sub"
        x = ops.op(op, write_getitem(ops, x, later), write_getitem(ops, x, earlier))
    return ops.op("Identity", x) if not times else x


@operation("Trapezoid(y, x=None, dx=1.0, axis=-1)")
def _trapezoid(ops: Ops, y: Any, x: Any, dx: Any, axis: Any) -> TensorName:
    """The sum of dx times the mean of neighbours."""
    if x is not None:
        raise ConversionError("a trapezoid with places cannot be written")
    y = ops.floats(y)[0]
    axis, rank = ops.axis(y, axis), ops.rank(y)
    later, earlier = [slice(None)] * rank, [slice(None)] * rank
    later[axis], earlier[axis] = slice(1, None), slice(None, -1)
    both = ops.op("AddV2", write_getitem(ops, y, later), write_getitem(ops, y, earlier))
    half = ops.op("Mul", both, ops.tensor(dx / 2, ops.dtype(y)))
    return ops.op("Sum", half, [axis])

"""Operations that take elements out of a tensor, or put them in: x[1:, ..., None], gather, scatter.

A key of x[key] is a list of numbers, slices, ``...`` and None (a new axis), in the order of the
axes; one StridedSlice says it all. Source: TensorFlow python/ops/array_ops.py, ``_slice_helper``;
Keras backend/tensorflow/core.py and numpy.py.
"""

from __future__ import annotations

import math
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.graphs.sizes import Size
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.arrays import listed
from modelfmt.layers.operations.reading import Reading, reads
from modelfmt.layers.operations.saying import Said
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


_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


@reads("StridedSlice")
def _read_slice(r: Reading) -> Said:
    """As a key, or where a bound is not known before running by tf.keras' own function."""
    masks = [int(r.attr(name) or 0) for name in _MASKS]
    whole, bounds = r.x(0), [r.view.ints(i) for i in r.node.inputs[1:]]
    if any(each is None or None in each for each in bounds):
        key = _key_by_origin(r, masks)
        direct = r.say("strided_slice", whole, *(r.x(k) for k in (1, 2, 3)), *masks)
        return direct if key is None else r.any_of(r.say("GetItem", whole, key), direct)
    begin, end, step = (r.ints(k) for k in (1, 2, 3))
    key = _key(begin, end, step, masks)
    if Ellipsis in key:
        place = key.index(Ellipsis)
        taken = sum(item is not None for item in key) - 1
        key[place : place + 1] = [slice(None)] * (r.rank(0) - taken)
    return r.say("GetItem", whole, key)


def _key(begin: list[Any], end: list[Any], step: list[int], masks: list[int]) -> list[Any]:
    from_start, to_end, ellipsis, new, shrink = masks
    key: list[Any] = []
    for k, (start, stop, by) in enumerate(zip(begin, end, step, strict=True)):
        bit = 1 << k
        if ellipsis & bit:
            key.append(Ellipsis)
        elif new & bit:
            key.append(None)
        elif shrink & bit:
            key.append(start)
        else:
            start = None if from_start & bit else start
            stop = None if to_end & bit else stop
            if by == 1 and start == 0:
                start = None
            key.append(slice(start, stop, None if by == 1 else by))
    return key


def _key_by_origin(r: Reading, masks: list[int]) -> list[Any] | None:
    """The key where every bound that is not known is the size of the axis itself."""
    begin, end = r.sizes(1), r.sizes(2)
    step = r.ints(3)
    source = r.view.resolve(r.node.inputs[0])
    if masks[2] or masks[3]:
        return None
    stops: list[Any] = []
    for k, stop in enumerate(end):
        masked = (masks[1] | masks[4]) >> k & 1
        if isinstance(stop, int) or masked:
            stops.append(stop if isinstance(stop, int) else None)
        elif stop == Size(source, k) and step[k] > 0:
            stops.append(None)
        else:
            return None
    starts = [0 if masks[0] >> k & 1 else start for k, start in enumerate(begin)]
    if not all(isinstance(start, int) for start in starts):
        return None
    return _key(starts, stops, step, masks)


def _is_vector(ops: Ops, item: Any) -> bool:
    return isinstance(item, TensorName) and ops.shape(item) != ()


@operation("Slice(inputs, start_indices, shape) slice(input_, begin, size)")
def _slice(ops: Ops, x: Any, start: Any, sizes: Any) -> TensorName:
    return ops.op("Slice", ops.tensor(x), ops.vector(start), ops.vector(sizes))


@reads("Slice")
def _read_block(r: Reading) -> Said:
    begin, sizes = r.sizes(1), r.sizes(2)
    source = r.view.resolve(r.node.inputs[0])
    key: list[Any] = []
    for k, (start, size) in enumerate(zip(begin, sizes, strict=True)):
        whole = start == 0 and (size == Size(source, k) or size == r.dims(0)[k])
        if not isinstance(start, int) or not (isinstance(size, int) or whole):
            return r.say("slice", *r.operands())
        stop = start + size if isinstance(size, int) and size != -1 and not whole else None
        key.append(slice(start or None, stop))
    return r.say("GetItem", r.x(0), key)


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


@reads("GatherV2", "Gather")
def _read_gather(r: Reading) -> Said:
    """Keras 3 takes along one axis, or for each place of all axes before it."""
    x, indices = r.x(0), r.x(1)
    axis = 0 if r.op == "Gather" else r.number(2)
    batch = int(r.attr("batch_dims") or 0) if r.op == "GatherV2" else 0
    direct = r.say("gather", x, indices, axis=axis, batch_dims=batch)
    if not batch:
        return r.any_of(direct, r.say("Take", x, indices, axis=axis))
    last = r.rank(0) - 1
    if batch % r.rank(1) != r.rank(1) - 1 or axis % r.rank(0) != batch:
        return direct
    for _ in range(last - batch):
        indices = r.say("ExpandDims", indices, -1)
    return r.any_of(direct, r.say("TakeAlongAxis", x, indices, axis=axis))


@operation("gather_nd(params, indices, *, batch_dims=0, bad_indices_policy='')")
def _gather_nd(ops: Ops, x: Any, indices: Any) -> TensorName:
    return ops.op("GatherNd", ops.tensor(x), _indices(ops, indices))


@reads("GatherNd")
def _read_gather_nd(r: Reading) -> Said:
    """By one index into the axes that the indices speak of, laid out as one."""
    x, indices = r.x(0), r.x(1)
    direct = r.say("gather_nd", x, indices)
    count, sizes = r.dims(1)[-1], r.dims(0)
    if not count or None in sizes[1:]:
        return direct
    inner: list[int] = [size for size in sizes[1:count] if size is not None]
    strides = [math.prod(inner[k:]) for k in range(count)]
    if count > 1:
        weights = _array(strides, r.dtype(1))
        place = r.say("Sum", r.say("Multiply", indices, weights), axis=-1)
        flat = r.say("Reshape", x, [-1, *(size for size in sizes[count:] if size is not None)])
    else:
        place, flat = r.say("Squeeze", indices, axis=-1), x
    return r.any_of(direct, r.say("Take", flat, place, axis=0))


def _array(values: list[int], dtype: str) -> Any:
    import numpy as np

    return np.asarray(values, dtype)


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


@operation(
    "Scatter(indices, values, shape)",
    "scatter_nd(indices, updates, shape, *, bad_indices_policy='')",
)
def _scatter(ops: Ops, indices: Any, values: Any, shape: Any) -> TensorName:
    indices = _indices(ops, indices)
    sizes = ops.cast(ops.tensor(ops.vector(shape)), ops.dtype(indices))
    return ops.op("ScatterNd", indices, ops.tensor(values), sizes)


@operation(
    "ScatterUpdate(inputs, indices, updates, reduction=None)",
    "tensor_scatter_nd_update(tensor, indices, updates, _reduction=None)",
    "tensor_scatter_nd_add(tensor, indices, updates, _reduction='add', *, bad_indices_policy='')",
    "tensor_scatter_nd_max(tensor, indices, updates, _reduction='max', *, bad_indices_policy='')",
    "tensor_scatter_nd_min(tensor, indices, updates, _reduction='min', *, bad_indices_policy='')",
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


@reads("ScatterNd")
def _read_scatter(r: Reading) -> Said:
    return r.say("Scatter", r.x(0), r.x(1), r.ints(2))


@reads("TensorScatterUpdate", "TensorScatterAdd", "TensorScatterMax", "TensorScatterMin")
def _read_scatter_update(r: Reading) -> Said:
    kind = r.op.removeprefix("TensorScatter").lower()
    x, indices, updates = r.operands()
    direct = r.say(f"tensor_scatter_nd_{kind}", x, indices, updates)
    reduction = None if kind == "update" else kind
    return r.any_of(direct, r.say("ScatterUpdate", x, indices, updates, reduction=reduction))


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


@reads("XlaDynamicUpdateSlice")
def _read_slice_update(r: Reading) -> Said:
    return r.say("SliceUpdate", r.x(0), r.ints(2), r.x(1))


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

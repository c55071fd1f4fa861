"""Operations that give tensors other shapes: joined, cut, repeated, turned, made.

Sizes that are not known before running are taken from the tensor's own Shape. Source: Keras
backend/tensorflow/numpy.py; TensorFlow python/ops/array_ops.py.
"""

from __future__ import annotations

from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.graphs.sizes import Size
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.reading import Reading, Unread, output_shape, reads
from modelfmt.layers.operations.saying import Said
from modelfmt.layers.operations.table import operation
from modelfmt.layers.operations.values import Ops, tensors_in


def listed(value: Any) -> list[Any]:
    """A list of what may stand alone."""
    return list(value) if isinstance(value, list | tuple) else [value]


# -- other sizes -----------------------------


@operation("Reshape(x, newshape) reshape(tensor, shape)")
def write_reshape(ops: Ops, x: Any, shape: Any) -> TensorName:
    if isinstance(shape, list | tuple):
        return ops.reshape(ops.tensor(x), [-1 if size is None else size for size in shape])
    return ops.op("Reshape", ops.tensor(x), ops.vector(shape))


@reads("Reshape")
def _read_reshape(r: Reading) -> Said:
    """One size at most may be -1; those that stay unknown beside it are asked for by tf.keras."""
    shape = output_shape(r)
    if shape is None or shape.count(None) > 1:
        shape = tuple(size if isinstance(size, int) else None for size in r.sizes(1))
    if shape.count(None) + shape.count(-1) > 1:
        return r.say("reshape", r.x(0), r.tensor(1))
    return r.say("Reshape", r.x(0), [-1 if size is None else size for size in shape])


@operation("Ravel(x)")
def _ravel(ops: Ops, x: Any) -> TensorName:
    return ops.flat(ops.tensor(x))


@operation("ExpandDims(x, axis) expand_dims(input, axis)")
def write_expand_dims(ops: Ops, x: Any, axis: Any) -> TensorName:
    x = ops.tensor(x)
    wanted = listed(axis)
    for place in sorted(ops.axis(x, a, more=len(wanted)) for a in wanted):
        x = ops.op("ExpandDims", x, place)
    return TensorName(x)


@reads("ExpandDims")
def _read_expand_dims(r: Reading) -> Said:
    return r.say("ExpandDims", r.x(0), r.number(1))


@operation("Squeeze(x, axis=None) squeeze(input, axis=None)")
def write_squeeze(ops: Ops, x: Any, axis: Any) -> TensorName:
    x = ops.tensor(x)
    return ops.op("Squeeze", x, squeeze_dims=[] if axis is None else ops.axes(x, axis))


@reads("Squeeze")
def _read_squeeze(r: Reading) -> Said:
    axes = list(r.attr("squeeze_dims") or [])
    if not axes:
        axes = [k for k, size in enumerate(r.dims(0)) if size == 1]
    return r.say("Squeeze", r.x(0), axis=axes[0] if len(axes) == 1 else axes)


@operation("BroadcastTo(x, shape) broadcast_to(input, shape)")
def _broadcast(ops: Ops, x: Any, shape: Any) -> TensorName:
    return ops.op("BroadcastTo", ops.tensor(x), ops.vector(shape))


@reads("BroadcastTo")
def _read_broadcast(r: Reading) -> Said:
    """Where a size is another tensor's, by adding zeros that are as long."""
    x, shape = r.x(0), r.sizes(1)
    if all(isinstance(size, int) for size in shape):
        return r.say("BroadcastTo", x, shape)
    kind = r.output_dtype()
    joining = "LogicalOr" if kind == "bool" else "Add"
    alike = _alike(r, r.node.inputs[1])
    if alike:
        added: Any = x
        for tensor in alike:
            added = r.say(joining, added, r.say("ZerosLike", TensorName(tensor), dtype=kind))
    else:
        added = r.say(joining, x, spread(r, shape, 0, kind))
    return r.any_of(r.say("broadcast_to", x, r.x(1)), added)


def _alike(r: Reading, shape: str) -> list[str]:
    """The tensors whose shapes are broadcast together to a shape, if it is nothing else."""
    node = r.view.producer(shape)
    if node is None:
        return []
    if node.op == "Shape":
        return [r.view.resolve(node.inputs[0])]
    if node.op != "BroadcastArgs":
        return []
    parts = [_alike(r, i) for i in node.inputs]
    return [each for part in parts for each in part] if all(parts) else []


def spread(r: Reading, shape: list[Any], value: Any, dtype: str) -> Said:
    """``value`` in a tensor of this shape, of which some sizes are other tensors'."""
    unknown = [k for k, size in enumerate(shape) if not isinstance(size, int)]
    if not unknown or not all(isinstance(shape[k], Size) for k in unknown):
        raise Unread
    line = r.along(shape[unknown[0]], len(shape), unknown[0], value, dtype)
    for k in unknown[1:]:
        zeros = r.along(shape[k], len(shape), k, 0, dtype)
        line = r.say("LogicalOr" if dtype == "bool" else "Add", line, zeros)
    counts = [size if isinstance(size, int) else 1 for size in shape]
    return line if set(counts) == {1} else r.say("Tile", line, counts)


@operation("ensure_shape(x, shape)")
def _ensured(ops: Ops, x: Any, shape: Any) -> TensorName:
    return ops.op("Identity", x)


# -- other order -----------------------------


@operation("Transpose(x, axes=None) transpose(a, perm=None, *, conjugate=False)")
def write_transpose(ops: Ops, x: Any, axes: Any) -> TensorName:
    x = ops.tensor(x)
    rank = ops.rank(x)
    order = list(reversed(range(rank))) if axes is None else [ops.axis(x, a) for a in axes]
    return ops.op("Transpose", x, order)


@reads("Transpose")
def _read_transpose(r: Reading) -> Said:
    return r.say("Transpose", r.x(0), r.ints(1))


@operation("linalg.matrix_transpose(a, *, conjugate=False)")
def _matrix_transpose(ops: Ops, x: Any) -> TensorName:
    return ops.moved(x, [-1], [-2])


@operation("Moveaxis(x, source, destination)")
def _move(ops: Ops, x: Any, source: Any, target: Any) -> TensorName:
    return ops.moved(ops.tensor(x), listed(source), listed(target))


@operation("Swapaxes(x, axis1, axis2)")
def _swap(ops: Ops, x: Any, first: Any, second: Any) -> TensorName:
    return ops.moved(x, [first, second], [second, first])


@operation("Flip(x, axis=None) reverse(tensor, axis)")
def write_flip(ops: Ops, x: Any, axis: Any) -> TensorName:
    x = ops.tensor(x)
    return ops.op("ReverseV2", x, ops.axes(x, axis))


@reads("ReverseV2")
def _read_flip(r: Reading) -> Said:
    return r.say("Flip reverse", r.x(0), r.ints(1))


@operation("Fliplr(x, _axis=1)")
def _flip_columns(ops: Ops, x: Any, axis: int) -> TensorName:
    return write_flip(ops, x, axis)


@operation("Flipud(x, _axis=0)")
def _flip_rows(ops: Ops, x: Any, axis: int) -> TensorName:
    return write_flip(ops, x, axis)


@operation("Rot90(array, k=1, axes=[0, 1])")
def _rotate(ops: Ops, x: Any, k: Any, axes: Any) -> TensorName:
    """Quarter turns in the plane of two axes, from the first to the second."""
    first, second = ops.axes(x, axes)
    if k % 2:
        swapped = ops.moved(x, [first, second], [second, first])
        return write_flip(ops, swapped, first if k % 4 == 1 else second)
    if k % 4 and (ops.dims(x)[first] is None or ops.dims(x)[first] != ops.dims(x)[second]):
        # Keras itself reads such a plane with its sizes swapped, and mixes up the elements.
        raise ConversionError("half a turn of a plane that is no square", found=ops.shape(x))
    return write_flip(ops, x, [first, second]) if k % 4 else ops.op("Identity", x)


@operation("Roll(x, shift, axis=None) roll(input, shift, axis)")
def _roll(ops: Ops, x: Any, shift: Any, axis: Any) -> TensorName:
    x = ops.tensor(x)
    if axis is None:
        return ops.reshape(ops.op("Roll", ops.flat(x), shift, 0), ops.sizes(x))
    return ops.op("Roll", x, shift, axis)


@reads("Roll")
def _read_roll(r: Reading) -> Said:
    shifts, axes = r.ints(1), r.ints(2)
    return r.say("Roll", r.x(0), *(v[0] if len(v) == 1 else v for v in (shifts, axes)))


# -- together -----------------------------


@operation("Concatenate(xs, axis=0) concat(values, axis)")
def write_concat(ops: Ops, xs: Any, axis: Any) -> TensorName:
    parts = ops.same(*listed(xs))
    if len(parts) == 1:
        return ops.op("Identity", parts[0])
    return ops.op("ConcatV2", *parts, ops.axis(parts[0], axis))


@reads("ConcatV2")
def _read_concat(r: Reading) -> Said:
    *parts, _ = r.operands()
    return r.say("Concatenate", parts, axis=r.number(len(parts)))


@operation("Append(x1, x2, axis=None)")
def _append(ops: Ops, x: Any, y: Any, axis: Any) -> TensorName:
    x, y = ops.same(x, y)
    if axis is None:
        return write_concat(ops, [ops.flat(x), ops.flat(y)], 0)
    return write_concat(ops, [x, y], axis)


@operation("Stack(x, axis=0) stack(values, axis=0)")
def write_stack(ops: Ops, xs: Any, axis: Any) -> TensorName:
    parts = ops.same(*listed(xs))
    return ops.op("Pack", *parts, axis=ops.axis(parts[0], axis, more=1))


@reads("Pack")
def _read_stack(r: Reading) -> Said:
    return r.say("Stack", r.operands(), axis=r.attr("axis") or 0)


def _at_least(ops: Ops, xs: Any, rank: int, axis: int) -> TensorName:
    """Joined along an axis, with axes of size 1 added until the rank is reached."""
    parts = ops.same(*listed(xs))
    for k, part in enumerate(parts):
        for place in {1: [0], 2: [0, 0], 3: [0, 0, -1]}[rank][ops.rank(part) :]:
            part = ops.op("ExpandDims", part, place)
        parts[k] = part
    return write_concat(ops, parts, 0 if ops.rank(parts[0]) == 1 else axis)


@operation("Hstack(xs)")
def _hstack(ops: Ops, xs: Any) -> TensorName:
    return _at_least(ops, xs, 1, 1)


@operation("Vstack(xs)")
def _vstack(ops: Ops, xs: Any) -> TensorName:
    return _at_least(ops, xs, 2, 0)


@operation("Dstack(xs)")
def _dstack(ops: Ops, xs: Any) -> TensorName:
    parts = ops.same(*listed(xs))
    deep = [
        ops.reshape(p, [1, *ops.sizes(p), 1]) if ops.rank(p) == 1
        else ops.op("ExpandDims", p, -1) if ops.rank(p) == 2 else p
        for p in parts
    ]  # fmt: skip
    return write_concat(ops, deep, 2)


@operation("Repeat(x, repeats, axis=None) repeat(input, repeats, axis=None)")
def write_repeat(ops: Ops, x: Any, repeats: Any, axis: Any) -> TensorName:
    """Each element several times, one count for all or one for each."""
    x = ops.tensor(x)
    if axis is None:
        x, axis = ops.flat(x), 0
    axis = ops.axis(x, axis)
    counts = listed(repeats)
    if len(counts) == 1 and isinstance(counts[0], int):
        count, sizes = counts[0], ops.sizes(x)
        wide = ops.op("ExpandDims", x, axis + 1)
        tiled = ops.op("Tile", wide, [count if k == axis + 1 else 1 for k in range(len(sizes) + 1)])
        sizes[axis] = ops.product([sizes[axis], count])
        return ops.reshape(tiled, sizes)
    if not all(isinstance(c, int) for c in counts):
        raise ConversionError("repeats must be known", found=f"{repeats!r:.60}")
    places = [k for k, count in enumerate(counts) for _ in range(count)]
    return ops.op("GatherV2", x, places, axis)


@operation("Tile(x, repeats) tile(input, multiples)")
def _tile(ops: Ops, x: Any, repeats: Any) -> TensorName:
    x = ops.tensor(x)
    if isinstance(repeats, TensorName):
        return ops.op("Tile", x, ops.vector(repeats))
    counts, rank = listed(repeats), ops.rank(x)
    for _ in range(len(counts) - rank):
        x = ops.op("ExpandDims", x, 0)
    return ops.op("Tile", x, ops.vector([1] * (rank - len(counts)) + counts))


@reads("Tile")
def _read_tile(r: Reading) -> Said:
    """An axis of size 1 that becomes as long as another tensor's: zeros of that length added."""
    x, counts = r.x(0), r.sizes(1)
    if all(isinstance(count, int) for count in counts):
        return r.say("Tile", x, counts)
    direct = r.say("tile", x, r.tensor(1))
    rows = zip(counts, r.dims(0), strict=True)
    if any(not isinstance(count, int) and size != 1 for count, size in rows):
        return direct
    known = [count if isinstance(count, int) else 1 for count in counts]
    shape = [1 if isinstance(count, int) else count for count in counts]
    zeros = spread(r, shape, 0, r.output_dtype())
    longer = r.say("LogicalOr" if r.output_dtype() == "bool" else "Add", x, zeros)
    return r.any_of(direct, longer if set(known) == {1} else r.say("Tile", longer, known))


@operation(
    "Pad(x, constant_values=None, pad_width=0, mode='constant')",
    "pad(tensor, constant_values=0, paddings=0, mode='CONSTANT')",
)
def write_pad(ops: Ops, x: Any, value: Any, width: Any, mode: Any) -> TensorName:
    x = ops.tensor(x)
    if not isinstance(width, TensorName):
        rank = ops.rank(x)
        if isinstance(width, int):
            width = [[width, width]] * rank
        elif width and isinstance(width[0], int):
            width = [width if len(width) == 2 else width * 2] * rank
        elif len(width) == 1:
            width = list(width) * rank
        if tensors_in(width):
            width = ops.op("Pack", *[ops.vector(row) for row in width], axis=0)
    kind = str(mode).upper()
    if kind in ("REFLECT", "SYMMETRIC"):
        return ops.op("MirrorPad", x, width, mode=kind)
    if kind != "CONSTANT":
        raise ConversionError("padding of this mode cannot be written", found=mode)
    if value is None or (isinstance(value, int | float) and value == 0):
        return ops.op("Pad", x, width)
    return ops.op("PadV2", x, width, ops.tensor(value, ops.dtype(x)))


@reads("Pad", "PadV2", "MirrorPad")
def _read_pad(r: Reading) -> Said:
    value = r.x(2) if r.op == "PadV2" else None
    mode = str(r.attr("mode")).lower() if r.op == "MirrorPad" else "constant"
    if isinstance(value, TensorName):
        raise Unread
    if isinstance(r.x(1), TensorName):
        return r.say("pad", r.x(0), value, r.x(1), mode)
    return r.say("Pad", r.x(0), value, r.matrix(1), mode)


@operation("Meshgrid(*x, indexing='xy')")
def _meshgrid(ops: Ops, xs: Any, indexing: Any) -> list[TensorName]:
    """Each line spread over a grid of all of them."""
    lines = [ops.flat(x) for x in ops.same(*xs)]
    count = len(lines)
    order = list(range(count))
    if indexing == "xy" and count > 1:
        order[:2] = [1, 0]
    sizes = [ops.size(line, 0) for line in lines]
    whole = ops.vector([sizes[k] for k in order])
    return [
        ops.op(
            "BroadcastTo",
            ops.op("Reshape", line, [-1 if place == k else 1 for place in order]),
            whole,
        )
        for k, line in enumerate(lines)
    ]


# -- apart -----------------------------


def _cut(ops: Ops, x: Any, parts: Any, axis: Any, uneven: bool) -> list[TensorName]:
    """Into so many equal parts, or before these places."""
    x = ops.tensor(x)
    axis = ops.axis(x, axis)
    size = ops.dims(x)[axis]
    if isinstance(parts, int):
        if not uneven or (size is not None and size % parts == 0):
            return ops.ops("Split", axis, x, num_split=parts)
        if size is None:
            raise ConversionError("an axis of unknown size cannot be cut in uneven parts")
        lengths = [size // parts + (k < size % parts) for k in range(parts)]
        return ops.ops("SplitV", x, lengths, axis, num_split=parts)
    places = [0, *parts]
    if any(not isinstance(p, int) for p in places):
        raise ConversionError("places of a split must be numbers", found=f"{parts!r:.60}")
    made = []
    for k, start in enumerate(places):
        last = k == len(places) - 1
        rank = ops.rank(x)
        begin = [start if a == axis else 0 for a in range(rank)]
        end = [places[k + 1] if a == axis and not last else 0 for a in range(rank)]
        whole = sum(1 << a for a in range(rank) if a != axis or last)
        made.append(
            ops.op(
                "StridedSlice",
                x,
                begin,
                end,
                [1] * rank,
                end_mask=whole,
                begin_mask=sum(1 << a for a in range(rank) if a != axis),
            )
        )
    return made


@reads("Split")
def _read_split(r: Reading) -> list[Said]:
    count = int(r.attr("num_split"))
    return r.outputs(r.say("Split split", r.x(1), count, axis=r.number(0)), count)


@reads("SplitV")
def _read_split_sizes(r: Reading) -> list[Said]:
    """Parts of these sizes, which Keras 3 tells by where they begin."""
    lengths, axis = r.ints(1), r.number(2)
    if -1 in lengths:
        whole = r.dims(0)[axis]
        if whole is None:
            raise Unread
        lengths[lengths.index(-1)] = whole - sum(lengths) - 1
    places = [sum(lengths[:k]) for k in range(1, len(lengths))]
    direct = r.say("split", r.x(0), lengths, axis=axis)
    return r.outputs(r.any_of(direct, r.say("Split", r.x(0), places, axis=axis)), len(lengths))


@operation("Split(x, indices_or_sections, axis=0)")
def _split(ops: Ops, x: Any, parts: Any, axis: Any) -> list[TensorName]:
    return _cut(ops, x, parts, axis, False)


@operation("ArraySplit(x, indices_or_sections, axis=0)")
def _array_split(ops: Ops, x: Any, parts: Any, axis: Any) -> list[TensorName]:
    return _cut(ops, x, parts, axis, True)


@operation("Hsplit(x, indices_or_sections)")
def _hsplit(ops: Ops, x: Any, parts: Any) -> list[TensorName]:
    return _cut(ops, x, parts, 0 if ops.rank(x) == 1 else 1, False)


@operation("Vsplit(x, indices_or_sections, _axis=0)", "Dsplit(x, indices_or_sections, _axis=2)")
def _plane_split(ops: Ops, x: Any, parts: Any, axis: int) -> list[TensorName]:
    return _cut(ops, x, parts, axis, False)


@operation("split(value, num_or_size_splits, axis=0)")
def _split_sizes(ops: Ops, x: Any, parts: Any, axis: Any) -> list[TensorName]:
    """TensorFlow's: parts of these sizes, -1 for the rest."""
    x = ops.tensor(x)
    axis = ops.axis(x, axis)
    if isinstance(parts, int):
        return ops.ops("Split", axis, x, num_split=parts)
    return ops.ops("SplitV", x, parts, axis, num_split=len(parts))


@operation("Unstack(x, num=None, axis=0) unstack(value, num=None, axis=0)")
def write_unstack(ops: Ops, x: Any, count: Any, axis: Any) -> list[TensorName]:
    x = ops.tensor(x)
    axis = ops.axis(x, axis)
    count = ops.dims(x)[axis] if count is None else count
    if count is None:
        raise ConversionError("an axis of unknown size cannot be unstacked")
    return ops.ops("Unpack", x, num=count, axis=axis)


@reads("Unpack")
def _read_unstack(r: Reading) -> list[Said]:
    count = int(r.attr("num"))
    made = r.say("Unstack", r.x(0), num=count, axis=r.attr("axis") or 0)
    return r.outputs(made, count)

"""Operations that make tensors: of zeros, of numbers in a row, of sizes, of classes and counts.

Source: Keras backend/tensorflow/numpy.py and nn.py; TensorFlow python/ops/array_ops.py.
"""

from __future__ import annotations

from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.graphs.sizes import Size
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.arrays import spread
from modelfmt.layers.operations.reading import Reading, Unread, reads, reads_as
from modelfmt.layers.operations.saying import Said
from modelfmt.layers.operations.table import operation
from modelfmt.layers.operations.values import Ops


def _filled(ops: Ops, x: Any, value: Any, dtype: Any) -> TensorName:
    x = ops.tensor(x)
    kind = ops.dtype(x) if dtype is None else ops.named_dtype(dtype).name
    return ops.op("Fill", ops.op("Shape", x), ops.tensor(value, kind))


@operation(
    "ZerosLike(x, dtype=None) EmptyLike(x, dtype=None) zeros_like(input, dtype=None) "
    "zeros_like_v2(input, dtype=None)"
)
def _zeros(ops: Ops, x: Any, dtype: Any) -> TensorName:
    return ops.op("ZerosLike", ops.tensor(x)) if dtype is None else _filled(ops, x, 0, dtype)


@operation("OnesLike(x, dtype=None) ones_like(input, dtype=None) ones_like_v2(input, dtype=None)")
def _ones(ops: Ops, x: Any, dtype: Any) -> TensorName:
    return ops.op("OnesLike", ops.tensor(x)) if dtype is None else _filled(ops, x, 1, dtype)


reads_as("ZerosLike", "ZerosLike")
reads_as("OnesLike", "OnesLike")


@operation("FullLike(x, fill_value, dtype=None)")
def _full_like(ops: Ops, x: Any, value: Any, dtype: Any) -> TensorName:
    x = ops.tensor(x)
    kind = ops.dtype(x) if dtype is None else ops.named_dtype(dtype).name
    return ops.op("BroadcastTo", ops.tensor(value, kind), ops.op("Shape", x))


@operation("fill(dims, value)")
def _fill(ops: Ops, shape: Any, value: Any) -> TensorName:
    return ops.op("Fill", ops.vector(shape), ops.tensor(value))


@reads("Fill")
def _read_fill(r: Reading) -> Said:
    """One size may be another tensor's."""
    value = r.x(1)
    if isinstance(value, TensorName):
        return r.say("fill", r.tensor(0), value)
    found = r.view.producer(r.node.inputs[0])
    if found is not None and found.op == "Shape":
        like = TensorName(r.view.resolve(found.inputs[0]))
        kind = r.output_dtype()
        zeros = r.say("ZerosLike zeros_like", like, dtype=kind)
        if not value:
            return zeros
        return r.say("LogicalOr" if kind == "bool" else "Add", zeros, value)
    return spread(r, r.sizes(0), value, r.output_dtype())


@operation("Full(fill_value, shape, dtype=None)")
def _full(ops: Ops, value: Any, shape: Any, dtype: Any) -> TensorName:
    kind = None if dtype is None else ops.named_dtype(dtype).name
    return ops.op("Fill", ops.vector(shape), ops.tensor(value, kind))


def _constant(number: int, ops: Ops, shape: Any, dtype: Any) -> TensorName:
    return ops.op("Fill", ops.vector(shape), ops.tensor(number, ops.named_dtype(dtype).name))


@operation("zeros(shape, dtype='float32')")
def _made_of_zeros(ops: Ops, shape: Any, dtype: Any) -> TensorName:
    return _constant(0, ops, shape, dtype)


@operation("ones(shape, dtype='float32')")
def _made_of_ones(ops: Ops, shape: Any, dtype: Any) -> TensorName:
    return _constant(1, ops, shape, dtype)


@operation(
    "Arange(start, stop=None, step=None, dtype=None)",
    "range(start, limit=None, delta=None, dtype=None)",
)
def _arange(ops: Ops, start: Any, stop: Any, step: Any, dtype: Any) -> TensorName:
    if stop is None:
        start, stop = 0, start
    values = [start, stop, 1 if step is None else step]
    kind = ops.meeting(*values) if dtype is None else ops.named_dtype(dtype).name
    return ops.op("Range", *(ops.tensor(value, kind) for value in values))


@reads("Range")
def _read_range(r: Reading) -> Said:
    """0, 1, ... as far as a size of another tensor goes: ones, added up."""
    start, limit, step = r.operands()
    direct = r.say("range", start, limit, step)
    if not isinstance(start, int) or not isinstance(step, int):
        return direct
    ends = r.sizes(1)
    if len(ends) != 1 or not isinstance(ends[0], Size) or (start, step) != (0, 1):
        return direct
    ones = r.say("OnesLike", r.line(ends[0]), dtype=r.output_dtype())
    return r.any_of(direct, r.say("Subtract", r.say("Cumsum", ones, axis=0), 1))


@operation(
    "Linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0)",
    "linspace(start, stop, num, _endpoint=True, _retstep=False, _dtype=None, axis=0)",
)
def write_linspace(ops: Ops, start: Any, stop: Any, count: Any, endpoint: Any, retstep: Any,
                   dtype: Any, axis: Any) -> TensorName:  # fmt: skip
    """start + (stop - start) * k / (count - 1), along a new axis."""
    import numpy as np

    if retstep or not isinstance(count, int) or count < 2:
        raise ConversionError("a linspace of two numbers or more can be written", found=count)
    start, stop = ops.floats(start, stop)
    if dtype is not None:
        start, stop = (ops.cast(x, ops.named_dtype(dtype).name) for x in (start, stop))
    parts = count - 1 if endpoint else count
    if ops.rank(start) == 0 == ops.rank(stop) and endpoint:
        return ops.op("LinSpace", start, stop, count)
    steps = np.arange(count) / parts
    rank = max(ops.rank(start), ops.rank(stop))
    axis = axis % (rank + 1)
    first, last = (
        ops.op("ExpandDims", x, max(axis - (rank - ops.rank(x)), 0)) for x in (start, stop)
    )
    line = ops.tensor(
        steps.reshape([-1 if k == axis else 1 for k in range(rank + 1)]), ops.dtype(start)
    )
    return ops.op("AddV2", first, ops.op("Mul", ops.op("Sub", last, first), line))


@operation("Size(x)", "size(input, out_type='int32')")
def _size(ops: Ops, x: Any, kind: Any = "int32") -> TensorName:
    return ops.op("Size", ops.tensor(x), out_type=ops.named_dtype(kind))


@reads("Shape")
def _read_shape(r: Reading) -> Said:
    """Ones, added up along each axis of unknown size."""
    import numpy as np

    kind, dims = r.output_dtype(), r.dims(0)
    tensor = r.view.resolve(r.node.inputs[0])
    total: Any = np.asarray([0 if size is None else size for size in dims], kind)
    for axis, size in enumerate(dims):
        if size is None:
            place = np.asarray([int(k == axis) for k in range(len(dims))], kind)
            length = r.length(Size(tensor, axis))
            length = length if kind == "int32" else r.say("Cast", length, kind)
            total = r.say("Add", r.say("Multiply", length, place), total)
    if not isinstance(total, Said):
        raise Unread
    return r.any_of(r.say("shape", TensorName(tensor), out_type=kind), total)


@reads("Size")
def _read_size(r: Reading) -> Said:
    ones = r.say("OnesLike", r.x(0), dtype=r.output_dtype())
    return r.any_of(r.say("size", r.x(0), out_type=r.output_dtype()), r.say("Sum", ones))


@operation("Ndim(x) rank(input)")
def _rank(ops: Ops, x: Any) -> TensorName:
    return ops.op("Rank", ops.tensor(x))


@operation(
    "shape(input, out_type='int32')",
    "keras.backend.shape(x, _out_type='int32')",
    "compat.v1.shape_v2(input, out_type='int32')",
    "shape_v2(input, out_type='int32')",
)
def _shape(ops: Ops, x: Any, kind: Any) -> TensorName:
    return ops.op("Shape", ops.tensor(x), out_type=ops.named_dtype(kind))


@operation("eye(num_rows, num_columns=None, dtype='float32')")
def _eye(ops: Ops, rows: Any, columns: Any, dtype: Any) -> TensorName:
    import numpy as np

    if not isinstance(rows, int) or not isinstance(columns, int | None):
        raise ConversionError("an identity matrix of known size can be written")
    return ops.tensor(np.eye(rows, columns), ops.named_dtype(dtype).name)


@operation(
    "OneHot(x, _on=None, _off=None, num_classes=0, axis=-1, dtype=None, sparse=False)",
    "one_hot(indices, on_value=None, off_value=None, depth=0, axis=-1, dtype=None, _sparse=False)",
)
def write_one_hot(ops: Ops, x: Any, on: Any, off: Any, depth: Any, axis: Any, dtype: Any,
                  sparse: Any) -> TensorName:  # fmt: skip
    if sparse:
        raise ConversionError("a sparse one_hot cannot be written")
    x = ops.tensor(x)
    if ops.dtype(x) not in ("uint8", "int32", "int64"):
        x = ops.cast(x, "int64" if ops.is_float(x) or ops.dtype(x) == "uint32" else "int32")
    kind = "float32" if dtype is None else ops.named_dtype(dtype).name
    truth = kind == "bool"
    return ops.op(
        "OneHot", x, ops.tensor(depth, "int32"),
        ops.tensor((True if truth else 1) if on is None else on, kind),
        ops.tensor((False if truth else 0) if off is None else off, kind),
        axis=-1 if axis is None else int(axis),
    )  # fmt: skip


@reads("OneHot")
def _read_one_hot(r: Reading) -> Said:
    x, depth, on, off = r.x(0), r.number(1), r.x(2), r.x(3)
    axis, kind = r.attr("axis"), r.output_dtype()
    direct = r.exactly("one_hot", x, on, off, depth, axis=axis, dtype=kind)
    if (on, off) == (1, 0):
        return r.any_of(direct, r.say("OneHot", x, num_classes=depth, axis=axis, dtype=kind))
    hot = r.say("OneHot", x, num_classes=depth, axis=axis, dtype="bool")
    return r.any_of(direct, r.say("Where", hot, on, off))


@operation("MultiHot(inputs, num_classes, axis=-1, dtype=None, sparse=False)")
def _multi_hot(ops: Ops, x: Any, depth: Any, axis: Any, dtype: Any, sparse: Any) -> TensorName:
    """The largest over the last axis of the classes of x, those below 0 being none."""
    rank = ops.rank(ops.tensor(x))
    hot = write_one_hot(ops, x, None, None, depth, -1, dtype, sparse)
    hot = ops.op("Max", hot, [rank - 1 if rank > 1 else 0])
    return hot if axis in (-1, None) else ops.moved(hot, [-1], [axis])


@operation("sequence_mask(lengths, maxlen=None, dtype='bool')")
def _sequence_mask(ops: Ops, lengths: Any, longest: Any, dtype: Any) -> TensorName:
    lengths = ops.tensor(lengths)
    kind = ops.dtype(lengths)
    if longest is None:
        longest = ops.op("Max", lengths, list(range(ops.rank(lengths))))
    steps = ops.op("Range", ops.tensor(0, kind), ops.tensor(longest, kind), ops.tensor(1, kind))
    made = ops.op("Less", steps, ops.op("ExpandDims", lengths, -1))
    return made if dtype == "bool" else ops.cast(made, ops.named_dtype(dtype).name)


@operation("IsIn(x1, x2, assume_unique=False, invert=False)")
def _is_in(ops: Ops, x: Any, values: Any, unique: Any, invert: Any) -> TensorName:
    x, values = ops.same(x, values)
    found = ops.op("Any", ops.op("Equal", ops.op("ExpandDims", x, -1), ops.flat(values)), [-1])
    return ops.op("LogicalNot", found) if invert else found


@operation("Bincount(x, weights=None, minlength=0, sparse=False)")
def _bincount(ops: Ops, x: Any, weights: Any, least: Any, sparse: Any) -> TensorName:
    """How often each of 0, 1, ... stands in the last axis; weights added up instead."""
    if sparse:
        raise ConversionError("a sparse bincount cannot be written")
    x = ops.tensor(x)
    x = x if ops.dtype(x) in ("int32", "int64") else ops.cast(x, "int32")
    kind = ops.dtype(x)
    most = ops.op("Max", x, list(range(ops.rank(x))))
    count = ops.op("Maximum", ops.op("AddV2", most, ops.tensor(1, kind)), ops.tensor(least, kind))
    if weights is None:
        none = ops.tensor([], "int32")
        return ops.op("DenseBincount", x, count, none)
    return ops.op("DenseBincount", x, count, ops.tensor(weights))

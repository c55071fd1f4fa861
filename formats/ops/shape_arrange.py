"""Shape rules of what gives, takes and rearranges shapes: Shape, Reshape, Fill, Transpose, ..."""

from __future__ import annotations

import math

from modelfmt.graph import Dims, Shape
from modelfmt.ops.shape_core import (
    MAX_ELEMENTS,
    Call,
    Rule,
    Size,
    Static,
    array,
    full,
    is_small,
    known,
    product,
    valued,
)
from modelfmt.tensor import Tensor

# --- what gives shapes ---


def constant(tensor: Tensor) -> Static:
    """The Static of a Const: its value too, where that is small enough to be shape arithmetic."""
    value = None
    dtype = tensor.dtype
    # Of floats only scalars: a small vector is a bias, and no business of shapes.
    rank = 0 if dtype.is_floating else 2
    if tensor.size <= MAX_ELEMENTS and len(tensor.shape) <= rank and dtype.name in _FOLDED:
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
    if value is not None and is_small(tuple(sizes)) and product(sizes) == value.size:
        return Static(tuple(sizes), value.reshape(known(sizes)))
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
    if any(e is not None and e < 0 for e in times):
        call.fail("multiples", "at least 0", times)
    result = tuple(product(pair) for pair in zip(shape, times, strict=True))
    value = call.value(0)
    if value is None or every is None or not is_small(result):
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
    order = call.known(0)
    if call.value(0) is None or order is None or sorted(order) != list(range(len(order))):
        return Static(call.shape(0))
    result = [0] * len(order)
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

    turned = {call.axis(axis, value.ndim) for axis in axes}
    return valued(array(np.flip(value, tuple(turned))))


def list_diff(call: Call) -> list[Static]:
    """ListDiff: the elements of the first list that the second has not, and their places."""
    x, y = call.known(0), call.known(1)
    if x is None or y is None or call.value(0) is None:
        return [Static((None,)), Static((None,))]
    kept = [(value, place) for place, value in enumerate(x) if value not in y]
    return [valued(array([row[k] for row in kept])) for k in (0, 1)]


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
    list_diff: "ListDiff",
}

RULES: dict[str, Rule] = {op: rule for rule, ops in _FAMILIES.items() for op in ops.split()}

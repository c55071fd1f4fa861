"""Shapes of inputs that a graph does not tell, as far as the nodes that read them do.

TensorFlow before 1.2 kept no shape of a Placeholder. What reads it shows it: a product with a
(5, 4) constant takes (?, 5), a Transpose by [1, 0, 2] takes a rank of 3. The search goes from the
outputs to the inputs, through nodes that keep a shape or change it in a known way.

    Reshape (-1, 5) -> ... -> Reshape (-1, 8, 4)      rows of samples of 8 steps: (?, 8, 5)
    Reshape (-1, ?) -> MatMul with (36, 8)            rows of 36

Nothing that is known is overruled. Source: Keras 1, layers/recurrent.py, time_distributed_dense.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from modelfmt.graph import Dims, Node
from modelfmt.graphs.view import View

#: Takes the View, a node and its output's shape; yields tensors and the shapes they must have.
_Rule = Callable[[View, Node, Dims], Iterator[tuple[str, Dims]]]
_Shape = tuple[int | None, ...]

#: What keeps the shape of its first input.
_KEEPING = {
    "Cast", "Tanh", "Sigmoid", "Relu", "Relu6", "Elu", "Selu", "Softplus", "Softsign", "Abs", "Neg",
    "Exp", "Log", "Sqrt", "Square", "Rsqrt", "Sign", "Softmax", "ZerosLike", "OnesLike", "Identity",
    "LogicalNot", "LRN", "ReverseV2", "Reverse", "Cumsum", "BiasAdd", "FusedBatchNormV3",
}  # fmt: skip
#: What takes two tensors that broadcast with each other.
_MEETING = {
    "AddV2", "Sub", "Mul", "RealDiv", "Maximum", "Minimum", "Pow", "SquaredDifference", "Equal",
    "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual", "LogicalAnd", "LogicalOr",
}  # fmt: skip
_REDUCING = {"Sum", "Mean", "Max", "Min", "Prod", "Any", "All"}
#: Convolutions and pools: the rank of what they take.
_RANKS = {
    "Conv2D": 4, "DepthwiseConv2dNative": 4, "MaxPool": 4, "AvgPool": 4, "Conv3D": 5,
    "MaxPool3D": 5, "AvgPool3D": 5, "FusedBatchNormV3": 4, "ResizeNearestNeighbor": 4,
    "ResizeBilinear": 4, "LRN": 4,
}  # fmt: skip


def told_shapes(view: View, before: Mapping[str, Dims]) -> dict[str, Dims]:
    """The shapes of the Placeholders of unknown rank, by name, as their readers tell them; and in
    such a graph those of what is reshaped, where the target does not tell.

    Args:
        view: with what is known ``before``; the more is known, the more is told.
        before: what this told of the same graph.
    """
    asked = [
        name for name, node in view.live.items()
        if node.op == "Placeholder" and (view.shape(name) is None or name in before)
    ]  # fmt: skip
    needed: dict[str, Dims] = dict(before)
    for _ in range(_MAX_PASSES if asked else 0):
        last = dict(needed)
        for node in view.live.values():
            for source, shape in _inputs_of(view, node, _known(node.name, view, needed)):
                tensor = view.resolve(source)
                needed[tensor] = _merged(_known(tensor, view, needed), shape)
        if needed == last:
            break
    reshaped = [
        name for name, node in view.live.items() if node.op == "Reshape" and name in needed
    ] if asked else []  # fmt: skip
    told = {name: _known(name, view, needed) for name in (*asked, *reshaped)}
    return {name: shape for name, shape in told.items() if shape is not None}


#: ``live`` has readers before what they read, but for loops: few passes find all.
_MAX_PASSES = 8


def _known(tensor: str, view: View, needed: Mapping[str, Dims]) -> Dims:
    tensor = view.resolve(tensor)
    return _merged(view.shape(tensor), needed.get(tensor))


def _merged(one: Dims, other: Dims) -> Dims:
    """What two findings say together; the first where they contradict each other."""
    if one is None or other is None:
        return other if one is None else one
    if len(one) != len(other):
        return one
    return tuple(b if a is None else a for a, b in zip(one, other, strict=True))


def _inputs_of(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    """What a node's inputs must be, given what its first output is."""
    rule = _RULES.get(node.op)
    if rule is not None:
        yield from rule(view, node, shape)
    if node.op in _RANKS and node.op not in ("Conv2D", "Conv3D", "DepthwiseConv2dNative"):
        yield node.inputs[0], (None,) * _RANKS[node.op]
    if shape is None:
        return
    if node.op in _KEEPING:
        yield node.inputs[0], shape
    elif node.op in _MEETING:
        yield from _meeting(view, node, shape)


def _meeting(view: View, node: Node, shape: _Shape) -> Iterator[tuple[str, Dims]]:
    """An operand beside one of a smaller rank, or of which each size is 1, has them all.

    Beside one of the same rank it might be the smaller one: that it is not is a guess, but for a
    graph that tells nothing the only one.
    """
    for place in (0, 1):
        other = view.shape(node.inputs[1 - place])
        if other is None or len(other) > len(shape):
            continue
        aligned = (1,) * (len(shape) - len(other)) + other
        if len(other) < len(shape) or any(size == 1 for size in aligned):
            sizes = zip(shape, aligned, strict=True)
            yield node.inputs[place], tuple(size if beside == 1 else None for size, beside in sizes)
        elif view.constant(node.inputs[1 - place]) is None:
            sizes = zip(shape, aligned, strict=True)
            yield node.inputs[place], tuple(a if a == b else None for a, b in sizes)


def _product(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    kernel = view.shape(node.inputs[1])
    if kernel is not None and len(kernel) == 2 and not view.attr(node, "transpose_a"):
        yield node.inputs[0], (None, kernel[1 if view.attr(node, "transpose_b") else 0])


def _convolution(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    kernel = view.shape(node.inputs[1])
    rank = _RANKS[node.op]
    channels = kernel[-2] if kernel is not None and len(kernel) == rank else None
    yield node.inputs[0], _laid_out(view, node, rank, channels)


def _transposed_convolution(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    kernel = view.shape(node.inputs[1])
    if kernel is not None:
        yield node.inputs[2], _laid_out(view, node, len(kernel), kernel[-1])


def _pooled(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    """A pool leaves the channels what they are."""
    first = str(view.attr(node, "data_format") or "").startswith("NC")
    if shape is not None and len(shape) == _RANKS[node.op]:
        yield node.inputs[0], _laid_out(view, node, len(shape), shape[1 if first else -1])


def _laid_out(view: View, node: Node, rank: int, channels: int | None) -> _Shape:
    first = str(view.attr(node, "data_format") or "").startswith("NC")
    between = (None,) * (rank - 2)
    return (None, channels, *between) if first else (None, *between, channels)


def _padded(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    rows = view.matrix(node.inputs[1])
    if rows is None:
        return
    after = shape if shape is not None and len(shape) == len(rows) else (None,) * len(rows)
    yield node.inputs[0], tuple(
        None if size is None else size - before - behind
        for size, (before, behind) in zip(after, rows, strict=True)
    )


def _chosen(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    """Select, which TensorFlow 2 replaced, takes a condition for each row."""
    compared = view.producer(node.inputs[0])
    if view.graph[node.name].op == "Select" and compared is not None and compared.op in _MEETING:
        for k, operand in enumerate(compared.inputs):
            if _is_scalar(compared.inputs[1 - k], view) and view.shape(operand) is None:
                yield operand, (None,)


def _is_scalar(tensor: str, view: View) -> bool:
    """Whether a tensor is a number, or one that a loop counts."""
    node = view.producer(tensor)
    while node is not None and node.op in ("Switch", "Merge", "Enter"):
        tensor = node.inputs[0]
        node = view.producer(tensor)
    return view.shape(tensor) == ()


def _transposed(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    order = view.ints(node.inputs[1])
    if order is None or sorted(k for k in order if k is not None) != list(range(len(order))):
        return
    sizes: list[int | None] = [None] * len(order)
    for place, axis in enumerate(order):
        if shape is not None and len(shape) == len(order) and axis is not None:
            sizes[axis] = shape[place]
    yield node.inputs[0], tuple(sizes)


def _expanded(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    axis = view.scalar(node.inputs[1])
    if shape is not None and axis is not None and -len(shape) <= axis < len(shape):
        axis = int(axis) % len(shape)
        yield node.inputs[0], shape[:axis] + shape[axis + 1 :]


def _squeezed(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    axes = view.attr(node, "squeeze_dims")
    if shape is None or not isinstance(axes, list) or not axes:
        return
    sizes = list(shape)
    rank = len(shape) + len(axes)
    for axis in sorted(int(str(a)) % rank for a in axes):
        sizes.insert(axis, 1)
    yield node.inputs[0], tuple(sizes)


def _reduced(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    axes = view.ints(node.inputs[1])
    if shape is None or axes is None or None in axes:
        return
    kept = bool(view.attr(node, "keep_dims"))
    rank = len(shape) + (0 if kept else len(axes))
    gone = {int(a or 0) % rank for a in axes} if rank else set()
    rest = iter(shape)
    sizes: list[int | None] = []
    for axis in range(rank):
        if axis in gone:
            sizes.append(None)
            if kept:
                next(rest, None)
        else:
            sizes.append(next(rest, None))
    yield node.inputs[0], tuple(sizes)


def _gathered(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    table = view.shape(node.inputs[0])
    if shape is not None and table is not None and len(shape) >= len(table) - 1:
        yield node.inputs[1], shape[: len(shape) - len(table) + 1]


def _beside(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    axis = view.scalar(node.inputs[-1])
    if shape is None or axis is None or not -len(shape) <= axis < len(shape):
        return
    axis = int(axis) % len(shape)
    for place in range(len(node.inputs) - 1):
        yield node.inputs[place], (*shape[:axis], None, *shape[axis + 1 :])


def _rows_again(view: View, node: Node, shape: Dims) -> Iterator[tuple[str, Dims]]:
    """Rows made of a sequence are of as many steps as where they become steps again."""
    if shape is None or len(shape) != 3 or shape[1] is None or shape[0] is not None:
        return
    rows = view.producer(node.inputs[0])
    while rows is not None and rows.op in _ROW_BY_ROW:
        rows = view.producer(rows.inputs[0])
    if rows is None or rows.op != "Reshape":
        return
    sizes = view.ints(rows.inputs[1])
    if sizes is not None and len(sizes) == 2 and sizes[0] in (-1, None):
        yield rows.inputs[0], (None, shape[1], sizes[1])


#: What computes each row for itself.
_ROW_BY_ROW = {"MatMul", "AddV2", "BiasAdd", "Tanh", "Relu", "Sigmoid", "Softmax"}
_RULES: Mapping[str, _Rule] = {
    "MatMul": _product, "Conv2D": _convolution, "DepthwiseConv2dNative": _convolution,
    "Conv3D": _convolution, "Transpose": _transposed, "ExpandDims": _expanded,
    "Squeeze": _squeezed, "Gather": _gathered, "GatherV2": _gathered, "ConcatV2": _beside,
    "Reshape": _rows_again, "SelectV2": _chosen, "Pad": _padded, "PadV2": _padded,
    "MirrorPad": _padded, "Conv2DBackpropInput": _transposed_convolution,
    "Conv3DBackpropInputV2": _transposed_convolution,
    **dict.fromkeys(("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"), _pooled),
    **dict.fromkeys(_REDUCING, _reduced),
}  # fmt: skip

"""Ops that older TensorFlows spell in another way: what stands in the place of each.

    AddV2 -> Add                              FusedBatchNormV3 -> V2 -> FusedBatchNorm
    BatchMatMulV3 -> V2 -> BatchMatMul        GatherV2 -> Gather
    SelectV2 -> Select, its operands made equal in shape
    BroadcastTo -> Mul by ones                LeakyRelu -> Maximum; Selu -> Elu and Relu
    ClipByValue -> Maximum, Minimum           DivNoNan -> Select     PadV2 -> Pad

A twin computes the same numbers; where that depends on what the graph does not tell, there is
none. Source: the kernels of these ops in tensorflow/core/kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError
from modelfmt.graph import AttrValue, Dims, Node

_INT32 = dtypes.int32


class Making(Protocol):
    """What a twin is made with: nodes below the name of the one that it stands for."""

    def add(
        self, op: str, part: str, inputs: Sequence[str], kinds: Sequence[DType],
        **attrs: AttrValue,
    ) -> str:
        """A node ``<name>/<part>``, or ``<name>`` itself; its first output."""

    def const(self, part: str, value: float | Sequence[int], dtype: DType, like: str) -> str:
        """A Const that runs where the tensor ``like`` does."""

    def shape(self, tensor: str) -> Dims:
        """The static shape of a tensor of the graph."""

    def value(self, tensor: str) -> list[float] | None:
        """The elements of a small Const; None for any other tensor."""


Twin = Callable[[Node, DType, Making], None]


def refused(node: Node, why: str) -> ConversionError:
    """The error for a node that has a twin, but not so configured."""
    return ConversionError(f"{node.op} {why} has no older twin")


def renamed(op: str, *gone: str) -> Twin:
    """The same inputs and outputs under another name; attrs ``gone`` are implied."""

    def twin(node: Node, kind: DType, making: Making) -> None:
        node.op = op
        for name in gone:
            node.attrs.pop(name, None)

    return twin


def batch_norm(node: Node, kind: DType, making: Making) -> None:
    """FusedBatchNorm knows float32 alone, and has no U to say so."""
    if kind is not dtypes.float32:
        raise refused(node, f"of {kind.name}")
    renamed("FusedBatchNorm", "U")(node, kind, making)


def matmul_v3(node: Node, kind: DType, making: Making) -> None:
    kinds = [node.attrs.pop(name, None) for name in ("Ta", "Tb", "Tout")]
    if any(k is not kinds[0] for k in kinds):
        raise refused(node, "of mixed dtypes")
    node.op, node.attrs["T"] = "BatchMatMulV2", kinds[0]


def matmul(node: Node, kind: DType, making: Making) -> None:
    """BatchMatMul does not broadcast: the axes before the last two must be equal."""
    a, b = (making.shape(i) for i in node.data_inputs)
    if a is None or b is None or len(a) != len(b):
        raise refused(node, "of operands whose ranks may differ")
    for one, other in zip(a[:-2], b[:-2], strict=True):
        if one != other and (one is not None or other == 1) and (other is not None or one == 1):
            raise refused(node, f"of shapes {list(a)} and {list(b)}")
    node.op = "BatchMatMul"


def gather(node: Node, kind: DType, making: Making) -> None:
    """Gather takes rows: axis 0."""
    table, indices, axis = node.data_inputs
    if making.value(axis) != [0] or node.attrs.get("batch_dims", 0) != 0:
        raise refused(node, "along another axis than the first")
    for name in ("Taxis", "batch_dims"):
        node.attrs.pop(name, None)
    node.op, node.inputs = "Gather", [table, indices, *(f"^{c}" for c in node.controls)]
    node.attrs["validate_indices"] = True


def select(node: Node, kind: DType, making: Making) -> None:
    """Select wants three operands of one shape; ones of that shape bring them to it."""
    shown, a, b = node.data_inputs
    shapes = [making.shape(i) for i in (shown, a, b)]
    first = shapes[0]
    if first is None or None in first or any(shape != first for shape in shapes):
        sizes = [
            making.add("Shape", f"Shape{k}", [i], [kinds])
            for k, (i, kinds) in enumerate([(shown, dtypes.bool_), (a, kind), (b, kind)])
        ]
        both = making.add("BroadcastArgs", "BroadcastArgs", sizes[1:], [_INT32] * 2)
        whole = making.add("BroadcastArgs", "shape", [sizes[0], both], [_INT32] * 2)
        shown = _spread(shown, dtypes.bool_, whole, "condition", node, making)
        a = _spread(a, kind, whole, "t", node, making)
        b = _spread(b, kind, whole, "e", node, making)
    node.op, node.inputs = "Select", [shown, a, b, *(f"^{c}" for c in node.controls)]


def broadcast(node: Node, kind: DType, making: Making) -> None:
    x, shape = node.data_inputs
    index = node.attrs.get("Tidx", _INT32)
    if index is not _INT32:
        shape = making.add("Cast", "shape", [shape], [dtypes.int64], DstT=_INT32)
    _spread(x, kind, shape, "", node, making)


def leaky(node: Node, kind: DType, making: Making) -> None:
    """x where it is positive, alpha * x elsewhere: the larger one, unless alpha is above 1."""
    (x,) = node.data_inputs
    slope = node.attrs.get("alpha", 0.2)
    alpha = float(slope) if isinstance(slope, float | int) else 0.2
    part = making.add("Mul", "mul", [x, making.const("alpha", alpha, kind, x)], [kind] * 2)
    making.add("Maximum" if alpha <= 1 else "Minimum", "", [x, part], [kind] * 2)


def selu(node: Node, kind: DType, making: Making) -> None:
    """scale * (max(x, 0) + alpha * elu(min(x, 0)))."""
    (x,) = node.data_inputs
    zero = making.const("zero", 0.0, kind, x)
    alpha = making.const("alpha", 1.6732632423543772, kind, x)
    scale = making.const("scale", 1.0507009873554805, kind, x)
    above = making.add("Relu", "Relu", [x], [kind])
    below = making.add("Elu", "Elu", [making.add("Minimum", "min", [x, zero], [kind] * 2)], [kind])
    bent = making.add("Mul", "mul", [below, alpha], [kind] * 2)
    making.add("Mul", "", [making.add("Add", "sum", [above, bent], [kind] * 2), scale], [kind] * 2)


def clip(node: Node, kind: DType, making: Making) -> None:
    x, low, high = node.data_inputs
    making.add(
        "Maximum", "", [making.add("Minimum", "min", [x, high], [kind] * 2), low], [kind] * 2
    )


def div_no_nan(node: Node, kind: DType, making: Making) -> None:
    """Zero where the divisor is zero."""
    x, y = node.data_inputs
    zero = making.const("zero", 0.0, kind, y)
    ratio = making.add("RealDiv", "div", [x, y], [kind] * 2)
    none = making.add("Equal", "Equal", [y, zero], [kind] * 2)
    node.op, node.inputs = "SelectV2", [none, zero, ratio, *(f"^{c}" for c in node.controls)]
    select(node, kind, making)


def pad(node: Node, kind: DType, making: Making) -> None:
    x, paddings, value = node.data_inputs
    if making.value(value) != [0]:
        raise refused(node, "by another value than 0")
    node.op, node.inputs = "Pad", [x, paddings, *(f"^{c}" for c in node.controls)]


def _spread(x: str, kind: DType, shape: str, part: str, node: Node, making: Making) -> str:
    """``x`` in a shape that it broadcasts to; times one is the same number, NaN and zero too."""
    if kind is dtypes.bool_:
        one = making.const(f"{part or 'broadcast'}/true", 1, kind, x)
        op = "LogicalAnd"
    elif kind.is_floating or kind.is_integer:
        one, op = making.const(f"{part or 'broadcast'}/one", 1, kind, x), "Mul"
    else:
        raise refused(node, f"of {kind.name}")
    ones = making.add("Fill", f"{part or 'broadcast'}/ones", [shape, one], [_INT32, kind])
    kinds = [] if op == "LogicalAnd" else [kind] * 2
    return making.add(op, part, [x, ones], kinds or [dtypes.bool_] * 2)


def nearest(node: Node, kind: DType, making: Making) -> None:
    """By whole factors it takes the same pixels, half pixel centers or none."""
    before, after = making.shape(node.data_inputs[0]), making.shape(node.name)
    if before is None or after is None:
        return
    sizes = zip(before[1:3], after[1:3], strict=True)
    if all(a and b and b % a == 0 for a, b in sizes) and not node.attrs.get("align_corners"):
        node.attrs.pop("half_pixel_centers", None)


def split(node: Node, kind: DType, making: Making) -> None:
    """An axis counted from the front: TensorFlow 1.2 knows no other."""
    axis, x = node.data_inputs
    value, shape = making.value(axis), making.shape(x)
    if value is not None and value[0] < 0 and shape is not None:
        front = making.const("axis", int(value[0]) + len(shape), _INT32, x)
        node.inputs[0] = front


def softmax(node: Node, kind: DType, making: Making) -> None:
    """Of a matrix: TensorFlow 1.4 knows no other."""
    (x,) = node.data_inputs
    shape = making.shape(x)
    if shape is not None and len(shape) == 2:
        return
    sizes = making.add("Shape", "Shape", [x], [kind])
    bounds = [making.const(part, [at], _INT32, x) for part, at in (("begin", -1), ("end", 0))]
    step = making.const("strides", [1], _INT32, x)
    last = making.add("StridedSlice", "last", [sizes, *bounds, step], [_INT32] * 4, end_mask=1)
    rest = making.const("rest", [-1], _INT32, x)
    axis = making.const("axis", 0, _INT32, x)
    matrix = making.add("ConcatV2", "sizes", [rest, last, axis], [_INT32] * 3, N=2)
    rows = making.add("Reshape", "rows", [x, matrix], [kind, _INT32])
    made = making.add(node.op, "softmax", [rows], [kind])
    making.add("Reshape", "", [made, sizes], [kind, _INT32])


#: By op: what stands for it in a TensorFlow that does not know it.
TWINS: dict[str, Twin] = {
    "AddV2": renamed("Add"),
    "FusedBatchNormV3": renamed("FusedBatchNormV2"),
    "FusedBatchNormV2": batch_norm,
    "BatchMatMulV3": matmul_v3,
    "BatchMatMulV2": matmul,
    "SelectV2": select,
    "GatherV2": gather,
    "BroadcastTo": broadcast,
    "LeakyRelu": leaky,
    "Selu": selu,
    "ClipByValue": clip,
    "DivNoNan": div_no_nan,
    "PadV2": pad,
}

#: By op: a release whose kernels do less than the op says, and what asks less of them; of
#: ResizeNearestNeighbor the release that an attr came with.
ASKING_LESS: dict[str, tuple[tuple[int, int], Twin]] = {
    "ResizeNearestNeighbor": ((1, 14), nearest),
    "Split": ((1, 12), split),
    "Softmax": ((1, 12), softmax),
    "LogSoftmax": ((1, 12), softmax),
}

"""What the states of a loop start from: zeros, or tensors given to the layer."""

from __future__ import annotations

from modelfmt.graphs.loops import Loop
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.body import Cell

#: What makes zeros of zeros, whatever the sizes.
_KEEPS_ZERO = {
    "Sum", "ExpandDims", "Tile", "Reshape", "Transpose", "Cast", "BroadcastTo", "Squeeze",
    "StridedSlice", "Mean", "Slice", "SpaceToBatchND", "BatchToSpaceND",
}  # fmt: skip


def initial_states(cell: Cell, loop: Loop) -> tuple[str, ...] | None:
    """The states given to the layer; empty where all are zeros, None where it is neither."""
    variables = [loop.variable(state) for state in cell.states]
    starts = [v.initial for v in variables if v is not None]
    zeros = [is_zero(start, loop.view) for start in starts]
    if all(zeros):
        return ()
    if any(zeros) or any(v is not None and v.is_joint for v in variables):
        return None
    if any(loop.view.constant(start) is not None for start in starts):
        return None
    return tuple(starts)


def is_zero(tensor: str, view: View, depth: int = 0) -> bool:
    """Whether a tensor holds zeros only, whatever its sizes are."""
    constant = view.constant(tensor)
    if constant is not None:
        return constant.root.strings is None and not constant.root.numpy().any()
    node = view.producer(tensor)
    if node is None or depth > 20:
        return False
    if node.op == "ZerosLike":
        return True
    if node.op == "Fill":
        return bool(view.scalar(node.inputs[1]) == 0)
    if node.op in ("Mul", "MatMul", "Conv2D", "Conv3D"):
        return any(is_zero(i, view, depth + 1) for i in node.inputs)
    return node.op in _KEEPS_ZERO and is_zero(node.inputs[0], view, depth + 1)

"""The op in the middle of a convolution or a pool: what it says of its window, axis by axis."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from modelfmt.graph import Node
from modelfmt.graphs.arrangement import steps
from modelfmt.graphs.turned import turned
from modelfmt.graphs.view import View
from modelfmt.layers.blocks import padding_of, rate_of
from modelfmt.layers.grouping import shared_out

#: Pools -> the number of spatial axes.
_POOLS = {"MaxPool": 2, "AvgPool": 2, "MaxPool3D": 3, "AvgPool3D": 3}
#: Op -> the number of spatial axes, the places of x and of the kernel among the inputs.
_LAYOUTS = {"NHWC", "NCHW", "NDHWC", "NCDHW"}
_OPS: Mapping[str, tuple[int, int, int]] = {
    "Conv2D": (2, 0, 1), "Conv3D": (3, 0, 1), "DepthwiseConv2dNative": (2, 0, 1),
    "Conv2DBackpropInput": (2, 2, 1), "Conv3DBackpropInputV2": (3, 2, 1),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Middle:
    """A convolution op, or several that are its groups; or a pool, which has no kernel.

    Attributes:
        rank: of how many axes the window is; ``spatial`` are they, ``channel`` the other one.
        x, kernel: tensors.
        window, strides, dilation, explicit: by axis.
        padding: "VALID" or "SAME"; EXPLICIT is a VALID one with ``explicit`` zeros.
        sizes: of a transposed one, the operand that says how large y is.
        nodes: the op's own first.
    """

    op: str
    rank: int
    x: str
    kernel: str | None
    spatial: list[int]
    channel: int
    window: Mapping[int, int]
    strides: Mapping[int, int]
    dilation: Mapping[int, int]
    padding: str
    explicit: Mapping[int, list[int]] | None
    groups: int
    sizes: str | None
    nodes: tuple[str, ...]


def middle_of(node: Node, view: View) -> Middle | None:
    """The convolution or pool that a node is, or the ConcatV2 of whose groups it is."""
    if node.op == "ConcatV2":
        return _grouped(node, view)
    if node.op in _POOLS:
        return _pool(node, view)
    if node.op not in _OPS:
        return None
    rank, x, kernel = _OPS[node.op]
    constant = turned(view, node.inputs[kernel])
    if constant is None or len(constant.shape) != rank + 2:
        return None
    return _plain(node, node.inputs[kernel], constant.shape, view, view.resolve(node.inputs[x]))


def _pool(node: Node, view: View) -> Middle | None:
    rank, size = _POOLS[node.op], view.attr(node, "ksize")
    if not isinstance(size, list) or len(size) != rank + 2:
        return None
    first = str(view.attr(node, "data_format")).startswith("NC")
    whole = [k for k in size if isinstance(k, int)]
    window, rest = (whole[2:], whole[:2]) if first else (whole[1:-1], [whole[0], whole[-1]])
    found = _plain(node, None, (*window, 1, 1), view, view.resolve(node.inputs[0]))
    return found if found and rest == [1, 1] and found.explicit is None else None


def _plain(
    node: Node, kernel: str | None, shape: tuple[int, ...], view: View, x: str
) -> Middle | None:
    """One op, its kernel of this shape."""
    rank, layout = len(shape) - 2, view.attr(node, "data_format")
    if layout not in _LAYOUTS:
        return None
    channel = 1 if str(layout).startswith("NC") else rank + 1
    spatial = [axis for axis in range(1, rank + 2) if axis != channel]

    def by_axis(name: str) -> dict[int, int] | None:
        value = view.attr(node, name)
        stated = value if isinstance(value, list) and value else [1] * (rank + 2)
        found = {k: v for k, v in enumerate(stated) if isinstance(v, int)}
        if len(found) != rank + 2 or found[0] != 1 or found[channel] != 1:
            return None
        return {axis: found[axis] for axis in spatial}

    strides, dilation = by_axis("strides"), by_axis("dilations")
    padding, zeros = view.attr(node, "padding"), None
    if padding == "EXPLICIT":
        flat = view.attr(node, "explicit_paddings")
        if not isinstance(flat, list) or len(flat) != 2 * (rank + 2):
            return None
        rows = [[v for v in flat[2 * a : 2 * a + 2] if isinstance(v, int)] for a in spatial]
        zeros, padding = dict(zip(spatial, rows, strict=True)), "VALID"
    if strides is None or dilation is None or padding not in ("SAME", "VALID"):
        return None
    sizes = node.inputs[0] if "Backprop" in node.op else None
    window = dict(zip(spatial, shape[:-2], strict=True))
    return Middle(
        node.op, rank, x, kernel, spatial, channel, window, strides, dilation, str(padding), zeros,
        1, sizes, (node.name,),
    )  # fmt: skip


def _grouped(node: Node, view: View) -> Middle | None:
    """Groups side by side: each a convolution of its share of x, by its share of the kernel."""
    tensors = [view.resolve(i) for i in node.inputs[:-1]]
    if len(tensors) < 2:
        return None
    ends = [view.producer(tensor) for tensor in tensors]
    backs = [end for end in ends if end is not None and end.op == "BatchToSpaceND"]
    if backs and len(backs) != len(tensors):
        return None
    ops = [view.producer(end.inputs[0]) if backs and end else end for end in ends]
    found = [op for op in ops if op is not None and op.op in ("Conv2D", "Conv3D")]
    if len(found) != len(tensors):
        return None
    kernels = shared_out([op.inputs[1] for op in found], view)
    intos = [view.producer(op.inputs[0]) if backs else None for op in found]
    if backs and any(into is None or into.op != "SpaceToBatchND" for into in intos):
        return None
    starts = [(into or op).inputs[0] for into, op in zip(intos, found, strict=True)]
    shares = shared_out(starts, view)
    if kernels is None or shares is None:
        return None
    kernel, axis = turned(view, kernels[0]), view.scalar(node.inputs[-1])
    rank = 2 if found[0].op == "Conv2D" else 3
    if kernel is None or len(kernel.shape) != rank + 2 or kernels[2] != rank + 1:
        return None
    plain = [_plain(op, kernels[0], kernel.shape, view, shares[0]) for op in found]
    first = plain[0]
    if first is None or any(
        each is None or {**vars(each), "nodes": ()} != {**vars(first), "nodes": ()}
        for each in plain
    ):
        return None
    if {shares[2], axis % (rank + 2) if isinstance(axis, int) else -1} != {first.channel}:
        return None
    nodes = [op.name for op in found] + [node.name, shares[1].name, kernels[1].name]
    dilation, padding = first.dilation, first.padding
    for into, back in zip(intos, backs, strict=False):
        if into is None:
            return None
        nodes += [into.name, back.name]
        rate = rate_of(into, view)
        window = [first.window[a] for a in first.spatial]
        between = padding_of(into, back, window, view)
        ones = {*first.dilation.values(), *first.strides.values()} == {1}
        if rate is None or between is None or not ones:
            return None
        dilation, padding = dict(zip(first.spatial, rate, strict=True)), between.upper()
    return Middle(
        first.op, rank, view.resolve(shares[0]), kernels[0], first.spatial, first.channel,
        first.window, first.strides, dilation, padding, first.explicit, len(found), None,
        tuple(nodes),
    )  # fmt: skip


def unstrided(node: Node, view: View) -> list[int] | None:
    """The steps of a StridedSlice that leaves positions out and cuts nothing off, else None."""
    found = steps(node, view)
    return found if found and max(found) > 1 else None

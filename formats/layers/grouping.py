"""Convolutions in groups, both ways: each of its own channels, and the results side by side.

    Split(x), Split(kernel)  ->  a convolution of each  ->  ConcatV2

No CPU kernel of TensorFlow before 2.12 knows groups. Where the op does, its kernel has fewer
channels than x.
"""

from __future__ import annotations

from collections.abc import Callable

from modelfmt.graph import Node, parse_input
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.turned import turned
from modelfmt.graphs.view import View


def in_groups(
    x: str, kernel: str, axis: int, groups: int, graph: GraphBuilder,
    plain: Callable[[str, str], str],
) -> str:  # fmt: skip
    """A convolution in ``groups``, of which ``plain`` makes one from its x and its kernel.

    Args:
        axis: that of the channels, of x and of the result; the kernel's is the last as well.
    """
    shares = graph.ops("Split", axis, x, num_split=groups)
    kernels = graph.ops("Split", axis, kernel, num_split=groups)
    parts = [plain(share, part) for share, part in zip(shares, kernels, strict=True)]
    return graph.op("ConcatV2", *parts, axis, N=groups)


def shared_out(tensors: list[str], view: View) -> tuple[str, Node, int] | None:
    """What ``tensors`` are the equal parts of, all of them and in order.

    Returns:
        The whole, the Split, and the axis; None where they are no such parts.
    """
    edges = [parse_input(view.resolve(tensor)) for tensor in tensors]
    node = view.producer(tensors[0])
    if node is None or node.op != "Split" or len({edge.node for edge in edges}) > 1:
        return None
    if [max(edge.port, 0) for edge in edges] != list(range(len(edges))):
        return None
    axis, shape = view.scalar(node.inputs[0]), view.shape(node.inputs[1])
    constant = turned(view, node.inputs[1])
    rank = len(constant.shape) if constant else len(shape) if shape is not None else 0
    if view.attr(node, "num_split") != len(edges) or not isinstance(axis, int) or not rank:
        return None
    return view.resolve(node.inputs[1]), node, axis % rank

"""Zeros that a Pad puts around x for a convolution, both ways.

    causal    before the first step, as many as the window reaches back
    SAME      around, where the op itself cannot: a StridedSlice leaves out what is between strides
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelfmt.graph import Node
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.supposing import samples, supposed_ints
from modelfmt.graphs.view import View
from modelfmt.layers.extents import Extent, calculated, extent


def same_sides(
    x: str, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int],
    graph: GraphBuilder,
) -> list[list[Extent]]:  # fmt: skip
    """The zeros around ``x``, for each of its axes, that padding SAME means."""
    rows: list[list[Extent]] = [[0, 0]]
    for k, (size, stride, rate) in enumerate(zip(window, strides, dilation, strict=True)):
        before = extent(x, k + 1, graph)
        count = calculated(
            "FloorDiv", calculated("AddV2", before, stride - 1, graph), stride, graph
        )
        last = calculated("Mul", calculated("Sub", count, 1, graph), stride, graph)
        reach = calculated("AddV2", last, (size - 1) * rate + 1, graph)
        total = calculated("Maximum", calculated("Sub", reach, before, graph), 0, graph)
        half = calculated("FloorDiv", total, 2, graph)
        rows.append([half, calculated("Sub", total, half, graph)])
    return [*rows, [0, 0]]


def zeros_told(
    node: Node, placed: Mapping[int, int | None], extents: Mapping[int, tuple[int, int]], view: View
) -> str | None:
    """What the zeros of a Pad mean, "causal" or "same"; None where they are anything else.

    Args:
        placed: the places in x of the window's axes, by any keys.
        extents: how far the window reaches beyond one place, and its stride, by the same keys.
    """
    source, found = node.inputs[0], set[str | None]()
    for sample in samples(view.shape(source)):
        flat = supposed_ints(view, node.inputs[1], {source: sample})
        causal, same = [0] * 2 * len(sample), [0] * 2 * len(sample)
        for axis, (reach, stride) in extents.items():
            place = placed[axis]
            if place is None or place >= len(sample):
                return None
            size = sample[place]
            total = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
            causal[2 * place] = reach
            same[2 * place : 2 * place + 2] = [total // 2, total - total // 2]
        found.add("causal" if flat == causal else "same" if flat == same else None)
    return found.pop() if len(found) == 1 else None

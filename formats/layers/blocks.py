"""A dilated convolution as plain ones of the blocks that a dilation picks out, both ways.

    SpaceToBatchND(x, rate, paddings)  ->  a convolution of stride 1, valid  ->  BatchToSpaceND

What padding SAME means goes before and after x; what comes after x besides fills whole blocks, and
is cropped again. Source: TensorFlow, with_space_to_batch, required_space_to_batch_paddings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modelfmt.graph import Node
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.supposing import samples, supposed, supposed_ints
from modelfmt.graphs.view import View
from modelfmt.layers.extents import Extent, calculated, extent, packed_rows


def in_blocks(
    x: str, window: Sequence[int], dilation: Sequence[int], padding: str, graph: GraphBuilder,
    plain: Callable[[str], str],
) -> str:  # fmt: skip
    """A dilated convolution as plain ones of the blocks that a dilation picks out.

    Args:
        window: the kernel's sizes, without dilation.
        plain: the convolution without dilation, of stride 1 and valid padding.
    """
    paddings: list[list[Extent]] = []
    crops: list[list[Extent]] = []
    for k, (size, rate) in enumerate(zip(window, dilation, strict=True)):
        reach = (size - 1) * rate if padding == "SAME" else 0
        whole = calculated("AddV2", extent(x, k + 1, graph), reach, graph)
        filled = calculated("FloorMod", calculated("Sub", 0, whole, graph), rate, graph)
        after = calculated("AddV2", filled, reach - reach // 2, graph)
        paddings.append([reach // 2, after])
        crops.append([0, filled])
    blocks = graph.op("SpaceToBatchND", x, list(dilation), packed_rows(paddings, graph))
    return graph.op("BatchToSpaceND", plain(blocks), list(dilation), packed_rows(crops, graph))


def rate_of(node: Node, view: View) -> list[int] | None:
    """The block sizes of a SpaceToBatchND or BatchToSpaceND, where they are known."""
    rate = view.ints(node.inputs[1])
    return None if rate is None else [r for r in rate if r is not None] or None


def padding_of(
    into: Node, back: Node, window: Sequence[int], view: View
) -> str | None:
    """The padding of a convolution between these two nodes; None where it is none of Keras'.

    Args:
        into, back: SpaceToBatchND and BatchToSpaceND.
        window: the kernel's sizes along the axes of the blocks.
    """
    rate = rate_of(into, view)
    source, shape = into.inputs[0], view.shape(into.inputs[0])
    if rate is None or rate != rate_of(back, view) or len(rate) != len(window):
        return None
    reach = [(size - 1) * r for size, r in zip(window, rate, strict=True)]
    found: set[str | None] = set()
    for sample in samples(shape) or [()]:
        known = {source: sample} if sample else {}
        paddings = supposed_ints(view, into.inputs[2], known)
        crops = supposed_ints(view, back.inputs[2], known)
        if paddings is None or crops is None:
            return None
        found.add(_named(paddings, crops, reach))
    return found.pop() if len(found) == 1 else None


def padding_of_transposed(
    into: Node, back: Node, window: Sequence[int], view: View
) -> str | None:
    """As ``padding_of``, for a transposed convolution: there the crops tell."""
    rate = rate_of(into, view)
    source, shape = into.inputs[0], view.shape(into.inputs[0])
    if rate is None or rate != rate_of(back, view) or len(rate) != len(window):
        return None
    reach = [(size - 1) * r for size, r in zip(window, rate, strict=True)]
    found: set[str | None] = set()
    for sample in samples(shape):
        paddings = supposed_ints(view, into.inputs[2], {source: sample})
        crops = supposed_ints(view, back.inputs[2], {source: sample})
        made = supposed(view, back.name, {source: sample}).shape
        if paddings is None or crops is None or made is None or any(paddings[::2]):
            return None
        more = [
            None if y is None else y - x for x, y in zip(sample[1:-1], made[1:-1], strict=True)
        ]
        if crops[::2] == [0] * len(reach) and more == reach:
            found.add("valid")
        elif crops[::2] == [total // 2 for total in reach] and not any(more):
            found.add("same")
        else:
            found.add(None)
    return found.pop() if len(found) == 1 else None


def _named(paddings: list[int], crops: list[int], reach: list[int]) -> str | None:
    before, after = paddings[::2], [a - b for a, b in zip(paddings[1::2], crops[1::2], strict=True)]
    if any(crops[::2]):
        return None
    if not any(before) and not any(after):
        return "valid"
    half = [total // 2 for total in reach]
    rest = [total - h for total, h in zip(reach, half, strict=True)]
    return "same" if before == half and after == rest else None

"""Tensors of known rank by all their sizes, each an Extent: shapes split up and put together."""

from __future__ import annotations

from collections.abc import Sequence

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.extents import Extent, calculated

Length = Extent


def known_shape(tensor: str, graph: GraphBuilder, what: str) -> tuple[int | None, ...]:
    """The shape of a tensor whose rank must be known. Raises ConversionError, naming ``what``."""
    shape = graph.shape(tensor)
    if shape is None:
        raise ConversionError(f"{what} needs an input of known rank")
    return shape


def lengths(tensor: str, graph: GraphBuilder) -> list[Extent]:
    """The sizes of all axes of a tensor of known rank; one Shape node serves the unknown ones."""
    shape = graph.shape(tensor) or ()
    whole = graph.op("Shape", tensor) if None in shape else ""
    return [
        graph.op("StridedSlice", whole, [axis], [axis + 1], [1], shrink_axis_mask=1)
        if size is None
        else size
        for axis, size in enumerate(shape)
    ]


def product(sizes: Sequence[Extent], graph: GraphBuilder) -> Extent:
    """How many elements these sizes make."""
    total: Extent = 1
    for size in sizes:
        if size != 1:
            total = size if total == 1 else calculated("Mul", total, size, graph)
    return total


def reshaped(tensor: str, sizes: Sequence[Extent], graph: GraphBuilder) -> str:
    """``tensor`` in another shape of as many elements."""
    if tuple(sizes) == graph.shape(tensor):
        return tensor
    unknown = [size for size in sizes if isinstance(size, str)]
    # -1 cannot be told beside a size of 0.
    if len(unknown) <= 1 and 0 not in sizes:
        return graph.op("Reshape", tensor, [-1 if isinstance(s, str) else s for s in sizes])
    return graph.op("Reshape", tensor, graph.op("Pack", *sizes, axis=0))


def axes_of(axis: int | Sequence[int], rank: int) -> list[int]:
    """The axes that a config names, counted from the front, in order of their place in it.

    Raises:
        ConversionError: an axis that the tensor does not have.
    """
    wanted = [axis] if isinstance(axis, int) else list(axis)
    if not all(isinstance(a, int) and -rank <= a < rank for a in wanted):
        raise ConversionError("no such axis", expected=f"-{rank} to {rank - 1}", found=axis)
    return [a % rank for a in wanted]

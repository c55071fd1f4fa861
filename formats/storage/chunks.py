"""An array cut into chunks: which bytes of a chunk are which bytes of the array, both in C order.

A chunk at the edge has its full size all the same; what lies outside of the array is padding.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Run(NamedTuple):
    """``length`` bytes that stand together in the chunk and in the array."""

    chunk: int
    array: int
    length: int


def runs(
    shape: Sequence[int], chunk: Sequence[int], origin: Sequence[int], itemsize: int
) -> Iterator[Run]:
    """The runs of one chunk, in the order of its bytes.

    Args:
        shape: of the array.
        chunk: the chunk's sizes.
        origin: the chunk's first element, an index of the array.
        itemsize: bytes of an element.
    """
    kept = [min(c, s - o) for c, s, o in zip(chunk, shape, origin, strict=True)]
    axis = len(shape) - 1
    while axis > 0 and kept[axis] == chunk[axis] == shape[axis]:
        axis -= 1  # whole rows follow each other in both
    steps = [math.prod(chunk[k + 1 :]) * itemsize for k in range(len(shape))]
    strides = [math.prod(shape[k + 1 :]) * itemsize for k in range(len(shape))]
    start = sum(o * s for o, s in zip(origin, strides, strict=True))
    length = kept[axis] * steps[axis]
    for index in itertools.product(*map(range, kept[:axis])):
        inner = sum(i * s for i, s in zip(index, steps, strict=False))
        outer = sum(i * s for i, s in zip(index, strides, strict=False))
        yield Run(inner, start + outer, length)

"""Slices of tensors, as Savers write them: which part of a checkpoint's tensor a variable holds.

    "20 16 0,10:-"    the tensor's shape, then for each axis start,length, or - for all of it

Source: tensorflow/python/ops/variables.py, SaveSliceInfo.spec; core/util/saved_tensor_slice.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator

from modelfmt.errors import MismatchError
from modelfmt.storage.files import Computed, FileSpan, Piece, iterate_piece
from modelfmt.tensor import Tensor


def sliced(tensor: Tensor, spec: str) -> Tensor:
    """The part of ``tensor`` that a slice spec names; nothing is read yet.

    A slice in one row of bytes of a file stays where it is, others are picked when they are read.

    Args:
        tensor: as the checkpoint has it.
        spec: the empty string for all of it.

    Raises:
        MismatchError: no spec, or it is for a tensor of another shape.
    """
    if not spec:
        return tensor
    starts, sizes = _parse(spec, tensor)
    if sizes == tensor.shape:
        return tensor
    if tensor.strings is not None:
        strings = functools.partial(_picked, tensor, starts, sizes)
        return dataclasses.replace(tensor, shape=sizes, strings=strings)
    length = math.prod(sizes) * tensor.dtype.itemsize
    ranges = list(itertools.islice(_ranges(tensor, starts, sizes), 2))
    payload: Piece
    if not length:
        payload = b""
    elif len(ranges) == 1 and isinstance(tensor.payload, FileSpan):
        payload = tensor.payload.span(ranges[0][0], length)
    else:
        payload = Computed(length, functools.partial(_bytes, tensor, starts, sizes))
    return dataclasses.replace(tensor, shape=sizes, payload=payload)


def _parse(spec: str, tensor: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    *shape, extents = spec.split(" ")
    starts, sizes = [], []
    try:
        if tuple(map(int, shape)) != tensor.shape:
            raise ValueError
        for extent, size in zip(extents.split(":"), tensor.shape, strict=True):
            start, length = (0, size) if extent == "-" else map(int, extent.split(","))
            if not 0 <= start <= start + length <= size:
                raise ValueError
            starts.append(start)
            sizes.append(length)
    except ValueError:
        raise MismatchError(
            "a slice that is not within its tensor", where=tensor.origin,
            expected=f"one of shape {list(tensor.shape)}", found=f'"{spec}"',
        ) from None
    return tuple(starts), tuple(sizes)


def _ranges(
    tensor: Tensor, starts: tuple[int, ...], sizes: tuple[int, ...], unit: int | None = None
) -> Iterator[tuple[int, int]]:
    """Where the slice's elements stand, in ascending order, as few ranges as there are.

    Args:
        unit: of the positions; the size of an element where left out.
    """
    unit = tensor.dtype.itemsize if unit is None else unit
    whole = len(sizes)  # the axes from here on are whole: one range holds them
    while whole and sizes[whole - 1] == tensor.shape[whole - 1]:
        whole -= 1
    axis = max(whole - 1, 0)
    below = math.prod(tensor.shape[axis + 1 :]) * unit
    for outer in itertools.product(*(range(n) for n in sizes[:axis])):
        row = 0
        for place, start, size in zip(outer, starts, tensor.shape, strict=False):
            row = row * size + start + place
        first = (row * tensor.shape[axis] + starts[axis]) * below
        yield first, first + sizes[axis] * below


def _bytes(
    tensor: Tensor, starts: tuple[int, ...], sizes: tuple[int, ...]
) -> Iterator[bytes | bytearray | memoryview]:
    ranges = _ranges(tensor, starts, sizes)
    if isinstance(tensor.payload, FileSpan):
        for first, end in ranges:
            yield from iterate_piece(tensor.payload.span(first, end - first))
        return
    at = 0
    first, end = next(ranges)
    for chunk in iterate_piece(tensor.payload):
        data = memoryview(chunk).cast("B") if len(chunk) else memoryview(b"")
        while first < at + len(data):
            yield data[max(first - at, 0) : end - at]
            if end > at + len(data):
                break
            following = next(ranges, None)
            if following is None:
                return
            first, end = following
        at += len(data)


def _picked(tensor: Tensor, starts: tuple[int, ...], sizes: tuple[int, ...]) -> list[bytes]:
    flat = tensor.strings() if tensor.strings is not None else []
    if not math.prod(sizes):
        return []
    return [s for first, end in _ranges(tensor, starts, sizes, 1) for s in flat[first:end]]

"""Slices of partitioned tensors: their protos, their keys, and the tensor they make together.

    TensorSliceProto   repeated Extent extent = 1 {int64 start = 1; int64 length = 2}, one per axis;
                       without a length (presence counts) the whole axis, `start` being 0
    key                OrderedCode: unsigned 0, the tensor's name, unsigned rank, and for each axis
                       signed start and signed length, -1 for the whole axis

So every key of a slice begins with a zero byte. Source: tensorflow/core/framework/
tensor_slice.proto, tensorflow/core/util/saved_tensor_slice_util.cc.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from modelfmt import dtypes
from modelfmt.errors import CorruptFileError, Where
from modelfmt.storage import ordered, wire
from modelfmt.storage.files import Computed, FileSpan, Piece, iterate_piece
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

_BLOCK = 4 << 20  # bytes that a join holds at a time


class Extent(NamedTuple):
    """A slice along one axis; length None: all of it."""

    start: int
    length: int | None


#: One extent per axis.
Slice: TypeAlias = tuple[Extent, ...]


class Part(NamedTuple):
    """A slice with its place and its elements."""

    starts: tuple[int, ...]
    shape: tuple[int, ...]
    payload: Piece


def read_slice(view: memoryview) -> Slice:
    """The Slice of a TensorSliceProto. Written by: ``write_slice``."""
    extents = []
    for span in wire.scan(view):
        if span.field != 1:
            continue
        numbers: dict[int, int] = {}
        for part in wire.scan(view, span.offset, span.end):
            numbers[part.field] = wire.signed64(wire.read_varint(view, part.offset)[0])
        length = numbers.get(2)
        extents.append(Extent(numbers.get(1, 0), None if length == -1 else length))
    return tuple(extents)


def write_slice(extents: Slice) -> bytes:
    """A TensorSliceProto. Read by: ``read_slice``."""
    out = b""
    for start, length in extents:
        body = b""
        if length is not None:
            body = wire.varint_field(1, start) if start else b""
            body += wire.varint_field(2, length)
        out += wire.length_delimited(1, body)
    return out


def read_slice_key(key: bytes) -> tuple[bytes, Slice] | None:
    """The tensor's name and the slice that a key encodes; None for any other key.

    Written by: ``write_slice_key``.
    """
    if not key.startswith(b"\0"):
        return None
    try:
        name, at = ordered.read_string(key, 1)
        rank, at = ordered.read_unsigned(key, at)
        extents = []
        for _ in range(min(rank, len(key))):
            start, at = ordered.read_signed(key, at)
            length, at = ordered.read_signed(key, at)
            extents.append(Extent(start, None if length < 0 else length))
    except CorruptFileError:
        return None
    return (name, tuple(extents)) if at == len(key) else None


def write_slice_key(name: bytes, extents: Slice) -> bytes:
    """The key of a slice's data. Read by: ``read_slice_key``."""
    code = ordered.write_unsigned(0) + ordered.write_string(name)
    code += ordered.write_unsigned(len(extents))
    for start, length in extents:
        code += ordered.write_signed(start)
        code += ordered.write_signed(-1 if length is None else length)
    return code


def is_full(extents: Slice) -> bool:
    """Whether every axis is whole by its encoding."""
    return all(length is None for _, length in extents)


def resolve(extents: Slice, shape: tuple[int, ...], where: Where) -> tuple[tuple[int, ...], ...]:
    """The starts and the sizes of a slice of a tensor of ``shape``. Raises CorruptFileError."""
    sizes = tuple(
        size if e.length is None else e.length for e, size in zip(extents, shape, strict=False)
    )
    if len(extents) != len(shape) or any(
        e.start < 0 or length < 0 or e.start + length > size
        for e, length, size in zip(extents, sizes, shape, strict=True)
    ):
        raise CorruptFileError(
            "a slice is not within its tensor", where=where,
            expected=f"one of shape {list(shape)}", found=describe(extents),
        )
    return tuple(e.start for e in extents), sizes


def describe(extents: Slice) -> str:
    """A slice in TensorFlow's words: start,length for each axis, - for all of it."""
    return ":".join("-" if e.length is None else f"{e.start},{e.length}" for e in extents)


def check_cover(shape: tuple[int, ...], parts: Sequence[Part], where: Where) -> None:
    """Raise CorruptFileError unless the parts cover the tensor, and none overlaps another."""
    import numpy as np

    covered = sum(math.prod(part.shape) for part in parts)
    if covered != math.prod(shape):
        raise CorruptFileError(
            "the slices of a tensor do not cover it", where=where,
            expected=f"{math.prod(shape)} elements", found=covered,
        )
    solid = [part for part in parts if math.prod(part.shape)]
    table = (len(solid), len(shape))
    starts = np.array([part.starts for part in solid], np.int64).reshape(table)
    ends = starts + np.array([part.shape for part in solid], np.int64).reshape(table)
    for i in range(1, len(solid)):
        if ((starts[:i] < ends[i]) & (ends[:i] > starts[i])).all(axis=1).any():
            raise CorruptFileError(
                "the slices of a tensor overlap", where=where,
                found=f"{list(solid[i].shape)} at {list(solid[i].starts)}",
            )


def join(shape: tuple[int, ...], itemsize: int, parts: Sequence[Part]) -> Piece:
    """The tensor that ``parts`` make, row by row: a few MiB are in memory at a time.

    The parts must cover it (``check_cover``).
    """
    if not math.prod(shape):
        return b""
    if len(parts) == 1:
        return parts[0].payload
    if all(part.shape[1:] == shape[1:] for part in parts):
        ordered_parts = sorted(parts, key=lambda part: part.starts[:1])
        produce: Any = functools.partial(_in_a_row, [part.payload for part in ordered_parts])
    else:
        produce = functools.partial(_interleaved, shape, itemsize, parts)
    return Computed(math.prod(shape) * itemsize, produce)


def joined(whole: Tensor, parts: list[Part], tensors: list[Tensor]) -> Tensor:
    """``whole`` with what its parts hold: a payload, or for strings the elements.

    Args:
        whole: name, dtype, shape and origin of the result.
        parts: where each part lies, with its payload.
        tensors: the parts, in the same order.
    """
    if whole.dtype is not dtypes.string:
        payload = join(whole.shape, whole.dtype.itemsize, parts)
        return dataclasses.replace(whole, payload=payload)

    def strings() -> list[bytes]:
        found = [(p, t.strings()) for p, t in zip(parts, tensors, strict=True) if t.strings]
        return join_strings(whole.shape, found)

    sizes = [tensor.stored for tensor in tensors]
    known = [size for size in sizes if size is not None]
    stored = sum(known) if len(known) == len(sizes) else None
    return dataclasses.replace(whole, strings=strings, stored=stored)


def join_strings(shape: tuple[int, ...], parts: Sequence[tuple[Part, list[bytes]]]) -> list[bytes]:
    """As ``join``, for elements that are strings."""
    import numpy as np

    whole = np.empty(shape, object)
    for part, strings in parts:
        values = np.empty(len(strings), object)
        values[:] = strings
        box = tuple(slice(s, s + n) for s, n in zip(part.starts, part.shape, strict=True))
        whole[box] = values.reshape(part.shape)
    return list(whole.ravel())


def _in_a_row(payloads: Sequence[Piece]) -> Iterator[bytes | bytearray | memoryview]:
    for payload in payloads:
        yield from iterate_piece(payload)


def _interleaved(
    shape: tuple[int, ...], itemsize: int, parts: Sequence[Part]
) -> Iterator[bytes]:
    """Blocks of the tensor in C order, each filled from every part that it touches.

    A block is some steps along one axis, the first one below which everything fits in memory.
    In each part the elements come up in its own C order, so parts are read as streams.
    """
    import numpy as np

    axis = next(
        (a for a in range(len(shape)) if math.prod(shape[a + 1 :]) * itemsize <= _BLOCK),
        len(shape) - 1,
    )
    rest = shape[axis + 1 :]
    steps = max(1, _BLOCK // max(1, math.prod(rest) * itemsize))
    streams = [_Stream(part.payload) for part in parts]
    for outer in itertools.product(*map(range, shape[:axis])):
        for low in range(0, shape[axis], steps):
            high = min(low + steps, shape[axis])
            block = np.empty((high - low, *rest, itemsize), "u1")
            for part, stream in zip(parts, streams, strict=True):
                _fill(block, part, stream, outer, low, high)
            yield block.tobytes()


def _fill(
    block: np.ndarray[Any, Any], part: Part, stream: _Stream, outer: tuple[int, ...],
    low: int, high: int,
) -> None:
    """Put what ``part`` has of the block there."""
    import numpy as np

    axis = len(outer)
    if any(
        not start <= place < start + size
        for place, start, size in zip(outer, part.starts[:axis], part.shape[:axis], strict=True)
    ):
        return
    begin, end = part.starts[axis], part.starts[axis] + part.shape[axis]
    begin, end = max(low, begin), min(high, end)
    if begin >= end:
        return
    inner = part.shape[axis + 1 :]
    itemsize = block.shape[-1]
    data = stream.take((end - begin) * math.prod(inner) * itemsize)
    box = tuple(
        slice(s, s + n) for s, n in zip(part.starts[axis + 1 :], inner, strict=True)
    )
    block[(slice(begin - low, end - low), *box)] = np.frombuffer(data, "u1").reshape(
        end - begin, *inner, itemsize
    )


class _Stream:
    """A piece, read on from where the last reading ended."""

    def __init__(self, piece: Piece) -> None:
        self._piece, self._at = piece, 0
        self._chunks = iter(()) if isinstance(piece, FileSpan) else iterate_piece(piece)
        self._ahead = bytearray()

    def take(self, size: int) -> bytes:
        if isinstance(self._piece, FileSpan):
            self._at += size
            return self._piece.span(self._at - size, size).read()
        while len(self._ahead) < size:
            self._ahead += next(self._chunks)
        taken = bytes(self._ahead[:size])
        del self._ahead[:size]
        return taken

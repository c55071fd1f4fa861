"""The skeleton of an HDF5 file: its bytes without those of its datasets, and the holes filled.

A hole is a region of the file: a contiguous dataset, a chunk (its padding at the edges of the
array stays in the skeleton), a string in a heap. Both directions walk the same regions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from modelfmt.errors import MismatchError, UnsupportedError, Where
from modelfmt.storage.chunks import Run, runs
from modelfmt.storage.files import Computed, FileSpan, Piece, piece_bytes
from modelfmt.storage.hdf5.places import Place

_BLOCK = 1 << 20


class Region(NamedTuple):
    """``length`` bytes from ``offset`` on: the ``run``-th of a place's runs."""

    offset: int
    length: int
    place: Place
    run: int


def regions(found: Sequence[Place], where: Where) -> list[Region]:
    """All regions of all places, in file order. Raises UnsupportedError where two overlap."""
    made = [
        Region(offset, length, place, index)
        for place in found
        for index, (offset, length) in enumerate(place.at)
        if length
    ]
    made.sort(key=lambda region: region.offset)
    for before, after in itertools.pairwise(made):
        if before.offset + before.length > after.offset:
            raise UnsupportedError(
                "two datasets that share bytes", where=where,
                found=f'"{before.place.path}" and "{after.place.path}"',
            )
    return made


def itemsize(place: Place) -> int:
    """Bytes of an element as it is stored."""
    import numpy as np

    return np.dtype(place.code).itemsize if place.code else 0


def _runs(region: Region) -> list[Run]:
    place = region.place
    origin = place.origins[region.run]
    return list(runs(place.shape, place.chunk, origin, itemsize(place)))


def outside(source: FileSpan, holes: Sequence[Region]) -> Iterator[Piece]:
    """The skeleton: what lies between the holes. Read by: ``filled``."""
    done = 0
    for region in holes:
        yield source.span(done, region.offset - done)
        done = region.offset
        if region.place.how == "chunks":
            for run in _runs(region):
                start = region.offset + run.chunk
                yield source.span(done, start - done)
                done = start + run.length
            yield source.span(done, region.offset + region.length - done)
        done = region.offset + region.length
    yield source.span(done, source.length - done)


def filled(
    skeleton: FileSpan, holes: Sequence[Region], body: Callable[[Region], Piece | None]
) -> Iterator[Piece]:
    """The file again.

    Args:
        skeleton: as ``outside`` left it.
        holes: the same regions.
        body: the bytes of a region; of one in chunks, the whole array's in C order. None: zeros.

    Raises:
        TruncatedError: the skeleton is cut.
    """
    at = done = 0
    for region in holes:
        yield skeleton.span(at, region.offset - done)
        at += region.offset - done
        done = region.offset + region.length
        piece = body(region)
        if region.place.how == "chunks":
            made = _runs(region)
            padding = region.length - sum(run.length for run in made)
            pads = skeleton.span(at, padding)
            at += padding
            yield zeros(region.length) if piece is None else _chunk(region, made, pads, piece)
        else:
            yield zeros(region.length) if piece is None else piece
    yield skeleton.span(at, skeleton.length - at)


def _chunk(region: Region, made: list[Run], pads: FileSpan, array: Piece) -> Computed:
    """A chunk's bytes: the array's where they belong, padding in between."""

    def pieces() -> Iterator[bytes]:
        at = used = 0
        for run in made:
            yield from _blocks(pads, used, run.chunk - at)
            used += run.chunk - at
            yield from _blocks(array, run.array, run.length)
            at = run.chunk + run.length
        yield from _blocks(pads, used, pads.length - used)

    return Computed(region.length, lambda: _gathered(pieces()))


def _blocks(piece: Piece, start: int, length: int) -> Iterator[bytes]:
    for at in range(start, start + length, _BLOCK):
        yield cut(piece, at, min(_BLOCK, start + length - at))


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    out = bytearray()
    for piece in pieces:
        out += piece
        if len(out) >= _BLOCK:
            yield bytes(out)
            out.clear()
    yield bytes(out)


def cut(piece: Piece, start: int, length: int) -> bytes:
    """Some bytes of a span, or of bytes at hand."""
    if isinstance(piece, FileSpan):
        return piece.span(start, length).read()
    if isinstance(piece, Computed):
        raise TypeError("a computed piece is not cut")
    return bytes(piece[start : start + length])


def zeros(length: int) -> Piece:
    """Room for what libhdf5 is to write, or what is gone."""
    def produce() -> Iterator[bytes]:
        for start in range(0, length, _BLOCK):
            yield bytes(min(_BLOCK, length - start))

    return Computed(length, produce)


def write_array(path: str, head: bytes, source: FileSpan, place: Place) -> None:
    """A .npy of what stands in chunks: each read once, its runs put where they belong."""
    with open(path, "xb", buffering=0) as file:
        file.write(head)
        file.truncate(len(head) + math.prod(place.shape) * itemsize(place))
        for index, (offset, length) in enumerate(place.at):
            # A chunk of usual size is read at once: its runs may be many and short.
            data = source.span(offset, length).read() if length <= 8 * _BLOCK else None
            chunk = source.span(offset, length)
            for run in _runs(Region(offset, length, place, index)):
                file.seek(len(head) + run.array)
                for block in _blocks(chunk if data is None else data, run.chunk, run.length):
                    file.write(block)


def gathered(source: FileSpan, place: Place) -> bytes:
    """The elements of what stands in chunks, in C order, all at once: for strings."""
    out = bytearray(math.prod(place.shape) * itemsize(place))
    for index, (offset, length) in enumerate(place.at):
        data = source.span(offset, length).read()
        for run in _runs(Region(offset, length, place, index)):
            out[run.array : run.array + run.length] = data[run.chunk : run.chunk + run.length]
    return bytes(out)


def fixed_strings(span: FileSpan, place: Place) -> Iterator[bytes]:
    """Strings of fixed length as they are stored, without the NULs at their ends.

    Written by: ``padded_strings``.
    """
    size = itemsize(place)
    if place.how == "chunks":
        raw = gathered(span, place)
    else:
        raw = piece_bytes(span.span(*place.at[0]) if place.how == "span" else place.elements)
    for start in range(0, len(raw), size):
        yield raw[start : start + size].rstrip(b"\0")


def padded_strings(place: Place, values: list[bytes], path: str) -> bytes:
    """Strings as a dataset of fixed length stores them. Raises MismatchError. See above."""
    size = itemsize(place)
    longest = max(map(len, values), default=0)
    if longest > size:
        raise MismatchError(
            "a string is longer than the dataset has room for", where=Where(path),
            expected=f"at most {size} bytes", found=f"{longest} bytes",
        )
    return b"".join(value.ljust(size, b"\0") for value in values)

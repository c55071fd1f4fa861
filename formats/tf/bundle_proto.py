"""The messages in a bundle's index, both directions.

    BundleHeaderProto  1 num_shards  2 endianness (1: big)  3 version {1 producer  2 min_consumer}
    BundleEntryProto   1 dtype  2 shape {2 dim {1 size}}  3 shard_id  4 offset  5 size
                       6 crc32c (fixed32, masked, of the bytes in the shard)  7 slices

Zeros are left out, but not an empty shape. Source: tensorflow/core/protobuf/tensor_bundle.proto.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from modelfmt.errors import CorruptFileError, UnsupportedError
from modelfmt.storage import wire
from modelfmt.tf import slices

#: The version of the format that is read and written here.
VERSION = 1


@dataclasses.dataclass(frozen=True)
class Header:
    """What a bundle's first entry says."""

    shards: int
    big_endian: bool = False
    producer: int = VERSION
    min_consumer: int = 0


@dataclasses.dataclass(frozen=True)
class BundleEntry:
    """What the index says of a key. ``crc`` is masked; ``unknown``: fields that we don't know."""

    dtype: int
    shape: tuple[int, ...]
    shard: int = 0
    offset: int = 0
    size: int = 0
    crc: int = 0
    slices: tuple[slices.Slice, ...] = ()
    unknown: bytes = b""


def read_header(view: memoryview) -> Header:
    """A BundleHeaderProto.

    Raises:
        UnsupportedError: written for newer readers only.
        CorruptFileError: no shards.

    Written by: ``write_header``.
    """
    top = numbers(view, (1, 2))
    version: dict[int, int] = {}
    for span in wire.scan(view):
        if span.field == 3:
            version = numbers(view[span.offset : span.end], (1, 2))
    header = Header(top.get(1, 0), top.get(2, 0) == 1, version.get(1, 0), version.get(2, 0))
    if header.min_consumer > VERSION:
        raise UnsupportedError(
            "a checkpoint for newer readers",
            expected=f"version {VERSION} or older", found=header.min_consumer,
        )
    if header.shards < 0:
        raise CorruptFileError("a negative number of shards", found=header.shards)
    return header


def write_header(header: Header) -> bytes:
    """A BundleHeaderProto. Read by: ``read_header``."""
    version = _varint_fields({1: header.producer, 2: header.min_consumer})
    top = _varint_fields({1: header.shards, 2: int(header.big_endian)})
    return top + wire.length_delimited(3, version)


def read_entry(view: memoryview) -> BundleEntry:
    """A BundleEntryProto.

    Raises:
        CorruptFileError: an unknown or a negative size, offset or shard.

    Written by: ``write_entry``.
    """
    numbers = {1: 0, 3: 0, 4: 0, 5: 0, 6: 0}
    shape: tuple[int, ...] = ()
    found: list[slices.Slice] = []
    unknown = b""
    for span in wire.scan(view):
        if span.field == 2:
            shape = read_shape(view[span.offset : span.end])
        elif span.field == 6 and span.wire_type == wire.I32:
            numbers[6] = wire.read_fixed32(view, span.offset)
        elif span.field in numbers and span.wire_type == wire.VARINT:
            numbers[span.field] = wire.signed64(wire.read_varint(view, span.offset)[0])
        elif span.field == 7:
            found.append(slices.read_slice(view[span.offset : span.end]))
        else:
            unknown += bytes(view[span.start : span.end])
    if min(*numbers.values(), *shape, 0) < 0:
        raise CorruptFileError(
            "a negative size, offset or shard", found=f"{numbers}, shape {list(shape)}"
        )
    return BundleEntry(
        numbers[1], shape, numbers[3], numbers[4], numbers[5], numbers[6], tuple(found), unknown
    )


def write_entry(entry: BundleEntry) -> bytes:
    """A BundleEntryProto. Read by: ``read_entry``."""
    dims = (wire.length_delimited(2, _varint_fields({1: size})) for size in entry.shape)
    out = _varint_fields({1: entry.dtype}) + wire.length_delimited(2, b"".join(dims))
    out += _varint_fields({3: entry.shard, 4: entry.offset, 5: entry.size})
    if entry.crc:
        out += wire.tag(6, wire.I32) + wire.fixed32(entry.crc)
    for extents in entry.slices:
        out += wire.length_delimited(7, slices.write_slice(extents))
    return out + entry.unknown


def _varint_fields(values: dict[int, int]) -> bytes:
    return b"".join(wire.varint_field(field, value) for field, value in values.items() if value)


def numbers(view: memoryview, fields: Iterable[int]) -> dict[int, int]:
    return {
        span.field: wire.signed64(wire.read_varint(view, span.offset)[0])
        for span in wire.scan(view)
        if span.field in fields and span.wire_type == wire.VARINT
    }


def read_shape(view: memoryview) -> tuple[int, ...]:
    """TensorShapeProto: repeated Dim dim = 2 {int64 size = 1}; bool unknown_rank = 3."""
    sizes = []
    for dim in wire.scan(view):
        if dim.field == 2:
            sizes.append(numbers(view[dim.offset : dim.end], (1,)).get(1, 0))
        elif dim.field == 3 and wire.read_varint(view, dim.offset)[0]:
            raise CorruptFileError("a tensor of unknown rank")
    return tuple(sizes)

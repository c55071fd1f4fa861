"""TensorBundle, the checkpoint format of version 2, reading; bundle_writer.py writes it.

    PREFIX.index                  a table (storage/sstable.py): "" -> BundleHeaderProto, then
                                  tensor name -> BundleEntryProto
    PREFIX.data-0000i-of-0000n    shard i: the tensors' bytes, one after the other

The elements stand little-endian (unless the header says otherwise) and in C order, strings as
bundle_strings.py says; an entry tells shard, offset, size and masked crc32c (bundle_proto.py).
An entry with slices has no bytes of its own: each slice is an entry under its own key (slices.py),
unless it is the whole. Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterator

from modelfmt import dtypes
from modelfmt.errors import (
    CorruptFileError,
    MissingError,
    ModelFormatError,
    Where,
    located,
)
from modelfmt.storage.block import Entry
from modelfmt.storage.crc32c import check_masked, crc32c, crc32c_of_piece
from modelfmt.storage.files import Computed, FileSpan, Piece, SourceFile, iterate_piece
from modelfmt.storage.sstable import Table
from modelfmt.tensor import Tensor
from modelfmt.tf import slices
from modelfmt.tf.bundle_proto import BundleEntry, read_entry, read_header
from modelfmt.tf.bundle_strings import read_strings


def data_path(prefix: str, shard: int, shards: int) -> str:
    """The path of a shard."""
    return f"{prefix}.data-{shard:05d}-of-{shards:05d}"


def entry_key(name: str) -> str:
    """How errors call an entry."""
    return f'entry "{name}"'


class Bundle:
    """A bundle on disk: index and header are read, entries and data when they are asked for.

    Args:
        prefix: the path without ``.index``.
        verify: check the crc32c of a tensor's bytes whenever they are read, not only in
            ``check``. They are then no FileSpan, hence not mapped.

    Raises:
        MissingError: no index, or no such shard.
        CorruptFileError: the index is no table, or breaks its own rules.
        UnsupportedError: written for newer readers only.

    Written by: ``bundle_writer.write_bundle``.
    """

    def __init__(self, prefix: str, *, verify: bool = False) -> None:
        self.prefix = prefix
        self._verify = verify
        self.index = SourceFile(f"{prefix}.index")
        self.table = Table(self.index)
        self._shards: dict[int, SourceFile] = {}
        with located(path=self.index.path, key="the bundle's header"):
            entry = self.table.get(b"")
            if entry is None:
                raise CorruptFileError("a table without the header of a bundle")
            self.header = read_header(entry.value)
        self._check_shards()

    @property
    def files(self) -> list[str]:
        """All paths of the bundle: the shards, then the index."""
        count = self.header.shards
        paths = (data_path(self.prefix, shard, count) for shard in range(count))
        return [*filter(os.path.exists, paths), self.index.path]

    def close(self) -> None:
        """Close the index and the shards."""
        for file in (self.index, *self._shards.values()):
            file.close()

    def rows(self) -> Iterator[tuple[str, BundleEntry]]:
        """The tensors with their entries, in key order; data of slices left out."""
        for row in self.table:
            if row.key and not self.is_slice(row.key):
                name = self._name(row)
                yield name, self._read(row, name)

    def stored(self) -> Iterator[tuple[str, BundleEntry]]:
        """The entries that have bytes, slices among them, with names to show, in key order."""
        for row in self.table:
            if row.key:
                entry = self._read(row, self._shown(row))
                if not entry.slices or any(map(slices.is_full, entry.slices)):
                    yield self._shown(row), entry

    def names(self) -> Iterator[str]:
        """The names of the tensors, in key order."""
        for row in self.table:
            if row.key and not self.is_slice(row.key):
                yield self._name(row)

    def has(self, name: str) -> bool:
        """Whether there is a tensor of that name."""
        key = name.encode("utf-8", "surrogatepass")
        return key != b"" and self.table.get(key) is not None and not self.is_slice(key)

    def is_slice(self, key: bytes) -> bool:
        """Whether a key stands for a slice of a tensor that the bundle has."""
        parsed = slices.read_slice_key(key)
        return parsed is not None and self.table.get(parsed[0]) is not None

    def entry(self, key: bytes, name: str) -> BundleEntry | None:
        """The entry of a key; ``name`` is for errors."""
        row = self.table.get(key)
        return None if row is None or not key else self._read(row, name)

    def tensor(self, name: str) -> Tensor | None:
        """The tensor of that name, its bytes unread; None where there is none.

        Raises:
            CorruptFileError: sizes or slices that do not fit; bytes beyond the shard.
            MissingError: the shard does not exist, or a slice has no entry.
        """
        key = name.encode("utf-8", "surrogatepass")
        row = self.table.get(key)
        if row is None or not key or self.is_slice(key):
            return None
        entry = self._read(row, name)
        with located(path=self.index.path, key=entry_key(name), offset=row.where.offset):
            if entry.slices:
                return self._join(name, key, entry, row.where)
            return self._whole(name, entry)

    def check(self) -> Iterator[ModelFormatError]:
        """What is wrong with the entries and their bytes; reads all of them, in chunks."""
        try:
            self.table.check_metaindex()
        except ModelFormatError as error:
            yield error
        try:
            for row in self.table:
                try:
                    if row.key and self.is_slice(row.key):
                        self._check_data(row, self._shown(row))
                    elif row.key:
                        name = self._name(row)
                        self.tensor(name)  # sizes, and slices if any, must fit
                        self._check_data(row, name)
                except ModelFormatError as error:
                    yield error
        except ModelFormatError as error:  # of the table: there is no going on
            yield error

    def span(self, name: str, entry: BundleEntry) -> FileSpan:
        """The bytes of an entry.

        Raises:
            MissingError, TruncatedError, CorruptFileError: a shard that is not there, or is too
                short, or beyond those that the header announces.
        """
        with located(key=entry_key(name)):
            if entry.shard >= self.header.shards:
                raise CorruptFileError(
                    "an entry in a shard that there is not", where=Where(self.index.path),
                    expected=f"0 to {self.header.shards - 1}", found=entry.shard,
                )
            file = self._shards.get(entry.shard)
            if file is None:
                path = data_path(self.prefix, entry.shard, self.header.shards)
                file = self._shards[entry.shard] = SourceFile(path)
            return file.span(entry.offset, entry.size)

    def _check_shards(self) -> None:
        """Raise MissingError for the first shard that is needed and not there."""
        count = self.header.shards
        if all(os.path.exists(data_path(self.prefix, shard, count)) for shard in range(count)):
            return
        there: dict[int, bool] = {}
        for row in self.table:
            name = self._shown(row)
            entry = self._read(row, name) if row.key else None
            if entry is None or entry.slices or entry.shard >= count:
                continue
            path = data_path(self.prefix, entry.shard, count)
            if not there.setdefault(entry.shard, os.path.exists(path)):
                raise MissingError(
                    f"shard {entry.shard} of {count} does not exist",
                    where=Where(path, entry_key(name)),
                )

    def _shown(self, row: Entry) -> str:
        """The name of an entry for errors; a slice's with its extents."""
        parsed = slices.read_slice_key(row.key) if row.key and self.is_slice(row.key) else None
        if parsed is None:
            return row.key.decode("utf-8", "backslashreplace")
        return f"{parsed[0].decode('utf-8', 'backslashreplace')} [{slices.describe(parsed[1])}]"

    def _name(self, row: Entry) -> str:
        try:
            return row.key.decode("utf-8")
        except UnicodeDecodeError:
            raise CorruptFileError(
                "a key is not UTF-8 text", where=row.where, found=repr(row.key)
            ) from None

    def _read(self, row: Entry, name: str) -> BundleEntry:
        with located(path=self.index.path, key=entry_key(name), offset=row.where.offset):
            try:
                return read_entry(row.value)
            except ModelFormatError as error:
                inside = error.where.offset or 0
                error.where = Where(offset=(row.where.offset or 0) + inside)
                raise

    def _whole(self, name: str, entry: BundleEntry) -> Tensor:
        """The tensor of an entry that has bytes."""
        dtype = dtypes.from_enum(entry.dtype)
        span = self.span(name, entry)
        origin = Where(span.file.path, entry_key(name), span.offset)
        if dtype is dtypes.string:
            count = Tensor(name, dtype, entry.shape).size
            read = functools.partial(
                read_strings, span, count, entry.crc, origin, self.header.big_endian
            )
            return Tensor(
                name, dtype, entry.shape, origin=origin, strings=read, stored=entry.size
            )
        tensor = Tensor(name, dtype, entry.shape, span, origin)
        if dtype.itemsize and entry.size != tensor.nbytes:
            raise CorruptFileError(
                "the size of an entry does not fit its shape",
                expected=f"{tensor.nbytes} bytes for {dtype}{list(entry.shape)}",
                found=f"{entry.size} bytes",
            )
        payload: Piece = span
        if self._verify:
            payload = Computed(span.length, lambda: _verified(span, entry.crc, origin))
        if self.header.big_endian:
            payload = _swapped(payload, tensor)
        return dataclasses.replace(tensor, payload=payload)

    def _join(self, name: str, key: bytes, entry: BundleEntry, where: Where) -> Tensor:
        """The tensor of an entry with slices."""
        dtype = dtypes.from_enum(entry.dtype)
        parts: list[slices.Part] = []
        tensors: list[Tensor] = []
        for extents in entry.slices:
            starts, shape = slices.resolve(extents, entry.shape, where)
            part = entry
            if not slices.is_full(extents):
                found = self.entry(slices.write_slice_key(key, extents), name)
                if found is None:
                    raise MissingError(f"slice {slices.describe(extents)} has no entry")
                part = found
            if (part.dtype, part.shape) != (entry.dtype, shape):
                raise CorruptFileError(
                    f"slice {slices.describe(extents)} has another dtype or shape",
                    expected=f"{dtype}{list(shape)}",
                    found=f"{dtypes.from_enum(part.dtype)}{list(part.shape)}",
                )
            tensors.append(self._whole(name, part))
            parts.append(slices.Part(starts, shape, tensors[-1].payload))
        slices.check_cover(entry.shape, parts, where)
        origin = Where(self.index.path, entry_key(name), where.offset)
        whole = Tensor(name, dtype, entry.shape, origin=origin)
        return slices.joined(whole, parts, tensors)

    def _check_data(self, row: Entry, name: str) -> None:
        entry = self._read(row, name)
        if entry.slices and not any(map(slices.is_full, entry.slices)):
            return
        with located(path=self.index.path, key=entry_key(name), offset=row.where.offset):
            tensor = self._whole(name, entry)
            if tensor.strings is not None:
                tensor.strings()
            else:
                span = self.span(name, entry)
                check_masked(entry.crc, crc32c_of_piece(span), "the data", tensor.origin)


def _verified(
    span: FileSpan, stored: int, origin: Where
) -> Iterator[bytes | bytearray | memoryview]:
    crc = 0
    for chunk in iterate_piece(span):
        crc = crc32c(chunk, crc)
        yield chunk
    check_masked(stored, crc, "the data", origin)


def _swapped(payload: Piece, tensor: Tensor) -> Piece:
    """The bytes of big-endian elements, little-endian."""
    complex_halves = 2 if tensor.dtype.name.startswith("complex") else 1
    unit = tensor.dtype.itemsize // complex_halves
    if unit < 2:
        return payload

    def produce() -> Iterator[bytes]:
        import numpy as np

        for chunk in iterate_piece(payload):  # chunks are a multiple of every unit
            yield np.frombuffer(chunk, f">u{unit}").astype(f"<u{unit}").tobytes()

    return Computed(tensor.nbytes, produce)

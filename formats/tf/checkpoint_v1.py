"""Checkpoints of version 1: one table, or several that share the slices, data within the table.

    ""           SavedTensorSlices {1 meta {1 tensor {1 name  2 shape  3 type  4 slice ...} ...
                                            2 versions {1 producer  2 min_consumer}}}
    slice key    SavedTensorSlices {2 data {1 name  2 slice  3 TensorProto: the *_val lists only}}

The keys are those of slices.py; a tensor that is not partitioned has one slice, the whole. Several
files are called PREFIX-0000i-of-0000n. Source: tensorflow/core/util/saved_tensor_slice.proto,
tensor_slice_writer.cc, tensor_slice_reader.cc.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import (
    CorruptFileError,
    MissingError,
    ModelFormatError,
    UnsupportedError,
    Where,
    located,
)
from modelfmt.storage import wire
from modelfmt.storage.block import Entry
from modelfmt.storage.files import FileSpan, SourceFile
from modelfmt.storage.sstable import Table
from modelfmt.tensor import Tensor
from modelfmt.tf import slices
from modelfmt.tf.bundle import entry_key
from modelfmt.tf.bundle_proto import numbers, read_shape
from modelfmt.tf.tensorproto import read_tensor

VERSION = 1
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})$")
_SHARDS = re.compile(r"-(\d{5}|\?{5})-of-(\d{5}|\?{5})$")  # in a `checkpoint` file: a pattern


@dataclasses.dataclass
class _Saved:
    """A tensor as the meta entries tell: where each slice is."""

    dtype: int
    shape: tuple[int, ...]
    slices: list[tuple[Table, slices.Slice]]


class SliceTables:
    """A checkpoint of version 1.

    Args:
        paths: its files.

    Raises:
        MissingError: no such file.
        CorruptFileError: a file is no table, or has no meta entry.
        UnsupportedError: written for newer readers only.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.files = list(paths)
        self._sources: list[SourceFile] = []
        self._tables: list[Table] = []
        self._saved: dict[str, _Saved] = {}
        for path in paths:
            source = SourceFile(path)
            self._sources.append(source)
            table = Table(source)
            self._tables.append(table)
            with located(path=path, key="the checkpoint's meta entry"):
                self._read_meta(table)

    @property
    def tables(self) -> Sequence[Table]:
        """The tables, a file each."""
        return self._tables

    def close(self) -> None:
        """Close the files."""
        for source in self._sources:
            source.close()

    def names(self) -> Iterator[str]:
        """The names of the tensors, in the order of their keys."""
        return iter(sorted(self._saved, key=lambda name: slices.write_slice_key(_bytes(name), ())))

    def partitions(self) -> Iterator[tuple[str, list[slices.Slice]]]:
        """The tensors that do not stand as a whole, each with its slices."""
        for name in self.names():
            parts = [extents for _, extents in self._saved[name].slices]
            if len(parts) > 1 or not slices.is_full(parts[0]):
                yield name, parts

    def has(self, name: str) -> bool:
        """Whether there is a tensor of that name."""
        return name in self._saved

    def tensor(self, name: str) -> Tensor | None:
        """The tensor of that name, its elements unread; None where there is none.

        Raises:
            CorruptFileError: values or slices that do not fit.
            MissingError: a slice is not where the meta entry says.
        """
        saved = self._saved.get(name)
        if saved is None:
            return None
        table, extents = saved.slices[0]
        origin = Where(table.file.path, entry_key(name))
        with located(path=table.file.path, key=entry_key(name)):
            dtype = dtypes.from_enum(saved.dtype)
            parts: list[slices.Part] = []
            tensors: list[Tensor] = []
            for table, extents in saved.slices:
                starts, shape = slices.resolve(extents, saved.shape, origin)
                tensors.append(self._slice(table, name, extents, (dtype, shape)))
                parts.append(slices.Part(starts, shape, tensors[-1].payload))
            if len(parts) == 1 and parts[0].shape == saved.shape:
                return tensors[0]
            slices.check_cover(saved.shape, parts, origin)
        whole = Tensor(name, dtype, saved.shape, origin=origin)
        return slices.joined(whole, parts, tensors)

    def check(self) -> Iterator[ModelFormatError]:
        """What is wrong with the tables and the tensors in them; reads all."""
        for table in self._tables:
            try:
                table.check_metaindex()
                for _ in table:
                    pass
            except ModelFormatError as error:
                yield error
        for name in self.names():
            try:
                tensor = self.tensor(name)
                if tensor is not None:
                    with located(path=tensor.origin.path, key=entry_key(name)):
                        tensor.strings() if tensor.strings else tensor.sha256()
            except ModelFormatError as error:
                yield error

    def _read_meta(self, table: Table) -> None:
        row = table.get(b"")
        meta = None if row is None else _field(row.piece, 1)
        if meta is None:
            raise CorruptFileError("a table without the meta entry of a checkpoint")
        view = _view(meta)
        for span in wire.scan(view):
            if span.field == 1:
                self._read_tensor(table, view[span.offset : span.end])
            elif span.field == 2:
                oldest = numbers(view[span.offset : span.end], (2,)).get(2, 0)
                if oldest > VERSION:
                    raise UnsupportedError(
                        "a checkpoint for newer readers",
                        expected=f"version {VERSION} or older", found=oldest,
                    )

    def _read_tensor(self, table: Table, view: memoryview) -> None:
        """A SavedSliceMeta."""
        name, shape, dtype = "", tuple[int, ...](), numbers(view, (3,)).get(3, 0)
        found = []
        for span in wire.scan(view):
            if span.field == 1:
                try:
                    name = str(view[span.offset : span.end], "utf-8")
                except UnicodeDecodeError:
                    raise CorruptFileError("the name of a tensor is not UTF-8 text") from None
            elif span.field == 2:
                shape = read_shape(view[span.offset : span.end])
            elif span.field == 4:
                found.append((table, slices.read_slice(view[span.offset : span.end])))
        saved = self._saved.setdefault(name, _Saved(dtype, shape, []))
        if not found or (saved.dtype, saved.shape) != (dtype, shape):
            raise CorruptFileError(
                f"tensor {name!r} has no slice, or two dtypes or shapes",
                expected=f"DataType {saved.dtype}, shape {list(saved.shape)}",
                found=f"DataType {dtype}, shape {list(shape)}, {len(found)} slices",
            )
        saved.slices += found

    def _slice(
        self, table: Table, name: str, extents: slices.Slice, like: tuple[DType, tuple[int, ...]]
    ) -> Tensor:
        with located(path=table.file.path):
            row = table.get(slices.write_slice_key(_bytes(name), extents))
            if row is None:
                raise MissingError(f"slice {slices.describe(extents) or 'whole'} has no entry")
            return read_tensor(_data(row), name, _where(row, name), like=like)


def find_shards(prefix: str, like: str = "") -> list[str]:
    """The files PREFIX-0000i-of-0000n, in order; none is an empty list.

    Args:
        prefix: the path in front of the dash.
        like: one of the files, or a pattern with n; else those of the largest n.

    Raises:
        MissingError: one of them is missing.
    """
    folder, base = os.path.split(prefix)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return []
    counts = {
        int(m[2]) for n in names if n.startswith(base) and (m := _SHARD.fullmatch(n[len(base) :]))
    }
    if not counts:
        return []
    count = int(like[-5:]) if like[-5:].isdecimal() else max(counts)
    paths = [f"{prefix}-{shard:05d}-of-{count:05d}" for shard in range(count)]
    for path in paths:
        if not os.path.exists(path):
            raise MissingError("a shard of the checkpoint does not exist", where=Where(path))
    return paths


def shard_prefix(path: str) -> str | None:
    """PREFIX of PREFIX-0000i-of-0000n, or of a pattern with question marks; else None."""
    match = _SHARDS.search(path)
    return path[: match.start()] if match else None


def _data(row: Entry) -> FileSpan | bytes:
    """The TensorProto within a SavedTensorSlices."""
    saved = _field(row.piece, 2)
    data = None if saved is None else _field(saved, 3)
    if data is None:
        raise CorruptFileError("an entry without data", where=row.where)
    return data


def _field(message: FileSpan | bytes, field: int) -> FileSpan | bytes | None:
    for span in wire.scan(_view(message)):
        if span.field == field and span.wire_type == wire.LEN:
            if isinstance(message, FileSpan):
                return message.span(span.offset, span.length)
            return message[span.offset : span.end]
    return None


def _view(message: FileSpan | bytes) -> memoryview:
    return message.view() if isinstance(message, FileSpan) else memoryview(message)


def _where(row: Entry, name: str) -> Where:
    return Where(row.where.path, entry_key(name), row.where.offset)


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")

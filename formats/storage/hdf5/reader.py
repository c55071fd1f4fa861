"""HDF5 read: the tree and the attributes through libhdf5, payloads as places in the file.

Payloads of contiguous, unfiltered datasets never pass through libhdf5: reading gives a span.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from modelfmt.errors import (
    MissingError,
    TruncatedError,
    UnsafeFileError,
    UnsupportedError,
    Where,
)
from modelfmt.storage.files import Computed, FileSpan, Piece, SourceFile, piece_length
from modelfmt.storage.hdf5.door import H5PY_ERRORS, key_of, little, plain_value, translated
from modelfmt.storage.hdf5.guards import check_filters, check_storage, unopened
from modelfmt.storage.spanio import SpanIO
from modelfmt.storage.tree import Hdf5Dataset, slabs

_SLAB = 8 << 20
_CHUNK_CACHE = 64 << 20
_SOFT_LINKS = 16


class Hdf5Reader:
    """An HDF5 file, or one within another file; opening reads no dataset.

    Args:
        source: a path, an open SourceFile, a span of one (a stored zip member), or bytes.
        name: for errors, where the source has no path.

    Raises:
        UnknownFormatError: no HDF5 signature.
        TruncatedError: shorter than its superblock says.
        CorruptFileError: libhdf5 cannot open it.
    """

    def __init__(
        self, source: str | os.PathLike[str] | SourceFile | FileSpan | bytes,
        name: str | None = None,
    ) -> None:
        self._owned: SourceFile | None = None
        if isinstance(source, (str, os.PathLike)):
            source = self._owned = SourceFile(source)
        self._source = source.span() if isinstance(source, SourceFile) else source
        self.size = piece_length(self._source)
        self.path = self._source.file.path if isinstance(self._source, FileSpan) else name
        self._opened: list[tuple[str, Any]] = []  # the objects along the path last opened
        try:
            self._file = self._open_file()
        except BaseException:
            self.close()
            raise

    def _open_file(self) -> h5py.File:
        source = self._source
        opened = SpanIO(source) if isinstance(source, FileSpan) else io.BytesIO(source)
        try:
            return h5py.File(opened, "r")
        except H5PY_ERRORS as error:
            raise unopened(opened, self.size, Where(self.path), str(error)) from error

    def __enter__(self) -> Hdf5Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; spans of a SourceFile that was passed in stay valid."""
        with translated(self.path, None):
            self._opened.clear()
            if (opened := getattr(self, "_file", None)) is not None:
                opened.close()
        if self._owned is not None:
            self._owned.close()

    @property
    def root(self) -> h5py.Group:
        """The root group, for the rooms beside this one."""
        return self._file["/"]

    @property
    def source(self) -> FileSpan | bytes:
        """All bytes of the HDF5 file."""
        return self._source

    def bytes_at(self, offset: int, length: int) -> bytes:
        """A copy of some bytes of the HDF5 file. Raises TruncatedError."""
        if isinstance(self._source, FileSpan):
            return self._source.span(offset, length).read()
        if not 0 <= offset <= offset + length <= self.size:
            raise TruncatedError(
                "the HDF5 file ends too early", wanted=length,
                available=max(self.size - max(offset, 0), 0), where=Where(self.path, offset=offset),
            )
        return self._source[offset : offset + length]

    def attributes(self, path: str = "/") -> dict[str, Any]:
        """All attributes of an object, in name order.

        Returns:
            str for a text scalar, a list of str for an array of text, whether of fixed or
            variable length; numpy arrays and scalars for everything else.

        Raises:
            MissingError: no such object.
            CorruptFileError: damaged, or text that is not UTF-8.
        """
        with translated(self.path, key_of(path)):
            held = self._open(path).attrs
            names = sorted(held)
        return {name: self._attribute(path, held, name) for name in names}

    def attribute(self, path: str, name: str, default: Any = None) -> Any:
        """One attribute, as ``attributes`` gives it, or ``default`` if there is none."""
        with translated(self.path, key_of(path)):
            held = self._open(path).attrs
            if name not in held:
                return default
        return self._attribute(path, held, name)

    def _attribute(self, path: str, held: h5py.AttributeManager, name: str) -> Any:
        with translated(self.path, f'{key_of(path)}, attribute "{name}"'):
            return plain_value(held[name])

    def members(self, path: str = "/") -> list[str]:
        """Names in a group, sorted; links that lead nowhere are among them."""
        with translated(self.path, key_of(path)):
            group = self._open(path)
            if not isinstance(group, h5py.Group):
                raise MissingError("no such group", where=Where(self.path, key_of(path)))
            return sorted(group)

    def kind(self, path: str) -> str:
        """``"group"`` or ``"dataset"``. Raises MissingError."""
        with translated(self.path, key_of(path)):
            found = self._open(path)
        if isinstance(found, h5py.Dataset):
            return "dataset"
        if isinstance(found, h5py.Group):
            return "group"
        raise UnsupportedError("neither group nor dataset", where=Where(self.path, key_of(path)))

    def exists(self, path: str) -> bool:
        """Whether ``path`` names an object. Raises UnsafeFileError, as every access does."""
        try:
            self._open(path)
        except MissingError:
            return False
        return True

    def walk(self) -> Iterator[str]:
        """Paths of all objects below the root, parents first, names in order.

        A group with several names is entered under the first of them only, so that a file
        whose links form a circle comes to an end.

        Raises:
            UnsafeFileError: on reaching a link out of the file.
        """
        with translated(self.path, key_of("/")):
            entered = {self._address(self._open("/"))}
        pending = self.members("/")[::-1]
        while pending:
            path = pending.pop()
            yield path
            with translated(self.path, key_of(path)):
                found = self._open(path)
                if isinstance(found, h5py.Group) and self._address(found) not in entered:
                    entered.add(self._address(found))
                    pending += [f"{path}/{name}" for name in self.members(path)[::-1]]

    @staticmethod
    def _address(found: Any) -> Any:
        return h5py.h5g.get_objinfo(found.id).objno

    def _open(self, path: str, depth: int = 0) -> Any:
        """The h5py object, every link on the way looked at before libhdf5 follows it."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        found: Any = self._file
        where = Where(self.path, key_of(path))
        # One path mostly shares its groups with the path before: they stay open.
        opened = self._opened if depth == 0 else []
        shared = 0
        while shared < min(len(parts), len(opened)) and opened[shared][0] == parts[shared]:
            found = opened[shared][1]
            shared += 1
        del opened[shared:]
        with translated(self.path, key_of(path)):
            for at, part in enumerate(parts[shared:], shared):
                name = part.encode("utf-8", "surrogateescape")
                if not isinstance(found, h5py.Group) or not found.id.links.exists(name):
                    raise MissingError("no such HDF5 object", where=where)
                link = found.id.links.get_info(name).type
                if link == h5py.h5l.TYPE_SOFT:
                    if depth == _SOFT_LINKS:
                        raise UnsafeFileError("soft links form a circle", where=where)
                    target = found.id.links.get_val(name).decode("utf-8", "surrogateescape")
                    if not target.startswith("/"):
                        target = "/".join([*parts[:at], target])
                    found = self._open(target, depth + 1)
                elif link == h5py.h5l.TYPE_HARD:
                    found = found[name]
                else:
                    raise UnsafeFileError("a link out of the file", where=where)
                opened.append((part, found))
        return found

    def dataset(self, path: str) -> Hdf5Dataset:
        """A dataset's description and the place of its payload, which is not read.

        Raises:
            MissingError: no such dataset.
            UnsafeFileError: stored in other files, virtual, or declared absurdly large.
            UnsupportedError: a type without numpy equivalent, or a filter that is not there.
            TruncatedError: the payload passes the end of the file.
        """
        key = key_of(path)
        where = Where(self.path, key)
        with translated(self.path, key):
            held = self._open(path)
            if not isinstance(held, h5py.Dataset):
                raise MissingError("no such dataset", where=where)
            with translated(self.path, key, UnsupportedError):
                dtype = held.dtype
            if held.shape is None:
                raise UnsupportedError("a dataset without extent", where=where)
            shape = tuple(int(size) for size in held.shape)
            check_storage(held, self.size, where)
            check_filters(held, where)
            text = h5py.check_string_dtype(dtype) is not None
            if (dtype.hasobject and not text) or dtype.names or dtype.subdtype:
                raise UnsupportedError(f"elements of type {dtype}", where=where)
            plain = little(dtype)
            piece = b"" if dtype.hasobject else self._payload(held, plain, shape, key)
        return Hdf5Dataset(
            path.strip("/"), plain, shape, piece, self.attributes(path),
            (lambda: self._strings(held, key)) if text else None,
        )

    def _payload(
        self, held: h5py.Dataset, dtype: np.dtype[Any], shape: tuple[int, ...], key: str
    ) -> Piece:
        length = math.prod(shape) * dtype.itemsize
        if not length:
            return b""
        offset = held.id.get_offset()
        stored = held.id.get_type()
        as_is = stored.get_size() == dtype.itemsize and (
            stored.get_class() in (h5py.h5t.OPAQUE, h5py.h5t.STRING)
            or stored.equal(h5py.h5t.py_create(dtype, logical=True))
        )
        if offset is None or held.chunks is not None or not as_is:
            return self.elements(held, dtype, shape, key)
        if isinstance(self._source, FileSpan):
            return self._source.span(offset, length)
        if offset + length > self.size:
            raise TruncatedError(
                "the dataset passes the end of the file",
                wanted=length, available=max(self.size - offset, 0), where=Where(self.path, key),
            )
        return memoryview(self._source)[offset : offset + length]

    def elements(
        self, held: h5py.Dataset, dtype: np.dtype[Any], shape: tuple[int, ...], key: str
    ) -> Computed:
        """A dataset's elements in C order as ``dtype``, read through libhdf5 in bounded slabs."""
        length = math.prod(shape) * dtype.itemsize
        return Computed(length, lambda: self._slabs(held, dtype, shape, key))

    def _slabs(
        self, held: h5py.Dataset, dtype: np.dtype[Any], shape: tuple[int, ...], key: str
    ) -> Iterator[bytes]:
        """The payload through libhdf5, converted, some MiB at a time in C order."""
        with translated(self.path, key):
            access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
            # Slabs may cut chunks: without this a chunk would be inflated once per slab.
            access.set_chunk_cache(521, _CHUNK_CACHE, 1.0)
            name = h5py.h5i.get_name(held.id)
            tuned = h5py.Dataset(h5py.h5d.open(self._file.id, name, access)) if name else held
            for selection in slabs(shape, dtype.itemsize, tuned.chunks, _SLAB):
                yield np.asarray(tuned[selection]).astype(dtype, copy=False).tobytes()

    def _strings(self, held: h5py.Dataset, key: str) -> list[bytes]:
        with translated(self.path, key):
            flat = np.asarray(held[()]).ravel().tolist()
            return [e.encode() if isinstance(e, str) else bytes(e) for e in flat]

"""HDF5, read and written; the one door of h5py.

libhdf5 handles the tree and the attributes. Payloads of contiguous, unfiltered datasets never
pass through it: reading gives a span of the file, and writing lets libhdf5 allocate the room,
then fills it from the pieces, so that memory stays bounded.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np

from modelfmt.errors import (
    CorruptFileError,
    MismatchError,
    MissingError,
    ModelFormatError,
    TruncatedError,
    UnknownFormatError,
    UnsafeFileError,
    UnsupportedError,
    Where,
)
from modelfmt.storage.files import (
    Computed,
    FileSpan,
    Piece,
    SourceFile,
    piece_length,
    write_pieces,
)
from modelfmt.storage.spanio import SpanIO
from modelfmt.storage.superblock import MAGIC, stored_end
from modelfmt.storage.superblock import is_hdf5 as is_hdf5
from modelfmt.storage.tree import Hdf5Array as Hdf5Array
from modelfmt.storage.tree import Hdf5Dataset as Hdf5Dataset
from modelfmt.storage.tree import Hdf5Group as Hdf5Group
from modelfmt.storage.tree import slabs


class AttributeTooLargeError(UnsupportedError):
    """An attribute above what an HDF5 object header holds; the caller must split it."""


ATTRIBUTE_LIMIT = 64512  # what Keras and libhdf5's 64 KiB object header leave to a value
_SLAB = 8 << 20
_CHUNK_CACHE = 64 << 20
_BOMB_BYTES, _BOMB_RATIO = 1 << 30, 1000
_SOFT_LINKS = 16

# What h5py was seen to raise on damaged files; MissingError is a KeyError, hence the order below.
_H5PY_ERRORS = (
    RuntimeError, LookupError, TypeError, OSError, ValueError, AttributeError, MemoryError,
    OverflowError,
)


@contextmanager
def _translated(
    path: str | None, key: str | None, error_class: type[ModelFormatError] = CorruptFileError
) -> Iterator[None]:
    """h5py's exceptions as one of ours, with file and HDF5 path."""
    try:
        yield
    except ModelFormatError:
        raise
    except _H5PY_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise error_class(f"HDF5: {reason}", where=Where(path, key)) from error


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
        except _H5PY_ERRORS as error:
            start = opened.seek(0)
            prefix = opened.read(96) or b""
            while prefix[:8] != MAGIC and start < self.size:  # a user block doubles from 512
                start = opened.seek(start * 2 or 512)
                prefix = opened.read(96) or b""
            if prefix[:8] != MAGIC:
                raise UnknownFormatError("no HDF5 signature", where=Where(self.path)) from error
            end = stored_end(prefix) or start + len(MAGIC) + 40
            if end > self.size:
                raise TruncatedError(
                    "the HDF5 file is cut", wanted=end, available=self.size,
                    where=Where(self.path),
                ) from error
            reason = " ".join(str(error).split())
            raise CorruptFileError(f"HDF5: {reason}", where=Where(self.path)) from error

    def __enter__(self) -> Hdf5Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; spans of a SourceFile that was passed in stay valid."""
        with _translated(self.path, None):
            self._opened.clear()
            if (opened := getattr(self, "_file", None)) is not None:
                opened.close()
        if self._owned is not None:
            self._owned.close()

    def attributes(self, path: str = "/") -> dict[str, Any]:
        """All attributes of an object, in name order.

        Returns:
            str for a text scalar, a list of str for an array of text, whether of fixed or
            variable length; numpy arrays and scalars for everything else.

        Raises:
            MissingError: no such object.
            CorruptFileError: damaged, or text that is not UTF-8.
        """
        with _translated(self.path, _key(path)):
            held = self._open(path).attrs
            names = sorted(held)
        return {name: self._attribute(path, held, name) for name in names}

    def attribute(self, path: str, name: str, default: Any = None) -> Any:
        """One attribute, as ``attributes`` gives it, or ``default`` if there is none."""
        with _translated(self.path, _key(path)):
            held = self._open(path).attrs
            if name not in held:
                return default
        return self._attribute(path, held, name)

    def _attribute(self, path: str, held: h5py.AttributeManager, name: str) -> Any:
        with _translated(self.path, f'{_key(path)}, attribute "{name}"'):
            return _plain(held[name])

    def members(self, path: str = "/") -> list[str]:
        """Names in a group, sorted; links that lead nowhere are among them."""
        with _translated(self.path, _key(path)):
            group = self._open(path)
            if not isinstance(group, h5py.Group):
                raise MissingError("no such group", where=Where(self.path, _key(path)))
            return sorted(group)

    def kind(self, path: str) -> str:
        """``"group"`` or ``"dataset"``. Raises MissingError."""
        with _translated(self.path, _key(path)):
            found = self._open(path)
        if isinstance(found, h5py.Dataset):
            return "dataset"
        if isinstance(found, h5py.Group):
            return "group"
        raise UnsupportedError("neither group nor dataset", where=Where(self.path, _key(path)))

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
        with _translated(self.path, _key("/")):
            entered = {self._address(self._open("/"))}
        pending = self.members("/")[::-1]
        while pending:
            path = pending.pop()
            yield path
            with _translated(self.path, _key(path)):
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
        where = Where(self.path, _key(path))
        # One path mostly shares its groups with the path before: they stay open.
        opened = self._opened if depth == 0 else []
        shared = 0
        while shared < min(len(parts), len(opened)) and opened[shared][0] == parts[shared]:
            found = opened[shared][1]
            shared += 1
        del opened[shared:]
        with _translated(self.path, _key(path)):
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
        key = _key(path)
        where = Where(self.path, key)
        with _translated(self.path, key):
            held = self._open(path)
            if not isinstance(held, h5py.Dataset):
                raise MissingError("no such dataset", where=where)
            with _translated(self.path, key, UnsupportedError):
                dtype = held.dtype
            if held.shape is None:
                raise UnsupportedError("a dataset without extent", where=where)
            shape = tuple(int(size) for size in held.shape)
            self._guard(held, shape, dtype, where)
            text = h5py.check_string_dtype(dtype) is not None
            if (dtype.hasobject and not text) or dtype.names or dtype.subdtype:
                raise UnsupportedError(f"elements of type {dtype}", where=where)
            little = _little(dtype)
            piece = b"" if dtype.hasobject else self._payload(held, little, shape, key)
        return Hdf5Dataset(
            path.strip("/"), little, shape, piece, self.attributes(path),
            (lambda: self._strings(held, key)) if text else None,
        )

    def _guard(
        self, held: h5py.Dataset, shape: tuple[int, ...], dtype: np.dtype[Any], where: Where
    ) -> None:
        plist = held.id.get_create_plist()
        layout = plist.get_layout()
        if plist.get_external_count():
            raise UnsafeFileError("the dataset's bytes are in other files", where=where)
        if layout == h5py.h5d.VIRTUAL:
            raise UnsafeFileError("a virtual dataset", where=where)
        count = math.prod(shape)
        if layout == h5py.h5d.CHUNKED:
            count = max(count, math.prod(plist.get_chunk()))
        declared = count * dtype.itemsize
        if declared > _BOMB_BYTES and declared > self.size * _BOMB_RATIO:
            raise UnsafeFileError(
                "the dataset is declared absurdly large", where=where,
                expected=f"at most {_BOMB_RATIO} times the file's {self.size} bytes",
                found=f"{declared} bytes",
            )
        for index in range(plist.get_nfilters()):
            code, _, _, name = plist.get_filter(index)
            if not h5py.h5z.filter_avail(code):
                label = name.decode("utf-8", "replace") or code
                raise UnsupportedError(f"HDF5 filter {label} is not installed", where=where)

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
            return Computed(length, lambda: self._slabs(held, dtype, shape, key))
        if isinstance(self._source, FileSpan):
            return self._source.span(offset, length)
        if offset + length > self.size:
            raise TruncatedError(
                "the dataset passes the end of the file",
                wanted=length, available=max(self.size - offset, 0), where=Where(self.path, key),
            )
        return memoryview(self._source)[offset : offset + length]

    def _slabs(
        self, held: h5py.Dataset, dtype: np.dtype[Any], shape: tuple[int, ...], key: str
    ) -> Iterator[bytes]:
        """The payload through libhdf5, converted, some MiB at a time in C order."""
        with _translated(self.path, key):
            access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
            # Slabs may cut chunks: without this a chunk would be inflated once per slab.
            access.set_chunk_cache(521, _CHUNK_CACHE, 1.0)
            name = h5py.h5i.get_name(held.id)
            tuned = h5py.Dataset(h5py.h5d.open(self._file.id, name, access)) if name else held
            for selection in slabs(shape, dtype.itemsize, tuned.chunks, _SLAB):
                yield np.asarray(tuned[selection]).astype(dtype, copy=False).tobytes()

    def _strings(self, held: h5py.Dataset, key: str) -> list[bytes]:
        with _translated(self.path, key):
            flat = np.asarray(held[()]).ravel().tolist()
            return [e.encode() if isinstance(e, str) else bytes(e) for e in flat]


def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype without h5py's metadata, little-endian."""
    return np.dtype(object) if dtype.hasobject else np.dtype(dtype.str.replace(">", "<"))


def _plain(value: Any) -> Any:
    """An attribute's value, text of every storage as str."""
    if isinstance(value, h5py.Empty):
        return "" if h5py.check_string_dtype(value.dtype) else np.empty((0,), value.dtype)
    if isinstance(value, np.ndarray) and value.dtype.kind in "SO":
        value = value.tolist()
    return _text(value)


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(element) for element in value]
    if isinstance(value, bytes):  # np.bytes_ too
        return value.decode("utf-8")
    if isinstance(value, str):
        value.encode("utf-8")  # h5py lets invalid UTF-8 pass as surrogates
    return value


def _key(path: str) -> str:
    return f'HDF5 "{path.strip("/") or "/"}"'


def write_hdf5(target: str | os.PathLike[str], root: Hdf5Group) -> None:
    """Write a new HDF5 file: the same tree gives the same bytes, at any time.

    Datasets are contiguous, and read by every HDF5 since 1.0 ("earliest"). Attribute values:
    str becomes a variable-length UTF-8 scalar, bytes a variable-length ASCII scalar, a list of
    text an array of variable-length ASCII strings holding UTF-8 (so h5py 3 stores what Keras
    gives it), an empty list float64 of shape (0,); everything else goes through numpy.

    Args:
        target: created or truncated; atomicity is ``atomic_output``'s business.
        root: the tree.

    Raises:
        AttributeTooLargeError: a value above 64,512 bytes.
        MismatchError: a piece whose length is not that of its dtype and shape.
        ModelFormatError: what libhdf5 refuses.
    """
    path = os.fspath(target)
    holes: list[tuple[int, Piece]] = []
    with (
        _translated(path, None, ModelFormatError),
        h5py.File(path, "w", libver=("earliest", "latest")) as file,
    ):
        _write_group(path, file, root, "", holes)
    with open(path, "r+b") as out:
        for offset, piece in sorted(holes, key=lambda hole: hole[0]):
            out.seek(offset)
            write_pieces(out, [piece])


def _write_group(
    file: str, held: h5py.Group, group: Hdf5Group, path: str, holes: list[tuple[int, Piece]]
) -> None:
    _write_attributes(file, held, group.attributes, path)
    for name, member in group.members.items():
        below = f"{path}/{name}".strip("/")
        with _translated(file, _key(below), ModelFormatError):
            if name in ("", ".", "..") or "/" in name:
                raise MismatchError("not a name of an HDF5 object", where=Where(file, _key(below)))
            if isinstance(member, Hdf5Group):
                _write_group(file, held.create_group(name), member, below, holes)
            else:
                _write_array(file, held, name, member, below, holes)


def _write_array(
    file: str, held: h5py.Group, name: str, array: Hdf5Array, path: str,
    holes: list[tuple[int, Piece]],
) -> None:
    if array.strings is not None:
        values = np.empty(len(array.strings), object)
        values[:] = array.strings
        made = held.create_dataset(
            name, data=values.reshape(array.shape), dtype=h5py.string_dtype(), track_times=False
        )
        _write_attributes(file, made, array.attributes, path)
        return
    dtype = _little(array.dtype)
    wanted = math.prod(array.shape) * dtype.itemsize
    if piece_length(array.piece) != wanted:
        raise MismatchError(
            f"the payload is not that of {dtype} {list(array.shape)}",
            where=Where(file, _key(path)),
            expected=f"{wanted} bytes", found=f"{piece_length(array.piece)} bytes",
        )
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.CONTIGUOUS)
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    plist.set_obj_track_times(False)
    space = (
        h5py.h5s.create_simple(array.shape) if array.shape else h5py.h5s.create(h5py.h5s.SCALAR)
    )
    made = h5py.h5d.create(
        held.id, name.encode("utf-8", "surrogateescape"),
        h5py.h5t.py_create(dtype, logical=True), space, plist,
    )
    _write_attributes(file, h5py.Dataset(made), array.attributes, path)
    if wanted:
        holes.append((made.get_offset(), array.piece))


def _write_attributes(file: str, held: Any, attributes: dict[str, Any], path: str) -> None:
    for name, value in attributes.items():
        key = f'{_key(path)}, attribute "{name}"'
        with _translated(file, key, ModelFormatError):
            if isinstance(value, (str, bytes)) and not isinstance(value, np.bytes_):
                held.attrs[name] = value
                continue
            dtype = None
            if isinstance(value, (list, tuple)) and value and isinstance(value[0], (str, bytes)):
                texts = [e.encode() if isinstance(e, str) else e for e in value]
                value, dtype = np.array(texts, object), h5py.string_dtype("ascii")
                size = 16 * len(texts)
            else:
                value = np.asarray(value)
                size = value.nbytes
            if size > ATTRIBUTE_LIMIT:
                raise AttributeTooLargeError(
                    "the attribute does not fit into an HDF5 object header",
                    where=Where(file, key),
                    expected=f"at most {ATTRIBUTE_LIMIT} bytes", found=f"{size} bytes",
                )
            held.attrs.create(name, value, dtype=dtype)

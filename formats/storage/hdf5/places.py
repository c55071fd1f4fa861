"""Where in an HDF5 file the elements of each dataset stand, found without reading them.

    span     one run of bytes: contiguous, unfiltered
    chunks   a run for each chunk: chunked, unfiltered, every chunk there
    heap     variable-length strings: a run for each string, within global heaps
    library  filtered, or not stored yet: libhdf5 must unpack and pack the elements
    kept     what has no elements that a file of its own could hold

A global heap collection (HDF5 File Format Specification 3.0, III.E):

     0  4  47 43 4f 4c "GCOL"      4  1  version 1       8  8  size of the collection
    16     objects: index (2), reference count (2), reserved (4), size (8), data padded to 8;
           index 0 is the free space at the end

A variable-length element is its length (4), the collection's address (8) and the index (4).
"""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from modelfmt.errors import CorruptFileError, UnsafeFileError, UnsupportedError, Where, located
from modelfmt.storage.chunks import runs
from modelfmt.storage.files import Piece
from modelfmt.storage.hdf5.door import key_of, translated
from modelfmt.storage.hdf5.guards import check_filters, check_storage
from modelfmt.storage.hdf5.reader import Hdf5Reader

_MOST_CHUNKS = 1 << 20  # more of them than anybody reads by hand; then the elements stay
_ELEMENT = struct.Struct("<IQI")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one dataset's elements stand.

    Attributes:
        path: the first that leads to it, without leading slash.
        how: see above.
        code: numpy's code of an element as stored, ``<f4``, ``|S3``; "" for heap and kept.
        shape: of the dataset.
        at: runs as (offset, length): of a span one; of chunks each with all its padding; of a
            heap one for each string, in C order; of library the packed chunks.
        chunk: the chunk's sizes; empty where there are none.
        origins: for chunks, the first element of each.
        elements: for library, the elements in C order as ``code`` has them.
        why: for kept, the reason.
    """

    path: str
    how: str
    code: str = ""
    shape: tuple[int, ...] = ()
    at: tuple[tuple[int, int], ...] = ()
    chunk: tuple[int, ...] = ()
    origins: tuple[tuple[int, ...], ...] = ()
    elements: Piece = b""
    why: str = ""


def hard_paths(reader: Hdf5Reader) -> Iterator[str]:
    """The first path of every object by hard links, parents first, names in order; "" the root.

    Raises:
        UnsafeFileError: on reaching a link out of the file.
    """
    with translated(reader.path, key_of("/")):
        seen = {_address(reader.root)}
        yield ""
        pending = [("", reader.root)]
        while pending:
            path, group = pending.pop()
            below = []
            for name in sorted(group):
                raw = name.encode("utf-8", "surrogateescape")
                kind = group.id.links.get_info(raw).type
                full = f"{path}/{name}".lstrip("/")
                if kind == h5py.h5l.TYPE_SOFT:
                    continue
                if kind != h5py.h5l.TYPE_HARD:
                    raise UnsafeFileError(
                        "a link out of the file", where=Where(reader.path, key_of(full))
                    )
                found = group[name]
                if _address(found) in seen:
                    continue
                seen.add(_address(found))
                yield full
                if isinstance(found, h5py.Group):
                    below.append((full, found))
            pending += below[::-1]


def _address(found: Any) -> Any:
    return h5py.h5o.get_info(found.id).addr


def places(reader: Hdf5Reader) -> Iterator[Place]:
    """The place of every dataset, those of several names once.

    Raises:
        UnsafeFileError: elements in other files, virtual datasets, bombs.
        CorruptFileError: damaged, or offsets past the end.
    """
    for path in hard_paths(reader):
        with translated(reader.path, key_of(path)):
            held = reader.root[path] if path else None
            if isinstance(held, h5py.Dataset):
                yield _place(reader, held, path)


def _place(reader: Hdf5Reader, held: h5py.Dataset, path: str) -> Place:
    where = Where(reader.path, key_of(path))
    if held.id.get_space().get_simple_extent_type() == h5py.h5s.NULL:
        return Place(path, "kept", why="it has no extent")
    check_storage(held, reader.size, where)
    shape = tuple(int(size) for size in held.id.shape)
    plist = held.id.get_create_plist()
    kind = held.id.get_type()
    strings = kind.get_class() == h5py.h5t.STRING and kind.is_variable_str()
    code = None if strings else _code(held)
    if not math.prod(shape) and (strings or code):
        return Place(path, "heap", "", shape) if strings else (
            Place(path, "span", code or "", shape, ((0, 0),))
        )
    if code is None and not strings:
        return Place(path, "kept", shape=shape, why="elements of a type that numpy lacks")
    if plist.get_layout() == h5py.h5d.COMPACT:
        return _compact(reader, held, path, shape, code)
    # Of variable-length elements libhdf5 tells the size in memory.
    found = _runs(held, plist, shape, _ELEMENT.size if strings else kind.get_size())
    if found is not None and not strings:
        return dataclasses.replace(found, path=path, code=code or "")
    if strings:
        heap = None if found is None else _heap(reader, found, shape)
        if heap is None:
            return Place(path, "kept", shape=shape, why="strings that libhdf5 alone can find")
        return Place(path, "heap", "", shape, heap)
    return _library(reader, held, path, shape, where)


def _compact(
    reader: Hdf5Reader, held: h5py.Dataset, path: str, shape: tuple[int, ...], code: str | None
) -> Place:
    """Elements within the object's header: a layout message is version, class 0, size, elements."""
    kind = held.id.get_type()
    info = h5py.h5o.get_info(held.id)
    size = math.prod(shape) * kind.get_size()
    if code is not None and info.hdr.version == 1:  # later ones have a checksum
        array = np.empty(shape, f"V{kind.get_size()}")
        held.id.read(h5py.h5s.ALL, h5py.h5s.ALL, array, mtype=kind)
        start = int(info.addr) + int(reader.root.file.userblock_size)
        header = reader.bytes_at(start, min(int(info.hdr.space.total), reader.size - start))
        message = struct.pack("<BH", 0, size) + array.tobytes()
        if header.count(message) == 1:
            offset = start + header.index(message) + 3
            return Place(path, "span", code, shape, ((offset, size),))
    return Place(path, "kept", shape=shape, why="its elements are in a header with a checksum")


def _code(held: h5py.Dataset) -> str | None:
    """numpy's code of the elements as they are stored; opaque where numpy has none."""
    stored = held.id.get_type()
    size = stored.get_size()
    if stored.get_class() in (h5py.h5t.VLEN, h5py.h5t.REFERENCE):
        return None
    if stored.get_class() == h5py.h5t.STRING:
        return None if stored.is_variable_str() else f"|S{size}"
    opaque = f"|V{size}"
    try:
        dtype = held.dtype
        if dtype.hasobject:
            return None
        same = stored.equal(h5py.h5t.py_create(dtype, logical=True))
    except (TypeError, ValueError):
        return opaque
    plain = dtype.kind in "biufc" and dtype.itemsize == size and same
    return dtype.str if plain else opaque


def _runs(
    held: h5py.Dataset, plist: Any, shape: tuple[int, ...], itemsize: int
) -> Place | None:
    """The place of what is stored as it is: span or chunks."""
    if plist.get_layout() == h5py.h5d.CONTIGUOUS:
        offset = held.id.get_offset()
        if offset is None:
            return None
        length = math.prod(shape) * itemsize
        return Place("", "span", "", shape, ((int(offset), length),))
    chunk = tuple(map(int, plist.get_chunk()))
    wanted = math.prod(-(-s // c) for s, c in zip(shape, chunk, strict=True))
    count = held.id.get_num_chunks()
    if plist.get_nfilters() or count != wanted or count > _MOST_CHUNKS:
        return None
    at, origins = [], []
    for info in sorted(_chunks(held), key=lambda info: info.byte_offset):
        at.append((int(info.byte_offset), int(info.size)))
        origins.append(tuple(map(int, info.chunk_offset)))
        if info.size != math.prod(chunk) * itemsize:
            raise CorruptFileError("an unfiltered chunk of another size than chunks have")
    return Place("", "chunks", "", shape, tuple(at), chunk, tuple(origins))


def _chunks(held: h5py.Dataset) -> Iterator[Any]:
    for index in range(held.id.get_num_chunks()):
        yield held.id.get_chunk_info(index)


def _library(
    reader: Hdf5Reader, held: h5py.Dataset, path: str, shape: tuple[int, ...], where: Where
) -> Place:
    try:
        check_filters(held, where)
    except UnsupportedError as error:
        return Place(path, "kept", shape=shape, why=error.what)
    dtype = held.dtype
    if dtype.kind not in "biufcS" and not (dtype.kind == "V" and not dtype.names):
        return Place(path, "kept", shape=shape, why=f"filtered elements of type {dtype}")
    code = np.dtype(dtype.str).str
    piece = reader.elements(held, np.dtype(code), shape, key_of(path))
    at: tuple[tuple[int, int], ...] = ()
    if held.chunks:
        at = tuple(sorted((int(i.byte_offset), int(i.size)) for i in _chunks(held)))
    return Place(path, "library", code, shape, at, held.chunks or (), elements=piece)


def _heap(
    reader: Hdf5Reader, found: Place, shape: tuple[int, ...]
) -> tuple[tuple[int, int], ...] | None:
    """The runs of variable-length strings; None where they share bytes, or fit no pattern."""
    if reader.root.file.id.get_create_plist().get_sizes() != (8, 8):
        return None
    read = reader.bytes_at
    raw = bytearray(math.prod(shape) * _ELEMENT.size)
    if found.how == "span":
        raw[:] = read(*found.at[0])
    else:
        for (offset, length), origin in zip(found.at, found.origins, strict=True):
            data = read(offset, length)
            for run in runs(shape, found.chunk, origin, _ELEMENT.size):
                raw[run.array : run.array + run.length] = data[run.chunk : run.chunk + run.length]
    base = int(reader.root.file.userblock_size)
    heaps: dict[int, dict[int, tuple[int, int]]] = {}
    out: list[tuple[int, int]] = []
    for length, address, index in _ELEMENT.iter_unpack(raw):
        if not length:
            out.append((0, 0))
            continue
        if address not in heaps:
            with located(offset=base + address):
                heaps[address] = _collection(reader, base + address)
        offset, size = heaps[address].get(index, (0, -1))
        if size != length:
            return None
        out.append((offset, length))
    filled = [run for run in out if run[1]]
    return tuple(out) if len(set(filled)) == len(filled) else None


def _collection(reader: Hdf5Reader, start: int) -> dict[int, tuple[int, int]]:
    """The objects of a global heap collection: index -> (offset in the file, size)."""
    head = reader.bytes_at(start, 16)
    (size,) = struct.unpack_from("<Q", head, 8)
    if head[:5] != b"GCOL\x01":
        raise CorruptFileError(
            "no global heap", expected=b"GCOL\x01".hex(" "), found=head[:5].hex(" ")
        )
    data = reader.bytes_at(start, size)
    found: dict[int, tuple[int, int]] = {}
    at = 16
    while at + 16 <= size:
        index, length = struct.unpack_from("<H6xQ", data, at)
        if not index:
            break
        found[index] = (start + at + 16, length)
        at += 16 + -(-length // 8) * 8
    return found


def text_of(place: Place, reader: Hdf5Reader) -> list[bytes]:
    """The strings of a heap, flattened in C order."""
    return [reader.bytes_at(offset, length) for offset, length in place.at]


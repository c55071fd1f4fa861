"""An HDF5 file changed in its structure: datasets of another shape, more or fewer; attributes.

libhdf5 amends a copy, so what is not named stays as it is: creation properties, order, links.
repack.py then leaves behind the room that this freed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from modelfmt.errors import MismatchError, MissingError, ModelFormatError, UnsupportedError, Where
from modelfmt.storage.files import Piece, iterate_piece
from modelfmt.storage.hdf5.attributes import copy_attributes, put, remove
from modelfmt.storage.hdf5.door import key_of, translated
from modelfmt.storage.tree import slabs

_SLAB = 8 << 20


@dataclasses.dataclass
class Elements:
    """A dataset's elements to write.

    Attributes:
        path: of the dataset.
        shape: what it is to have.
        code: numpy's, of the elements in ``piece``.
        piece: elements in C order; nothing where there are strings.
        strings: flattened in C order, for a dataset of variable-length strings.
        fresh: there is no such dataset yet.
        attributes: of a fresh one.
        stored: numpy's code of the type that it is to have from now on; "" for the old one.
    """

    path: str
    shape: tuple[int, ...]
    code: str = ""
    piece: Piece = b""
    strings: list[bytes] | None = None
    fresh: bool = False
    attributes: dict[str, str] = dataclasses.field(default_factory=dict)
    stored: str = ""


@dataclasses.dataclass
class Amendments:
    """What is to be different; ``attributes`` are (object, name, value), None to delete."""

    removed: list[str] = dataclasses.field(default_factory=list)
    elements: list[Elements] = dataclasses.field(default_factory=list)
    attributes: list[tuple[str, str, Any]] = dataclasses.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.removed or self.elements or self.attributes)


def amend(path: str, amendments: Amendments) -> None:
    """Amend the HDF5 file at ``path``, which is a copy that nobody else reads.

    Raises:
        MissingError: an object that there is not.
        MismatchError: a fresh dataset where something stands.
        UnsupportedError: a shape that the dataset's chunks cannot have.
        ModelFormatError: what libhdf5 refuses.
    """
    with translated(path, None, ModelFormatError), h5py.File(path, "r+") as file:
        for name in amendments.removed:
            held = _dataset(path, file, name)
            for group, link in list(_links(file, _address(held))):
                group.unlink(link)
        for elements in amendments.elements:
            with translated(path, key_of(elements.path), ModelFormatError):
                made = _fresh(file, elements) if elements.fresh else _renewed(
                    file, _dataset(path, file, elements.path), elements.shape, elements.stored
                )
                _fill(made, elements)
        for at, name, value in amendments.attributes:
            held = file[at or "/"]
            if value is None:
                remove(path, held, at, name)
            else:
                put(path, held, at, name, value)


def _dataset(path: str, file: h5py.File, name: str) -> h5py.Dataset:
    held = file.get(name)
    if not isinstance(held, h5py.Dataset):
        raise MissingError("no such dataset", where=Where(path, key_of(name)))
    return held


def _address(held: Any) -> Any:
    return h5py.h5o.get_info(held.id).addr


def _links(file: h5py.File, address: Any) -> Iterator[tuple[Any, bytes]]:
    """Every hard link to an object: the group's id, and the name in it."""
    seen = set()
    pending: list[h5py.Group] = [file["/"]]
    while pending:
        group = pending.pop()
        if _address(group) in seen:
            continue
        seen.add(_address(group))
        for name in list(group.id):
            if group.id.links.get_info(name).type != h5py.h5l.TYPE_HARD:
                continue
            held = group[name]
            if _address(held) == address:
                yield group.id, name
            if isinstance(held, h5py.Group):
                pending.append(held)


def _renewed(
    file: h5py.File, old: h5py.Dataset, shape: tuple[int, ...], stored: str
) -> h5py.Dataset:
    """An empty dataset in the place of one, with its properties; no times."""
    plist = old.id.get_create_plist()
    plist.set_obj_track_times(False)
    limits: Any = None
    if plist.get_layout() == h5py.h5d.CHUNKED:
        old_limits = old.maxshape
        if len(old_limits) != len(shape):
            raise UnsupportedError(
                "a chunked dataset of another rank", expected=len(old_limits), found=len(shape)
            )
        limits = tuple(
            h5py.h5s.UNLIMITED if most is None else max(size, most if most != now else 0)
            for size, most, now in zip(shape, old_limits, old.shape, strict=True)
        )
        plist.set_chunk(tuple(
            chunk if most == h5py.h5s.UNLIMITED else max(1, min(chunk, most))
            for chunk, most in zip(plist.get_chunk(), limits, strict=True)
        ))
    space = h5py.h5s.create_simple(shape, limits) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
    kind = h5py.h5t.py_create(np.dtype(stored)) if stored else old.id.get_type()
    if stored and np.dtype(stored) != old.dtype:
        plist.set_fill_value(np.zeros((), stored))
    made = h5py.h5d.create(file.id, None, kind.copy() if kind.committed() else kind, space, plist)
    renewed = h5py.Dataset(made)
    copy_attributes(old, renewed)
    for group, name in list(_links(file, _address(old))):
        behind = _behind(group, name)
        group.unlink(name)
        h5py.h5o.link(made, group, name)
        for after in behind:  # a link moved is a link made: the last
            group.move(after, b"\x01moved")
            group.move(b"\x01moved", after)
    return renewed


def _behind(group: Any, name: bytes) -> list[bytes]:
    """Links created after one, where the group remembers; else none."""
    held = h5py.Group(group)
    order = group.get_create_plist().get_link_creation_order()
    if not order & h5py.h5p.CRT_ORDER_TRACKED:
        return []
    names = [n.encode("utf-8", "surrogateescape") for n in held]
    return names[names.index(name) + 1 :]


def _fresh(file: h5py.File, elements: Elements) -> h5py.Dataset:
    if elements.path in file:
        raise MismatchError("there is such an object already")
    folder, _, name = elements.path.strip("/").rpartition("/")
    group = file.require_group(folder) if folder else file["/"]
    dtype = h5py.string_dtype() if elements.strings is not None else np.dtype(elements.code)
    made = group.create_dataset(name, elements.shape, dtype, track_times=False)
    for key, value in elements.attributes.items():
        made.attrs[key] = value
    return made


def _fill(held: h5py.Dataset, elements: Elements) -> None:
    """Write a dataset's elements, some MiB at a time."""
    if elements.strings is not None:
        values = np.empty(len(elements.strings), object)
        values[:] = elements.strings
        if values.size:
            held[...] = values.reshape(elements.shape)
        return
    code = np.dtype(elements.code)
    if not held.size:
        return
    stored = held.id.get_type()
    raw = elements.code.startswith("|V") and stored.get_size() == code.itemsize
    data = _Stream(elements.piece)
    for selection in slabs(elements.shape, code.itemsize, held.chunks, _SLAB):
        shape = _extent(elements.shape, selection)
        array = np.frombuffer(
            data.read(int(np.prod(shape, dtype=int)) * code.itemsize), code
        ).reshape(shape)
        if not raw:
            held[selection] = array
            continue
        start = tuple(s.start if isinstance(s, slice) else s for s in selection)
        start += (0,) * (len(elements.shape) - len(start))
        count = (1,) * (len(elements.shape) - len(shape)) + tuple(shape)
        if not elements.shape:
            held.id.write(h5py.h5s.ALL, h5py.h5s.ALL, array, mtype=stored)
            continue
        there = held.id.get_space()
        there.select_hyperslab(start, count)
        held.id.write(h5py.h5s.create_simple(count), there, array.reshape(count), mtype=stored)


def _extent(shape: tuple[int, ...], selection: tuple[slice | int, ...]) -> tuple[int, ...]:
    """The shape of a selection that ``slabs`` makes."""
    chosen = [s.stop - s.start for s in selection if isinstance(s, slice)]
    return (*chosen, *shape[len(selection) :])


class _Stream:
    """The bytes of a piece, some at a time."""

    def __init__(self, piece: Piece) -> None:
        self._chunks = iter(iterate_piece(piece))
        self._rest = b""

    def read(self, size: int) -> bytes:
        parts, missing = [self._rest], size - len(self._rest)
        while missing > 0:
            parts.append(bytes(next(self._chunks)))
            missing -= len(parts[-1])
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]

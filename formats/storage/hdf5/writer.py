"""HDF5 written anew: libhdf5 allocates the room, the pieces fill it, so memory stays bounded."""

from __future__ import annotations

import math
import os
from typing import Any

import h5py
import numpy as np

from modelfmt.errors import MismatchError, ModelFormatError, UnsupportedError, Where
from modelfmt.storage.files import Piece, piece_length, write_pieces
from modelfmt.storage.hdf5.door import key_of, little, translated
from modelfmt.storage.tree import Hdf5Array, Hdf5Group

ATTRIBUTE_LIMIT = 64512  # what Keras and libhdf5's 64 KiB object header leave to a value


class AttributeTooLargeError(UnsupportedError):
    """An attribute above what an HDF5 object header holds; the caller must split it."""


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
        translated(path, None, ModelFormatError),
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
        with translated(file, key_of(below), ModelFormatError):
            if name in ("", ".", "..") or "/" in name:
                raise MismatchError(
                    "not a name of an HDF5 object", where=Where(file, key_of(below))
                )
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
    dtype = little(array.dtype)
    wanted = math.prod(array.shape) * dtype.itemsize
    if piece_length(array.piece) != wanted:
        raise MismatchError(
            f"the payload is not that of {dtype} {list(array.shape)}",
            where=Where(file, key_of(path)),
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
        key = f'{key_of(path)}, attribute "{name}"'
        with translated(file, key, ModelFormatError):
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

"""Keras' tensors in HDF5: how datasets become Tensors, and name lists become attributes.

    bfloat16        opaque |V2 elements, the dataset's attribute ``dtype`` says "bfloat16"
    a list of names one attribute; above 64,512 bytes split over ``layer_names0``, ``1``, ...
    no names        an empty float64 array

Source: Keras legacy_h5_format.py (HDF5_OBJECT_HEADER_LIMIT) and saving_lib.py (H5IOStore).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from modelfmt import dtypes
from modelfmt.errors import CorruptFileError, MissingError, UnsupportedError, Where, located
from modelfmt.storage.files import Piece
from modelfmt.storage.hdf5 import ATTRIBUTE_LIMIT, Hdf5Array, Hdf5Group, Hdf5Reader
from modelfmt.tensor import Tensor

_REFERENCE = 16  # bytes that a variable-length string takes in an attribute


class StoredTensors(Mapping[str, Tensor]):
    """Every dataset of an HDF5 file by its path, described when it is asked for.

    Args:
        reader: of the file.
        path: for errors.
        order: puts the paths in the order that the file states elsewhere; else by name.
    """

    def __init__(
        self, reader: Hdf5Reader, path: str,
        order: Callable[[list[str]], Iterable[str]] | None = None,
    ) -> None:
        self._reader = reader
        self._path = path
        self._order = order or list
        self._names: dict[str, None] | None = None
        self._known: dict[str, Tensor] = {}

    def _listed(self) -> dict[str, None]:
        if self._names is None:
            found = [n for n in self._reader.walk() if self._reader.kind(n) == "dataset"]
            self._names = dict.fromkeys(self._order(found))
        return self._names

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._known and name not in self._listed():
            close = difflib.get_close_matches(name, list(self._listed()), n=3)
            raise MissingError(
                f"no tensor {name!r}", close_matches=close, where=Where(self._path)
            )
        return self.at(name)

    def at(self, name: str) -> Tensor:
        """The tensor at a path that the file itself states: the others are not listed for it."""
        if name not in self._known:
            self._known[name] = read_tensor(self._reader, name, self._path)
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._listed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed())

    def __len__(self) -> int:
        return len(self._listed())


def read_tensor(reader: Hdf5Reader, key: str, path: str) -> Tensor:
    """The dataset at ``key`` as a Tensor of that name, its payload unread.

    Raises:
        MissingError: no such dataset.
        UnsupportedError: elements that no dtype describes.
    """
    with located(path=path):
        found = reader.dataset(key)
    where = Where(path, key)
    if found.strings is not None:
        return Tensor(key, dtypes.string, found.shape, origin=where, strings=found.strings)
    with located(path=path, key=key):
        dtype = _dtype(found.dtype, found.attributes.get("dtype"))
    return Tensor(key, dtype, found.shape, found.piece, where)


def _dtype(stored: Any, stated: Any) -> dtypes.DType:
    if stored.kind != "V":
        return dtypes.from_numpy(stored)
    if not isinstance(stated, str):
        raise UnsupportedError("opaque elements without an attribute that names their dtype")
    dtype = dtypes.from_name(stated)
    if dtype.itemsize != stored.itemsize:
        raise CorruptFileError(
            f"elements of {stated} have another size",
            expected=dtype.itemsize, found=stored.itemsize,
        )
    return dtype


def write_tensor(tensor: Tensor) -> Hdf5Array:
    """The twin of ``read_tensor``: a dataset, its payload still a Piece."""
    import numpy as np

    if tensor.strings is not None:
        return Hdf5Array(np.dtype(object), tensor.shape, b"", strings=tensor.strings())
    dtype = tensor.dtype.numpy
    if tensor.dtype.code.startswith("ml:"):
        named = {"dtype": tensor.dtype.name}
        return Hdf5Array(np.dtype(f"V{dtype.itemsize}"), tensor.shape, tensor.payload, named)
    return Hdf5Array(dtype, tensor.shape, tensor.payload)


def elements_of(tensor: Tensor) -> Piece | list[bytes]:
    """What takes the place of a dataset's elements: its payload, or its strings."""
    return tensor.payload if tensor.strings is None else tensor.strings()


def read_names(reader: Hdf5Reader, path: str, name: str) -> list[str] | None:
    """The name list ``name`` of a group, chunks put together; None where there is none.

    Raises:
        CorruptFileError: the attribute is not a list of text.
    """
    whole = reader.attribute(path, name)
    if whole is not None:
        return _texts(whole, path, name, reader.path)
    found: list[str] = []
    number = 0
    while (chunk := reader.attribute(path, f"{name}{number}")) is not None:
        found += _texts(chunk, path, name, reader.path)
        number += 1
    return found if number else None


def _texts(value: Any, path: str, name: str, file: str | None) -> list[str]:
    if not isinstance(value, list) and getattr(value, "size", None) == 0:
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise CorruptFileError(
            "no list of names", where=Where(file, f'HDF5 "{path}", attribute "{name}"'),
            found=f"{value!r:.60}",
        )
    return value


def write_names(name: str, names: Sequence[str]) -> dict[str, Any]:
    """The twin of ``read_names``: one attribute, or as many chunks as Keras makes.

    Raises:
        UnsupportedError: one name alone is larger than an attribute.
    """
    import numpy as np

    raw = [text.encode() for text in names]
    if any(len(text) > ATTRIBUTE_LIMIT for text in raw):
        raise UnsupportedError(f"a name in {name} is longer than {ATTRIBUTE_LIMIT} bytes")
    array = np.asarray(raw)
    chunks, count = [array], 1
    while any(max(c.nbytes, _REFERENCE * c.size) > ATTRIBUTE_LIMIT for c in chunks):
        count += 1
        chunks = np.array_split(array, count)
    if count == 1:
        return {name: list(names)}
    return {f"{name}{k}": np.asarray(chunk.tolist()) for k, chunk in enumerate(chunks)}


def group_at(root: Hdf5Group, path: str) -> Hdf5Group:
    """The group at ``path`` below ``root``, made with all that lead to it."""
    for part in path.split("/"):
        member = root.members.setdefault(part, Hdf5Group())
        if not isinstance(member, Hdf5Group):
            raise UnsupportedError(f'"{part}" of "{path}" is to be a group and a dataset')
        root = member
    return root


def put(root: Hdf5Group, path: str, tensor: Tensor) -> None:
    """Place a dataset at ``path`` below ``root``. Raises UnsupportedError where one stands."""
    folder, _, name = path.rpartition("/")
    group = group_at(root, folder) if folder else root
    if name in group.members:
        raise UnsupportedError(f'two tensors want the HDF5 path "{path}"')
    group.members[name] = write_tensor(tensor)

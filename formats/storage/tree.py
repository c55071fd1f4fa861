"""What an HDF5 file holds, as plain descriptions: datasets found, and a tree to write."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from modelfmt.errors import MismatchError
from modelfmt.storage.files import Piece

if TYPE_CHECKING:
    import numpy as np


@dataclasses.dataclass(frozen=True)
class Hdf5Dataset:
    """One dataset that was found; nothing of its payload is read yet.

    Attributes:
        path: in the HDF5 tree, without leading slash.
        dtype: little-endian; ``object`` for variable-length strings.
        shape: sizes, outermost first.
        piece: C-order little-endian bytes; empty for variable-length strings. A Computed
            piece needs its reader open.
        attributes: as ``Hdf5Reader.attributes`` gives them.
        strings: reads the elements of a string dataset, flattened in C order; None for numbers.
    """

    path: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    piece: Piece
    attributes: dict[str, Any]
    strings: Callable[[], list[bytes]] | None = None


@dataclasses.dataclass
class Hdf5Array:
    """A dataset to write; ``strings``, if given, become a variable-length UTF-8 dataset.

    ``piece`` holds C-order little-endian bytes.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    piece: Piece = b""
    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)
    strings: Sequence[str | bytes] | None = None


@dataclasses.dataclass
class Hdf5Group:
    """A group to write, members in the order in which they are created."""

    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)
    members: dict[str, Hdf5Group | Hdf5Array] = dataclasses.field(default_factory=dict)

    def group(self, path: str) -> Hdf5Group:
        """The group at ``path`` below this one, made with all groups on the way if need be.

        Raises:
            MismatchError: a dataset stands in the way.
        """
        found = self
        for part in path.split("/"):
            if part:
                below = found.members.setdefault(part, Hdf5Group())
                if not isinstance(below, Hdf5Group):
                    raise MismatchError(
                        f"HDF5 path {path!r} leads through a dataset",
                        expected="a group", found=f"dataset {part!r}",
                    )
                found = below
        return found

    def put(self, path: str, array: Hdf5Array) -> None:
        """Put a dataset at ``path``, with all groups on the way.

        Raises:
            MismatchError: the name is taken, or a dataset stands in the way.
        """
        folder, _, name = path.rpartition("/")
        members = self.group(folder).members
        if name in members:
            raise MismatchError(f"two HDF5 objects named {path!r}")
        members[name] = array


def slabs(
    shape: Sequence[int], itemsize: int, chunks: Sequence[int] | None, limit: int
) -> Iterator[tuple[slice | int, ...]]:
    """Selections that cover an array in C order, each of at most ``limit`` bytes.

    They begin at multiples of the chunk size where a chunk's rows fit into ``limit``.
    """
    axis = 0
    while axis < len(shape) and math.prod(shape[axis + 1 :]) * itemsize > limit:
        axis += 1
    if axis == len(shape):  # a scalar, or elements above the limit
        yield from itertools.product(*map(range, shape))
        return
    step = max(1, limit // max(1, math.prod(shape[axis + 1 :]) * itemsize))
    if chunks is not None and step > chunks[axis]:
        step -= step % chunks[axis]
    for index in itertools.product(*map(range, shape[:axis])):
        for start in range(0, shape[axis], step):
            yield (*index, slice(start, min(start + step, shape[axis])))

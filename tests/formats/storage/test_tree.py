"""Descriptions of HDF5 trees, and the slabs a dataset is read in."""

import math

import numpy as np
import pytest

from modelfmt.errors import MismatchError
from modelfmt.storage.tree import Hdf5Array, Hdf5Group, slabs

ONE = Hdf5Array(np.dtype("u1"), (), b"1")


def test_put_makes_the_groups_on_the_way() -> None:
    root = Hdf5Group()
    root.put("/a/b/c", ONE)
    assert root.group("a/b").members == {"c": ONE}
    assert root.group("") is root
    root.group("a/d")
    assert list(root.members["a"].members) == ["b", "d"]


def test_put_refuses_collisions() -> None:
    root = Hdf5Group()
    root.put("a/b", ONE)
    with pytest.raises(MismatchError, match="two HDF5 objects"):
        root.put("a/b", ONE)
    with pytest.raises(MismatchError, match="through a dataset"):
        root.put("a/b/c", ONE)


@pytest.mark.parametrize("shape", [(), (7,), (5, 4), (3, 2, 5), (0, 4), (4, 0)])
@pytest.mark.parametrize("limit", [2, 8, 16, 40, 1000])
@pytest.mark.parametrize("chunk", [None, 1, 2])
def test_slabs_cover_in_c_order_within_the_limit(
    shape: tuple[int, ...], limit: int, chunk: int | None
) -> None:
    values = np.arange(math.prod(shape), dtype="<i2").reshape(shape)
    chunks = None if chunk is None else (chunk,) * len(shape)
    parts = [np.asarray(values[s]).tobytes() for s in slabs(shape, 2, chunks, limit)]
    assert b"".join(parts) == values.tobytes()
    assert all(len(part) <= limit for part in parts)


def test_slabs_begin_at_chunks() -> None:
    assert list(slabs((10,), 1, (4,), 7)) == [(slice(0, 4),), (slice(4, 8),), (slice(8, 10),)]

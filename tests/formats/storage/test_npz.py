"""npz archives read: where each array's elements stand, and what is no array."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelfmt.errors import CorruptFileError, ModelFormatError, TruncatedError, UnsupportedError
from modelfmt.storage.files import FileSpan, piece_bytes
from modelfmt.storage.npz import NpzReader, read_npy_head

ARRAYS: dict[str, Any] = {
    "plain": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big": np.arange(3, dtype=">i4"),
    "big_fortran": np.asfortranarray(np.arange(6, dtype=">f8").reshape(3, 2)),
    "scalar": np.array(7, np.int8),
    "empty": np.zeros((0, 4)),
}


@pytest.mark.parametrize("packed", [False, True])
def test_elements_in_c_order_little_endian(packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    (np.savez_compressed if packed else np.savez)(path, **ARRAYS)
    reader = NpzReader(path)
    assert list(reader) == list(ARRAYS)
    for name, array in ARRAYS.items():
        head, elements = reader.array(name)
        assert (head.shape, head.dtype) == (array.shape, array.dtype)
        wanted = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        assert bytes(piece_bytes(elements)) == wanted
    assert isinstance(reader.array("plain")[1], FileSpan) is not packed
    reader.close()


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{}], object))
    with pytest.raises(UnsupportedError, match='array "x": an array of Python objects'):
        NpzReader(tmp_path / "a.npz").array("x")


def damaged(tmp_path: Path, body: bytes) -> NpzReader:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", body)
    return NpzReader(tmp_path / "a.npz")


def test_another_length_than_it_says(tmp_path: Path) -> None:
    whole = io.BytesIO()
    np.save(whole, np.zeros(4, np.float32))
    with pytest.raises(CorruptFileError, match="expected 16 bytes, found 15 bytes"):
        damaged(tmp_path, whole.getvalue()[:-1]).array("x")


@pytest.mark.parametrize(
    "body", [b"", b"text", b"\x93NUMPY\x09\x00", b"\x93NUMPY\x01\x00\x04\x00x"]
)
def test_no_array(body: bytes, tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match=r'a.npz.*array "x": not a .npy'):
        damaged(tmp_path, body).array("x")


def test_the_head_alone() -> None:
    whole = io.BytesIO()
    np.save(whole, np.zeros((2, 3), np.uint16))
    head = read_npy_head(whole.getvalue())
    assert (head.shape, head.dtype, head.is_fortran) == ((2, 3), np.uint16, False)
    assert head.length == len(whole.getvalue()) - 12


def test_cut_off(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **ARRAYS)
    data = (tmp_path / "a.npz").read_bytes()
    for length in range(4, len(data), 97):
        (tmp_path / "b.npz").write_bytes(data[:length])
        with pytest.raises((TruncatedError, ModelFormatError)):
            NpzReader(tmp_path / "b.npz")

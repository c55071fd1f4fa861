"""Guards: files that cannot be opened, datasets that must not be read."""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelfmt.errors import (
    CorruptFileError,
    TruncatedError,
    UnknownFormatError,
    UnsafeFileError,
    Where,
)
from modelfmt.storage.hdf5.guards import check_filters, check_storage, unopened
from modelfmt.storage.superblock import MAGIC


def test_why_a_file_did_not_open(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w", userblock_size=1024) as file:
        file["x"] = np.zeros(10)
    data = (tmp_path / "f.h5").read_bytes()
    where = Where("f.h5")

    def why(data: bytes) -> Exception:
        return unopened(io.BytesIO(data), len(data), where, "some  reason")

    assert isinstance(why(b"text" * 500), UnknownFormatError)
    assert isinstance(why(b""), UnknownFormatError)
    cut = why(data[:-8])
    assert isinstance(cut, TruncatedError) and cut.wanted - cut.available == 8
    assert isinstance(why(MAGIC), TruncatedError)
    whole = why(data)
    assert isinstance(whole, CorruptFileError) and str(whole) == "f.h5: HDF5: some reason."


def test_storage(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((3,), "<f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3,))
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["x"] = np.zeros(10)
        file.create_dataset("external", (4,), "u1", external=[("/etc/passwd", 0, 4)])
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("bomb", (1 << 31,), "u1", chunks=(1 << 20,), compression=1)
        check_storage(file["x"], 1000, Where())
        check_filters(file["bomb"], Where())
        for name, words in (
            ("external", "other files"), ("virtual", "virtual"), ("bomb", "absurdly"),
        ):
            with pytest.raises(UnsafeFileError, match=words):
                check_storage(file[name], 1000, Where())
        check_storage(file["bomb"], 1 << 22, Where())

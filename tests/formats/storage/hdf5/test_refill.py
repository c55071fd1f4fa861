"""Other elements in place: spans, chunks, strings; through libhdf5 where they are packed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from modelfmt.errors import MismatchError
from modelfmt.storage.files import Piece, SourceFile, piece_bytes
from modelfmt.storage.hdf5 import Hdf5Reader
from modelfmt.storage.hdf5.amend import Amendments
from modelfmt.storage.hdf5.moving import Links
from modelfmt.storage.hdf5.refill import refill, refilled, rewritten

DATA = np.arange(35, dtype="<f4").reshape(5, 7)


def build(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["g/plain"] = DATA
        file["alias"] = file["g/plain"]
        file.create_dataset("big", data=DATA.astype(">f4"))
        file.create_dataset("chunks", data=DATA, chunks=(2, 3))
        file.create_dataset("packed", data=DATA, chunks=(2, 3), compression="gzip")
        file.create_dataset("texts", data=["ab", "cde"], dtype=h5py.string_dtype())
        file.create_dataset("fixed", data=np.array([b"ab", b"c"], "S4"))


def edited(path: Path, new: dict[str, Piece | list[bytes]]) -> tuple[bytes, Path]:
    out = path.with_name("out.h5")
    with SourceFile(path) as source, Hdf5Reader(source) as reader:
        data = b"".join(map(piece_bytes, refilled(reader, new, str(out))))
    out.write_bytes(data)
    assert [n for n in os.listdir(path.parent) if n.endswith(".tmp")] == []
    return data, out


@pytest.mark.parametrize("name", ["g/plain", "alias", "big", "chunks"])
def test_numbers_in_place(tmp_path: Path, name: str) -> None:
    build(tmp_path / "x.h5")
    before = (tmp_path / "x.h5").read_bytes()
    after, out = edited(tmp_path / "x.h5", {name: (DATA + 1).tobytes()})
    assert 0 < sum(a != b for a, b in zip(before, after, strict=True)) <= DATA.nbytes
    with h5py.File(out) as file:
        np.testing.assert_array_equal(file[name][()], DATA + 1)
        np.testing.assert_array_equal(file["packed"][()], DATA)


def test_strings(tmp_path: Path) -> None:
    build(tmp_path / "x.h5")
    before = (tmp_path / "x.h5").read_bytes()
    new: dict[str, Any] = {"texts": [b"XY", b"uvw"], "fixed": [b"longr"[:4], b""]}
    after, out = edited(tmp_path / "x.h5", new)
    assert len(before) == len(after)
    with h5py.File(out) as file:
        assert file["texts"][()].tolist() == [b"XY", b"uvw"]
        assert file["fixed"][()].tolist() == [b"long", b""]
    _, out = edited(tmp_path / "x.h5", {"texts": [b"a longer text", b""]})
    with h5py.File(out) as file:
        assert file["texts"][()].tolist() == [b"a longer text", b""]


def test_packed_elements_go_through_the_library(tmp_path: Path) -> None:
    build(tmp_path / "x.h5")
    _, out = edited(tmp_path / "x.h5", {"packed": (DATA + 1).tobytes(), "g/plain": DATA.tobytes()})
    with h5py.File(out) as file:
        np.testing.assert_array_equal(file["packed"][()], DATA + 1)
        assert file["packed"].compression == "gzip" and file["packed"].chunks == (2, 3)


def test_what_does_not_fit(tmp_path: Path) -> None:
    build(tmp_path / "x.h5")
    with Hdf5Reader(tmp_path / "x.h5") as reader:
        with pytest.raises(MismatchError, match="another size"):
            refill(reader, {"g/plain": b"1234"})
        with pytest.raises(MismatchError, match="has room for"):
            refill(reader, {"fixed": [b"much too long", b""]})


def test_amended_and_moved(tmp_path: Path) -> None:
    build(tmp_path / "x.h5")
    with SourceFile(tmp_path / "x.h5") as source, Hdf5Reader(source) as reader:
        links = Links(cut=["packed"], moved=[("", {"chunks": "cut"})])
        changes = Amendments(attributes=[("g", "note", "new")])
        pieces = rewritten(reader, [source.span()], changes, str(tmp_path / "out.h5"), links)
        (tmp_path / "out.h5").write_bytes(b"".join(map(piece_bytes, pieces)))
    with h5py.File(tmp_path / "out.h5") as file:
        assert sorted(file) == ["alias", "big", "cut", "fixed", "g", "texts"]
        assert file["g"].attrs["note"] == "new"

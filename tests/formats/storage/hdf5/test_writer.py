"""HDF5: what h5py writes is read, what we write h5py reads; abuse gets a named error."""

import io
import os
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from modelfmt.errors import (
    MismatchError,
    ModelFormatError,
)
from modelfmt.storage.files import Computed, piece_bytes
from modelfmt.storage.hdf5 import (
    AttributeTooLargeError,
    Hdf5Array,
    Hdf5Group,
    Hdf5Reader,
    write_hdf5,
)

NUMBERS = np.arange(12, dtype="<f4").reshape(3, 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "f.h5"


def array(values: Any, **attributes: Any) -> Hdf5Array:
    values = np.asarray(values)
    return Hdf5Array(values.dtype, values.shape, values.tobytes(), attributes)


def test_h5py_reads_what_we_write(path: Path) -> None:
    root = Hdf5Group({"version": "1.0", "config": b"{}", "names": ["a", "grün"], "none": []})
    root.put("g/h/x:0", array(NUMBERS, scale=np.float32(2), dims=np.arange(3)))
    root.put("g/s", array(np.int64(5)))
    root.put("g/e", array(np.zeros((0, 3), "<f2")))
    root.put("g/b", array(np.array([True, False])))
    root.put("g/raw", array(np.array([b"\1\2"], "V2"), dtype="odd"))
    root.put("big", array(np.arange(3, dtype=">i4").astype("<i4")))
    root.put("words", Hdf5Array(np.dtype(object), (2,), strings=["a", "grün"]))
    root.group("empty/below")
    write_hdf5(path, root)
    with h5py.File(path) as file:
        assert dict(file.attrs.items()).keys() == {"version", "config", "names", "none"}
        assert (file.attrs["version"], file.attrs["config"]) == ("1.0", "{}")
        assert file.attrs["names"].tolist() == ["a", "grün"]
        assert (file.attrs["none"].dtype, file.attrs["none"].shape) == (np.dtype("f8"), (0,))
        kinds = {name: file.attrs.get_id(name).get_type() for name in file.attrs if name != "none"}
        assert all(kind.is_variable_str() for kind in kinds.values())
        utf8 = {name for name, kind in kinds.items() if kind.get_cset() == h5py.h5t.CSET_UTF8}
        assert utf8 == {"version"}
        np.testing.assert_array_equal(file["g/h/x:0"], NUMBERS)
        assert file["g/h/x:0"].attrs["scale"] == 2
        assert file["g/h/x:0"].attrs["dims"].tolist() == [0, 1, 2]
        assert file["g/s"][()] == 5 and file["g/s"].shape == ()
        assert file["g/e"].shape == (0, 3)
        assert file["g/b"][()].tolist() == [True, False]
        assert file["g/raw"][()].tobytes() == b"\1\2"
        assert file["big"][()].tolist() == [0, 1, 2]
        assert file["words"].asstr()[()].tolist() == ["a", "grün"]
        assert list(file["empty"]) == ["below"]


def test_old_readers_know_the_superblock(path: Path) -> None:
    write_hdf5(path, Hdf5Group())
    assert path.read_bytes()[8] == 0


def test_read_back_and_written_again_is_the_same_file(path: Path, tmp_path: Path) -> None:
    root = Hdf5Group({"names": ["a", "b"], "version": "1"})
    root.put("g/x", array(NUMBERS, unit="m"))
    write_hdf5(path, root)
    with Hdf5Reader(path) as reader:
        found = reader.dataset("g/x")
        again = Hdf5Group(reader.attributes())
        again.put("g/x", Hdf5Array(found.dtype, found.shape, found.piece, found.attributes))
        write_hdf5(tmp_path / "again", again)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_the_clock_leaves_no_trace(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Hdf5Group({"text": "t", "names": ["n"] * 100})
    for index in range(50):
        root.put(f"g/{index}/x", array(np.arange(index)))
    root.put("words", Hdf5Array(np.dtype(object), (1,), strings=["w"]))
    written = []
    for _ in range(2):
        write_hdf5(path, root)
        written.append(path.read_bytes())
        time.sleep(1.1)  # HDF5 counts in seconds
    assert written[0] == written[1]


def test_payloads_are_never_whole_in_memory(path: Path, tmp_path: Path) -> None:
    asked = []

    def produce() -> Any:
        for index in range(64):
            asked.append(index)
            yield bytes([index]) * (1 << 16)

    large = Hdf5Array(np.dtype("u1"), (1 << 22,), Computed(1 << 22, produce))
    write_hdf5(path, Hdf5Group(members={"x": large}))
    assert asked == list(range(64))
    with Hdf5Reader(path) as reader:
        assert piece_bytes(reader.dataset("x").piece) == b"".join(produce())


def test_writes_into_an_open_temporary(path: Path) -> None:
    path.touch(mode=0o600)
    write_hdf5(path, Hdf5Group(members={"x": array(NUMBERS)}))
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("value", [["n"] * 4033, np.zeros(64513, "u1")], ids=["text", "numbers"])
def test_too_large_an_attribute(path: Path, value: Any) -> None:
    with pytest.raises(AttributeTooLargeError, match='attribute "names"'):
        write_hdf5(path, Hdf5Group({"names": value}))
    write_hdf5(path, Hdf5Group({"names": value[:-1], "text": "t" * 100_000}))
    with Hdf5Reader(path) as reader:
        assert len(reader.attribute("/", "names")) == len(value) - 1
        assert len(reader.attribute("/", "text")) == 100_000


def test_what_cannot_be_written_has_a_name(path: Path) -> None:
    with pytest.raises(MismatchError, match="expected 8 bytes, found 4 bytes"):
        write_hdf5(path, Hdf5Group(members={"x": Hdf5Array(np.dtype("<f4"), (2,), b"1234")}))
    with pytest.raises(MismatchError, match="not a name"):
        write_hdf5(path, Hdf5Group(members={"a/b": Hdf5Group()}))
    with pytest.raises(ModelFormatError, match='attribute "nul"'):
        write_hdf5(path, Hdf5Group({"nul": "a\0b"}))
    with pytest.raises(ModelFormatError, match='attribute "object"'):
        write_hdf5(path, Hdf5Group({"object": io}))

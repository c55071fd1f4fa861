"""Places: the bytes that they name are the elements that h5py reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from modelfmt.errors import CorruptFileError, UnsafeFileError
from modelfmt.storage.files import piece_bytes
from modelfmt.storage.hdf5.places import Place, hard_paths, places
from modelfmt.storage.hdf5.reader import Hdf5Reader

NUMBERS = np.arange(20, dtype="<f4").reshape(4, 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "f.h5"


def only(path: Path) -> Place:
    with Hdf5Reader(path) as reader:
        (found,) = places(reader)
    return found


@pytest.mark.parametrize("userblock", [0, 512])
@pytest.mark.parametrize(("value", "code"), [
    (NUMBERS, "<f4"), (NUMBERS.astype(">i8"), ">i8"), (np.array([True]), "|b1"),
    (np.array([b"abc"]), "|S3"), (np.array([(1, 2.5)], "i4,f8"), "|V12"),
    (np.frombuffer(b"abcd", "V2"), "|V2"), (np.float16(3), "<f2"), (np.array([1j]), "<c16"),
])
def test_contiguous(path: Path, value: Any, code: str, userblock: int) -> None:
    with h5py.File(path, "w", userblock_size=userblock) as file:
        file["x"] = value
    found = only(path)
    assert (found.how, found.code, found.shape) == ("span", code, np.asarray(value).shape)
    ((offset, length),) = found.at
    assert path.read_bytes()[offset : offset + length] == np.asarray(value).tobytes()


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("userblock", [0, 512])
def test_chunks(path: Path, userblock: int, libver: str) -> None:
    with h5py.File(path, "w", userblock_size=userblock, libver=libver) as file:
        file.create_dataset("x", data=NUMBERS, chunks=(4, 2))
    found = only(path)
    assert (found.how, found.chunk, sorted(found.origins)) == (
        "chunks", (4, 2), [(0, 0), (0, 2), (0, 4)])
    assert list(found.at) == sorted(found.at)
    at = dict(zip(found.origins, found.at, strict=True))[0, 2]
    assert path.read_bytes()[at[0] : sum(at)] == NUMBERS[:, 2:4].tobytes()


@pytest.mark.parametrize("userblock", [0, 512])
@pytest.mark.parametrize("options", [{}, {"chunks": (2,)}])
def test_strings_in_a_heap(path: Path, options: Any, userblock: int) -> None:
    words = ["ab", "", "grün", "x" * 5000, "cd"]
    with h5py.File(path, "w", userblock_size=userblock) as file:
        file.create_dataset("x", data=words, dtype=h5py.string_dtype(), **options)
    found = only(path)
    data = path.read_bytes()
    assert found.how == "heap"
    assert [data[o : o + n].decode() for o, n in found.at] == words


@pytest.mark.parametrize("options", [
    {"data": NUMBERS, "chunks": (2, 2), "compression": "gzip"},
    {"data": NUMBERS, "chunks": (2, 2), "fletcher32": True},
    {"data": NUMBERS, "chunks": (2, 2), "scaleoffset": 2},
    {"shape": (4, 5), "dtype": "<f4", "fillvalue": 2.0},
    {"shape": (4, 5), "dtype": "<f4", "chunks": (2, 2)},
], ids=str)
def test_what_libhdf5_must_read(path: Path, options: dict[str, Any]) -> None:
    with h5py.File(path, "w") as file:
        expected = file.create_dataset("x", **options)[()]
    with Hdf5Reader(path) as reader:
        (found,) = places(reader)
        assert (found.how, found.code) == ("library", "<f4")
        assert piece_bytes(found.elements) == expected.tobytes()


def test_what_is_kept_has_a_reason(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["null"] = h5py.Empty("f4")
        file.create_dataset("lists", (2,), h5py.vlen_dtype("i4"))
        file["ref"] = np.array([file["lists"].ref], h5py.ref_dtype)
        file.create_dataset("packed", data=["a", "b"], dtype=h5py.string_dtype(),
                            chunks=(1,), compression=1)
        file.create_dataset("pairs", data=np.zeros(2, "i4,f8"), chunks=(1,), compression=1)
    with Hdf5Reader(path) as reader:
        found = {place.path: place for place in places(reader)}
    assert {place.how for place in found.values()} == {"kept"}
    assert all(place.why for place in found.values()) and len(found) == 5


def test_nothing_is_no_bytes(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["numbers"] = np.zeros((0, 3))
        file.create_dataset("words", (0,), h5py.string_dtype())
    with Hdf5Reader(path) as reader:
        numbers, words = places(reader)
    assert (numbers.how, numbers.at, numbers.shape) == ("span", ((0, 0),), (0, 3))
    assert (words.how, words.at) == ("heap", ())


def test_hard_paths_name_an_object_once(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["b/x"] = NUMBERS
        file["a"] = file["b/x"]
        file["b/up"] = file["/"]
        file["soft"] = h5py.SoftLink("/nowhere")
        file["type"] = np.dtype("f4")
    with Hdf5Reader(path) as reader:
        assert list(hard_paths(reader)) == ["", "a", "b", "type"]
        assert [place.path for place in places(reader)] == ["a"]


def test_a_link_out_is_unsafe(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["g/out"] = h5py.ExternalLink("other.h5", "/x")
    with Hdf5Reader(path) as reader, pytest.raises(UnsafeFileError, match=r'"g/out": a link out'):
        list(places(reader))


def test_a_damaged_heap_is_named(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = np.array(["word"], object)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"GCOL", b"GC0L"))
    with Hdf5Reader(path) as reader, pytest.raises(CorruptFileError, match="no global heap"):
        list(places(reader))

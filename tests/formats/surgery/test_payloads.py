"""Elements in files of their own: numpy reads what we write, and we what numpy writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import NOWHERE, CorruptFileError, MismatchError
from modelfmt.storage.files import FileSpan, SourceFile, piece_bytes
from modelfmt.surgery.payloads import (
    dtype_of,
    read_npy,
    read_strings_json,
    write_npy,
    write_strings_json,
)

NUMERIC = [
    "float32", "float64", "int32", "uint8", "int16", "int8", "int64", "bool", "uint16", "uint32",
    "uint64", "complex64", "complex128", "float16", "bfloat16", "float8_e5m2", "int4", "qint8",
    "qint32",
]  # fmt: skip


@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)])
def test_there_and_back(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    dtype = dtypes.from_name(name)
    payload = bytes(i % 2 for i in range(int(np.prod(shape)) * dtype.itemsize))
    path = tmp_path / "x.npy"
    write_npy(str(path), payload, dtype, shape)
    array = np.load(path, allow_pickle=False)
    assert (array.shape, array.tobytes()) == (shape, payload)
    assert array.dtype.kind == "u" if dtype.code.startswith("ml:") else array.dtype == dtype.numpy
    again = tmp_path / "again.npy"
    np.save(again, array)
    assert again.read_bytes() == path.read_bytes()
    with SourceFile(path) as file:
        read = read_npy(file, dtype, shape)
        assert isinstance(read, FileSpan) and read.read() == payload


def test_big_endian_elements_stay_so(tmp_path: Path) -> None:
    write_npy(str(tmp_path / "x.npy"), b"\0\0\0\1", dtypes.int32, (1,), big_endian=True)
    assert np.load(tmp_path / "x.npy").tolist() == [1]
    with SourceFile(tmp_path / "x.npy") as file:
        assert piece_bytes(read_npy(file, dtypes.int32, (1,), big_endian=True)) == b"\0\0\0\1"


def test_fortran_order_is_turned(tmp_path: Path) -> None:
    array = np.arange(6, dtype="<f4").reshape(2, 3)
    np.save(tmp_path / "x.npy", np.asfortranarray(array))
    with SourceFile(tmp_path / "x.npy") as file:
        assert piece_bytes(read_npy(file, dtypes.float32, (2, 3))) == array.tobytes()


@pytest.mark.parametrize(
    "array", [np.zeros((2, 3), "<f8"), np.zeros((3, 2), "<f4"), np.zeros(6, "<f4"),
              np.zeros((2, 3), ">f4"), np.zeros((2, 3), "<i4"), np.zeros((2, 3), "S4")],
)  # fmt: skip
def test_another_dtype_or_shape_is_refused(tmp_path: Path, array: Any) -> None:
    path = tmp_path / "x.npy"
    np.save(path, array)
    with SourceFile(path) as file, pytest.raises(MismatchError, match=r"x\.npy.*float32 \[2, 3\]"):
        read_npy(file, dtypes.float32, (2, 3))


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.array([[{}, {}, {}], [{}, {}, {}]], object), allow_pickle=True)
    with SourceFile(path) as file, pytest.raises(MismatchError, match="object"):
        read_npy(file, dtypes.float32, (2, 3))


@pytest.mark.parametrize("cut", [0, 5, 20, 130, -1])
def test_a_cut_file(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((2, 3), "<f4"))
    path.write_bytes(path.read_bytes()[:cut])
    with SourceFile(path) as file, pytest.raises(CorruptFileError):
        read_npy(file, dtypes.float32, (2, 3))


def test_strings_there_and_back(tmp_path: Path) -> None:
    values = [b"", b"abc", "größer".encode(), b"\xff\0", b'"\n']
    write_strings_json(str(tmp_path / "x.json"), values, (5,))
    record = json.loads((tmp_path / "x.json").read_text())
    assert record["strings"][1:3] == ["abc", "größer"] and record["shape"] == [5]
    with SourceFile(tmp_path / "x.json") as file:
        assert read_strings_json(file, (5,)) == values


@pytest.mark.parametrize(
    "text", ["", "[]", '{"shape": [1]}', '{"shape": [1], "strings": [3]}', '{"strings": []}',
             '{"shape": [1], "strings": [{"base64": "%"}]}'],
)  # fmt: skip
def test_a_json_of_no_strings(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with SourceFile(tmp_path / "x.json") as file, pytest.raises(CorruptFileError):
        read_strings_json(file, (1,))


@pytest.mark.parametrize("strings", [[], ["a", "b", "c"]])
def test_another_number_of_strings(tmp_path: Path, strings: list[str]) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"shape": [2], "strings": strings}))
    with SourceFile(tmp_path / "x.json") as file, pytest.raises(MismatchError):
        read_strings_json(file, (2,))


def test_a_dtype_that_there_is_not() -> None:
    assert dtype_of("bfloat16", NOWHERE).name == "bfloat16"
    with pytest.raises(CorruptFileError, match="float33"):
        dtype_of("float33", NOWHERE)

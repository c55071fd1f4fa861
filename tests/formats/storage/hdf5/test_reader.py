"""HDF5: what h5py writes is read, what we write h5py reads; abuse gets a named error."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from modelfmt.errors import (
    CorruptFileError,
    MissingError,
    ModelFormatError,
    TruncatedError,
    UnknownFormatError,
    UnsafeFileError,
    UnsupportedError,
)
from modelfmt.storage.files import Computed, FileSpan, SourceFile, piece_bytes
from modelfmt.storage.hdf5 import (
    Hdf5Array,
    Hdf5Reader,
)

NUMBERS = np.arange(12, dtype="<f4").reshape(3, 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "f.h5"


def array(values: Any, **attributes: Any) -> Hdf5Array:
    values = np.asarray(values)
    return Hdf5Array(values.dtype, values.shape, values.tobytes(), attributes)


# Reading: attributes


def test_text_attributes_of_every_storage(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["vlen"] = "grün"
        file.attrs["vlen ascii"] = b"plain"
        file.attrs["fixed"] = np.bytes_("grün".encode())
        file.attrs["fixed list"] = np.array([b"a", b"bcd"])
        file.attrs["vlen list"] = np.array([b"a", b"bcd"], object)
        file.attrs["null"] = h5py.Empty("S1")
    with Hdf5Reader(path) as reader:
        assert reader.attributes() == {
            "vlen": "grün", "vlen ascii": "plain", "fixed": "grün", "null": "",
            "fixed list": ["a", "bcd"], "vlen list": ["a", "bcd"],
        }
        assert type(reader.attribute("/", "fixed")) is str
        assert reader.attribute("/", "absent", 5) == 5


def test_number_attributes_stay_numpy(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["none"] = np.asarray([])
        file.attrs["three"] = np.int32(3)
        file.attrs["row"] = [1.5, 2.5]
    with Hdf5Reader(path) as reader:
        found = reader.attributes("/")
    assert (found["none"].dtype, found["none"].shape) == (np.dtype("f8"), (0,))
    assert type(found["three"]) is np.int32 and found["three"] == 3
    assert found["row"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize("value", [np.bytes_(b"\xff"), b"\xff", np.array([b"a", b"\xff"])])
def test_text_that_is_not_utf8_is_corrupt(path: Path, value: Any) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("g").attrs["bad"] = value
    with Hdf5Reader(path) as reader, pytest.raises(CorruptFileError) as caught:
        reader.attributes("g")
    assert str(caught.value.where) == f'{path}, HDF5 "g", attribute "bad"'


# Reading: the tree


def test_tree(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["b/d:0"] = NUMBERS
        file["b/a"] = 1
        file.create_group("a")
        file["a/back"] = file["b"]  # a second hard link
        file["b/up"] = file["/"]  # a circle
        file["soft"] = h5py.SoftLink("/b/d:0")
    with Hdf5Reader(path) as reader:
        assert reader.members() == ["a", "b", "soft"]
        assert reader.members("a") == ["back"]
        assert list(reader.walk()) == [
            "a", "a/back", "a/back/a", "a/back/d:0", "a/back/up", "b", "soft"
        ]
        assert [reader.kind(p) for p in ("/", "b", "b/d:0", "soft")] == [
            "group", "group", "dataset", "dataset"
        ]
        assert reader.exists("b/a") and not reader.exists("b/zzz")
        assert piece_bytes(reader.dataset("/soft").piece) == NUMBERS.tobytes()


@pytest.mark.parametrize("wrong", ["absent", "g/absent", "d/below", "dangling"])
def test_missing(path: Path, wrong: str) -> None:
    with h5py.File(path, "w") as file:
        file["d"] = NUMBERS
        file.create_group("g")
        file["dangling"] = h5py.SoftLink("/nowhere")
    with Hdf5Reader(path) as reader, pytest.raises(MissingError):
        reader.kind(wrong)
    with Hdf5Reader(path) as reader:
        with pytest.raises(MissingError, match="no such dataset"):
            reader.dataset("g")
        with pytest.raises(MissingError, match="no such group"):
            reader.members("d")


# Reading: payloads


@pytest.mark.parametrize("values", [
    NUMBERS, np.float16(3), np.array([True, False]), np.arange(5, dtype="<u2"),
    np.array([1 + 2j], "<c8"), np.array([b"\1\2", b"\3\0"], "V2"), np.array([b"ab", b"c"]),
], ids=lambda values: values.dtype.str)
def test_contiguous_is_a_span_of_the_file(path: Path, values: Any) -> None:
    with h5py.File(path, "w") as file:
        file["x/y"] = values
        file["x/y"].attrs["dtype"] = "odd"
    with SourceFile(path) as source, Hdf5Reader(source) as reader:
        found = reader.dataset("x/y")
        assert isinstance(found.piece, FileSpan) and found.piece.file is source
        assert found.piece.read() == values.tobytes()
        assert (found.path, found.dtype, found.shape) == ("x/y", values.dtype, values.shape)
        assert found.attributes == {"dtype": "odd"}


def test_user_block_and_enclosing_file_shift_the_span(tmp_path: Path, path: Path) -> None:
    with h5py.File(path, "w", userblock_size=1024) as file:
        file["x"] = NUMBERS
    (tmp_path / "outer").write_bytes(b"prefix!" + path.read_bytes() + b"suffix")
    outer = SourceFile(tmp_path / "outer")
    for source in (path, outer.span(7, path.stat().st_size)):
        with Hdf5Reader(source) as reader:
            piece = reader.dataset("x").piece
            assert isinstance(piece, FileSpan)
            assert piece.read() == NUMBERS.tobytes()


def test_from_bytes(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = NUMBERS
    with Hdf5Reader(path.read_bytes(), "member") as reader:
        piece = reader.dataset("x").piece
        assert isinstance(piece, memoryview) and bytes(piece) == NUMBERS.tobytes()
        with pytest.raises(MissingError, match="member"):
            reader.kind("absent")


@pytest.mark.parametrize("options", [
    {"chunks": (2, 3)}, {"chunks": (2, 3), "compression": "gzip", "shuffle": True},
    {"dtype": ">f4"}, {"chunks": (1, 4), "maxshape": (None, 4), "dtype": ">f4"},
], ids=str)
def test_everything_else_is_computed(
    path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelfmt.storage.hdf5.reader._SLAB", 20)
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=NUMBERS, **options)
    with Hdf5Reader(path) as reader:
        found = reader.dataset("x")
        assert isinstance(found.piece, Computed)
        assert found.dtype == np.dtype("<f4")
        assert max(map(len, found.piece.produce())) <= 20
        assert piece_bytes(found.piece) == NUMBERS.tobytes()


def test_unallocated_is_its_fill_value(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (2, 2), "<i4", fillvalue=7)
        file.create_dataset("scalar", (), "<i4")
        file.create_dataset("empty", (0, 3), "<f8")
    with Hdf5Reader(path) as reader:
        assert piece_bytes(reader.dataset("x").piece) == np.full(4, 7, "<i4").tobytes()
        assert piece_bytes(reader.dataset("scalar").piece) == bytes(4)
        empty = reader.dataset("empty")
        assert (empty.shape, piece_bytes(empty.piece)) == ((0, 3), b"")


def test_strings(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["vlen"] = ["a", "grün"]
        file["fixed"] = np.array([b"ab", b"c"])
        file["number"] = 1
    with Hdf5Reader(path) as reader:
        vlen, fixed = reader.dataset("vlen"), reader.dataset("fixed")
        assert vlen.strings is not None and vlen.strings() == [b"a", "grün".encode()]
        assert vlen.dtype == np.dtype(object) and vlen.piece == b""
        assert fixed.strings is not None and fixed.strings() == [b"ab", b"c"]
        assert reader.dataset("number").strings is None


def test_opening_and_describing_reads_no_payload(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(1 << 20, "u1")
        file.create_dataset("y", data=np.zeros(1 << 20, "u1"), chunks=(1 << 16,))
    read, genuine = [], SourceFile.read
    monkeypatch.setattr(
        SourceFile, "read", lambda self, at, n: read.append(n) or genuine(self, at, n)
    )
    with Hdf5Reader(path) as reader:
        assert [reader.dataset(p).path for p in reader.walk()] == ["x", "y"]
    assert 0 < sum(read) < 50_000


# Abuse


def test_links_out_of_the_file_are_unsafe(path: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = NUMBERS
    with h5py.File(path, "w") as file:
        file["out"] = h5py.ExternalLink("other.h5", "/x")
        file["soft"] = h5py.SoftLink("out")
        file["self"] = h5py.SoftLink("self")
    with Hdf5Reader(path) as reader:
        for name in ("out", "soft"):
            with pytest.raises(UnsafeFileError, match="out of the file"):
                reader.dataset(name)
        with pytest.raises(UnsafeFileError, match="circle"):
            reader.dataset("self")
        with pytest.raises(UnsafeFileError):
            list(reader.walk())


def test_bytes_in_other_files_are_unsafe(path: Path, tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((3, 4), "<f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3, 4))
    with h5py.File(path, "w") as file:
        file.create_dataset("external", (4,), "u1", external=[("/etc/passwd", 0, 4)])
        file.create_virtual_dataset("virtual", layout)
    with Hdf5Reader(path) as reader:
        with pytest.raises(UnsafeFileError, match=r'"external": .*other files'):
            reader.dataset("external")
        with pytest.raises(UnsafeFileError, match=r'"virtual": .*virtual'):
            reader.dataset("virtual")


@pytest.mark.parametrize("options", [
    {"chunks": (1 << 20,), "compression": "gzip"}, {},
], ids=["compressed", "unallocated"])
def test_bombs_are_unsafe(path: Path, options: dict[str, Any]) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("bomb", (1 << 31,), "u1", **options)
        file.create_dataset("large", (1 << 20,), "u1", **options)
    with Hdf5Reader(path) as reader:
        assert reader.dataset("large").shape == (1 << 20,)
        with pytest.raises(UnsafeFileError, match="absurdly large"):
            reader.dataset("bomb")


def test_types_without_equivalent_are_unsupported(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["compound"] = np.zeros(2, [("a", "i4"), ("b", "f4")])
        file["null"] = h5py.Empty("f4")
        file.create_dataset("vlen", (2,), h5py.vlen_dtype("i4"))
        file["type"] = np.dtype("f4")
    with Hdf5Reader(path) as reader:
        for name in ("compound", "null", "vlen"):
            with pytest.raises(UnsupportedError):
                reader.dataset(name)
        with pytest.raises(UnsupportedError, match="neither"):
            reader.kind("type")


def test_not_hdf5(path: Path) -> None:
    for content in (b"", b"PK\3\4" + bytes(600)):
        path.write_bytes(content)
        with pytest.raises(UnknownFormatError):
            Hdf5Reader(path)


@pytest.mark.parametrize("userblock", [0, 512])
def test_a_cut_file_is_truncated(path: Path, userblock: int) -> None:
    with h5py.File(path, "w", userblock_size=userblock) as file:
        file["x"] = NUMBERS
    size = path.stat().st_size
    for kept in (size - 1, userblock + 200, userblock + 20):
        with pytest.raises(TruncatedError) as caught:
            Hdf5Reader(path.read_bytes()[:kept])
        assert caught.value.available == kept
        if kept > userblock + 96:
            assert caught.value.wanted == size


def test_a_payload_past_the_end_is_truncated(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = NUMBERS
        offset = file["x"].id.get_offset()
    raw = path.read_bytes()
    # Layout message of class contiguous: version 3, class 1, address, size.
    layout = b"\3\1" + offset.to_bytes(8, "little")
    assert raw.count(layout) == 1
    moved = raw.replace(layout, b"\3\1" + (len(raw) - 8).to_bytes(8, "little"))
    path.write_bytes(moved)
    for source in (path, moved):
        with Hdf5Reader(source) as reader, pytest.raises(ModelFormatError) as caught:
            piece_bytes(reader.dataset("x").piece)
        assert type(caught.value) in (TruncatedError, CorruptFileError)


def test_damage_has_a_name(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["text"] = "some text"
        file["g/x"] = NUMBERS
        file.create_dataset("g/z", data=NUMBERS, chunks=(2, 2), compression="gzip")
    raw = path.read_bytes()
    named = 0
    for at in [*range(8, 400, 3), *range(400, len(raw), 41)]:
        damaged = bytearray(raw)
        damaged[at] ^= 0xFF
        try:
            with Hdf5Reader(bytes(damaged), "damaged") as reader:
                for found in reader.walk():
                    reader.attributes(found)
                    if reader.kind(found) == "dataset":
                        piece_bytes(reader.dataset(found).piece)
        except ModelFormatError:
            named += 1
    assert named > 10

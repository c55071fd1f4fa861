"""Zip archives, both directions, one abuse per named error."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from modelfmt.errors import (
    ChecksumError,
    CorruptFileError,
    MismatchError,
    MissingError,
    ModelFormatError,
    TruncatedError,
    UnsafeFileError,
    UnsupportedError,
)
from modelfmt.storage.archive import ArchiveReader, crc32, is_archive, write_archive
from modelfmt.storage.files import Computed, FileSpan, SourceFile

# One member "a" holding "hi", as write_archive writes it (APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16).
ONE = bytes.fromhex(
    "50 4b 03 04"              # @0  local header
    "14 00 00 00 00 00"        # version 2.0, no flags, stored
    "00 00 21 00"              # 00:00:00, 1980-01-01
    "ac 2a 93 d8"              # @14 crc32
    "02 00 00 00 02 00 00 00"  # @18 two sizes
    "01 00 00 00"              # @26 lengths of name and extra field
    "61 68 69"                 # @30 "a", "hi"
    "50 4b 01 02"              # @33 directory
    "14 03 14 00 00 00 00 00"  # made by 2.0 on Unix, needs 2.0, no flags, stored
    "00 00 21 00 ac 2a 93 d8 02 00 00 00 02 00 00 00 01 00 00 00"
    "00 00 00 00 00 00"        # no comment, disk 0, no internal attributes
    "00 00 a4 01"              # mode 0644
    "00 00 00 00 61"           # header at 0, "a"
    "50 4b 05 06 00 00 00 00 01 00 01 00"  # end: 1 of 1 members
    "2f 00 00 00 21 00 00 00 00 00"        # directory of 47 bytes at 33, no comment
)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    def make(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
        path = tmp_path / "f.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return path

    return make


def damaged(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "bad.zip").write_bytes(content)
    return tmp_path / "bad.zip"


def test_hex_both_ways(tmp_path: Path) -> None:
    out = io.BytesIO()
    write_archive(out, [("a", [b"h", b"i"])])
    assert out.getvalue() == ONE
    with ArchiveReader(damaged(tmp_path, ONE)) as archive:
        assert archive.names() == ["a"]
        span = archive.member("a")
        assert isinstance(span, FileSpan)
        assert (span.offset, span.read()) == (31, b"hi")
        archive.check("a")
    assert is_archive(ONE) and not is_archive(b"PK\5\6")


def test_stored_is_a_span_and_compressed_is_bytes(make: Callable[..., Path]) -> None:
    members = [("dir/a", b"x" * 5000), ("b", b""), ("ü", b"y")]
    with SourceFile(make(*members)) as source:
        archive = ArchiveReader(source)
        spans = [archive.member(name) for name in archive.names()]
        archive.close()
        assert all(isinstance(span, FileSpan) and span.file is source for span in spans)
        assert [span.read() for span in spans if isinstance(span, FileSpan)] == [
            data for _, data in members
        ]
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with ArchiveReader(make(*members, compression=compression)) as archive:
            for name, data in members:
                archive.check(name)
                assert archive.member(name) == data


def test_written_archives_are_read_by_zipfile_and_vary_with_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"0123456789" * 20_000)
    source = SourceFile(tmp_path / "in")
    members = [
        ("meta.json", [b"{}"]),
        ("dir/payload", [b"<", source.span(10, 150_000), Computed(2, lambda: [b"a", b"b"])]),
    ]
    results = []
    for name in ("one.zip", "two.zip"):
        with open(tmp_path / name, "w+b") as out:
            write_archive(out, members)
        results.append((tmp_path / name).read_bytes())
    assert results[0] == results[1]
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["meta.json", "dir/payload"]
        assert archive.read("dir/payload") == b"<" + source.read(10, 150_000) + b"ab"
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_zip64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)  # else this test writes 4 GiB
    with open(tmp_path / "f.zip", "w+b") as out:
        write_archive(out, [("small", [b"s"]), ("large", [b"l" * 2000]), ("after", [b"a"])])
    with ArchiveReader(tmp_path / "f.zip") as archive:
        assert [archive.member(name).read() for name in archive.names()] == [  # type: ignore
            b"s", b"l" * 2000, b"a"
        ]
        archive.check("large")


def test_crc32_reads_every_kind_of_piece(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"abc")
    pieces = [b"x", SourceFile(tmp_path / "in").span(), Computed(1, lambda: [b"y"])]
    assert crc32(pieces) == zlib.crc32(b"xabcy")


def test_two_members_of_one_name_are_not_written() -> None:
    with pytest.raises(MismatchError, match="two zip members"):
        write_archive(io.BytesIO(), [("a", []), ("a", [])])


def test_missing_member(tmp_path: Path) -> None:
    with ArchiveReader(damaged(tmp_path, ONE)) as archive, pytest.raises(MissingError):
        archive.member("b")


def test_wrong_checksum(tmp_path: Path, make: Callable[..., Path]) -> None:
    path = damaged(tmp_path, ONE.replace(b"ahi", b"ahj"))
    with ArchiveReader(path) as archive, pytest.raises(ChecksumError) as caught:
        archive.check("a")
    assert (caught.value.stored, caught.value.computed) == (0xD8932AAC, zlib.crc32(b"hj"))
    raw = make(("a", b"hi" * 50), compression=zipfile.ZIP_DEFLATED).read_bytes()
    wrong = raw.replace(struct.pack("<I", zlib.crc32(b"hi" * 50)), b"\1\2\3\4")
    with ArchiveReader(damaged(tmp_path, wrong)) as archive, pytest.raises(ChecksumError):
        archive.member("a")


@pytest.mark.parametrize("change, error, words", [
    (lambda raw: raw[:40], TruncatedError, "without its directory"),
    (lambda raw: b"not a zip at all", CorruptFileError, "not a zip"),
    (lambda raw: b"", CorruptFileError, "not a zip"),
    (lambda raw: raw.replace(b"PK\1\2", b"PK\1\3"), CorruptFileError, "magic"),
], ids=["cut", "other", "empty", "directory"])
def test_damaged_directory(
    tmp_path: Path, change: Callable[[bytes], bytes], error: type[ModelFormatError], words: str
) -> None:
    with pytest.raises(ModelFormatError, match=words) as caught:
        ArchiveReader(damaged(tmp_path, change(ONE)))
    assert type(caught.value) is error


@pytest.mark.parametrize("at, value, error, words", [
    (0, b"XX", CorruptFileError, "no local header"),
    (30, b"b", CorruptFileError, "different members"),
    (28, b"\xff\xff", TruncatedError, "ends too early"),
    (33 + 20, b"\3", CorruptFileError, "two sizes"),
    (33 + 8, b"\1", UnsupportedError, "encrypted"),
    (33 + 10, b"\x63", UnsupportedError, "compression"),
], ids=["header", "name", "extra", "sizes", "encrypted", "method"])
def test_damaged_member(
    tmp_path: Path, at: int, value: bytes, error: type[ModelFormatError], words: str
) -> None:
    content = ONE[:at] + value + ONE[at + len(value) :]
    path = damaged(tmp_path, content)
    with ArchiveReader(path) as archive, pytest.raises(ModelFormatError, match=words) as caught:
        archive.member("a")
    assert type(caught.value) is error


def test_broken_stream(tmp_path: Path, make: Callable[..., Path]) -> None:
    raw = make(("a", bytes(range(256)) * 9), compression=zipfile.ZIP_DEFLATED).read_bytes()
    path = damaged(tmp_path, raw[:31] + b"\xff" * 9 + raw[40:])
    with ArchiveReader(path) as archive, pytest.raises(CorruptFileError):
        archive.member("a")


@pytest.mark.parametrize("declared", [1 << 30, 1 << 20], ids=["honest", "lying"])
def test_bomb(tmp_path: Path, make: Callable[..., Path], declared: int) -> None:
    raw = make(("a", bytes(100 << 20)), compression=zipfile.ZIP_DEFLATED).read_bytes()
    size = struct.pack("<I", 100 << 20)
    path = damaged(tmp_path, raw.replace(size, struct.pack("<I", declared)))
    errors = (UnsafeFileError, ChecksumError)
    with ArchiveReader(path) as archive, pytest.raises(errors) as caught:
        archive.member("a")
    assert (type(caught.value) is UnsafeFileError) == (declared == 1 << 30)


@pytest.mark.parametrize("name", ["../a", "b/../../a", "/etc/a", "C:/a", "..\\a", "\\a", "a/.."])
def test_names_that_escape_are_unsafe(make: Callable[..., Path], name: str) -> None:
    with pytest.raises(UnsafeFileError, match="leads out"):
        ArchiveReader(make((name, b"")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_unsafe(make: Callable[..., Path]) -> None:
    with pytest.raises(UnsafeFileError, match="two members"):
        ArchiveReader(make(("a", b"1"), ("a", b"2")))


def test_what_unpacks_to_much_is_spilled_to_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("modelfmt.storage.archive._HELD", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spill"))
    (tmp_path / "spill").mkdir()
    path = tmp_path / "packed.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("large", bytes(5000))
        archive.writestr("small", bytes(10))
    with ArchiveReader(path) as reader:
        large = reader.spilled("large")
        assert isinstance(large, FileSpan) and large.read() == bytes(5000)
        assert large.where.path == str(path)
        assert reader.spilled("small") == bytes(10)
    assert list((tmp_path / "spill").iterdir()) == []

"""The layout of a zip archive, and the fields that follow a change."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from modelfmt.errors import CorruptFileError, UnsupportedError, Where
from modelfmt.storage.archive import ArchiveReader
from modelfmt.storage.archive_layout import ArchiveLayout, Contents, Member, patches, read_layout
from modelfmt.storage.files import SourceFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.comment = b"c"
        archive.writestr(zipfile.ZipInfo("a"), b"12345")
        archive.writestr(zipfile.ZipInfo("bc"), b"678")
    return tmp_path / "a.zip"


def layout(path: Path) -> ArchiveLayout:
    with ArchiveReader(path) as reader:
        return reader.layout()


def test_places(path: Path) -> None:
    found = layout(path)
    assert found.members == [
        Member("a", 0, 31, 71, 0, 0, 0xCBF53A1C, 5, 5),
        Member("bc", 36, 68, 118, 0, 0, found.members[1].crc, 3, 3),
    ]
    data = path.read_bytes()
    assert data[31:36] == b"12345" and data[found.end :][:4] == b"PK\x05\x06"


def test_nothing_new_is_nothing_to_patch(path: Path) -> None:
    def read(offset: int, length: int) -> bytes:
        return path.read_bytes()[offset : offset + length]

    assert list(patches(layout(path), {}, read, Where())) == []


def test_what_follows_a_longer_member(path: Path) -> None:
    def read(offset: int, length: int) -> bytes:
        return path.read_bytes()[offset : offset + length]

    found = layout(path)
    made = dict(patches(found, {"a": Contents(7, 105, 105)}, read, Where()))
    hundred = struct.pack("<I", 105)
    assert made == {
        14: struct.pack("<I", 7), 18: hundred, 22: hundred,  # the local header
        71 + 16: struct.pack("<I", 7), 71 + 20: hundred, 71 + 24: hundred,  # the directory's
        118 + 42: struct.pack("<I", 136),  # the second member's offset
        found.end + 16: struct.pack("<I", 171),  # the directory's
    }


def test_no_room_is_named(path: Path) -> None:
    def read(offset: int, length: int) -> bytes:
        return path.read_bytes()[offset : offset + length]

    with pytest.raises(UnsupportedError, match="4 GiB"):
        list(patches(layout(path), {"a": Contents(7, 1 << 32, 1 << 32)}, read, Where()))


def test_wide_headers_take_more(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("a", "w", force_zip64=True) as member:
        member.write(b"12345")
    (tmp_path / "a.zip").write_bytes(out.getvalue())
    found = layout(tmp_path / "a.zip")

    def read(offset: int, length: int) -> bytes:
        return out.getvalue()[offset : offset + length]

    made = dict(patches(found, {"a": Contents(7, 5, 5)}, read, Where()))
    assert made[35] == struct.pack("<Q", 5) and made[43] == struct.pack("<Q", 5)


@pytest.mark.parametrize("at", [0, 71])
def test_headers_that_are_not_there_are_named(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] = 0
    path.write_bytes(data)
    with SourceFile(path) as file, pytest.raises(CorruptFileError, match="zip header"):
        read_layout(file, 71, [("a", 0, 0, 0, 0, 5, 5)])


def test_members_that_share_bytes_are_named(path: Path) -> None:
    with SourceFile(path) as file, pytest.raises(UnsupportedError, match='"bc": members that'):
        read_layout(file, 71, [("a", 0, 0, 0, 0, 6, 6), ("bc", 36, 0, 0, 0, 3, 3)])

"""Archives with other members: the rest, and the directory, stay right."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from modelfmt.errors import UnsupportedError
from modelfmt.storage.archive import ArchiveReader
from modelfmt.storage.archive_edits import with_members
from modelfmt.storage.files import piece_bytes


def build(path: Path, method: int = zipfile.ZIP_STORED) -> dict[str, bytes]:
    held = {"a.json": b'{"a": 1}', "b/c.bin": bytes(range(256)) * 9, "z": b"the end"}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in held.items():
            archive.writestr(name, data)
    return held


def edited(path: Path, new: dict[str, bytes]) -> dict[str, bytes]:
    archive = ArchiveReader(path)
    data = b"".join(map(piece_bytes, with_members(archive, {k: [v] for k, v in new.items()})))
    archive.close()
    out = path.with_name("out.zip")
    out.write_bytes(data)
    with zipfile.ZipFile(out) as again:
        assert again.testzip() is None
        return {name: again.read(name) for name in again.namelist()}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("data", [b'{"b": 2}', b"longer, much longer than it was", b""])
def test_other_data(tmp_path: Path, method: int, data: bytes) -> None:
    held = build(tmp_path / "x.zip", method)
    assert edited(tmp_path / "x.zip", {"a.json": data}) == {**held, "a.json": data}


def test_nothing_changed_is_the_same_file(tmp_path: Path) -> None:
    held = build(tmp_path / "x.zip")
    assert edited(tmp_path / "x.zip", {"z": held["z"]}) == held
    assert (tmp_path / "out.zip").read_bytes() == (tmp_path / "x.zip").read_bytes()


def test_equal_length_changes_data_and_two_checksums(tmp_path: Path) -> None:
    build(tmp_path / "x.zip")
    edited(tmp_path / "x.zip", {"a.json": b'{"b": 2}'})
    before, after = (tmp_path / "x.zip").read_bytes(), (tmp_path / "out.zip").read_bytes()
    assert sum(a != b for a, b in zip(before, after, strict=True)) <= 2 + 8


def test_another_compression(tmp_path: Path) -> None:
    build(tmp_path / "x.zip", zipfile.ZIP_LZMA)
    with pytest.raises(UnsupportedError, match="another compression"):
        edited(tmp_path / "x.zip", {"z": b"x"})

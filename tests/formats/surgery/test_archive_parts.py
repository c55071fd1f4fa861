""".keras archives as parts: the same bytes whatever wrote them, and headers that follow edits."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt.errors import (
    ChecksumError,
    CorruptFileError,
    MissingError,
    ModelFormatError,
    UnsafeFileError,
    UnsupportedError,
)
from modelfmt.surgery.archive_parts import explode_archive, implode_archive
from modelfmt.surgery.parts import Parts, write_manifest

KERNEL = np.arange(1200, dtype="<f4").reshape(30, 40)
CONFIG = {"class_name": "Functional", "config": {"name": "m", "layers": []}}


def weights() -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        group = file.create_group("layers/dense/vars")
        group.attrs["name"] = "dense"
        group["0"] = KERNEL
    return out.getvalue()


class Unseekable(io.RawIOBase):
    """Makes zipfile write descriptors."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += bytes(data)
        return len(bytes(data))


def keras(
    path: Path, method: int = zipfile.ZIP_STORED, *, level: int | None = None,
    stream: bool = False, wide: bool = False,
) -> None:
    out: Any = Unseekable() if stream else io.BytesIO()
    with zipfile.ZipFile(out, "w", method, compresslevel=level) as archive:
        archive.comment = b"made by a test"
        for name, data in (
            ("metadata.json", json.dumps({"keras_version": "3.0.0"}).encode()),
            ("config.json", json.dumps(CONFIG).encode()),
            ("assets/", b""),
            ("model.weights.h5", weights()),
            ("assets/words.txt", b"one\ntwo\n"),
        ):
            info = zipfile.ZipInfo(name, (2024, 2, 29, 12, 30, 2))
            info.compress_type = method
            info.comment, info.extra = b"note", b"\x99\x99\x02\0ab"
            if wide:
                with archive.open(info, "w", force_zip64=True) as member:
                    member.write(data)
            else:
                archive.writestr(info, data, method, level)
    path.write_bytes(bytes(out.data) if stream else out.getvalue())


WAYS: dict[str, dict[str, Any]] = {
    "stored": {}, "stream": {"stream": True}, "wide": {"wide": True},
    "wide stream": {"wide": True, "stream": True},
    "deflated": {"method": zipfile.ZIP_DEFLATED},
    "deflated stream": {"method": zipfile.ZIP_DEFLATED, "stream": True},
    "best": {"method": zipfile.ZIP_DEFLATED, "level": 9},
    "fast": {"method": zipfile.ZIP_DEFLATED, "level": 1},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.keras"


def extracted(path: Path) -> Path:
    modelfmt.extract(path, path.parent / "parts", force=True)
    return path.parent / "parts"


def assembled(parts: Path) -> bytes:
    modelfmt.assemble(parts, parts.parent / "out", force=True)
    return (parts.parent / "out").read_bytes()


def opened(data: bytes) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return archive


@pytest.mark.parametrize("way", WAYS)
def test_nothing_edited_is_the_same_bytes(path: Path, way: str) -> None:
    keras(path, **WAYS[way])
    parts = extracted(path)
    assert assembled(parts) == path.read_bytes()
    assert np.load(parts / "tensors/layers/dense/vars/0.npy").tolist() == KERNEL.tolist()
    assert json.loads((parts / "config.json").read_text()) == CONFIG
    assert (parts / "files/assets/words.txt").read_bytes() == b"one\ntwo\n"
    assert not (parts / ".spilled").exists()


@pytest.mark.parametrize("way", ["stored", "deflated", "stream"])
def test_a_payload_is_there_once(path: Path, way: str) -> None:
    keras(path, **WAYS[way])
    parts = extracted(path)
    rest = [p for p in parts.rglob("*") if p.is_file() and p.suffix != ".npy"]
    assert all(KERNEL[20].tobytes() not in p.read_bytes() for p in rest)
    assert (parts / "archive.bin").stat().st_size < 2000
    assert b"one\ntwo" not in (parts / "archive.bin").read_bytes()


def test_an_element_changes_payload_and_checksums(path: Path) -> None:
    keras(path)
    parts = extracted(path)
    file = parts / "tensors/layers/dense/vars/0.npy"
    np.save(file, np.where(np.arange(1200).reshape(30, 40) == 600, -1, KERNEL).astype("<f4"))
    old, new = path.read_bytes(), assembled(parts)
    assert len(old) == len(new)
    assert 1 <= sum(a != b for a, b in zip(old, new, strict=True)) <= 12
    with h5py.File(io.BytesIO(opened(new).read("model.weights.h5"))) as weights:
        assert weights["layers/dense/vars/0"][15, 0] == -1


@pytest.mark.parametrize("way", WAYS)
def test_members_that_grow_move_what_follows(path: Path, way: str) -> None:
    keras(path, **WAYS[way])
    parts = extracted(path)
    config = {**CONFIG, "more": "x" * 5000}
    (parts / "config.json").write_text(json.dumps(config))
    (parts / "files/assets/words.txt").write_bytes(b"three\n" * 1000)
    np.save(parts / "tensors/layers/dense/vars/0.npy", KERNEL[:3] + 1)
    manifest = json.loads((parts / "manifest.json").read_text())
    member = next(m for m in manifest["parts"][0]["members"] if m["name"].endswith(".h5"))
    member["content"]["tensors"][0]["shape"] = [3, 40]
    (parts / "manifest.json").write_text(json.dumps(manifest))
    new = assembled(parts)
    before, after = opened(path.read_bytes()), opened(new)
    assert after.namelist() == before.namelist() and after.comment == before.comment
    for was, now in zip(before.infolist(), after.infolist(), strict=True):
        assert (was.date_time, was.extra, was.comment, was.flag_bits, was.compress_type) == (
            now.date_time, now.extra, now.comment, now.flag_bits, now.compress_type)
    assert after.read("config.json").decode() == json.dumps(config)
    assert after.read("metadata.json") == before.read("metadata.json")
    assert after.read("assets/words.txt") == b"three\n" * 1000
    with h5py.File(io.BytesIO(after.read("model.weights.h5"))) as weights:
        assert weights["layers/dense/vars/0"][()].tolist() == (KERNEL[:3] + 1).tolist()
    assert assembled(parts) == new


def test_a_readable_zip64_archive_follows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An end record of 8-byte offsets, as archives above 4 GiB have."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    keras(path)
    monkeypatch.undo()
    assert b"PK\x06\x06" in path.read_bytes()
    parts = extracted(path)
    assert assembled(parts) == path.read_bytes()
    (parts / "config.json").write_text(json.dumps({**CONFIG, "more": "x" * 500}))
    after = opened(assembled(parts))
    assert json.loads(after.read("config.json"))["more"] == "x" * 500
    assert after.read("assets/words.txt") == b"one\ntwo\n"


def test_an_odd_compression_stays_in_the_skeleton(path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("config.json", json.dumps(CONFIG))
        archive.writestr("model.weights.h5", weights(), zipfile.ZIP_LZMA)
    path.write_bytes(out.getvalue())
    done = modelfmt.extract(path, path.parent / "parts")
    assert '"model.weights.h5" stays in the skeleton: its compression' in done.remarks[0]
    parts = path.parent / "parts"
    assert assembled(parts) == path.read_bytes()
    (parts / "config.json").write_text(json.dumps({**CONFIG, "more": 1}))
    assert opened(assembled(parts)).read("model.weights.h5") == weights()


def test_a_stream_that_no_level_makes_stays_in_the_skeleton(path: Path) -> None:
    data = b"ab" * 500
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    odd = packer.compress(data[:500]) + packer.flush(zlib.Z_FULL_FLUSH)
    odd += packer.compress(data[500:]) + packer.flush()
    usual = zlib.compressobj(6, zlib.DEFLATED, -15)
    plain = usual.compress(data) + usual.flush()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.txt", data)
    whole = out.getvalue().replace(plain, odd)
    for at, magic in ((18, b"PK\x03\x04"), (20, b"PK\x01\x02")):
        start = whole.index(magic) + at
        whole = whole[:start] + len(odd).to_bytes(4, "little") + whole[start + 4 :]
    end = whole.index(b"PK\x05\x06") + 16
    directory = whole.index(b"PK\x01\x02").to_bytes(4, "little")
    path.write_bytes(whole[:end] + directory + whole[end + 4 :])
    folder = path.parent / "parts"
    folder.mkdir()
    record = explode_archive(str(path), str(folder))
    assert record["kept"][0]["why"].startswith("no level of zlib")
    write_manifest(str(folder), "keras", [record])
    pieces, edited = implode_archive(Parts(str(folder)), record)
    with open(path.parent / "out", "wb") as file:
        from modelfmt.storage.files import write_pieces

        write_pieces(file, pieces)
    assert edited == [] and (path.parent / "out").read_bytes() == path.read_bytes()


def test_a_json_that_says_the_same_changes_nothing(path: Path) -> None:
    keras(path)
    parts = extracted(path)
    (parts / "config.json").write_text(json.dumps(CONFIG, indent=7))
    assert assembled(parts) == path.read_bytes()


def test_refusals_are_named(path: Path) -> None:
    keras(path)
    parts = extracted(path)
    (parts / "config.json").write_text("[1]")
    with pytest.raises(CorruptFileError, match=r"config.json: no JSON object"):
        assembled(parts)
    (parts / "config.json").unlink()
    with pytest.raises(MissingError, match=r"config.json: a part is missing"):
        assembled(parts)


@pytest.mark.parametrize(("old", "new"), [
    ('"part": "json"', '"part": "other"'), ('"local": 0', '"local": -1'),
    ('"part": "file"', '"part": "nothing"'), ('"files/assets', '"../assets'),
])
def test_a_manifest_of_nonsense_is_named(path: Path, old: str, new: str) -> None:
    keras(path)
    parts = extracted(path)
    text = (parts / "manifest.json").read_text()
    assert old in text
    (parts / "manifest.json").write_text(text.replace(old, new))
    with pytest.raises(ModelFormatError):
        assembled(parts)


def test_a_damaged_member_is_named(path: Path) -> None:
    keras(path)
    data = bytearray(path.read_bytes())
    data[data.index(KERNEL[20].tobytes())] ^= 1
    path.write_bytes(data)
    with pytest.raises(ChecksumError, match=r"model.weights.h5"):
        extracted(path)


def test_members_that_share_bytes_are_named(path: Path) -> None:
    keras(path)
    data = path.read_bytes()
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    moved = bytearray(data)
    moved[second + 42 : second + 46] = moved[first + 42 : first + 46]
    path.write_bytes(moved)
    (path.parent / "x").mkdir()
    with pytest.raises((UnsupportedError, CorruptFileError)):
        explode_archive(str(path), str(path.parent / "x"))


def test_a_name_that_leads_out_is_unsafe(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../evil.json", "{}")
    (path.parent / "x").mkdir()
    with pytest.raises(UnsafeFileError):
        explode_archive(str(path), str(path.parent / "x"))

"""The folder of parts: safe names, the manifest, and what may not lead out of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from modelfmt.errors import CorruptFileError, MissingError, UnsafeFileError
from modelfmt.surgery.parts import MANIFEST, Names, Parts, digest, write_manifest


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "..", "a/../b", "", "a//b", ".hidden", "con", "a\0b",
     "C:\\x", "x" * 500, "/".join(["y" * 90] * 9), "kernel:0", "ü/\udcff", "a.", "a "],
)  # fmt: skip
def test_every_name_becomes_a_file_below_the_folder(tmp_path: Path, name: str) -> None:
    path = Names().allocate("tensors", name, ".npy")
    parts = path.split("/")
    assert parts[0] == "tensors" and len(parts) > 1
    for part in parts[1:]:
        assert part and part[0] != "." and ":" not in part and "\\" not in part and "\0" not in part
        assert len(os.fsencode(part)) < 255
    target = tmp_path / path
    target.parent.mkdir(parents=True)
    target.touch()


def test_slashes_are_folders() -> None:
    assert Names().allocate("tensors", "dense_1/kernel", ".npy") == "tensors/dense_1/kernel.npy"


def test_no_two_names_are_one_file(tmp_path: Path) -> None:
    """Neither where case does not count, nor where one is the folder of another."""
    names = Names()
    wanted = ["a", "A", "a", "a.npy", "a.npy/b", "a.npy/B", "b/c", "b", "?", "*", "x.npy/y", "x"]
    made = [names.allocate("t", name, ".npy") for name in wanted]
    assert len({path.casefold() for path in made}) == len(wanted)
    for path in made:
        (tmp_path / path.casefold()).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path.casefold()).touch(exist_ok=False)


def test_the_manifest_comes_back(tmp_path: Path) -> None:
    write_manifest(str(tmp_path), "graphdef", [{"part": "file", "output": "x"}], folders=["a"])
    parts = Parts(str(tmp_path))
    assert parts.kind == "graphdef" and parts.records == [{"part": "file", "output": "x"}]
    assert parts.manifest["folders"] == ["a"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"modelfmt": 2}', '{"modelfmt": 1}', "[" * 100_000,
             '{"modelfmt": 1, "kind": 3, "parts": []}', '{"modelfmt": 1, "kind": "x"}'],
)  # fmt: skip
def test_a_manifest_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(CorruptFileError) as caught:
        Parts(str(tmp_path))
    assert caught.value.where.path == str(tmp_path / MANIFEST)


def test_a_folder_without_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        Parts(str(tmp_path))


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    home = tmp_path / "parts"
    home.mkdir()
    write_manifest(str(home), "graphdef", [])
    (tmp_path / "secret").write_text("secret")
    os.symlink(tmp_path / "secret", home / "link")
    os.symlink(tmp_path, home / "up")
    return Parts(str(home))


@pytest.mark.parametrize(
    "name", ["../secret", "a/../../secret", "/etc/passwd", "link", "up/secret", "\\\\host\\x",
             "C:/x", "~/x", "a\0b"],
)  # fmt: skip
def test_nothing_leads_out_of_the_folder(parts: Parts, name: str) -> None:
    with pytest.raises(UnsafeFileError):
        parts.open(name)


@pytest.mark.parametrize("output", ["../x", "/x", "a/../../x"])
def test_no_output_leads_elsewhere(parts: Parts, output: str) -> None:
    with pytest.raises(UnsafeFileError):
        parts.output({"output": output})


def test_a_missing_part_is_named(parts: Parts) -> None:
    with pytest.raises(MissingError, match=r"tensors/w\.npy.*missing"):
        parts.open("tensors/w.npy")


@pytest.mark.parametrize("value", [None, "3", 3.0, True, [3]])
def test_values_have_their_type(parts: Parts, value: Any) -> None:
    with pytest.raises(CorruptFileError, match="at"):
        parts.get({"at": value}, "at", int)
    assert parts.get({"at": 3}, "at", int) == 3


def test_a_text_that_is_none(parts: Parts) -> None:
    (Path(parts.folder) / "x.pbtxt").write_bytes(b"ab\xff")
    with pytest.raises(CorruptFileError) as caught:
        parts.text("x.pbtxt")
    assert caught.value.where.offset == 2


def test_the_digest_is_sha256() -> None:
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert json.dumps(digest(b"x")) != json.dumps(digest(b"y"))

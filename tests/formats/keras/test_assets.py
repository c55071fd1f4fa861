"""Vocabularies in the folder assets of a .keras archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelfmt.errors import CorruptFileError
from modelfmt.keras.assets import read_vocabularies
from modelfmt.network import Layer, Network
from modelfmt.storage.archive import ArchiveReader, write_archive

PATH = "assets/layers/string_lookup/vocabulary.txt"


def archive(tmp_path: Path, **files: bytes) -> ArchiveReader:
    path = tmp_path / "model.keras"
    with path.open("wb") as file:
        write_archive(file, [(name, [data]) for name, data in files.items()])
    return ArchiveReader(str(path))


def read(tmp_path: Path, layer: Layer, **files: bytes) -> Any:
    network = Network("model", layers=[layer])
    with archive(tmp_path, **files) as reader:
        read_vocabularies(network, {}, reader)
    return layer.config.get("vocabulary")


def test_a_line_is_a_token(tmp_path: Path) -> None:
    text = "\n[UNK]\né\n".encode()
    assert read(tmp_path, Layer("StringLookup", "it", {"vocabulary": None}), **{PATH: text}) == [
        "", "[UNK]", "é",
    ]  # fmt: skip


def test_integers_are_read_as_such(tmp_path: Path) -> None:
    path = PATH.replace("string", "integer")
    assert read(tmp_path, Layer("IntegerLookup", "it"), **{path: b"-1\n7"}) == [-1, 7]
    with pytest.raises(CorruptFileError, match="another line in it"):
        read(tmp_path, Layer("IntegerLookup", "it"), **{path: b"-1\nseven"})


def test_what_the_config_says_wins(tmp_path: Path) -> None:
    said = Layer("StringLookup", "it", {"vocabulary": ["a"]})
    assert read(tmp_path, said, **{PATH: b"b"}) == ["a"]


def test_files_of_no_lookup_are_left_alone(tmp_path: Path) -> None:
    dense = {"assets/layers/dense/vocabulary.txt": b"a"}
    assert read(tmp_path, Layer("Dense", "it"), **dense) is None
    assert read(tmp_path, Layer("StringLookup", "it"), **{"assets/other.txt": b"a"}) is None


def test_text_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match="no UTF-8"):
        read(tmp_path, Layer("StringLookup", "it"), **{PATH: b"a\n\xff\xfe"})

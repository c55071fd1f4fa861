"""SavedModels, and .meta files, that are damaged, incomplete or untrue."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import modelfmt
from modelfmt import proto
from modelfmt.errors import (
    ChecksumError,
    MissingError,
    ModelFormatError,
    TruncatedError,
    UnsupportedError,
)

Case = Callable[[str], Path]
Told = Callable[..., dict[str, ModelFormatError | None]]

MODULE = "savedmodel/rawtf2.3.4-module_mlp"
#: What every file of riegeli's records begins with. Source: riegeli_records_file_format.md.
RIEGELI = bytes.fromhex(
    "83af70d10d884a3f0000000000000000400000000000000091bac23c9287e1a9"
    "0000000000000000e19f13c0e9b1c37273000000000000000000000000000000"
)


def edited(path: Path, change: Callable[[Any], None], kind: str = "SavedModel") -> None:
    """Parse a message, change it, write it back."""
    message = getattr(proto, kind).FromString(path.read_bytes())
    change(message)
    path.write_bytes(message.SerializeToString())


def test_the_cases_are_whole(case: Case, told: Told) -> None:
    """Else every refusal below may be of something else."""
    assert set(told(case(MODULE) / "saved_model").values()) == {None}


def test_without_variables(case: Case, told: Told) -> None:
    folder = case(MODULE) / "saved_model"
    shutil.rmtree(folder / "variables")
    said = told(folder)
    assert said["dump"] is None and said["extract"] is None
    assert isinstance(said["check"], MissingError) and "5 variables" in str(said["check"])
    assert isinstance(said["convert"], MissingError) and str(folder) in str(said["convert"])


def test_without_the_data_of_its_variables(case: Case, told: Told) -> None:
    folder = case(MODULE) / "saved_model"
    data = folder / "variables" / "variables.data-00000-of-00001"
    data.unlink()
    said = told(folder)
    for verb in ("check", "extract", "convert"):
        error = said[verb]
        assert isinstance(error, MissingError) and error.where.path == str(data)
    assert any(str(data) in oddity for oddity in modelfmt.dump(folder)["oddities"])


def test_a_flipped_byte_of_a_variable(case: Case, told: Told) -> None:
    folder = case(MODULE) / "saved_model"
    data = folder / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(bytes([data.read_bytes()[0] ^ 1]) + data.read_bytes()[1:])
    said = told(folder)
    for verb in ("check", "extract", "convert"):
        error = said[verb]
        assert isinstance(error, ChecksumError) and error.where.path == str(data)
        assert error.where.offset == 0 and "entry" in str(error.where.key)


@pytest.mark.parametrize("content", [RIEGELI, b""])
def test_one_in_chunks(case: Case, told: Told, content: bytes) -> None:
    """A saved_model.cpb is named, whether the folder is given or the file."""
    folder = case(MODULE) / "saved_model"
    (folder / "saved_model.pb").unlink()
    chunked = folder / "saved_model.cpb"
    chunked.write_bytes(content)
    for path in (folder, chunked) if content else (folder,):
        for error in told(path).values():
            assert isinstance(error, UnsupportedError) and error.where.path == str(chunked)
            assert "chunks" in str(error) and "saved_model.pb" in str(error)


@pytest.mark.parametrize("role", ["inputs", "outputs"])
def test_a_signature_of_a_node_that_there_is_not(case: Case, told: Told, role: str) -> None:
    folder = case(MODULE) / "saved_model"

    def spoil(message: Any) -> None:
        ends = getattr(message.meta_graphs[0].signature_def["serving_default"], role)
        for key in ends:
            ends[key].name = "ghost:0"

    edited(folder / "saved_model.pb", spoil)
    said = told(folder)
    assert said["dump"] is None and said["extract"] is None
    for verb in ("check", "convert"):
        assert isinstance(said[verb], MissingError) and "'ghost'" in str(said[verb])
    assert 'signature "serving_default"' in str(said["check"])
    assert str(folder) in str(said["convert"])


def test_a_signature_that_there_is_not(case: Case, refused: Callable[..., Any]) -> None:
    folder = case(MODULE) / "saved_model"
    error = refused(folder, MissingError, end=".pb", signature="serving_defualt")
    assert "serving_default" in str(error)


def test_an_asset_that_is_gone(case: Case, told: Told) -> None:
    folder = case("savedmodel/rawtf2.21.0-module_lookup") / "saved_model"
    (folder / "assets" / "vocab.txt").unlink()
    error = told(folder)["convert"]
    assert isinstance(error, MissingError) and "vocab.txt" in str(error)


@pytest.mark.parametrize("name", ["../../secret.txt", "/etc/hostname"])
def test_an_asset_that_climbs_out(case: Case, told: Told, name: str, tmp_path: Path) -> None:
    folder = case("savedmodel/rawtf2.21.0-module_lookup") / "saved_model"
    (tmp_path / "case" / "secret.txt").write_text("a\nb\nc\n")

    def spoil(message: Any) -> None:
        for asset in message.meta_graphs[0].asset_file_def:
            asset.filename = name

    edited(folder / "saved_model.pb", spoil)
    assert isinstance(told(folder)["convert"], ModelFormatError)


def test_a_call_of_a_function_that_there_is_not(case: Case, told: Told) -> None:
    folder = case(MODULE) / "saved_model"
    edited(
        folder / "saved_model.pb",
        lambda message: message.meta_graphs[0].graph_def.library.ClearField("function"),
    )
    assert isinstance(told(folder)["convert"], ModelFormatError)


def test_no_metagraph(case: Case, told: Told) -> None:
    folder = case(MODULE) / "saved_model"
    edited(folder / "saved_model.pb", lambda message: message.ClearField("meta_graphs"))
    for error in told(folder).values():
        assert isinstance(error, MissingError) and "serve" in str(error)


def test_a_cut_message_says_how_much_is_missing(case: Case, told: Told) -> None:
    folder = case(MODULE) / "saved_model"
    whole = (folder / "saved_model.pb").read_bytes()
    (folder / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
    for error in told(folder).values():
        assert isinstance(error, TruncatedError) and error.wanted > error.available
        assert error.where.path == str(folder / "saved_model.pb")


def test_a_cut_metagraph_says_how_much_is_missing(case: Case, told: Told) -> None:
    path = case("metagraph/keras2.1.2-tf1.4.1-linear_regression") / "model.ckpt.meta"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    for error in told(path).values():
        assert isinstance(error, TruncatedError) and error.wanted > error.available
        assert error.where.path == str(path) and error.where.offset is not None


@pytest.mark.parametrize(
    "name", ["savedmodel/rawtf2.3.4-module_mlp/saved_model/saved_model.pb",
             "savedmodel/rawtf1.0.1-raw_strings_text/saved_model/saved_model.pbtxt",
             "metagraph/rawtf1.15.5-raw_strings/model.ckpt.meta"],
)  # fmt: skip
def test_a_message_cut_anywhere(name: str, case: Case, told: Told) -> None:
    kind, folder, *rest = name.split("/")
    path = case(f"{kind}/{folder}").joinpath(*rest)
    whole = path.read_bytes()
    for end in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:end])
        told(path)


def test_text_that_is_none(case: Case, told: Told) -> None:
    folder = case("savedmodel/rawtf1.0.1-raw_strings_text") / "saved_model"
    text = (folder / "saved_model.pbtxt").read_text()
    for spoiled in (text.replace("node {", "nodule {", 1), text[: len(text) // 2], "\x00" * 40):
        (folder / "saved_model.pbtxt").write_text(spoiled)
        assert isinstance(told(folder)["dump"], ModelFormatError)


def test_tags_that_there_are_not(case: Case) -> None:
    folder = case(MODULE) / "saved_model"
    with pytest.raises(MissingError, match="train") as caught:
        modelfmt.open(folder, tags=["train"])
    assert "serve" in str(caught.value)

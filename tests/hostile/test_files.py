"""Files that are no model, or only part of one."""

from __future__ import annotations

import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import modelfmt
from modelfmt.errors import (
    CorruptFileError,
    MissingError,
    ModelFormatError,
    TruncatedError,
    UnknownFormatError,
)
from modelfmt.surgery.opening import KINDS

Refused = Callable[..., ModelFormatError]

WHOLE = {
    ".pb": "graphdef/keras2.1.2-tf1.4.1-linear_regression/model.pb",
    ".pbtxt": "graphdef/keras2.1.2-tf1.4.1-linear_regression_text/model.pbtxt",
    ".h5": "keras-h5/keras2.1.2-tf1.4.1-nested/model.h5",
    ".keras": "keras/keras3.0.5-tf2.16.2-multi_output/model.keras",
    ".meta": "metagraph/rawtf1.15.5-raw_strings/model.ckpt.meta",
    ".weights.h5": "keras-weights/keras3.3.3-tf2.16.2-cnn/model.weights.h5",
    ".ckpt": "checkpoint/rawtf1.15.5-raw_convnet_v1/model.ckpt",
    ".index": "checkpoint/rawtf1.4.1-raw_partitioned/model.ckpt-1000.index",
    "": "savedmodel/rawtf2.8.4-module_strings/saved_model",
}


def every_verb(path: Path) -> list[str]:
    """dump and a walk over all tensors; the names of the errors, which must be ours."""
    met = []
    try:
        modelfmt.dump(path, digest=True)
    except ModelFormatError as error:
        met.append(type(error).__name__)
    try:
        with modelfmt.open(path) as container:
            for name in container.tensors:
                container.tensors[name].numpy()
    except ModelFormatError as error:
        met.append(type(error).__name__)
    return met


@pytest.mark.parametrize("end", ["", ".pb", ".h5", ".keras", ".pbtxt"])
def test_an_empty_file(end: str, tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / f"empty{end}"
    path.touch()
    assert "empty" in str(refused(path, UnknownFormatError))


@pytest.mark.parametrize("end", [".txt", ".pb", ".h5", ".keras", ".pbtxt"])
def test_a_text_file(end: str, tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / f"letter{end}"
    path.write_text("Dear model,\nthis is no protobuf.\n")
    refused(path, UnknownFormatError)


def test_a_missing_path(tmp_path: Path, refused: Refused) -> None:
    error = refused(tmp_path / "nowhere.pb", MissingError)
    assert error.where.path == str(tmp_path / "nowhere.pb")


def test_a_path_through_a_file(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file" / "model.pb", MissingError)


def test_a_path_with_a_null(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError):
        modelfmt.dump("nul\0.pb")


def test_a_folder(tmp_path: Path, refused: Refused) -> None:
    folder = tmp_path / "model.pb"
    folder.mkdir()
    refused(folder, UnknownFormatError)


def test_a_folder_said_to_be_a_graph(tmp_path: Path, refused: Refused) -> None:
    folder = tmp_path / "model.pb"
    folder.mkdir()
    for kind in KINDS:
        refused(folder, ModelFormatError, from_kind=kind)


def test_a_kind_that_does_not_exist(tmp_path: Path, golden_folder: Path, refused: Refused) -> None:
    refused(golden_folder / WHOLE[".pb"], ModelFormatError, from_kind="onnx")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", sorted(WHOLE))
def test_a_file_said_to_be_of_another_kind(
    end: str, kind: str, golden_folder: Path, refused: Refused
) -> None:
    with modelfmt.open(golden_folder / WHOLE[end]) as container:
        if container.kind != kind:
            refused(golden_folder / WHOLE[end], ModelFormatError, from_kind=kind)


def test_random_bytes(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "noise"
    for seed in range(300):
        path.write_bytes(random.Random(seed).randbytes(seed))
        refused(path)


@pytest.mark.parametrize("head", [b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"node {", b"\x0a\x05\x0a"])
def test_random_bytes_after_the_right_beginning(
    head: bytes, tmp_path: Path, refused: Refused
) -> None:
    path = tmp_path / "noise"
    for seed in range(100):
        path.write_bytes(head + random.Random(seed).randbytes(5 * seed))
        refused(path)


def test_a_graph_cut_anywhere(golden_folder: Path, tmp_path: Path, refused: Refused) -> None:
    whole = (golden_folder / WHOLE[".pb"]).read_bytes()
    path = tmp_path / "cut.pb"
    met = set()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        every_verb(path)
        error = refused(path, survives=True)  # a cut between two fields leaves a graph
        met.add(type(error))
    assert {TruncatedError, UnknownFormatError} <= met


def test_a_graph_cut_within_a_node_says_how_much_is_missing(
    golden_folder: Path, tmp_path: Path, refused: Refused
) -> None:
    whole = (golden_folder / "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb").read_bytes()
    path = tmp_path / "cut.pb"
    path.write_bytes(whole[: len(whole) // 2])
    error = refused(path, TruncatedError)
    assert isinstance(error, TruncatedError)
    assert error.wanted > error.available
    assert error.where.path == str(path) and error.where.offset is not None


@pytest.mark.parametrize("end", [".pbtxt", ".h5", ".keras"])
def test_a_file_cut_anywhere(
    end: str, golden_folder: Path, tmp_path: Path, refused: Refused
) -> None:
    whole = (golden_folder / WHOLE[end]).read_bytes()
    path = tmp_path / f"cut{end}"
    for length in [*range(0, 64, 3), *range(64, len(whole) - 1, max(1, len(whole) // 150))]:
        path.write_bytes(whole[:length])
        every_verb(path)
        # Text ends well after any node.
        refused(path, ModelFormatError, end=".pb", survives=end == ".pbtxt")


@pytest.mark.parametrize("end", [".h5", ".keras"])
def test_a_cut_file_is_called_corrupt(
    end: str, golden_folder: Path, tmp_path: Path, refused: Refused
) -> None:
    whole = (golden_folder / WHOLE[end]).read_bytes()
    path = tmp_path / f"cut{end}"
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, CorruptFileError, end=".pb")


@pytest.mark.parametrize("end", [".pb", ".pbtxt", ".keras"])
def test_a_flipped_byte_never_makes_an_error_without_a_name(
    end: str, golden_folder: Path, tmp_path: Path, refused: Refused
) -> None:
    whole = (golden_folder / WHOLE[end]).read_bytes()
    path = tmp_path / f"flipped{end}"
    rng = random.Random(7)
    for _ in range(100 if end == ".keras" else 400):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 3))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        every_verb(path)
        refused(path, survives=True, end=rng.choice((".h5", ".keras", ".pb")))


def test_a_zip_that_holds_no_model(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "holiday.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("photo.jpg", b"\xff\xd8")
    refused(path, MissingError)


def test_a_zip_without_its_config(golden_folder: Path, tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "model.keras"
    with (
        zipfile.ZipFile(golden_folder / WHOLE[".keras"]) as whole,
        zipfile.ZipFile(path, "w") as archive,
    ):
        archive.writestr("model.weights.h5", whole.read("model.weights.h5"))
    assert "config.json" in str(refused(path, MissingError))


def test_an_output_in_a_folder_that_does_not_exist(golden_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError) as caught:
        modelfmt.convert(golden_folder / WHOLE[".h5"], tmp_path / "nowhere" / "out.pb")
    assert caught.value.exit_status == 2
    assert not (tmp_path / "nowhere").exists()


def test_an_output_onto_its_own_source(golden_folder: Path, tmp_path: Path) -> None:
    source = Path(shutil.copy(golden_folder / WHOLE[".pb"], tmp_path / "model.pb"))
    before = source.read_bytes()
    with pytest.raises(ModelFormatError, match="exists already"):
        modelfmt.convert(source, source)
    modelfmt.convert(source, source, force=True)
    assert source.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.pb"]

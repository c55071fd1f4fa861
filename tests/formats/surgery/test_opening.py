"""Opening: a file's kind is told by its content, never by its extension alone."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import h5py
import pytest

import modelfmt
from modelfmt import proto
from modelfmt.errors import MissingError, ModelFormatError, UnknownFormatError, UnsupportedError
from modelfmt.surgery.opening import KINDS, sniff

GOLDEN = Path(__file__).parents[3] / "golden"
MODELS = sorted(
    min(path.parent.glob("model.*"))
    for kind in ("graphdef", "keras-h5", "keras")
    for path in (GOLDEN / kind).glob("*/provenance.toml")
)


@pytest.mark.parametrize("path", MODELS, ids=lambda p: f"{p.parents[1].name}/{p.parent.name}")
def test_genuine_files_under_any_name(path: Path, tmp_path: Path) -> None:
    kind = path.parents[1].name
    assert sniff(str(path)) == kind
    for name in ("without", "wrong.h5", "wrong.pb", "wrong.keras", "wrong.txt"):
        copy = shutil.copy(path, tmp_path / name)
        with modelfmt.open(copy) as container:
            assert container.kind == kind
            assert container.path == str(copy)


def test_paths_may_be_of_either_type() -> None:
    path = MODELS[0]
    for spelling in (path, str(path)):
        with modelfmt.open(spelling) as container:
            assert container.path == str(path)


def graph(tmp_path: Path, *ops: str, head: bytes = b"") -> str:
    message = proto.GraphDef()
    for k, op in enumerate(ops):
        message.node.add(name=f"n{k}", op=op)
    path = tmp_path / "file"
    path.write_bytes(head + message.SerializeToString())
    return str(path)


@pytest.mark.parametrize("op", ["Placeholder", "_Arg", "Custom>Op", "a"])
def test_a_graph_begins_with_a_node(tmp_path: Path, op: str) -> None:
    assert sniff(graph(tmp_path, op)) == "graphdef"


def test_a_graph_may_begin_with_its_versions_or_its_library(tmp_path: Path) -> None:
    assert sniff(graph(tmp_path, head=b"\x22\x02\x08\x1b")) == "graphdef"
    assert sniff(graph(tmp_path, "NoOp", head=b"\x22\x02\x08\x1b")) == "graphdef"
    assert sniff(graph(tmp_path, head=b"\x12\x00")) == "graphdef"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('node { name: "x" }', "graphdef"),
        ('node: { name: "x" }', "graphdef"),
        ("# a comment\n\n  node {\n}", "graphdef"),
        ("versions { producer: 1 }", "graphdef"),
        ("library { }", "graphdef"),
        ("meta_info_def { }", "metagraph"),
        ("graph_def { }", "metagraph"),
        ("saved_model_schema_version: 1", "savedmodel"),
    ],
)
def test_text_formats(tmp_path: Path, text: str, kind: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    assert sniff(str(path)) == kind


def test_a_metagraph_and_a_saved_model(tmp_path: Path) -> None:
    meta = proto.MetaGraphDef()
    meta.meta_info_def.tensorflow_version = "1.15.5"
    meta.graph_def.node.add(name="x", op="NoOp")
    path = tmp_path / "file"
    path.write_bytes(meta.SerializeToString())
    assert sniff(str(path)) == "metagraph"
    saved = proto.SavedModel(saved_model_schema_version=1, meta_graphs=[meta])
    path.write_bytes(saved.SerializeToString())
    assert sniff(str(path)) == "savedmodel"
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    assert sniff(str(folder)) == "savedmodel"


def test_hdf5_is_a_model_with_a_config_else_weights(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"d"]
    assert sniff(path) == "keras-weights"
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = "{}"
    assert sniff(path) == "keras-h5"


def test_a_zip_is_a_keras_archive(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    assert sniff(path) == "keras"


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"hello", b"{}", b"\x00" * 64, b"\xff" * 64, b"\x89HD", b"PK", b"node", b"nodes {",
     "é".encode("latin-1"), b"\x0a", b"\x0a\xff"],
)  # fmt: skip
def test_what_nobody_recognises(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(UnknownFormatError) as caught:
        modelfmt.open(path)
    assert caught.value.where.path == str(path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        modelfmt.open(tmp_path / "nowhere")
    with pytest.raises(UnknownFormatError, match="a folder that holds no"):
        modelfmt.open(tmp_path)


def test_the_kind_may_be_said(tmp_path: Path) -> None:
    path = tmp_path / "odd.pb"
    path.write_bytes(b"\xca\x03\x02hi")  # an unknown field, and nothing else
    with pytest.raises(UnknownFormatError):
        modelfmt.open(path)
    with modelfmt.open(path, kind="graphdef") as container:
        assert list(container.graph) == []


def test_a_kind_that_does_not_exist() -> None:
    with pytest.raises(UnsupportedError, match=r"no kind onnx.*expected one of graphdef"):
        modelfmt.open(MODELS[0], kind="onnx")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_refuses_rubbish_by_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rubbish"
    path.write_bytes(b"\xffrubbish" * 20)
    with pytest.raises(ModelFormatError), modelfmt.open(path, kind=kind) as container:
        list(container.tensors)

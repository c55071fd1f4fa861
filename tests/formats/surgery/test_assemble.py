"""assemble: every golden graph, a SavedModel and a checkpoint come back as they were."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt import proto
from modelfmt.dtypes import float32
from modelfmt.errors import (
    CorruptFileError,
    MismatchError,
    MissingError,
    UnsafeFileError,
    UnsupportedError,
)
from modelfmt.graphs.variable_builder import VariableGraphBuilder
from modelfmt.storage.files import OutputExistsError
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle_writer import write_bundle
from modelfmt.tf.metagraph import Signature, TensorInfo
from modelfmt.tf.metagraph_writer import Model
from modelfmt.tf.savedmodel_writer import write_savedmodel

GOLDEN = Path(__file__).parents[3] / "golden"
GRAPHS = sorted(GOLDEN.glob("graphdef/*/model.*"))
BINARY = [path for path in GRAPHS if path.suffix == ".pb"]
GRAPH = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb"
KERNEL = np.arange(6, dtype="<f4")


@pytest.fixture
def savedmodel(tmp_path: Path) -> Path:
    graph = VariableGraphBuilder()
    x = graph.placeholder("x", float32, (None, 3))
    y = graph.op("MatMul", x, Tensor("kernel", float32, (3, 2), KERNEL.tobytes()))
    ends = {"x": TensorInfo(x, float32, (None, 3))}, {"y": TensorInfo(y, float32, (None, 2))}
    path = tmp_path / "model"
    write_savedmodel(Model(graph, graph.variables(), Signature(*ends)), str(path))
    (path / "assets.extra").mkdir()
    (path / "assets.extra" / "notes.txt").write_text("x")
    (path / "assets").mkdir()
    return path


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
        for p in folder.rglob("*")
    }


@pytest.mark.parametrize("path", GRAPHS, ids=lambda p: p.parent.name)
def test_nothing_edited_means_the_same_bytes(tmp_path: Path, path: Path) -> None:
    modelfmt.extract(path, tmp_path / "parts")
    done = modelfmt.assemble(tmp_path / "parts", tmp_path / path.name)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    assert (done.kind, done.edited) == ("graphdef", [])


@pytest.mark.parametrize("path", BINARY, ids=lambda p: p.parent.name)
def test_an_edit_that_says_the_same_means_the_same_bytes(tmp_path: Path, path: Path) -> None:
    """The way through text and comparison loses nothing either."""
    modelfmt.extract(path, tmp_path / "parts")
    text = tmp_path / "parts" / "graph.pbtxt"
    text.write_text("# a remark\n" + text.read_text())
    modelfmt.assemble(tmp_path / "parts", tmp_path / path.name)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_one_element_is_its_bytes(tmp_path: Path) -> None:
    modelfmt.extract(GRAPH, tmp_path / "parts")
    path = max((tmp_path / "parts").rglob("*.npy"), key=lambda p: p.stat().st_size)
    array = np.load(path)
    array.reshape(-1)[1] += 1
    np.save(path, array)
    modelfmt.assemble(tmp_path / "parts", tmp_path / "new.pb")
    old, new = GRAPH.read_bytes(), (tmp_path / "new.pb").read_bytes()
    assert 1 <= sum(a != b for a, b in zip(old, new, strict=True)) <= 4


def test_a_savedmodel_comes_back(savedmodel: Path, tmp_path: Path) -> None:
    modelfmt.extract(savedmodel, tmp_path / "parts")
    done = modelfmt.assemble(tmp_path / "parts", tmp_path / "again")
    assert tree(tmp_path / "again") == tree(savedmodel) and done.edited == []
    np.save(tmp_path / "parts" / "variables" / "kernel.npy", KERNEL.reshape(3, 2) + 1)
    done = modelfmt.assemble(tmp_path / "parts", tmp_path / "again", force=True)
    assert done.edited == ["variables/kernel.npy"]
    with modelfmt.open(str(tmp_path / "again")) as file:
        assert file.tensors["kernel"].numpy().ravel().tolist() == (KERNEL + 1).tolist()
    assert modelfmt.check(str(tmp_path / "again")) == []


def test_a_checkpoint_comes_back_under_its_prefix(tmp_path: Path) -> None:
    write_bundle(tmp_path / "old", [Tensor.from_numpy("z", KERNEL), Tensor.from_numpy("a", KERNEL)])
    modelfmt.extract(tmp_path / "old", tmp_path / "parts")
    modelfmt.assemble(tmp_path / "parts", tmp_path / "new")
    for end in (".index", ".data-00000-of-00001"):
        assert (tmp_path / f"new{end}").read_bytes() == (tmp_path / f"old{end}").read_bytes()
    with pytest.raises(OutputExistsError):
        modelfmt.assemble(tmp_path / "parts", tmp_path / "new")
    modelfmt.assemble(tmp_path / "parts", tmp_path / "new.index", force=True)


def test_an_edited_text_that_is_none(tmp_path: Path) -> None:
    text = next(p for p in GRAPHS if p.suffix == ".pbtxt")
    modelfmt.extract(text, tmp_path / "parts")
    part = tmp_path / "parts" / "graph.pbtxt"
    part.write_text(part.read_text() + "\n# fine\n")
    assert modelfmt.assemble(tmp_path / "parts", tmp_path / "x.pbtxt").edited == ["graph.pbtxt"]
    part.write_text(part.read_text() + "node {")
    with pytest.raises(CorruptFileError, match=r"graph\.pbtxt"):
        modelfmt.assemble(tmp_path / "parts", tmp_path / "y.pbtxt")
    assert not (tmp_path / "y.pbtxt").exists()


@pytest.mark.parametrize(
    ("key", "value"), [("raw", "../../secret"), ("text", "/etc/passwd"), ("raw", "link")]
)
def test_a_manifest_that_leads_out(tmp_path: Path, key: str, value: str) -> None:
    parts = tmp_path / "parts"
    modelfmt.extract(GRAPH, parts)
    (tmp_path / "secret").write_bytes(b"secret")
    (parts / "link").symlink_to(tmp_path / "secret")
    manifest = json.loads((parts / "manifest.json").read_text())
    manifest["parts"][0][key] = value
    (parts / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UnsafeFileError):
        modelfmt.assemble(parts, tmp_path / "x.pb")
    assert not (tmp_path / "x.pb").exists()


@pytest.mark.parametrize("place", ["parts", "folders"])
def test_an_output_that_leads_out(savedmodel: Path, tmp_path: Path, place: str) -> None:
    parts = tmp_path / "parts"
    modelfmt.extract(savedmodel, parts)
    manifest = json.loads((parts / "manifest.json").read_text())
    if place == "parts":
        manifest["parts"][0]["output"] = "../evil"
    else:
        manifest["folders"] = ["../evil"]
    (parts / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UnsafeFileError):
        modelfmt.assemble(parts, tmp_path / "again")
    assert not (tmp_path / "evil").exists() and not (tmp_path / "again").exists()


def test_what_cannot_be_put_together(tmp_path: Path) -> None:
    modelfmt.extract(GRAPH, tmp_path / "parts")
    with pytest.raises(UnsupportedError, match="metagraph"):
        modelfmt.assemble(tmp_path / "parts", tmp_path / "x.meta", to="metagraph")
    modelfmt.assemble(tmp_path / "parts", tmp_path / "x.pb", to="graphdef")
    modelfmt.extract(GRAPH, tmp_path / "some", select=["*kernel"])
    with pytest.raises(UnsupportedError, match="tensors"):
        modelfmt.assemble(tmp_path / "some", tmp_path / "y.pb")
    with pytest.raises(MissingError):
        modelfmt.assemble(tmp_path, tmp_path / "y.pb")
    (tmp_path / "parts" / "graph.bin").unlink()
    with pytest.raises(MissingError, match=r"graph\.bin"):
        modelfmt.assemble(tmp_path / "parts", tmp_path / "y.pb")
    assert not (tmp_path / "y.pb").exists()


@pytest.mark.parametrize("sort", ["bundle", "who knows"])
def test_a_part_of_another_sort(tmp_path: Path, sort: str) -> None:
    parts = tmp_path / "parts"
    modelfmt.extract(GRAPH, parts)
    manifest = json.loads((parts / "manifest.json").read_text())
    manifest["parts"][0]["part"] = sort
    (parts / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptFileError):
        modelfmt.assemble(parts, tmp_path / "x.pb")
    manifest["parts"] = []
    (parts / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptFileError):
        modelfmt.assemble(parts, tmp_path / "x.pb")


def test_another_shape_is_refused(tmp_path: Path) -> None:
    modelfmt.extract(GRAPH, tmp_path / "parts")
    path = max((tmp_path / "parts").rglob("*.npy"), key=lambda p: p.stat().st_size)
    np.save(path, np.load(path).ravel())
    with pytest.raises(MismatchError, match=path.name):
        modelfmt.assemble(tmp_path / "parts", tmp_path / "x.pb")
    assert not (tmp_path / "x.pb").exists()


def test_an_edited_graph_costs_a_savedmodel_its_fingerprint(tmp_path: Path) -> None:
    """One that was edited itself is meant; one of other contents would be false."""
    source = Path(__file__).parents[3] / "golden/savedmodel/rawtf2.21.0-module_lookup/saved_model"
    modelfmt.extract(source, tmp_path / "parts")
    whole = modelfmt.assemble(tmp_path / "parts", tmp_path / "whole")
    assert whole.remarks == [] and (tmp_path / "whole/fingerprint.pb").exists()
    text = tmp_path / "parts/saved_model.pbtxt"
    text.write_text(text.read_text().replace('tensorflow_version: "2', 'tensorflow_version: "3'))
    done = modelfmt.assemble(tmp_path / "parts", tmp_path / "edited")
    assert done.edited == ["saved_model.pbtxt"] and "fingerprint.pb" in done.remarks[0]
    assert not (tmp_path / "edited/fingerprint.pb").exists()
    modelfmt.dump(tmp_path / "edited")


def test_edited_constants_are_named(tmp_path: Path) -> None:
    modelfmt.extract(GRAPH, tmp_path / "parts")
    path = max((tmp_path / "parts").rglob("*.npy"), key=lambda p: p.stat().st_size)
    np.save(path, np.load(path) + 1)
    done = modelfmt.assemble(tmp_path / "parts", tmp_path / "x.pb")
    assert done.edited == [path.relative_to(tmp_path / "parts").as_posix()]


def test_edited_constants_of_a_savedmodel_clear_hashes(tmp_path: Path) -> None:
    """Those of the graph; the file keeps its size, and what is still true."""
    source = Path(__file__).parents[3] / "golden/savedmodel/rawtf2.21.0-module_lookup/saved_model"
    modelfmt.extract(source, tmp_path / "parts")
    path = max((tmp_path / "parts/tensors").rglob("*.json"), key=lambda p: p.stat().st_size)
    path.write_text(path.read_text().replace("emb", "xmb", 1))
    before = (source / "fingerprint.pb").read_bytes()
    done = modelfmt.assemble(tmp_path / "parts", tmp_path / "made")
    assert done.edited == [path.relative_to(tmp_path / "parts").as_posix()]
    assert "(0)" in done.remarks[0]
    after = (tmp_path / "made/fingerprint.pb").read_bytes()
    assert len(after) == len(before)
    old, new = (proto.FingerprintDef.FromString(data) for data in (before, after))
    assert new.saved_model_checksum == new.graph_def_program_hash == 0
    new.saved_model_checksum = old.saved_model_checksum
    new.graph_def_program_hash = old.graph_def_program_hash
    assert new == old

"""extract: a folder of parts of each kind; tensors and subgraphs taken out; what is refused."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError, MissingError, UnsafeFileError, UnsupportedError
from modelfmt.graphs.variable_builder import VariableGraphBuilder
from modelfmt.storage.files import OutputExistsError
from modelfmt.storage.output import OutputError
from modelfmt.surgery.convert import UsageError
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle_writer import write_bundle
from modelfmt.tf.metagraph import Signature, TensorInfo
from modelfmt.tf.metagraph_writer import Model
from modelfmt.tf.savedmodel_writer import write_savedmodel

GOLDEN = Path(__file__).parents[3] / "golden"
GRAPH = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb"
TEXT = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-linear_regression_text/model.pbtxt"
H5 = GOLDEN / "keras-h5/keras2.1.2-tf1.4.1-nested/model.h5"


@pytest.fixture
def savedmodel(tmp_path: Path) -> Path:
    graph = VariableGraphBuilder()
    x = graph.placeholder("x", float32, (None, 3))
    y = graph.op("MatMul", x, Tensor("kernel", float32, (3, 2), bytes(range(24))))
    ends = {"x": TensorInfo(x, float32, (None, 3))}, {"y": TensorInfo(y, float32, (None, 2))}
    path = tmp_path / "model"
    write_savedmodel(Model(graph, graph.variables(), Signature(*ends)), str(path))
    (path / "assets").mkdir()
    (path / "assets" / "vocab.txt").write_text("a\nb\n")
    (path / "assets.extra").mkdir()
    return path


def listed(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_graph(tmp_path: Path) -> None:
    done = modelfmt.extract(GRAPH, tmp_path / "parts")
    assert (done.kind, done.parts) == ("graphdef", 1) and done.tensors > 10
    found = listed(tmp_path / "parts")
    assert {"manifest.json", "graph.pbtxt", "graph.bin"} <= set(found)
    with modelfmt.open(GRAPH) as file:
        for path in (tmp_path / "parts" / "tensors").rglob("*.npy"):
            name = str(path.relative_to(tmp_path / "parts" / "tensors").with_suffix(""))
            np.testing.assert_array_equal(np.load(path), file.tensors[name].numpy())


def test_the_parts_are_no_copy_of_the_source(tmp_path: Path) -> None:
    modelfmt.extract(GRAPH, tmp_path / "parts")
    arrays = [np.load(p).tobytes() for p in (tmp_path / "parts").rglob("*.npy")]
    large = [a for a in arrays if len(a) >= 64]
    assert large
    for path in (tmp_path / "parts").rglob("*"):
        if path.is_file() and path.suffix != ".npy":
            data = path.read_bytes()
            assert not any(a in data for a in large), path


def test_a_text_graph_is_one_part(tmp_path: Path) -> None:
    modelfmt.extract(TEXT, tmp_path / "parts")
    assert listed(tmp_path / "parts") == ["graph.pbtxt", "manifest.json"]
    assert (tmp_path / "parts" / "graph.pbtxt").read_bytes() == TEXT.read_bytes()


def test_a_savedmodel(savedmodel: Path, tmp_path: Path) -> None:
    done = modelfmt.extract(savedmodel, tmp_path / "parts")
    assert done.kind == "savedmodel"
    found = listed(tmp_path / "parts")
    assert "variables/kernel.npy" in found and "files/assets/vocab.txt" in found
    assert "saved_model.pbtxt" in found
    manifest = json.loads((tmp_path / "parts" / "manifest.json").read_text())
    assert "assets.extra" in manifest["folders"]


def test_a_link_out_of_a_savedmodel(savedmodel: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    os.symlink(tmp_path / "secret", savedmodel / "assets" / "link")
    with pytest.raises(UnsafeFileError, match="link"):
        modelfmt.extract(savedmodel, tmp_path / "parts")
    assert not (tmp_path / "parts").exists()


def test_the_same_source_gives_the_same_parts(savedmodel: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        modelfmt.extract(savedmodel, tmp_path / name)
    one, two = tmp_path / "one", tmp_path / "two"
    assert listed(one) == listed(two)
    assert all((one / n).read_bytes() == (two / n).read_bytes() for n in listed(one))


@pytest.mark.parametrize("path", [H5, GOLDEN / "keras/tfkeras-tf2.12.1-nested/model.keras"])
def test_layers_are_taken_apart(tmp_path: Path, path: Path) -> None:
    done = modelfmt.extract(path, tmp_path / "parts")
    with modelfmt.open(path) as opened:
        assert (done.kind, done.tensors) == (opened.kind, len(opened.tensors))
        assert len(list((tmp_path / "parts/tensors").rglob("*.npy"))) == len(opened.tensors)
    modelfmt.assemble(tmp_path / "parts", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_an_existing_output(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "diary.txt").touch()
    with pytest.raises(OutputExistsError):
        modelfmt.extract(GRAPH, tmp_path / "home")
    with pytest.raises(OutputError, match="something else"):
        modelfmt.extract(GRAPH, tmp_path / "home", force=True)
    assert listed(tmp_path / "home") == ["diary.txt"]
    modelfmt.extract(GRAPH, tmp_path / "parts")
    with pytest.raises(OutputExistsError):
        modelfmt.extract(TEXT, tmp_path / "parts")
    modelfmt.extract(TEXT, tmp_path / "parts", force=True)
    assert listed(tmp_path / "parts") == ["graph.pbtxt", "manifest.json"]


def test_a_damaged_source_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "cut.pb").write_bytes(GRAPH.read_bytes()[:5000])
    with pytest.raises(modelfmt.ModelFormatError):
        modelfmt.extract(tmp_path / "cut.pb", tmp_path / "parts")
    assert os.listdir(tmp_path) == ["cut.pb"]


# -- tensors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [GRAPH, H5])
def test_selected_to_npz(tmp_path: Path, path: Path) -> None:
    done = modelfmt.extract(path, tmp_path / "x.npz", select=["*kernel*"])
    with modelfmt.open(path) as file, np.load(tmp_path / "x.npz") as arrays:
        wanted = [name for name in file.tensors if "kernel" in name]
        assert sorted(arrays.files) == sorted(wanted) and done.tensors == len(wanted) > 0
        for name in wanted:
            np.testing.assert_array_equal(arrays[name], file.tensors[name].numpy())


def test_nothing_selected(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="kernal"):
        modelfmt.extract(GRAPH, tmp_path / "x.npz", select=["kernal"])
    assert list(tmp_path.iterdir()) == []


# -- a subgraph -----------------------------------------------------------------------------------


def test_a_subgraph(tmp_path: Path) -> None:
    with modelfmt.open(GRAPH) as file:
        relu = next(n.name for n in file.graph.values() if n.op == "Relu")
    modelfmt.extract(GRAPH, tmp_path / "part.pb", outputs=[relu])
    with modelfmt.open(tmp_path / "part.pb") as part, modelfmt.open(GRAPH) as file:
        assert relu in part.graph and 1 < len(part.graph) < len(file.graph)
        assert not any(relu in n.inputs for n in part.graph.values())


def test_a_subgraph_of_what_has_no_graph(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="no graph"):
        modelfmt.extract(H5, tmp_path / "part.pb", outputs=["x"])
    with pytest.raises(UsageError):
        modelfmt.extract(GRAPH, tmp_path / "part.pb", outputs=["x"], select=["*"])
    with pytest.raises((MissingError, ConversionError)):
        modelfmt.extract(GRAPH, tmp_path / "part.pb", outputs=["no_such_node"])
    assert list(tmp_path.iterdir()) == []


def test_no_framework_is_imported(tmp_path: Path) -> None:
    write_bundle(tmp_path / "c", [Tensor.from_numpy("w", np.ones(3, "f4"))])
    script = (
        "import sys, modelfmt\n"
        f"modelfmt.extract({str(tmp_path / 'c')!r}, {str(tmp_path / 'p')!r})\n"
        "print([m for m in ('tensorflow', 'h5py', 'google.protobuf') if m in sys.modules])"
    )
    import subprocess

    done: Any = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr == "" and "tensorflow" not in done.stdout and "h5py" not in done.stdout

"""check finds what is broken, and finds nothing in what is whole."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt import proto
from modelfmt.dtypes import float32
from modelfmt.errors import ChecksumError, MismatchError, MissingError, TruncatedError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle_writer import write_bundle
from modelfmt.tf.graphdef import write_graphdef

GOLDEN = Path(__file__).parents[3] / "golden"
CNN = GOLDEN / "keras-h5" / "tfkeras-tf2.3.4-cnn" / "model.h5"


def wholes() -> list[Path]:
    """Every golden model, but for the .meta that stands without its checkpoint."""
    models: list[Path] = runpy.run_path(str(GOLDEN / "make_dumps.py"))["models"]()
    return [model for model in models if model.name != "model.meta.pbtxt"]


@pytest.mark.parametrize("path", wholes(), ids=lambda p: f"{p.parent.parent.name}/{p.parent.name}")
def test_a_genuine_file_has_no_fault(path: Path) -> None:
    assert modelfmt.check(path) == []


def test_a_metagraph_without_its_checkpoint() -> None:
    path = GOLDEN / "metagraph/rawtf1.4.1-raw_control_flow_text/model.meta.pbtxt"
    (found,) = modelfmt.check(path)
    assert isinstance(found, MissingError) and "2 variables" in str(found)


def test_a_signature_of_nodes_that_there_are_not(tmp_path: Path) -> None:
    source = GOLDEN / "savedmodel/rawtf2.3.4-module_mlp/saved_model"
    copy = Path(shutil.copytree(source, tmp_path / "model"))
    message = proto.SavedModel.FromString((copy / "saved_model.pb").read_bytes())
    signature = message.meta_graphs[0].signature_def["serving_default"]
    signature.inputs["x"].name, signature.outputs["y"].name = "ghost:0", "spirit:0"
    (copy / "saved_model.pb").write_bytes(message.SerializeToString())
    assert [str(error) for error in modelfmt.check(copy)] == [
        f'{copy}, signature "serving_default", input "x": no node \'ghost\'.',
        f'{copy}, signature "serving_default", output "y": no node \'spirit\'.',
    ]


def graph() -> GraphBuilder:
    made = GraphBuilder()
    x = made.placeholder("x", float32, (None, 4))
    made.op("MatMul", x, made.const(np.ones((4, 2), np.float32), name="kernel"), name="y")
    return made


def test_a_dangling_edge(tmp_path: Path) -> None:
    made = graph()
    made["y"].inputs[0] = "gone:1"
    write_graphdef(made, str(tmp_path / "a.pb"))
    findings = modelfmt.check(tmp_path / "a.pb")
    assert isinstance(findings[0], MissingError)
    assert 'node "y"' in str(findings[0]) and "'gone:1'" in str(findings[0])


def test_shapes_that_contradict_each_other(tmp_path: Path) -> None:
    made = graph()
    made["kernel"].attrs["value"] = Tensor.from_numpy("kernel", np.ones((5, 2), np.float32))
    write_graphdef(made, str(tmp_path / "a.pb"))
    assert [type(f) for f in modelfmt.check(tmp_path / "a.pb")] == [MismatchError]


def checkpoint(folder: Path) -> Path:
    write_bundle(
        str(folder / "ckpt"),
        [Tensor.from_numpy(name, np.arange(8, dtype=np.float32)) for name in ("a", "b")],
    )
    return folder / "ckpt.data-00000-of-00001"


def test_a_flipped_byte_in_a_checkpoint(tmp_path: Path) -> None:
    data = checkpoint(tmp_path)
    raw = bytearray(data.read_bytes())
    raw[33] ^= 1
    data.write_bytes(raw)
    findings = modelfmt.check(tmp_path / "ckpt")
    assert [type(f) for f in findings] == [ChecksumError]
    assert 'entry "b"' in str(findings[0])


def test_a_cut_checkpoint(tmp_path: Path) -> None:
    data = checkpoint(tmp_path)
    data.write_bytes(data.read_bytes()[:40])
    assert TruncatedError in map(type, modelfmt.check(tmp_path / "ckpt"))


def test_a_flipped_byte_in_an_archive(tmp_path: Path) -> None:
    source = next((GOLDEN / "keras").glob("*/model.keras"))
    copy = tmp_path / "model.keras"
    shutil.copy(source, copy)
    raw = bytearray(copy.read_bytes())
    place = raw.index(b"config.json") + 200  # within the member's text
    raw[place] ^= 1
    copy.write_bytes(raw)
    assert ChecksumError in map(type, modelfmt.check(copy))


def test_weights_that_do_not_fit_the_configuration(tmp_path: Path) -> None:
    import h5py

    copy = tmp_path / "model.h5"
    shutil.copy(CNN, copy)
    with h5py.File(copy, "r+") as file:
        group = file["model_weights/fc"]
        group.attrs["weight_names"] = group.attrs["weight_names"][:1]
    findings = modelfmt.check(copy)
    assert [type(f) for f in findings] == [MismatchError]
    assert 'layer "fc"' in str(findings[0])


def test_hdf5_is_read_in_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has HDF5 to do with it, shards among it; graphs and checkpoints are not."""
    asked: list[str] = []

    def read_isolated(_: object, path: str, kind: object) -> tuple[list[object], list[str]]:
        asked.append(path)
        return [], ["a note"]

    monkeypatch.setattr("modelfmt.surgery.check.read_isolated", read_isolated)
    shards = tmp_path / "model.weights.json"
    shards.write_text('\n{"weight_map": {}}')
    archive = GOLDEN / "keras/tfkeras-tf2.12.1-nested/model.keras"
    for path in (CNN, archive, shards):
        assert modelfmt.check(path).notes == ["a note"]
    modelfmt.check(GOLDEN / "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb")
    modelfmt.check(GOLDEN / "checkpoint/tfkeras-tf2.0.4-subclassed/weights")
    assert asked == [str(CNN), str(archive), str(shards)]


def test_an_attribute_that_nobody_needs(tmp_path: Path) -> None:
    copy = Path(shutil.copy(CNN, tmp_path / "model.h5"))
    with h5py.File(copy, "a") as file:
        file["model_weights"].attrs["remark"] = np.bytes_(b"\xff no UTF-8")
    (found,) = modelfmt.check(copy)
    assert 'attribute "remark"' in str(found) and found.where.path == str(copy)

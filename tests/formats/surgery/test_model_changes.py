"""Changes between MetaGraphs, SavedModels and checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt import proto
from modelfmt.surgery.changes import Change, Tolerance
from modelfmt.surgery.model_changes import described, tensor_changes
from modelfmt.tensor import Tensor

GOLDEN = Path(__file__).parents[3] / "golden"
H5 = GOLDEN / "keras-h5" / "tfkeras-tf2.3.4-cnn" / "model.h5"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    modelfmt.convert(H5, tmp_path / "saved", to="savedmodel")
    return tmp_path / "saved"


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    (tmp_path / "m").mkdir()
    modelfmt.convert(H5, tmp_path / "m" / "model.meta")
    return tmp_path / "m" / "model.meta"


def edited(path: Path, kind: Any, edit: Callable[[Any], object]) -> None:
    message = kind.FromString(path.read_bytes())
    edit(message)
    path.write_bytes(message.SerializeToString(deterministic=True))


def found(changes: list[Change]) -> set[tuple[str, str, str, str]]:
    return {(c.part, c.where, c.what, c.item) for c in changes}


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda m: setattr(m.meta_info_def, "tensorflow_version", "9"),
         ("versions", "", "changed", "meta_info_def.tensorflow_version")),
        (lambda m: m.meta_info_def.stripped_op_list.op.__delitem__(0),
         ("versions", "", "removed", "meta_info_def.stripped_op_list.op.AssignVariableOp")),
        (lambda m: setattr(m.saver_def, "max_to_keep", 77),
         ("saver", "", "changed", "max_to_keep")),
        (lambda m: m.signature_def.__delitem__("serving_default"),
         ("signatures", "serving_default", "removed", "")),
        (lambda m: setattr(m.signature_def["serving_default"], "method_name", "other"),
         ("signatures", "serving_default", "changed", "method_name")),
        (lambda m: m.signature_def["extra"].CopyFrom(m.signature_def["serving_default"]),
         ("signatures", "extra", "added", "")),
        (lambda m: m.collection_def["extra"].node_list.value.append("x"),
         ("collections", "extra", "added", "")),
        (lambda m: m.graph_def.node.add(name="zz", op="NoOp"), ("nodes", "zz", "added", "")),
        (lambda m: m.object_graph_def.nodes.add().children.add(local_name="a"),
         ("object graph", "", "added", "nodes")),
    ],
)  # fmt: skip
def test_a_metagraph(
    meta: Path, tmp_path: Path, edit: Callable[[Any], object], expected: tuple[str, ...]
) -> None:
    shutil.copytree(meta.parent, tmp_path / "other")
    other = tmp_path / "other" / meta.name
    edited(other, proto.MetaGraphDef, edit)
    assert found(modelfmt.diff(meta, other)) == {expected}


def test_a_collection_is_told_by_variable(meta: Path, tmp_path: Path) -> None:
    shutil.copytree(meta.parent, tmp_path / "other")
    other = tmp_path / "other" / meta.name
    edited(other, proto.MetaGraphDef,
           lambda m: m.collection_def["trainable_variables"].bytes_list.value.__delitem__(0))
    (change,) = modelfmt.diff(meta, other)
    assert (change.part, change.what) == ("collections", "removed")
    assert change.where == "trainable_variables" and change.item.endswith(":0")


def test_the_values_of_variables(meta: Path, tmp_path: Path) -> None:
    shutil.copytree(meta.parent, tmp_path / "other")
    other = tmp_path / "other" / meta.name
    prefix = str(meta).removesuffix(".meta")
    with modelfmt.open(prefix) as checkpoint:
        name = next(n for n, t in checkpoint.tensors.items() if t.dtype.is_floating)
        array = checkpoint.tensors[name].numpy().copy()
        array.flat[0] += 1
        checkpoint.tensors[name] = array  # type: ignore[index]
        checkpoint.save(str(other).removesuffix(".meta"), force=True)
    (change,) = modelfmt.diff(meta, other)
    assert (change.part, change.where, change.item) == ("tensors", name, "values")
    assert change.numbers is not None and change.numbers.differing == 1
    assert found(modelfmt.diff(prefix, str(other).removesuffix(".meta"))) == found([change])
    assert modelfmt.diff(meta, other, atol=1.1) == []


def test_without_its_checkpoint_every_variable_is_gone(meta: Path, tmp_path: Path) -> None:
    (tmp_path / "lone").mkdir()
    lone = shutil.copy(meta, tmp_path / "lone")
    changes = modelfmt.diff(meta, lone)
    assert changes and {(c.part, c.what) for c in changes} == {("tensors", "removed")}


def test_a_saved_models_other_files(saved: Path, tmp_path: Path) -> None:
    other = shutil.copytree(saved, tmp_path / "other")
    for folder, text in ((saved, "a"), (other, "bb")):
        (folder / "assets").mkdir(exist_ok=True)
        (folder / "assets" / "words.txt").write_text(text)
    (other / "assets" / "more.txt").write_text("x")
    assert found(modelfmt.diff(saved, other)) == {
        ("files", "assets/words.txt", "changed", "content"),
        ("files", "assets/more.txt", "added", ""),
    }


def test_keras_metadata_is_read(saved: Path, tmp_path: Path) -> None:
    other = shutil.copytree(saved, tmp_path / "other")
    for folder, units in ((saved, 3), (other, 4)):
        metadata = proto.KerasSavedMetadata()
        metadata.nodes.add(node_id=1, metadata=f'{{"config": {{"units": {units}}}}}')
        (folder / "keras_metadata.pb").write_bytes(metadata.SerializeToString())
    (change,) = modelfmt.diff(saved, other)
    assert (change.item, change.a, change.b) == ("nodes[0].metadata.config.units", 3, 4)


def test_metagraphs_are_matched_by_tags(saved: Path, tmp_path: Path) -> None:
    other = shutil.copytree(saved, tmp_path / "other")

    def edit(model: Any) -> None:
        twin = model.meta_graphs.add()
        twin.CopyFrom(model.meta_graphs[0])
        del twin.meta_info_def.tags[:]
        twin.meta_info_def.tags.extend(["train"])
        model.meta_graphs[0].graph_def.node.add(name="zz", op="NoOp")

    edited(other / "saved_model.pb", proto.SavedModel, edit)
    assert {(c.part, c.where, c.what) for c in modelfmt.diff(saved, other)} == {
        ("nodes", "[serve] zz", "added"), ("metagraphs", "train", "added"),
    }  # fmt: skip


def test_the_object_graph_of_a_checkpoint(tmp_path: Path) -> None:
    source = GOLDEN / "checkpoint" / "rawtf2.3.4-module_conv_train"
    prefix = next(source.glob("*.index")).name.removesuffix(".index")
    with modelfmt.open(source / prefix) as checkpoint:
        key = "_CHECKPOINTABLE_OBJECT_GRAPH"
        strings = checkpoint.tensors[key].strings
        assert strings is not None
        graph = proto.TrackableObjectGraph.FromString(strings()[0])
        graph.nodes[0].children[0].local_name = "elsewhere"
        checkpoint.tensors[key] = np.array(  # type: ignore[index]
            graph.SerializeToString(), dtype=object
        )
        checkpoint.save(str(tmp_path / "other"))
    (change,) = modelfmt.diff(source / prefix, tmp_path / "other")
    assert change.item == "nodes[0].children[0].local_name" and change.b == "elsewhere"


def test_versions_of_checkpoints() -> None:
    first = GOLDEN / "checkpoint" / "rawtf0.12.1-raw_partitioned_v1"
    second = GOLDEN / "checkpoint" / "rawtf1.4.1-raw_partitioned"
    assert ("versions", "", "changed", "version") in found(modelfmt.diff(*(
        min(p for p in folder.glob("model*") if p.suffix != ".meta")
        for folder in (first, second)
    )))  # fmt: skip


def test_tensors_by_name() -> None:
    a = {n: Tensor.from_numpy(n, np.zeros(2, np.float32)) for n in "xy"}
    b = {n: Tensor.from_numpy(n, np.zeros(2, np.float32)) for n in "yz"}
    changes = list(tensor_changes(a, b, Tolerance(), "weights"))
    assert [(c.where, c.what, c.a or c.b) for c in changes] == [
        ("x", "removed", "float32[2]"), ("z", "added", "float32[2]"),
    ]  # fmt: skip
    assert described(a["x"]) == "float32[2]"

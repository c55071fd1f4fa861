"""keras_metadata.pb, and the same in the objects themselves, as older TensorFlow has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelfmt import proto
from modelfmt.errors import CorruptFileError
from modelfmt.tf.keras_metadata import KerasObject, read_keras_metadata
from modelfmt.tf.saved_objects import read_saved_objects
from modelfmt.tf.savedmodel import SavedModel

ROWS = [
    (0, "root", "_tf_keras_sequential", {"name": "line", "class_name": "Sequential"}),
    (2, "root.layer-0", "_tf_keras_layer", {"name": "d", "config": {"units": 3}}),
]


def saved(folder: Path, *, legacy: bool) -> Path:
    model = proto.SavedModel(saved_model_schema_version=1)
    meta = model.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    nodes = [meta.object_graph_def.nodes.add() for _ in range(4)]
    nodes[0].children.add(local_name="layer-0", node_id=2)
    nodes[0].children.add(local_name="metric", node_id=3)
    nodes[1].user_object.identifier = "optimizer"
    nodes[1].user_object.metadata = "no Keras object"
    nodes[3].user_object.identifier = "_tf_keras_metric"
    file = proto.KerasSavedMetadata()
    for number, path, identifier, metadata in ROWS:
        nodes[number].user_object.identifier = identifier
        if legacy:
            nodes[number].user_object.metadata = json.dumps(metadata)
        else:
            file.nodes.add(node_id=number, node_path=path, identifier=identifier,
                           metadata=json.dumps(metadata))
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    if not legacy:
        (folder / "keras_metadata.pb").write_bytes(file.SerializeToString())
    return folder


def read(folder: Path) -> dict[int, KerasObject]:
    with SavedModel(str(folder)) as model:
        assert isinstance(model, SavedModel)
        return read_keras_metadata(model, read_saved_objects(model.metagraph))


@pytest.mark.parametrize("legacy", [False, True])
def test_one_form_whatever_wrote_it(tmp_path: Path, legacy: bool) -> None:
    found = read(saved(tmp_path / "m", legacy=legacy))
    assert [
        (number, each.node_path, each.identifier, each.metadata) for number, each in found.items()
    ] == ROWS
    assert [each.name for each in found.values()] == ["line", "d"]


def test_the_file_is_believed_alone(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", legacy=True)
    (folder / "keras_metadata.pb").write_bytes(b"")
    assert read(folder) == {}


def test_no_objects_no_metadata(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", legacy=False)
    model = proto.SavedModel(saved_model_schema_version=1)
    model.meta_graphs.add()
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    assert read(folder) == {}


def test_tuples_and_shapes_are_lists() -> None:
    shape = {"class_name": "TensorShape", "items": [None, 3]}
    pair = {"class_name": "__tuple__", "items": [1, {"class_name": "__tuple__", "items": []}]}
    other = {"class_name": "TypeSpec", "type_spec": "tf.TensorSpec", "serialized": [shape]}
    row = KerasObject(0, "root", "", json.dumps({"a": shape, "b": [pair], "c": other}))
    assert row.metadata == {"a": [None, 3], "b": [[1, []]],
                            "c": {**other, "serialized": [[None, 3]]}}  # fmt: skip
    assert row.name is None


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"class_name": "__tuple__", "items": []}',
                                  "[" * 100_000])  # fmt: skip
def test_metadata_that_is_none(tmp_path: Path, text: str) -> None:
    folder = saved(tmp_path / "m", legacy=False)
    file = proto.KerasSavedMetadata()
    file.nodes.add(node_id=0, node_path="root", metadata=text)
    (folder / "keras_metadata.pb").write_bytes(file.SerializeToString())
    row = read(folder)[0]  # nothing is parsed before it is asked for
    with pytest.raises(CorruptFileError, match="JSON") as error:
        _ = row.metadata
    assert error.value.where.path == str(folder / "keras_metadata.pb")
    assert error.value.where.key == 'object "root"'


@pytest.mark.parametrize("number", [-1, 4])
def test_nodes_that_there_are_not(tmp_path: Path, number: int) -> None:
    folder = saved(tmp_path / "m", legacy=False)
    file: Any = proto.KerasSavedMetadata()
    file.nodes.add(node_id=number, node_path="root.x", metadata="{}")
    (folder / "keras_metadata.pb").write_bytes(file.SerializeToString())
    with pytest.raises(CorruptFileError, match=r'object "root.x": the object graph has no such'):
        read(folder)


def test_no_saved_metadata(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", legacy=False)
    (folder / "keras_metadata.pb").write_bytes(b"\x0a\xffnothing")
    with pytest.raises(CorruptFileError, match=r"keras_metadata\.pb: not a SavedMetadata"):
        read(folder)

"""MetaGraphDefs: the graph where it stands, the rest parsed; .meta files with their checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt import dtypes, proto
from modelfmt.errors import CorruptFileError, MissingError
from modelfmt.graph import Shape
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.storage import wire
from modelfmt.storage.files import piece_bytes
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle_writer import write_bundle
from modelfmt.tf.checkpoint_state import write_checkpoint_state
from modelfmt.tf.graphdef import write_graphdef
from modelfmt.tf.metagraph import MetaGraph, MetaGraphFile, checkpoint_prefix


def graph_bytes(folder: Path) -> bytes:
    """x (?, 4) -> MatMul with variable w -> y."""
    made = GraphBuilder()
    x = made.placeholder("x", dtypes.float32, (None, 4))
    handle = made.op(
        "VarHandleOp", name="w", dtype=dtypes.float32, shape=Shape((4, 2)),
        shared_name="w",
    )
    read = made.op("ReadVariableOp", handle, name="w/read", dtype=dtypes.float32)
    made.op("MatMul", x, read, name="y")
    write_graphdef(made, str(folder / "g.pb"), force=True)
    return (folder / "g.pb").read_bytes()


def message(folder: Path, **signatures: dict[str, str]) -> bytes:
    meta = proto.MetaGraphDef()
    meta.meta_info_def.tags.append("serve")
    meta.meta_info_def.tensorflow_version = "2.21.0"
    for key, outputs in signatures.items():
        signature = meta.signature_def[key]
        signature.inputs["features"].name = "x:0"
        signature.inputs["features"].dtype = 1
        signature.inputs["features"].tensor_shape.dim.add().size = -1
        signature.inputs["features"].tensor_shape.dim.add().size = 4
        for name, tensor in outputs.items():
            signature.outputs[name].name = tensor
            signature.outputs[name].dtype = 1
            signature.outputs[name].tensor_shape.unknown_rank = True
    head = meta.SerializeToString(deterministic=True)
    return head + wire.length_delimited(2, graph_bytes(folder))


def test_the_graph_and_the_rest(tmp_path: Path) -> None:
    meta = MetaGraph(message(tmp_path, serving_default={"b": "y:0", "a": "x:0"}))
    assert list(meta.graph) == ["x", "w", "w/read", "y"]
    assert meta.tags == ("serve",)
    assert not meta.message.HasField("graph_def")
    signature = meta.signatures["serving_default"]
    features = signature.inputs["features"]
    assert (features.tensor, features.dtype, features.shape) == ("x", dtypes.float32, (None, 4))
    assert list(signature.outputs) == ["a", "b"]
    assert signature.outputs["b"].shape is None


def test_which_signature(tmp_path: Path) -> None:
    y = {"o": "y:0"}
    both = MetaGraph(message(tmp_path, serving_default=y, train=y))
    assert both.signature() is both.signatures["serving_default"]
    assert both.signature("train") is both.signatures["train"]
    with pytest.raises(MissingError, match="no signature 'trian'"):
        both.signature("trian")
    only = MetaGraph(message(tmp_path, __saved_model_init_op=y, predict=y))
    assert only.signature() is only.signatures["predict"]
    assert MetaGraph(message(tmp_path, a=y, b=y)).signature() is None


def test_an_initialiser_yields_no_tensor(tmp_path: Path) -> None:
    raw = proto.MetaGraphDef()
    raw.signature_def["__saved_model_init_op"].outputs["op"].name = "init"
    meta = MetaGraph(raw.SerializeToString())
    assert meta.signatures["__saved_model_init_op"].outputs["op"].dtype is None


def test_two_graph_defs_are_merged_as_protobuf_merges_them(tmp_path: Path) -> None:
    nodes = [wire.length_delimited(1, wire.length_delimited(1, name)) for name in (b"a", b"b")]
    meta = MetaGraph(b"".join(wire.length_delimited(2, node) for node in nodes))
    assert list(meta.graph) == ["a", "b"]


def test_not_a_metagraph() -> None:
    with pytest.raises(CorruptFileError, match="not a MetaGraphDef"):
        MetaGraph(wire.length_delimited(1, b"\xff\xff"))


def test_a_file_with_its_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "model.meta"
    path.write_bytes(message(tmp_path, serving_default={"o": "y:0"}))
    value = np.arange(8, dtype=np.float32).reshape(4, 2)
    with MetaGraphFile(str(path)) as alone:
        assert dict(alone.tensors) == {} and alone.values == {}
    write_bundle(str(tmp_path / "model"), [Tensor.from_numpy("w", value)])
    with modelfmt.open(path) as found:
        assert isinstance(found, MetaGraphFile)
        assert list(found.tensors) == ["w"]
        np.testing.assert_array_equal(found.values["w"].numpy(), value)


def test_a_text_file_says_the_same(tmp_path: Path) -> None:
    raw = message(tmp_path, serving_default={"o": "y:0"})
    path = tmp_path / "model.meta"
    path.write_text(proto.format_text(proto.MetaGraphDef.FromString(raw)))
    with modelfmt.open(path) as found:
        assert isinstance(found, MetaGraphFile) and found.is_text
        assert list(found.graph) == ["x", "w", "w/read", "y"]
        assert found.metagraph.tags == ("serve",)


def test_a_text_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "model.meta"
    path.write_text("meta_info_def { tags: }")
    with pytest.raises(CorruptFileError, match="not a text MetaGraphDef") as error:
        modelfmt.open(path)
    assert error.value.where.path == str(path)


def test_the_graph_is_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "model.meta"
    raw = message(tmp_path)
    path.write_bytes(raw)
    with MetaGraphFile(str(path)) as found:
        source = found.metagraph.graph.source
        assert piece_bytes(source) == graph_bytes(tmp_path)
        assert type(source).__name__ == "FileSpan"


def test_collections_saver_and_assets() -> None:
    raw = proto.parse_text(
        """
        saver_def { restore_op_name: "save/restore_all" version: V1 }
        collection_def { key: "train_op" value { node_list { value: "Adam" } } }
        collection_def { key: "a" value { int64_list { value: 1 } } }
        asset_file_def { tensor_info { name: "Const:0" } filename: "v.txt" }
        """,
        proto.MetaGraphDef,
    )
    meta = MetaGraph(raw.SerializeToString())
    assert list(meta.collections) == ["a", "train_op"]
    assert meta.collections["train_op"].values == ("Adam",)
    assert meta.saver is not None
    assert (meta.saver.restore_op, meta.saver.version) == ("save/restore_all", 1)
    assert [(asset.tensor, asset.filename) for asset in meta.assets] == [("Const:0", "v.txt")]
    empty = MetaGraph(b"")
    assert (empty.collections, empty.saver, empty.assets) == ({}, None, [])


def test_assets_as_tensorflow_1_listed_them() -> None:
    raw = proto.MetaGraphDef()
    asset = proto.AssetFileDef(filename="old.txt")
    asset.tensor_info.name = "Const:0"
    listed = raw.collection_def["saved_model_assets"].any_list.value
    listed.add(
        type_url="type.googleapis.com/tensorflow.AssetFileDef", value=asset.SerializeToString()
    )
    listed.add(type_url="type.googleapis.com/x.Other", value=b"1")
    assert [a.filename for a in MetaGraph(raw.SerializeToString()).assets] == ["old.txt"]
    raw.asset_file_def.add(filename="new.txt")  # where both are, this one counts
    assert [a.filename for a in MetaGraph(raw.SerializeToString()).assets] == ["new.txt"]


def test_opening_decodes_no_collection() -> None:
    raw = proto.MetaGraphDef()
    raw.collection_def["variables"].bytes_list.value.append(b"\x0a\x09short")
    meta = MetaGraph(raw.SerializeToString())
    found = meta.collections["variables"]
    assert found.entries == (b"\x0a\x09short",) and "_decoded" not in vars(found)
    assert len(found.errors) == 1


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("m.meta", "m"),
        ("m.meta.pbtxt", "m"),
        ("m.pbtxt", "m"),
        ("a.b/m.ckpt-7.meta", "a.b/m.ckpt-7"),
        ("m.pb", None),
        ("m", None),
        (".meta", None),
        ("a/.meta.pbtxt", None),
    ],
)
def test_the_prefix_of_a_checkpoint(name: str, prefix: str | None) -> None:
    assert checkpoint_prefix(name) == prefix


@pytest.mark.parametrize("name", ["model.meta", "model.meta.pbtxt", "model.pbtxt"])
def test_a_text_file_has_a_checkpoint_by_each_of_its_names(tmp_path: Path, name: str) -> None:
    raw = message(tmp_path, serving_default={"o": "y:0"})
    (tmp_path / name).write_text(proto.format_text(proto.MetaGraphDef.FromString(raw)))
    write_bundle(str(tmp_path / "model"), [Tensor.from_numpy("w", np.ones((4, 2), np.float32))])
    with modelfmt.open(tmp_path / name) as found:
        assert found.kind == "metagraph" and list(found.tensors) == ["w"]


@pytest.mark.parametrize("other", ["folder", "file"])
def test_what_only_has_the_name_of_a_checkpoint_is_none(tmp_path: Path, other: str) -> None:
    raw = message(tmp_path)
    (tmp_path / "model.pbtxt").write_text(proto.format_text(proto.MetaGraphDef.FromString(raw)))
    if other == "folder":
        (tmp_path / "model").mkdir()
        write_bundle(str(tmp_path / "model/x"), [Tensor.from_numpy("w", np.ones(1, np.float32))])
        write_checkpoint_state(tmp_path / "model", "x")
    else:
        (tmp_path / "model").write_text("notes\n")
    with modelfmt.open(tmp_path / "model.pbtxt") as found:
        assert dict(found.tensors) == {}

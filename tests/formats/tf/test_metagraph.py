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
from modelfmt.tf.graphdef import write_graphdef
from modelfmt.tf.metagraph import MetaGraph, MetaGraphFile


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

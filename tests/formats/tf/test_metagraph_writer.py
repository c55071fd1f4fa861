"""MetaGraphs written: the message, the files beside it, and what TensorFlow says of them."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt import proto
from modelfmt.dtypes import float32
from modelfmt.errors import MismatchError, UnsupportedError
from modelfmt.graphs.variable_builder import VariableGraphBuilder
from modelfmt.storage.files import Computed, OutputExistsError, piece_bytes
from modelfmt.tensor import Tensor
from modelfmt.tf.checkpoint_state import read_checkpoint_state, write_checkpoint_state
from modelfmt.tf.metagraph import MetaGraphFile, Signature, TensorInfo
from modelfmt.tf.metagraph_writer import (
    Model,
    fill_signature,
    metagraph_pieces,
    write_metagraph,
)

KERNEL = np.arange(6, dtype="f4").reshape(3, 2)
MEAN = np.array([0.5, -1], "f4")


def model(*, frozen: bool = False) -> Model:
    graph = VariableGraphBuilder()
    x = graph.placeholder("x", float32, (None, 3))
    kernel, mean = Tensor.from_numpy("kernel", KERNEL), Tensor.from_numpy("moving_mean", MEAN)
    with graph.scope("d"):
        y = graph.op("Sub", graph.op("MatMul", x, kernel), mean)
    graph.not_trained([mean, kernel] if frozen else [mean])
    signature = Signature(
        {"x": TensorInfo("x", float32, (None, 3))}, {"out": TensorInfo(y, float32, (None, 2))}
    )
    return Model(graph, graph.variables(), signature, tensorflow="1.15.0")


def without_variables() -> Model:
    graph = VariableGraphBuilder()
    x = graph.placeholder("x", float32, (2,))
    info = TensorInfo(graph.op("Relu", x), float32, (2,))
    return Model(graph, [], Signature({"x": TensorInfo("x", float32, (2,))}, {"y": info}))


def message(path: Path) -> proto.MetaGraphDef:
    return proto.MetaGraphDef.FromString(path.read_bytes())


def test_the_files(tmp_path: Path) -> None:
    write_metagraph(model(), str(tmp_path / "m.meta"))
    assert sorted(os.listdir(tmp_path)) == [
        "checkpoint", "m.data-00000-of-00001", "m.index", "m.meta",
    ]  # fmt: skip
    with modelfmt.open(str(tmp_path / "m.meta")) as file:
        assert isinstance(file, MetaGraphFile)
        np.testing.assert_array_equal(file.values["d/kernel"].numpy(), KERNEL)
        np.testing.assert_array_equal(file.values["d/moving_mean"].numpy(), MEAN)
    assert read_checkpoint_state(str(tmp_path)).latest == "m"


def test_the_message(tmp_path: Path) -> None:
    write_metagraph(model(), str(tmp_path / "m.meta"))
    found = message(tmp_path / "m.meta")
    saver = found.saver_def
    assert saver.filename_tensor_name == "save/Const:0" and saver.version == 2
    assert saver.save_tensor_name == "save/control_dependency:0"
    assert saver.restore_op_name == "save/restore_all" and not saver.sharded
    assert found.meta_info_def.tensorflow_version == "1.15.0"
    assert found.graph_def.versions.producer == 134
    used = sorted({node.op for node in found.graph_def.node})
    assert [op.name for op in found.meta_info_def.stripped_op_list.op] == used
    serving = found.signature_def["serving_default"]
    assert list(found.signature_def) == ["serving_default"]
    assert serving.inputs["x"].name == "x:0" and serving.outputs["out"].name == "d/Sub:0"
    assert [d.size for d in serving.inputs["x"].tensor_shape.dim] == [-1, 3]
    assert serving.inputs["x"].dtype == 1 and serving.method_name


def test_the_collections(tmp_path: Path) -> None:
    write_metagraph(model(), str(tmp_path / "m.meta"))
    found = message(tmp_path / "m.meta")
    nodes = {node.name for node in found.graph_def.node}
    names = {}
    for key in ("variables", "model_variables", "trainable_variables"):
        listed = found.collection_def[key].bytes_list.value
        defs = [proto.VariableDef.FromString(raw) for raw in listed]
        names[key] = [d.variable_name for d in defs]
        for d in defs:
            assert d.is_resource and d.initializer_name in nodes
            assert d.snapshot_name.removesuffix(":0") in nodes
            assert d.initial_value_name.removesuffix(":0") in nodes
            assert d.trainable == (d.variable_name == "d/kernel:0")
    assert names == {
        "variables": ["d/kernel:0", "d/moving_mean:0"],
        "model_variables": ["d/kernel:0", "d/moving_mean:0"],
        "trainable_variables": ["d/kernel:0"],
    }


def test_a_model_without_trainable_variables_has_no_such_collection(tmp_path: Path) -> None:
    write_metagraph(model(frozen=True), str(tmp_path / "m.meta"))
    assert "trainable_variables" not in message(tmp_path / "m.meta").collection_def


def test_no_weights_stand_in_the_message() -> None:
    """So that a model of any size has a .meta; and their bytes are not read to make it."""

    def read() -> Any:
        raise AssertionError("read")

    large = Tensor("kernel", float32, (1 << 20, 1 << 10), Computed(1 << 32, read))
    graph = VariableGraphBuilder()
    graph.weight(large)
    pieces = metagraph_pieces(Model(graph, graph.variables(), Signature({}, {})))
    assert sum(len(bytes(p)) for p in pieces if isinstance(p, bytes)) < 10_000  # type: ignore[arg-type]


def test_the_same_model_is_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_metagraph(model(), str(tmp_path / folder / "m.meta"))
    for name in os.listdir(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_tensors_stand_in_order_of_their_keys(tmp_path: Path) -> None:
    """As a Saver's SaveV2 gets them."""
    write_metagraph(model(), str(tmp_path / "m.meta"))
    assert (tmp_path / "m.data-00000-of-00001").read_bytes() == KERNEL.tobytes() + MEAN.tobytes()


def test_without_variables_there_is_no_checkpoint(tmp_path: Path) -> None:
    write_metagraph(without_variables(), str(tmp_path / "m.meta"))
    assert os.listdir(tmp_path) == ["m.meta"]
    assert not message(tmp_path / "m.meta").HasField("saver_def")


@pytest.mark.parametrize("name", ["m.meta", "m.index", "m.data-00000-of-00001"])
def test_nothing_is_replaced_unasked(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"old")
    with pytest.raises(OutputExistsError) as error:
        write_metagraph(model(), str(tmp_path / "m.meta"))
    assert error.value.where.path == str(tmp_path / name)
    assert os.listdir(tmp_path) == [name] and (tmp_path / name).read_bytes() == b"old"
    write_metagraph(model(), str(tmp_path / "m.meta"), force=True)
    assert len(os.listdir(tmp_path)) == 4


def test_a_folders_other_checkpoints_stay_listed(tmp_path: Path) -> None:
    write_checkpoint_state(tmp_path, "b", all_names=["a"])
    write_metagraph(model(), str(tmp_path / "m.meta"))
    state = read_checkpoint_state(str(tmp_path))
    assert (state.latest, state.all) == ("m", ("a", "b", "m"))
    write_metagraph(model(), str(tmp_path / "a.meta"))
    assert read_checkpoint_state(str(tmp_path)).all == ("b", "m", "a")


def test_a_file_called_checkpoint_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(b"\x89HDF")
    with pytest.raises(OutputExistsError):
        write_metagraph(model(), str(tmp_path / "m.meta"))
    assert (tmp_path / "checkpoint").read_bytes() == b"\x89HDF"
    assert os.listdir(tmp_path) == ["checkpoint"]
    write_metagraph(model(), str(tmp_path / "m.meta"), force=True)
    assert read_checkpoint_state(str(tmp_path)).all == ("m",)


def test_what_fails_on_the_way_leaves_the_old_set(tmp_path: Path) -> None:
    write_metagraph(model(), str(tmp_path / "m.meta"))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    graph = VariableGraphBuilder()
    graph.weight(Tensor("short", float32, (4,), b"1234"))
    with pytest.raises(MismatchError):
        write_metagraph(
            Model(graph, graph.variables(), Signature({}, {})), str(tmp_path / "m.meta"), force=True
        )
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["m", "m.pb", ".meta", ".pbtxt", ".meta.pbtxt"])
def test_a_name_without_a_prefix(tmp_path: Path, name: str) -> None:
    with pytest.raises(MismatchError):
        write_metagraph(model(), str(tmp_path / name))


@pytest.mark.parametrize("name", ["m.pbtxt", "m.meta.pbtxt"])
def test_text(tmp_path: Path, name: str) -> None:
    """The same message, with the checkpoint of the same prefix."""
    write_metagraph(model(), str(tmp_path / name))
    (tmp_path / "binary").mkdir()
    write_metagraph(model(), str(tmp_path / "binary/m.meta"))
    text = (tmp_path / name).read_text()
    assert proto.parse_text(text, proto.MetaGraphDef) == message(tmp_path / "binary/m.meta")
    for other in ("m.index", "m.data-00000-of-00001", "checkpoint"):
        assert (tmp_path / other).read_bytes() == (tmp_path / "binary" / other).read_bytes()
    with modelfmt.open(str(tmp_path / name)) as file:
        assert isinstance(file, MetaGraphFile) and file.is_text
        np.testing.assert_array_equal(file.values["d/kernel"].numpy(), KERNEL)
    with pytest.raises(OutputExistsError):
        write_metagraph(model(), str(tmp_path / name))


def test_a_graph_without_versions_stays_without() -> None:
    """Such a file means the oldest: ops removed since are still allowed in it."""
    for producer in (0, 21):
        pieces = metagraph_pieces(dataclasses.replace(model(), producer=producer))
        found = proto.MetaGraphDef.FromString(b"".join(map(piece_bytes, pieces)))
        assert found.graph_def.HasField("versions") == bool(producer)
        assert found.graph_def.versions.producer == producer


def test_two_gigabytes(tmp_path: Path) -> None:
    graph = VariableGraphBuilder()
    big = Tensor("c", float32, (1 << 29,), Computed(1 << 31, lambda: []))
    graph._const(big, "c")
    with pytest.raises(UnsupportedError, match="2 GiB"):
        write_metagraph(Model(graph, [], Signature({}, {})), str(tmp_path / "m.meta"))
    assert os.listdir(tmp_path) == []


def test_a_signature_of_unknown_things() -> None:
    found = proto.SignatureDef()
    fill_signature(found, Signature({"a": TensorInfo("n:1", None, None)}, {}, "m"))
    assert found.inputs["a"].name == "n:1" and found.inputs["a"].dtype == 0
    assert found.inputs["a"].tensor_shape.unknown_rank and found.method_name == "m"


def test_a_scalar_has_a_shape() -> None:
    found = proto.SignatureDef()
    fill_signature(found, Signature({"a": TensorInfo("n", float32, ())}, {}))
    assert found.inputs["a"].HasField("tensor_shape")
    assert not found.inputs["a"].tensor_shape.unknown_rank


# --- the oracle ---


@pytest.fixture(scope="module")
def tf() -> Any:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return pytest.importorskip("tensorflow")


@pytest.mark.oracle
def test_tensorflow_restores_trains_and_saves_again(tf: Any, tmp_path: Path) -> None:
    path, tf1, graph = tmp_path / "m.meta", tf.compat.v1, tf.Graph()
    write_metagraph(model(), str(path))
    given = np.array([[1, 2, 3], [0, -1, 2]], "f4")
    with graph.as_default(), tf1.Session() as session:
        saver = tf1.train.import_meta_graph(str(path))
        saver.restore(session, str(tmp_path / "m"))
        fed, out = graph.get_tensor_by_name("x:0"), graph.get_tensor_by_name("d/Sub:0")
        before = session.run(out, {fed: given})
        np.testing.assert_allclose(before, given @ KERNEL - MEAN, rtol=1e-6)
        (kernel,), everything = tf1.trainable_variables(), tf1.global_variables()
        assert [v.name for v in everything] == ["d/kernel:0", "d/moving_mean:0"]
        assert kernel.name == "d/kernel:0" and len(tf1.model_variables()) == 2
        loss = tf.reduce_sum(out * out)
        step = tf1.train.GradientDescentOptimizer(0.01).minimize(loss)
        lost = session.run(loss, {fed: given})
        session.run(step, {fed: given})
        assert session.run(loss, {fed: given}) < lost
        np.testing.assert_array_equal(session.run(everything[1]), MEAN)
        trained = session.run(kernel)
        assert saver.save(session, str(tmp_path / "again")) == str(tmp_path / "again")
        session.run(tf1.global_variables_initializer())
        assert not session.run(kernel).any()
        saver.restore(session, str(tmp_path / "again"))
        np.testing.assert_array_equal(session.run(kernel), trained)
    with modelfmt.open(str(tmp_path / "again.meta")) as file:
        np.testing.assert_array_equal(file.tensors["d/kernel"].numpy(), trained)
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "again")


@pytest.mark.oracle
@pytest.mark.parametrize("parsed", [False, True])
def test_tensorflow_restores_what_a_text_tells(tf: Any, tmp_path: Path, parsed: bool) -> None:
    from google.protobuf import text_format

    path, tf1, graph = tmp_path / "m.pbtxt", tf.compat.v1, tf.Graph()
    write_metagraph(model(), str(path))
    given = np.array([[1, 2, 3], [0, -1, 2]], "f4")
    source: Any = str(path)
    if parsed:
        source = text_format.Parse(path.read_text(), tf1.MetaGraphDef())
    with graph.as_default(), tf1.Session() as session:
        saver = tf1.train.import_meta_graph(source)
        saver.restore(session, str(tmp_path / "m"))
        out = session.run("d/Sub:0", {"x:0": given})
        np.testing.assert_allclose(out, given @ KERNEL - MEAN, rtol=1e-6)
        assert [v.name for v in tf1.trainable_variables()] == ["d/kernel:0"]


@pytest.mark.oracle
def test_tensorflow_writes_the_same_saver_and_variables(tf: Any, tmp_path: Path) -> None:
    """The nodes, edges and VariableDefs that its own Saver makes for these variables."""
    tf1, graph = tf.compat.v1, tf.Graph()
    with graph.as_default(), tf1.Session() as session:
        zeros = tf1.zeros_initializer()
        for name, shape, trained in (("kernel", (3, 2), True), ("moving_mean", (2,), False)):
            with tf1.variable_scope("d"):
                tf1.get_variable(
                    name, shape, initializer=zeros, use_resource=True, trainable=trained
                )
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(session, str(tmp_path / "theirs"))
    write_metagraph(model(), str(tmp_path / "ours.meta"))
    ours, theirs = message(tmp_path / "ours.meta"), message(tmp_path / "theirs.meta")
    assert ours.saver_def == theirs.saver_def
    for key in ("variables", "trainable_variables"):
        assert ours.collection_def[key] == theirs.collection_def[key]
    made = {node.name: node for node in ours.graph_def.node}
    compared = 0
    for node in theirs.graph_def.node:
        if node.name.startswith(("save/", "d/")) and "Initial" not in node.name:
            assert (made[node.name].op, made[node.name].input) == (node.op, node.input)
            compared += 1
    assert compared > 15

"""thaw: frozen graphs and graphs with variables as models with variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt import proto
from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError, CorruptFileError, MissingError
from modelfmt.graph import Graph, parse_input
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.surgery.thaw import thaw
from modelfmt.tensor import Tensor
from modelfmt.tf.graphdef import WireGraph, write_graphdef
from modelfmt.tf.metagraph import MetaGraphFile
from modelfmt.tf.metagraph_writer import Model
from modelfmt.tf.nodedef import WireNode

GOLDEN = Path(__file__).parents[3] / "golden" / "graphdef"
KERNEL = np.arange(6, dtype="f4").reshape(3, 2)
BIAS = np.array([1, -2], "f4")


def frozen(*, as_tf2: bool = False) -> GraphBuilder:
    """y = relu(x @ kernel + bias), as TensorFlow 1 or 2 leaves it when it freezes."""
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 3))
    ends = ("d/MatMul/ReadVariableOp", "d/BiasAdd/ReadVariableOp") if as_tf2 else (
        "d/kernel/read", "d/bias/read"
    )  # fmt: skip
    reads = []
    for read, value in zip(ends, (KERNEL, BIAS), strict=True):
        const = f"{read}/resource" if as_tf2 else read.removesuffix("/read")
        reads.append(graph.op("Identity", graph.const(value, name=const), name=read))
    product = graph.op("MatMul", x, reads[0], name="d/MatMul")
    graph.op("Relu", graph.op("BiasAdd", product, reads[1], name="d/BiasAdd"), name="y")
    return graph


def thawed(path: Path, **options: Any) -> tuple[Model, Graph]:
    with modelfmt.open(str(path)) as file:
        model = thaw(file, **options)
        for variable in model.variables:
            variable.value.numpy()
        return model, dict_graph(file.graph)


def dict_graph(graph: Graph) -> Graph:
    return Graph(dict(graph.items()))


def raw(node: Any) -> bytes | None:
    if not isinstance(node, WireNode):
        return None
    return node.raw if isinstance(node.raw, bytes) else bytes(node.raw.view())


def check_edges(model: Model) -> None:
    for node in model.graph.values():
        for text in node.inputs:
            assert parse_input(text).node in model.graph, (node, text)


@pytest.mark.parametrize("as_tf2", [False, True])
def test_a_frozen_dense_layer(tmp_path: Path, as_tf2: bool) -> None:
    write_graphdef(frozen(as_tf2=as_tf2), str(tmp_path / "f.pb"))
    model, _ = thawed(tmp_path / "f.pb")
    assert [v.name for v in model.variables] == ["d/kernel", "d/bias"]
    check_edges(model)
    assert model.graph["d/kernel"].op == "VarHandleOp"
    read = "d/MatMul/ReadVariableOp" if as_tf2 else "d/kernel/read"
    assert model.graph[read].inputs == ["d/kernel/Read/ReadVariableOp"]
    assert list(model.signature.inputs) == ["x"] and list(model.signature.outputs) == ["y"]
    assert model.signature.inputs["x"].shape == (None, 3)


def test_nodes_that_need_no_change_keep_their_bytes(tmp_path: Path) -> None:
    """Unknown fields and all; only what reads a Const that is gone is written anew."""
    write_graphdef(frozen(), str(tmp_path / "f.pb"))
    with modelfmt.open(str(tmp_path / "f.pb")) as file:
        model = thaw(file)
        same = {n for n in model.graph if n in file.graph and raw(file.graph[n]) is not None
                and model.graph[n] is file.graph[n]}  # fmt: skip
        assert same == {"x", "d/MatMul", "d/BiasAdd", "y"}
        assert isinstance(file.graph, WireGraph) and file.graph.pieces() == [file.graph.source]


def test_names_that_collide_are_numbered(tmp_path: Path) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 3))
    for count in range(2):
        const = graph.const(KERNEL[:, :2], name=f"c/MatMul_{count}/ReadVariableOp/resource")
        read = graph.op("Identity", const, name=f"c/MatMul_{count}/ReadVariableOp")
        graph.op("MatMul", x, read, name=f"c/MatMul_{count}")
    graph.op("Relu", graph.op("Add", "c/MatMul_0", "c/MatMul_1"), name="c/kernel_1")
    write_graphdef(graph, str(tmp_path / "f.pb"))
    model, _ = thawed(tmp_path / "f.pb")
    assert [v.name for v in model.variables] == ["c/kernel", "c/kernel_2"]
    check_edges(model)


def test_a_weight_that_is_an_output_is_read(tmp_path: Path) -> None:
    graph = frozen()
    write_graphdef(graph, str(tmp_path / "f.pb"))
    model, _ = thawed(tmp_path / "f.pb", outputs=["y", "d/bias"])
    assert model.signature.outputs["d/bias"].tensor == "d/bias/Read/ReadVariableOp"


def test_only_what_the_outputs_need(tmp_path: Path) -> None:
    write_graphdef(frozen(), str(tmp_path / "f.pb"))
    model, _ = thawed(tmp_path / "f.pb", inputs=["d/MatMul"], outputs=["d/BiasAdd:0"])
    assert [v.name for v in model.variables] == ["d/bias"]
    assert model.graph["d/MatMul"].op == "Placeholder" and "x" not in model.graph
    assert list(model.signature.inputs) == ["d/MatMul"]


def test_an_output_that_does_not_exist(tmp_path: Path) -> None:
    write_graphdef(frozen(), str(tmp_path / "f.pb"))
    with pytest.raises(MissingError), modelfmt.open(str(tmp_path / "f.pb")) as file:
        thaw(file, outputs=["z"])


def test_a_graph_with_variables_and_no_checkpoint(tmp_path: Path) -> None:
    graph = GraphBuilder()
    handle = graph.op("VarHandleOp", name="v", dtype=float32, shape=modelfmt_shape(2))
    graph.op("Relu", graph.op("ReadVariableOp", handle, dtype=float32), name="y")
    write_graphdef(graph, str(tmp_path / "f.pb"))
    with pytest.raises(MissingError, match='node "v"'), modelfmt.open(
        str(tmp_path / "f.pb")
    ) as file:
        thaw(file, outputs=["y"])


def modelfmt_shape(*sizes: int) -> Any:
    from modelfmt.graph import Shape

    return Shape(sizes)


def test_a_file_without_a_graph(tmp_path: Path) -> None:
    from modelfmt.tf.bundle_writer import write_bundle

    write_bundle(tmp_path / "c", [Tensor.from_numpy("a", BIAS)])
    with pytest.raises(ConversionError), modelfmt.open(str(tmp_path / "c")) as file:
        thaw(file)


def test_a_graphs_own_version_stays(tmp_path: Path) -> None:
    """Version 0 too: below 24 a Placeholder's shape [] means any."""
    graph = proto.GraphDef()
    write_graphdef(frozen(), str(tmp_path / "f.pb"))
    graph.ParseFromString((tmp_path / "f.pb").read_bytes())
    for producer in (0, 21):
        graph.versions.producer = producer
        if not producer:
            graph.ClearField("versions")
        (tmp_path / "g.pb").write_bytes(graph.SerializeToString())
        modelfmt.convert(tmp_path / "g.pb", tmp_path / "g.meta", force=True)
        found = proto.MetaGraphDef.FromString((tmp_path / "g.meta").read_bytes())
        assert found.graph_def.versions.producer == producer


def test_functions_that_are_called_stay(tmp_path: Path) -> None:
    """And those that nothing calls go."""
    source = GOLDEN / "rawtf2.21.0-module_control_v2cf" / "model.pb"
    modelfmt.convert(source, tmp_path / "f.meta")
    before = proto.GraphDef.FromString(source.read_bytes())
    after = proto.MetaGraphDef.FromString((tmp_path / "f.meta").read_bytes()).graph_def
    had = {f.signature.name: f.SerializeToString() for f in before.library.function}
    has = {f.signature.name: f.SerializeToString() for f in after.library.function}
    assert has and has.items() <= had.items()
    loops = [node for node in after.node if "While" in node.op]
    assert loops and all(node.attr["body"].func.name in has for node in loops)


@pytest.mark.parametrize("kind", ["metagraph", "savedmodel"])
def test_variables_stay_variables_and_the_saver_is_made_anew(tmp_path: Path, kind: str) -> None:
    write_graphdef(frozen(), str(tmp_path / "f.pb"))
    modelfmt.convert(tmp_path / "f.pb", tmp_path / "a.meta")
    out = tmp_path / ("b.meta" if kind == "metagraph" else "b")
    modelfmt.convert(tmp_path / "a.meta", out, to=kind)
    with modelfmt.open(str(tmp_path / "a.meta")) as a, modelfmt.open(str(out)) as b:
        assert isinstance(a, MetaGraphFile) and {n: t.sha256() for n, t in a.tensors.items()} == {
            n: t.sha256() for n, t in b.tensors.items()
        }
        assert set(a.graph) == set(b.graph)


def test_a_damaged_collection_is_named(tmp_path: Path) -> None:
    write_graphdef(frozen(), str(tmp_path / "f.pb"))
    modelfmt.convert(tmp_path / "f.pb", tmp_path / "a.meta")
    found = proto.MetaGraphDef.FromString((tmp_path / "a.meta").read_bytes())
    found.collection_def["variables"].bytes_list.value[0] = b"\xff\xff"
    (tmp_path / "a.meta").write_bytes(found.SerializeToString())
    with pytest.raises(CorruptFileError, match='collection "variables"'):
        modelfmt.convert(tmp_path / "a.meta", tmp_path / "b.meta")


def test_thawing_is_deterministic(tmp_path: Path) -> None:
    source = GOLDEN / "keras2.1.2-tf1.4.1-cnn" / "model.pb"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        modelfmt.convert(source, tmp_path / name / "m.meta")
    for name in os.listdir(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


# --- the oracle ---


@pytest.fixture(scope="module")
def tf() -> Any:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return pytest.importorskip("tensorflow")


def run(tf: Any, graph_def: Any, feeds: dict[str, Any], fetches: list[str]) -> list[Any]:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return list(session.run(fetches, feeds))


@pytest.mark.oracle
@pytest.mark.parametrize(
    "case",
    [
        "keras1.2.2-tf1.2.1-k1_mlp", "keras2.1.2-tf1.4.1-cnn", "keras2.1.2-tf1.4.1-cnn_lp",
        "keras3.15.1-tf2.21.0-mlp_activations", "rawtf1.4.1-raw_control_flow",
        "rawtf2.21.0-module_control_v2cf", "tfkeras-tf2.15.1-multi_input",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["metagraph", "savedmodel"])
def test_a_thawed_graph_computes_what_it_did(
    tf: Any, tmp_path: Path, case: str, kind: str
) -> None:
    source, out = GOLDEN / case / "model.pb", tmp_path / "m.meta"
    out = out if kind == "metagraph" else tmp_path / "m"
    modelfmt.convert(source, out, to=kind)
    with modelfmt.open(str(out)) as file:
        signature = file.metagraph.signature()  # type: ignore[attr-defined]
        assert list(file.tensors)
    rng = np.random.default_rng(0)
    given = {}
    for key, info in signature.inputs.items():
        shape = {"x": (3, 5), "n": ()}[key] if info.shape is None else info.shape
        sizes = [2 if size is None else size for size in shape]
        whole = info.dtype.name.startswith("int")
        values = rng.integers(0, 2, sizes) if whole else rng.standard_normal(sizes)
        given[key] = values.astype(info.dtype.numpy)
    graph_def = tf.compat.v1.GraphDef.FromString(source.read_bytes())
    feeds = {f"{signature.inputs[k].tensor}:0": v for k, v in given.items()}
    names = {node.name: node for node in graph_def.node}
    for name in names:  # the learning phase, where the frozen graph wants to be told
        if names[name].op == "Placeholder" and "learning_phase" in name:
            feeds[f"{name}:0"] = False
    fetches = [i.tensor if ":" in i.tensor else f"{i.tensor}:0" for i in signature.outputs.values()]
    wanted = run(tf, graph_def, feeds, fetches)
    if kind == "savedmodel":
        endpoint = tf.saved_model.load(str(out)).signatures["serve"]
        found = endpoint(**{k: tf.constant(v) for k, v in given.items()})
        got = [found[key].numpy() for key in signature.outputs]
    else:
        tf1 = tf.compat.v1
        with tf.Graph().as_default(), tf1.Session() as session:
            saver = tf1.train.import_meta_graph(str(out))
            saver.restore(session, str(tmp_path / "m"))
            got = session.run(fetches, {k: v for k, v in feeds.items() if "learning" not in k})
            session.run(tf1.global_variables_initializer())
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.oracle
def test_a_table_of_a_savedmodel_still_answers(tf: Any, tmp_path: Path) -> None:
    """Its vocabulary is an asset, which neither result has."""
    (tmp_path / "vocab.txt").write_text("ant\nbee\ncat\n")

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            lines = tf.lookup.TextFileInitializer(
                str(tmp_path / "vocab.txt"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
            )  # fmt: skip
            self.table = tf.lookup.StaticHashTable(lines, -1)
            self.rows = tf.Variable([[1.0], [2.0], [3.0]])

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "words")])  # type: ignore[misc]
        def __call__(self, words: Any) -> Any:
            return {"out": tf.gather(self.rows, self.table.lookup(words))}

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "s"))
    (tmp_path / "vocab.txt").unlink()
    words = np.array([b"cat", b"ant"], object)
    modelfmt.convert(tmp_path / "s", tmp_path / "m.meta")
    tf1 = tf.compat.v1
    with tf.Graph().as_default(), tf1.Session() as session:
        saver = tf1.train.import_meta_graph(str(tmp_path / "m.meta"))
        saver.restore(session, str(tmp_path / "m"))
        session.run(tf1.tables_initializer())
        with modelfmt.open(str(tmp_path / "m.meta")) as file:
            signature = file.metagraph.signature()  # type: ignore[attr-defined]
        out, fed = signature.outputs["out"].tensor, signature.inputs["words"].tensor
        assert session.run(f"{out}:0", {f"{fed}:0": words}).tolist() == [[3], [1]]
    modelfmt.convert(tmp_path / "m.meta", tmp_path / "t", to="savedmodel")
    loaded = tf.saved_model.load(str(tmp_path / "t")).signatures["serving_default"]
    assert loaded(words=tf.constant(words))["out"].numpy().tolist() == [[3], [1]]


@pytest.mark.oracle
def test_a_thawed_graph_learns(tf: Any, tmp_path: Path) -> None:
    write_graphdef(frozen(as_tf2=True), str(tmp_path / "f.pb"))
    modelfmt.convert(tmp_path / "f.pb", tmp_path / "m.meta")
    tf1, given = tf.compat.v1, np.array([[1, 2, 3]], "f4")
    with tf.Graph().as_default() as graph, tf1.Session() as session:
        saver = tf1.train.import_meta_graph(str(tmp_path / "m.meta"))
        saver.restore(session, str(tmp_path / "m"))
        assert [v.name for v in tf1.trainable_variables()] == ["d/kernel:0", "d/bias:0"]
        loss = tf.reduce_sum(graph.get_tensor_by_name("y:0") ** 2)
        step = tf1.train.GradientDescentOptimizer(0.001).minimize(loss)
        before = session.run(loss, {"x:0": given})
        session.run(step, {"x:0": given})
        assert session.run(loss, {"x:0": given}) < before

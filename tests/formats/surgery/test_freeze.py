"""Sessions and SavedModels frozen, and what TensorFlow computes with the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt import proto
from modelfmt.errors import ConversionError, MissingError
from modelfmt.surgery.freeze import freeze_container
from modelfmt.tf.metagraph import MetaGraphFile

FLOAT = 'attr { key: "T" value { type: DT_FLOAT } }'
SHAPE = 'attr { key: "shape" value { shape { } } }'
DTYPE = 'attr { key: "dtype" value { type: DT_FLOAT } }'
META = f"""
meta_info_def {{ tensorflow_version: "1.15.0" }}
graph_def {{
  node {{ name: "x" op: "Placeholder" {DTYPE} }}
  node {{ name: "v" op: "VariableV2" {DTYPE} {SHAPE} }}
  node {{ name: "y" op: "Mul" input: "x" input: "v" {FLOAT} }}
  versions {{ producer: 27 }} }}
signature_def {{ key: "only" value {{
  inputs {{ key: "a" value {{
    name: "x:0" dtype: DT_FLOAT tensor_shape {{ unknown_rank: true }} }} }}
  outputs {{ key: "b" value {{ name: "y:0" dtype: DT_FLOAT }} }} }} }}
"""


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    """A .meta file with one variable, and its checkpoint."""
    from modelfmt.tensor import Tensor
    from modelfmt.tf.bundle_writer import write_bundle

    path = tmp_path / "model.ckpt.meta"
    path.write_bytes(proto.parse_text(META, proto.MetaGraphDef).SerializeToString())
    write_bundle(str(path.with_suffix("")), [Tensor.from_numpy("v", np.float32(3))])
    return path


def test_a_meta_file_by_its_signature(meta: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    modelfmt.convert(meta, out)
    message = proto.GraphDef.FromString(out.read_bytes())
    assert [(n.name, n.op) for n in message.node] == [
        ("a", "Placeholder"), ("v", "Const"), ("y", "Mul"), ("b", "Identity"),
    ]  # fmt: skip
    assert message.versions.producer == 27 and message.node[0].attr["shape"].shape.unknown_rank
    again = tmp_path / "again.pb"
    modelfmt.convert(meta, again)
    assert again.read_bytes() == out.read_bytes()


def test_hints_keep_the_names_and_untouched_nodes_their_bytes(meta: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    modelfmt.convert(meta, out, inputs=["x:0"], outputs=["y:0"])
    written = proto.GraphDef.FromString(out.read_bytes()).node
    nodes = {n.name: n.SerializeToString() for n in written}
    source = proto.MetaGraphDef.FromString(meta.read_bytes()).graph_def.node
    assert list(nodes) == ["x", "v", "y"]
    assert all(n.SerializeToString() == nodes[n.name] for n in source if n.name != "v")


def test_the_source_is_not_changed(meta: Path) -> None:
    with MetaGraphFile(str(meta)) as file:
        freeze_container(file)
        assert file.metagraph.graph["v"].op == "VariableV2"
        assert file.metagraph.graph.pieces() == [file.metagraph.graph.source]


def test_named_errors(meta: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no signature 'none'"):
        modelfmt.convert(meta, tmp_path / "o.pb", signature="none")
    meta.with_suffix(".index").unlink()
    with pytest.raises(MissingError, match="checkpoint"):
        modelfmt.convert(meta, tmp_path / "o.pb")
    assert not (tmp_path / "o.pb").exists()


def test_a_graph_without_versions_stays_without(tmp_path: Path) -> None:
    message = proto.parse_text(META, proto.MetaGraphDef).graph_def
    del message.node[1:]
    message.ClearField("versions")
    (tmp_path / "in.pb").write_bytes(message.SerializeToString())
    modelfmt.convert(tmp_path / "in.pb", tmp_path / "out.pb", outputs=["x"])
    assert not proto.GraphDef.FromString((tmp_path / "out.pb").read_bytes()).HasField("versions")


# --- against TensorFlow ---


def run(path: Path, feeds: dict[str, Any], outputs: list[str]) -> list[Any]:
    import tensorflow as tf

    message = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    bodies = [message.node, *(f.node_def for f in message.library.function)]
    ops = {n.op for body in bodies for n in body}
    assert not any("Variable" in op or "VarHandle" in op for op in ops)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(message, name="")
        fed = {f"{key}:0": value for key, value in feeds.items()}
        got: list[Any] = session.run([f"{o}:0" for o in outputs], fed)
    return got


@pytest.fixture
def tf() -> Any:
    return pytest.importorskip("tensorflow")


@pytest.mark.oracle
@pytest.mark.parametrize("n", [0, 3])
def test_a_saved_model_with_loops_branches_and_nested_functions(
    tf: Any, tmp_path: Path, n: int
) -> None:
    class Model(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(np.arange(9, dtype="f4").reshape(3, 3) / 9)
            self.b = tf.Variable([1.0, -1.0, 0.5])
            self.table = tf.Variable(np.arange(12, dtype="f4").reshape(4, 3))
            self.calls = tf.Variable(0)

        @tf.function
        def dense(self, x: Any) -> Any:
            return tf.tanh(x @ self.w + self.b)

        @tf.function(input_signature=[tf.TensorSpec([None, 3]), tf.TensorSpec([], tf.int32)])
        def serve(self, x: Any, n: Any) -> Any:
            self.calls.assign_add(1)
            for i in tf.range(n):
                if tf.reduce_sum(x) > 1.0:
                    x = self.dense(x) + tf.gather(self.table, i)
                else:
                    x = self.dense(x) * self.b
            turned = tf.switch_case(n, [lambda: x @ self.w, lambda: x + self.b, lambda: x])
            return {"x": x, "turned": turned}

    model = Model()
    x = np.array([[0.1, 0.2, 0.9], [1, -1, 0.3]], "f4")
    wanted = model.serve(x, n)
    tf.saved_model.save(model, str(tmp_path / "m"))
    out = tmp_path / "out.pb"
    modelfmt.convert(tmp_path / "m", out)
    got = run(out, {"x": x, "n": np.int32(n)}, ["turned", "x_1"])
    np.testing.assert_allclose(got[0], wanted["turned"], rtol=1e-6)
    np.testing.assert_allclose(got[1], wanted["x"], rtol=1e-6)
    kept = proto.GraphDef.FromString(out.read_bytes())
    assert {n.op for n in kept.node} & {"While", "StatelessWhile"}
    assert any(f.signature.name.endswith("_frozen") for f in kept.library.function)


@pytest.mark.oracle
def test_a_loop_that_assigns_is_refused(tf: Any, tmp_path: Path) -> None:
    class Model(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.v = tf.Variable(1.0)

        @tf.function(input_signature=[tf.TensorSpec([])])
        def serve(self, x: Any) -> Any:
            for _ in tf.range(3):
                x = x + self.v
                self.v.assign_add(1.0)
            return x

    tf.saved_model.save(Model(), str(tmp_path / "m"))
    with pytest.raises(ConversionError, match="assigns"):
        modelfmt.convert(tmp_path / "m", tmp_path / "out.pb")


@pytest.mark.oracle
@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("resource", [False, True])
def test_a_session_with_partitioned_variables_and_old_control_flow(
    tf: Any, tmp_path: Path, sharded: bool, resource: bool
) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session() as session:
        v1.disable_control_flow_v2()
        x = v1.placeholder(tf.float32, [None, 6], name="x")
        with v1.variable_scope("s", use_resource=resource):
            rows = v1.get_variable("rows", [6, 4], partitioner=v1.fixed_size_partitioner(3),
                                   initializer=v1.random_normal_initializer(seed=1))  # fmt: skip
            columns = v1.get_variable("columns", [4, 5],
                                      partitioner=v1.fixed_size_partitioner(2, axis=1),
                                      initializer=v1.random_normal_initializer(seed=2))  # fmt: skip
            step = v1.get_variable("step", [], initializer=v1.ones_initializer())
        hidden = tf.matmul(tf.matmul(x, rows), columns)
        chosen = v1.cond(tf.reduce_sum(x) > 0, lambda: hidden * step, lambda: tf.constant([[7.0]]))
        looped = v1.while_loop(
            lambda i, h: i < 3, lambda i, h: (i + 1, h + step * tf.constant(2.0)), [0, chosen]
        )[1]
        tf.identity(looped, name="y")
        v1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(looped))
        session.run(v1.global_variables_initializer())
        feeds = [np.full((2, 6), value, "f4") for value in (0.5, -0.5)]
        wanted = [session.run("y:0", {"x:0": feed}) for feed in feeds]
        v1.train.Saver(sharded=sharded).save(session, str(tmp_path / "model.ckpt"))
        assert "s/rows/part_1" in graph.get_operations().__repr__()
        v1.enable_control_flow_v2()
    out = tmp_path / "out.pb"
    modelfmt.convert(tmp_path / "model.ckpt.meta", out, inputs=["x:0"], outputs=["y:0"])
    for feed, want in zip(feeds, wanted, strict=True):
        np.testing.assert_allclose(run(out, {"x": feed}, ["y"])[0], want, rtol=1e-6)

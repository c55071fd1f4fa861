"""GraphDef files: binary and text, edits, new graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt import proto
from modelfmt.dtypes import float32
from modelfmt.errors import (
    CorruptFileError,
    MismatchError,
    MissingError,
    TruncatedError,
    UnsupportedError,
)
from modelfmt.graph import Graph, Node
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.storage.files import Computed, FileSpan, OutputExistsError
from modelfmt.tensor import Tensor
from modelfmt.tf.graphdef import PRODUCER, GraphDefFile, WireGraph, write_graphdef

GOLDEN = Path(__file__).parents[3] / "golden" / "graphdef"
TEXT = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "c" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: 2 } }
                                       float_val: 1 } } } }
node { name: "y" op: "AddV2" input: "x" input: "c" attr { key: "T" value { type: DT_FLOAT } } }
library { function { signature { name: "f" }
  node_def { name: "n" op: "Relu" input: "arg" }
  node_def { name: "m" op: "Tanh" input: "n:y:0" } } }
versions { producer: 27 }
"""
UNKNOWN = b"\xca\x03\x02hi"  # field 57


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    message = proto.parse_text(TEXT, proto.GraphDef)
    path = tmp_path / "g.pb"
    nodes = [n.SerializeToString() + UNKNOWN for n in message.node]
    del message.node[:]
    fields = [b"\x0a" + bytes([len(n)]) + n for n in nodes]
    path.write_bytes(fields[0] + UNKNOWN + fields[1] + fields[2] + message.SerializeToString())
    return path


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "g.pbtxt"
    path.write_text(TEXT)
    return path


def message_of(path: Path) -> Any:
    return proto.GraphDef.FromString(path.read_bytes())


@pytest.mark.parametrize("name", ["binary", "text"])
def test_what_is_in_a_file(name: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(name)
    with GraphDefFile(str(path), text=name == "text") as file:
        assert isinstance(file, GraphDefFile)
        assert (file.kind, file.is_text) == ("graphdef", name == "text")
        graph = file.graph
        assert list(graph) == ["x", "c", "y"] and len(graph) == 3
        assert graph["y"].inputs == ["x", "c"] and graph.producer == 27
        assert {k: list(v) for k, v in graph.functions.items()} == {"f": ["n", "m"]}
        assert graph.functions["f"]["m"].inputs == ["n:y:0"]
        assert list(file.tensors) == ["c"] and len(file.tensors) == 1
        assert file.tensors["c"].numpy().tolist() == [1, 1]
        assert "x" in graph and "q" not in graph


def test_a_node_is_decoded_once(binary: Path) -> None:
    with GraphDefFile(str(binary)) as file:
        assert file.graph["y"] is file.graph["y"]


def test_an_edit_is_saved_and_unknown_fields_are_carried(binary: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    with GraphDefFile(str(binary)) as file:
        file.graph["y"].attrs["T"] = modelfmt.dtypes.int32  # type: ignore[attr-defined]
        file.graph["y"].op = "Mul"
        file.save(str(out))
    made = message_of(out)
    assert made.node[2].op == "Mul" and made.node[2].attr["T"].type == 3
    assert out.read_bytes().count(UNKNOWN) == 4
    wanted = message_of(binary)
    wanted.node[2].op = "Mul"
    wanted.node[2].attr["T"].type = 3
    assert made == wanted


@pytest.mark.parametrize("name", ["binary", "text"])
def test_a_constant_is_replaced(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    path = request.getfixturevalue(name)
    out = tmp_path / f"out{path.suffix}"
    with modelfmt.open(path) as file:
        file.tensors["c"] = np.array([3, 4], np.float32)  # type: ignore[index]
        file.save(str(out))
    with modelfmt.open(out) as file:
        assert file.tensors["c"].numpy().tolist() == [3, 4]
        assert list(file.graph) == ["x", "c", "y"]


def test_a_constant_of_another_file(binary: Path, tmp_path: Path) -> None:
    donor, out = tmp_path / "donor.pb", tmp_path / "out.pb"
    graph = GraphBuilder()
    graph.const(np.array([8, 9], np.float32), name="d")
    write_graphdef(graph, str(donor))
    with modelfmt.open(donor) as theirs, modelfmt.open(binary) as ours:
        assert isinstance(theirs.tensors["d"].payload, FileSpan)
        ours.tensors["c"] = theirs.tensors["d"]  # type: ignore[index]
        ours.save(str(out))
    with modelfmt.open(out) as file:
        assert file.tensors["c"].numpy().tolist() == [8, 9]


@pytest.mark.parametrize("value", [np.zeros(3, "f4"), np.zeros(2, "f8"), np.zeros((2, 1), "f4")])
def test_a_constant_keeps_its_dtype_and_shape(binary: Path, value: Any) -> None:
    with modelfmt.open(binary) as file:
        with pytest.raises(MismatchError, match=r'node "c".*expected float32\[2\]'):
            file.tensors["c"] = value  # type: ignore[index]
        assert file.tensors["c"].numpy().tolist() == [1, 1]


def test_what_is_no_constant(binary: Path) -> None:
    with modelfmt.open(binary) as file:
        with pytest.raises(MissingError, match="node 'y' is no Const but a AddV2"):
            file.tensors["y"]
        with pytest.raises(MissingError, match="no node 'cc'"):
            file.tensors["cc"]
        with pytest.raises(MismatchError):
            del file.tensors["c"]  # type: ignore[attr-defined]


def test_an_existing_file_is_not_replaced(binary: Path, text: Path) -> None:
    before = text.read_bytes()
    with modelfmt.open(binary) as file:
        with pytest.raises(OutputExistsError):
            file.save(str(text))
        assert text.read_bytes() == before
        file.save(str(text), force=True)
    assert text.read_bytes() == binary.read_bytes()


def test_a_file_is_saved_onto_itself(binary: Path) -> None:
    with modelfmt.open(binary) as file:
        file.graph["y"].op = "Mul"
        file.save(str(binary), force=True)
    assert [node.op for node in message_of(binary).node] == ["Placeholder", "Const", "Mul"]


def test_text_saved_with_an_edit_is_text(text: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pbtxt"
    with modelfmt.open(text) as file:
        file.graph["y"].op = "Mul"
        file.save(str(out))
    made = proto.parse_text(out.read_text(), proto.GraphDef)
    wanted = proto.parse_text(TEXT, proto.GraphDef)
    wanted.node[2].op = "Mul"
    assert made == wanted


# -- new graphs -----------------------------------------------------------------------------------


def small() -> GraphBuilder:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 2))
    graph.op("MatMul", x, Tensor.from_numpy("k", np.arange(4, dtype="f4").reshape(2, 2)), name="y")
    return graph


@pytest.mark.parametrize("text", [False, True])
def test_a_new_graph_is_written_and_read(tmp_path: Path, text: bool) -> None:
    path = tmp_path / ("g.pbtxt" if text else "g.pb")
    write_graphdef(small(), str(path), text=text)
    with modelfmt.open(path) as file:
        assert list(file.graph) == ["x", "k", "y"]
        assert file.graph.producer == PRODUCER
        for name, node in small().items():
            found = file.graph[name]
            assert (found.op, found.inputs) == (node.op, node.inputs)
            plain = {k: v for k, v in node.attrs.items() if not isinstance(v, Tensor)}
            assert plain == {k: found.attrs[k] for k in plain}
        np.testing.assert_array_equal(file.tensors["k"].numpy(), [[0, 1], [2, 3]])


def test_the_same_graph_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.pb", "b.pb"):
        write_graphdef(small(), str(tmp_path / name))
    assert (tmp_path / "a.pb").read_bytes() == (tmp_path / "b.pb").read_bytes()


def test_a_graph_above_two_gigabytes_is_refused(tmp_path: Path) -> None:
    size = 1 << 31
    value = Tensor("c", float32, (size // 4,), Computed(size, lambda: []))
    graph = Graph({"c": Node("c", "Const", [], {"value": value, "dtype": float32})})
    with pytest.raises(UnsupportedError, match="2 GiB"):
        write_graphdef(graph, str(tmp_path / "huge.pb"))
    assert list(tmp_path.iterdir()) == []


def test_a_failing_payload_leaves_nothing(tmp_path: Path) -> None:
    value = Tensor("c", float32, (2,), Computed(8, lambda: [b"1234"]))
    graph = Graph({"c": Node("c", "Const", [], {"value": value, "dtype": float32})})
    with pytest.raises(MismatchError):
        write_graphdef(graph, str(tmp_path / "g.pb"))
    assert list(tmp_path.iterdir()) == []


# -- damage ---------------------------------------------------------------------------------------


def test_damage_is_located(tmp_path: Path) -> None:
    path = tmp_path / "bad.pb"
    path.write_bytes(b"\x0a\x05\x0a\x01a\x12\x00" * 2)
    with GraphDefFile(str(path)) as file, pytest.raises(CorruptFileError) as caught:
        len(file.graph)
    assert caught.value.where.path == str(path) and caught.value.where.offset == 9
    path.write_bytes(b"\x0a\x05\x0a\x01a")
    with GraphDefFile(str(path)) as file, pytest.raises(TruncatedError) as cut:
        len(file.graph)
    assert (cut.value.wanted, cut.value.available) == (5, 3)


@pytest.mark.parametrize("content", [b"\xff", b"node {", b"nod { }"])
def test_text_that_is_no_graph(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.pbtxt"
    path.write_bytes(content)
    with pytest.raises(CorruptFileError) as caught:
        GraphDefFile(str(path), text=True)
    assert caught.value.where.path == str(path)


def test_an_empty_message_is_an_empty_graph() -> None:
    graph = WireGraph(b"")
    assert list(graph) == [] and graph.producer == 0 and dict(graph.functions) == {}
    assert graph.pieces() in ([], [b""])


# -- the oracle -----------------------------------------------------------------------------------


@pytest.mark.oracle
def test_tensorflow_runs_what_we_write(tmp_path: Path) -> None:
    import tensorflow as tf

    path = tmp_path / "g.pb"
    write_graphdef(small(), str(path))
    definition = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    x = np.array([[1, 10]], "f4")
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            assert session.run("y:0", {"x:0": x}).tolist() == [[20, 31]]


@pytest.mark.oracle
@pytest.mark.parametrize("case", sorted(p.name for p in GOLDEN.iterdir() if p.is_dir()))
def test_tensorflow_reads_the_same_from_an_edited_golden(case: str, tmp_path: Path) -> None:
    import tensorflow as tf

    source = min((GOLDEN / case).glob("model.*"))
    out = tmp_path / "out.pb"
    with modelfmt.open(source) as file:
        write_graphdef(file.graph, str(out))
    with modelfmt.open(out) as file:
        for name in file.graph:
            file.graph[name].attrs["_note"] = name
        file.save(str(out), force=True)
    made = tf.compat.v1.GraphDef.FromString(out.read_bytes())
    for node in made.node:
        assert node.attr["_note"].s == node.name.encode()
        del node.attr["_note"]
    wanted = tf.compat.v1.GraphDef()
    if source.suffix == ".pb":
        wanted.ParseFromString(source.read_bytes())
    else:
        from google.protobuf import text_format

        text_format.Parse(source.read_text(), wanted)
    assert made == wanted
    with tf.Graph().as_default():
        tf.import_graph_def(made, name="")

"""Graphs with nodes deleted and inserted, functions changed and dropped."""

from __future__ import annotations

from pathlib import Path

from modelfmt import proto
from modelfmt.graph import Node
from modelfmt.storage.files import piece_bytes
from modelfmt.tf.graphdef import WireGraph

GOLDEN = Path(__file__).parents[3] / "golden/graphdef"
PLAIN = GOLDEN / "keras2.1.2-tf1.4.1-cnn/model.pb"
FUNCTIONS = GOLDEN / "rawtf2.21.0-module_control_v2cf/model.pb"


def written(graph: WireGraph) -> proto.GraphDef:
    return proto.GraphDef.FromString(b"".join(map(piece_bytes, graph.pieces())))


def test_nodes_deleted_and_inserted() -> None:
    graph = WireGraph(PLAIN.read_bytes())
    names = list(graph)
    graph.edits.deleted.add(names[2])
    graph.edits.inserted[names[4]] = [Node("fresh", "NoOp")]
    graph.edits.inserted[names[0]] = [Node("first", "NoOp")]
    graph[names[4]].attrs["_note"] = "edited"
    made = written(graph)
    assert [n.name for n in made.node] == [
        "first", *names[:2], names[3], "fresh", *names[4:],
    ]  # fmt: skip
    assert made.node[4 + 1].attr["_note"].s == b"edited"


def test_functions_dropped_and_changed() -> None:
    data = FUNCTIONS.read_bytes()
    graph = WireGraph(data)
    names = list(graph.functions)
    assert len(names) > 1 and written(graph).SerializeToString() is not None
    assert b"".join(map(piece_bytes, graph.pieces())) == data
    graph.edits.functions.add(names[0])
    body = graph.functions[names[1]]
    node = next(iter(body.values()))
    node.attrs["_note"] = "edited"
    made = written(graph)
    assert [f.signature.name for f in made.library.function] == names[1:]
    held = {n.name: n for n in made.library.function[0].node_def}
    assert held[node.name].attr["_note"].s == b"edited"


def test_a_library_without_functions_goes() -> None:
    graph = WireGraph(FUNCTIONS.read_bytes())
    graph.edits.functions |= set(graph.functions)
    assert not written(graph).HasField("library")

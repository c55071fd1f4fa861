"""Lookups in tables of known contents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelfmt.dtypes import int64, string
from modelfmt.errors import ConversionError, UnsupportedError
from modelfmt.graph import Graph, Node
from modelfmt.graphs.saver import const_node
from modelfmt.surgery.lookup import find_nodes, size_node, tables
from modelfmt.tensor import Tensor

TABLE = Node("t", "HashTableV2", [], {"key_dtype": string, "value_dtype": int64})
FIND = Node("find", "LookupTableFindV2", ["t", "x", "default"], {"Tin": string, "Tout": int64})


def filled(node: Node, *more: Node) -> Graph:
    words = const_node("k", np.array([b"cat", b"dog"], object), string)
    nodes = [TABLE, FIND, words, const_node("v", [7, 8], int64), *more, node]
    return Graph({n.name: n for n in nodes})


def test_a_table_filled_with_constants() -> None:
    more = Node("k/pass", "Identity", ["k"])
    graph = filled(Node("init", "LookupTableImportV2", ["t", "k/pass", "v"]), more)
    found = tables(graph, ["t", "find"], {})["t"]
    assert found.keys.numpy().tolist() == [b"cat", b"dog"]
    assert found.values.numpy().tolist() == [7, 8]
    size = size_node(Node("n", "LookupTableSizeV2", ["t"]), found).attrs["value"]
    assert isinstance(size, Tensor) and size.dtype is int64 and size.numpy().item() == 2


def test_a_table_filled_from_an_asset(tmp_path: Path) -> None:
    (tmp_path / "vocab").write_text("a\nb\nc\n")
    init = Node("init", "InitializeTableFromTextFileV2", ["t", "file"],
                {"key_index": -2, "value_index": -1})  # fmt: skip
    graph = filled(init, Node("file", "Placeholder"))
    found = tables(graph, ["t"], {"file": str(tmp_path / "vocab")})["t"]
    assert found.keys.numpy().tolist() == [b"a", b"b", b"c"]
    assert found.values.numpy().tolist() == [0, 1, 2]
    with pytest.raises(ConversionError, match="no asset"):
        tables(graph, ["t"], {})


def test_tables_that_are_no_constants() -> None:
    with pytest.raises(ConversionError, match="no constant"):
        tables(filled(Node("init", "InitializeTableV2", ["t", "k", "x"])), ["t"], {})
    empty = filled(Node("init", "InitializeTableV2", ["t", "e", "e"]), const_node("e", [], int64))
    with pytest.raises(UnsupportedError, match="0 keys"):
        tables(empty, ["t"], {})


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_the_ops_look_up(shape: tuple[int, ...], tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    from modelfmt.graph import Shape
    from modelfmt.tf.graphdef import write_graphdef

    graph = filled(Node("init", "LookupTableImportV2", ["t", "k", "v"]))
    nodes = [
        Node("x", "Placeholder", [], {"dtype": string, "shape": Shape(None)}),
        const_node("default", -1, int64), *find_nodes(FIND, tables(graph, ["t"], {})["t"]),
    ]  # fmt: skip
    path = tmp_path / "t.pb"
    write_graphdef(Graph({n.name: n for n in nodes}), str(path))
    message = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    words = np.resize(np.array([b"dog", b"cow", b"cat"], object), shape)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(message, name="")
        got = session.run("find:0", {"x:0": words})
    wanted = [{b"cat": 7, b"dog": 8}.get(w, -1) for w in np.ravel(words)]
    assert got.shape == shape and np.ravel(got).tolist() == wanted

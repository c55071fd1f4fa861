"""Lookup tables: what fills them, and asset files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError, CorruptFileError, UnsafeFileError, UnsupportedError
from modelfmt.graph import Graph, Node
from modelfmt.graphs.saver import const_node
from modelfmt.surgery.tables import asset_files, initializers

INT, TEXT = dtypes.int64, dtypes.string


def graph(*nodes: Node) -> Graph:
    return Graph({node.name: node for node in nodes})


def table(key: dtypes.DType = TEXT, value: dtypes.DType = INT, op: str = "HashTableV2") -> Node:
    return Node("table", op, [], {"key_dtype": key, "value_dtype": value})


def from_file(name: str = "path", **attrs: Any) -> Node:
    given = {"key_index": -2, "value_index": -1, "vocab_size": -1, "delimiter": "\t", **attrs}
    return Node("fill", "InitializeTableFromTextFileV2", ["table", name], given)


def columns(nodes: list[Node]) -> list[Any]:
    return [node.attrs["value"].numpy().tolist() for node in nodes if node.op == "Const"]  # type: ignore[union-attr]


def filled(tmp_path: Path, data: bytes, *kinds: dtypes.DType, **attrs: Any) -> list[Any]:
    (tmp_path / "v.txt").write_bytes(data)
    path = const_node("path", b"v.txt", TEXT)
    whole = graph(table(*kinds), path, from_file(**attrs))
    return columns(initializers(whole, ["table"], {"path": str(tmp_path / "v.txt")}))


def test_a_table_that_nothing_needs() -> None:
    assert initializers(graph(table(), Node("y", "Relu", [])), ["y"], {}) == []


def test_what_fills_a_table_is_found_behind_what_passes_it_on() -> None:
    passed = Node("pass", "Identity", ["table"])
    fill = Node("fill", "LookupTableImportV2", ["pass", "k", "v"], {"Tin": TEXT, "Tout": INT})
    (found,) = initializers(graph(table(), passed, fill), ["table"], {})
    assert (found.name, found.inputs) == ("fill", ["table", "k", "v"])
    assert fill.inputs == ["pass", "k", "v"]


def test_a_table_that_nothing_fills() -> None:
    with pytest.raises(ConversionError, match='node "table"'):
        initializers(graph(table()), ["table"], {})


def test_a_mutable_table() -> None:
    with pytest.raises(UnsupportedError, match="mutable"):
        initializers(graph(table(op="MutableHashTableV2")), ["table"], {})


def test_a_file_becomes_constants(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_bytes(b"a\nb c\n")
    whole = graph(table(), const_node("path", b"v.txt", TEXT), from_file())
    *consts, fill = initializers(whole, ["table"], {"path": str(tmp_path / "v.txt")})
    assert columns(consts) == [[b"a", b"b c"], [0, 1]]
    assert (fill.name, fill.op) == ("fill", "InitializeTableV2")
    assert fill.inputs == ["table", "fill/keys", "fill/values"]
    assert fill.attrs == {"Tkey": TEXT, "Tval": INT}


def test_the_files_name_may_stand_in_a_variable(tmp_path: Path) -> None:
    """As TensorFlow 2 keeps the path of an asset."""
    (tmp_path / "v.txt").write_bytes(b"a\n")
    whole = graph(
        table(), Node("asset", "Placeholder"), Node("var", "VarHandleOp"),
        Node("set", "AssignVariableOp", ["var", "asset"]), Node("read", "ReadVariableOp", ["var"]),
        from_file("read"),
    )  # fmt: skip
    found = initializers(whole, ["table"], {"asset": str(tmp_path / "v.txt")})
    assert columns(found) == [[b"a"], [0]]


def test_a_file_that_is_no_asset_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"a\n")
    path = const_node("path", str(tmp_path / "secret").encode(), TEXT)
    (found,) = initializers(graph(table(), path, from_file()), ["table"], {})
    assert found.op == "InitializeTableFromTextFileV2"


@pytest.mark.parametrize(
    ("data", "attrs", "found"),
    [
        (b"a\r\nb", {}, [[b"a", b"b"], [0, 1]]),
        (b"a\n\nb\n", {}, [[b"a", b"", b"b"], [0, 1, 2]]),
        (b"a\nb\nc\n", {"vocab_size": 2}, [[b"a", b"b"], [0, 1]]),
        (b"x\t7\ny\t8\n", {"key_index": 0, "value_index": 1}, [[b"x", b"y"], [7, 8]]),
        (b"7,x\n", {"key_index": 1, "value_index": 0, "delimiter": ","}, [[b"x"], [7]]),
        (b"skip\na\n", {"offset": 1}, [[b"a"], [0]]),
        (b"", {}, [[], []]),
    ],
)  # fmt: skip
def test_lines_and_columns(tmp_path: Path, data: bytes, attrs: Any, found: Any) -> None:
    assert filled(tmp_path, data, **attrs) == found


@pytest.mark.parametrize(
    ("data", "attrs", "what"),
    [
        (b"a\n", {"vocab_size": 3}, "too short"),
        (b"a\n", {"key_index": 0, "value_index": 1}, "no column 1"),
        (b"a\tb\n", {"key_index": 0, "value_index": 1}, "no int64"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit(tmp_path: Path, data: bytes, attrs: Any, what: str) -> None:
    with pytest.raises(CorruptFileError, match=what):
        filled(tmp_path, data, **attrs)


@pytest.mark.parametrize(("node", "count"), [("fill", 0), ("fill", 1), ("pass", 0)])
def test_a_node_with_too_few_inputs(node: str, count: int) -> None:
    whole = graph(table(), Node("pass", "Identity", ["table"]), from_file())
    whole["fill"].inputs[0] = "pass"
    del whole[node].inputs[count:]
    with pytest.raises(CorruptFileError, match=f'node "{node}"'):
        initializers(whole, ["table"], {})


def test_floats(tmp_path: Path) -> None:
    found = filled(tmp_path, b"a\t1.5\n", TEXT, dtypes.float32, key_index=0, value_index=1)
    np.testing.assert_array_equal(found[1], [1.5])


def test_assets_by_the_nodes_that_stand_for_them(tmp_path: Path) -> None:
    found = asset_files(str(tmp_path), [("asset_path:0", "v.txt")])
    assert found == {"asset_path": str(tmp_path / "assets" / "v.txt")}


@pytest.mark.parametrize("name", ["../saved_model.pb", "/etc/passwd", "a/../../x"])
def test_an_asset_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeFileError):
        asset_files(str(tmp_path), [("asset:0", name)])


def test_an_asset_that_links_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "v.txt").symlink_to("/etc/passwd")
    with pytest.raises(UnsafeFileError):
        asset_files(str(tmp_path), [("asset:0", "v.txt")])

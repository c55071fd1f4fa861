"""NodeDef: decoded on touch, rewritten where it was changed."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt import proto
from modelfmt.dtypes import float32
from modelfmt.errors import CorruptFileError, ModelFormatError
from modelfmt.graph import Node
from modelfmt.storage.files import piece_bytes
from modelfmt.tf.nodedef import is_changed, read_node, write_node

TEXT = """
name: "y" op: "MatMul" input: "x" input: "k:1" input: "^c" device: "/cpu:0"
attr { key: "transpose_b" value { b: true } }
attr { key: "T" value { type: DT_FLOAT } }
"""
#: As some writers do: fields in another order, attrs unsorted, an unknown field in between.
RAW = bytes.fromhex(
    "2a 0a 0a 01 62 12 05 12 03 787979"  # attr { key "b", value { s "xyy" } }
    "12 04 52656c75"                     # op: Relu
    "ca03 02 6869"                       # 57: unknown
    "0a 01 79"                           # name: y
    "2a 07 0a 01 61 12 02 18 07"         # attr { key "a", value { i 7 } }
    "1a 01 78"                           # input: x
)  # fmt: skip


def raw(text: str = TEXT) -> bytes:
    return proto.parse_text(text, proto.NodeDef).SerializeToString(deterministic=True)


def written(node: Node) -> bytes:
    return b"".join(map(piece_bytes, write_node(node)))


def parsed(node: Node) -> Any:
    return proto.NodeDef.FromString(written(node))


def test_read() -> None:
    node = read_node(raw())
    assert (node.name, node.op, node.device) == ("y", "MatMul", "/cpu:0")
    assert node.inputs == ["x", "k:1", "^c"] and node.data_inputs == ["x", "k:1"]
    assert dict(node.attrs) == {"T": float32, "transpose_b": True}
    assert len(node.attrs) == 2 and "T" in node.attrs and "U" not in node.attrs
    with pytest.raises(KeyError):
        node.attrs["U"]


@pytest.mark.parametrize("data", [raw(), RAW, b""])
def test_untouched_bytes_stay(data: bytes) -> None:
    node = read_node(data)
    dict(node.attrs)
    assert written(node) == data and not is_changed(node)


def test_writing_the_same_text_again_changes_nothing() -> None:
    node = read_node(RAW)
    node.name, node.op, node.inputs = str("y"), str("Relu"), ["x"]  # noqa: UP018
    assert written(node) == RAW


def test_one_attr_changes_and_everything_else_stays() -> None:
    node = read_node(RAW)
    node.attrs["b"] = "no"
    assert written(node) == RAW.replace(
        bytes.fromhex("2a 0a 0a 01 62 12 05 12 03 787979"),
        bytes.fromhex("2a 09 0a 01 62 12 04 12 02 6e6f"),
    )
    assert is_changed(node)


@pytest.mark.parametrize(
    ("change", "old", "new"),
    [
        (lambda n: setattr(n, "name", "zz"), "0a0179", "0a027a7a"),
        (lambda n: setattr(n, "op", "Elu"), "120452656c75", "1203456c75"),
        (lambda n: n.inputs.append("^q"), "1a0178", "1a0178" "1a025e71"),
        (lambda n: n.inputs.clear(), "1a0178", ""),
        (lambda n: n.attrs.pop("a"), "2a070a016112021807", ""),
    ],
)
def test_other_changes_are_as_local(change: Any, old: str, new: str) -> None:
    node = read_node(RAW)
    change(node)
    assert written(node) == RAW.replace(bytes.fromhex(old), bytes.fromhex(new))


def test_new_things_are_appended() -> None:
    node = read_node(RAW)
    node.device = "/d"
    node.attrs["z"] = 1
    node.attrs["c"] = 2
    assert written(node) == RAW + bytes.fromhex(
        "22 02 2f64  2a 07 0a 01 63 12 02 18 02  2a 07 0a 01 7a 12 02 18 01"
    )


def test_inputs_where_there_were_none() -> None:
    node = read_node(raw('name: "n" op: "AddN"'))
    node.inputs += ["a", "b"]
    assert list(parsed(node).input) == ["a", "b"]


def test_inputs_keep_their_order() -> None:
    node = read_node(raw())
    node.inputs[:] = ["k:1", "x", "w", "^c"]
    assert list(parsed(node).input) == ["k:1", "x", "w", "^c"]


def test_deleted_and_set_again() -> None:
    node = read_node(raw())
    del node.attrs["T"]
    assert "T" not in node.attrs and list(node.attrs) == ["transpose_b"]
    with pytest.raises(KeyError):
        del node.attrs["T"]
    node.attrs["T"] = float32
    assert parsed(node) == proto.parse_text(TEXT, proto.NodeDef)


def test_a_new_node() -> None:
    node = Node("y", "MatMul", ["x", "k:1", "^c"], {"transpose_b": True, "T": float32}, "/cpu:0")
    assert parsed(node) == proto.parse_text(TEXT, proto.NodeDef)
    assert is_changed(node)


def test_a_new_node_does_not_depend_on_the_order_of_its_attrs() -> None:
    a = Node("n", "Op", [], {"b": 1, "a": 2})
    b = Node("n", "Op", [], {"a": 2, "b": 1})
    assert written(a) == written(b)


def test_attrs_replaced_by_a_dict() -> None:
    node = read_node(RAW)
    node.attrs = {"a": 8, "b": "xyy"}
    assert read_node(written(node)).attrs["a"] == 8


def test_the_last_of_two_equal_keys_counts() -> None:
    """As in protobuf: a map entry that stands twice."""
    data = RAW + bytes.fromhex("2a 07 0a 01 61 12 02 18 09")
    assert read_node(data).attrs["a"] == 9
    assert proto.NodeDef.FromString(data).attr["a"].i == 9


def test_an_entry_without_a_value() -> None:
    node = read_node(bytes.fromhex("0a 01 79  2a 03 0a 01 61"))
    assert node.attrs["a"] is None
    assert written(node) == bytes.fromhex("0a 01 79  2a 03 0a 01 61")


def test_damage_in_an_attr_names_node_and_attr() -> None:
    node = read_node(raw('name: "y" op: "Cast" attr { key: "DstT" value { type: 99 } }'))
    with pytest.raises(ModelFormatError, match='node "y", attr "DstT": unknown DataType 99'):
        node.attrs["DstT"]


@pytest.mark.parametrize("data", ["0a 01 ff", "12 01 ff", "1a 01 ff", "22 01 ff", "2a 03 0a 01 ff"])
def test_text_that_is_none(data: str) -> None:
    with pytest.raises(CorruptFileError, match="UTF-8"):
        list(read_node(bytes.fromhex(data)).attrs)

"""Edited texts: what says the same keeps its bytes, and what cannot be is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelfmt import proto
from modelfmt.errors import CorruptFileError, MismatchError, MissingError, UnsafeFileError
from modelfmt.storage import wire
from modelfmt.storage.files import piece_bytes
from modelfmt.surgery.messages import explode_message, implode_message
from modelfmt.surgery.parts import Names, Parts, write_manifest

Edit = Callable[[str], str]
WEIGHT = np.arange(4, dtype="<f4")


def node(name: str, op: str, *inputs: str, unknown: bytes = b"") -> bytes:
    """A node in no order that protobuf would write, so that encoding it anew shows."""
    out = wire.length_delimited(2, op.encode())
    out += b"".join(wire.length_delimited(3, i.encode()) for i in inputs)
    return wire.length_delimited(1, out + wire.length_delimited(1, name.encode()) + unknown)


def const() -> bytes:
    made = proto.NodeDef(name="w", op="Const")
    made.attr["value"].tensor.dtype = 1
    made.attr["value"].tensor.tensor_shape.dim.add(size=4)
    made.attr["value"].tensor.tensor_content = WEIGHT.tobytes()
    return wire.length_delimited(1, made.SerializeToString(deterministic=True))


UNKNOWN = wire.length_delimited(999, b"who knows")
A, B, C = node("a", "Placeholder"), node("b", "Relu", "a"), node("c", "Add", "b", "w")
VERSIONS = wire.length_delimited(4, wire.varint_field(3, 7) + wire.varint_field(1, 27))
GRAPH = VERSIONS + A + UNKNOWN + const() + B + C


def edited(tmp_path: Path, edit: Edit, data: bytes = GRAPH, kind: str = "GraphDef") -> bytes:
    folder = tmp_path / "parts"
    if not folder.exists():
        folder.mkdir()
        record = explode_message(data, kind, str(folder), "graph", Names())
        write_manifest(str(folder), "graphdef", [record])
    path = folder / "graph.pbtxt"
    path.write_text(edit(path.read_text()))
    parts = Parts(str(folder))
    pieces, _ = implode_message(parts, parts.records[0])
    return b"".join(map(piece_bytes, pieces))


def test_comments_and_spaces_are_no_edit(tmp_path: Path) -> None:
    assert edited(tmp_path, lambda t: "# mine\n" + t.replace("\n", "\n  \n")) == GRAPH


def test_one_node_edited_is_one_hunk(tmp_path: Path) -> None:
    found = edited(tmp_path, lambda t: t.replace('"Relu"', '"Tanh"'))
    assert found == GRAPH.replace(B, node("b", "Tanh", "a"))


def test_unknown_fields_of_an_edited_node_stay(tmp_path: Path) -> None:
    data = A + node("b", "Relu", "a", unknown=UNKNOWN)
    found = edited(tmp_path, lambda t: t.replace('"Relu"', '"Tanh"'), data)
    assert found == A + node("b", "Tanh", "a", unknown=UNKNOWN)


def test_a_node_that_is_added(tmp_path: Path) -> None:
    found = edited(tmp_path, lambda t: t + 'node { name: "d" op: "Neg" input: "c" }\n')
    added = proto.NodeDef(name="d", op="Neg", input=["c"]).SerializeToString()
    assert found == GRAPH + wire.length_delimited(1, added)


def test_nodes_that_are_deleted_or_moved(tmp_path: Path) -> None:
    def swap(text: str) -> str:
        parts = text.split("node {")
        parts[3], parts[4] = parts[4], parts[3]
        return "node {".join(parts)

    moved = edited(tmp_path, swap)
    assert moved in (GRAPH.replace(B + C, C + B), GRAPH)  # versions end the last one
    names = [n.name for n in proto.GraphDef.FromString(moved).node]
    assert sorted(names) == ["a", "b", "c", "w"]


def test_a_deleted_node(tmp_path: Path) -> None:
    def cut(text: str) -> str:
        start = text.index('node {\n  name: "c"')
        end = text.index("\n}\n", start) + 3
        return text[:start] + text[end:]

    assert edited(tmp_path, cut) == VERSIONS + A + UNKNOWN + const() + B


def test_a_renamed_const_keeps_its_elements(tmp_path: Path) -> None:
    found = proto.GraphDef.FromString(edited(tmp_path, lambda t: t.replace('"w"', '"kernel"')))
    (kernel,) = (n for n in found.node if n.op == "Const")
    assert kernel.name == "kernel"
    assert kernel.attr["value"].tensor.tensor_content == WEIGHT.tobytes()


def test_a_const_that_is_added_with_its_array(tmp_path: Path) -> None:
    edited(tmp_path, lambda t: t)
    np.save(tmp_path / "parts" / "mine.npy", np.array([1, 2], "<i4"))
    added = (
        'node { name: "n" op: "Const" attr { key: "value" value { tensor { dtype: DT_INT32 '
        'tensor_shape { dim { size: 2 } } tensor_content: "file:mine.npy" } } } }\n'
    )
    found = proto.GraphDef.FromString(edited(tmp_path, lambda t: t + added))
    assert found.node[-1].attr["value"].tensor.tensor_content == bytes([1, 0, 0, 0, 2, 0, 0, 0])


def test_both_text_and_elements_edited(tmp_path: Path) -> None:
    edited(tmp_path, lambda t: t)
    np.save(tmp_path / "parts" / "tensors" / "w.npy", WEIGHT + 1)
    found = edited(tmp_path, lambda t: t.replace('"Relu"', '"Tanh"'))
    wanted = GRAPH.replace(B, node("b", "Tanh", "a"))
    assert found == wanted.replace(WEIGHT.tobytes(), (WEIGHT + 1).tobytes())


def test_a_nan_says_the_same_as_itself(tmp_path: Path) -> None:
    made = proto.GraphDef()
    made.node.add(name="n", op="X").attr["f"].f = float("nan")
    data = made.SerializeToString() + A
    assert edited(tmp_path, lambda t: t + "\n", data) == data


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        ('input: "b"', 'input: "bb"', MissingError, "bb"),
        ('name: "b"', 'name: "a"', CorruptFileError, "two nodes"),
        ("node {", "noode {", CorruptFileError, "noode"),
        ("size: 4", "size: 5", MismatchError, "w.npy"),
        ("DT_FLOAT", "DT_INT32", MismatchError, "w.npy"),
        ("file:tensors/w.npy", "file:tensors/v.npy", MissingError, "v.npy"),
        ("file:tensors/w.npy", "file:../../w.npy", UnsafeFileError, "leads out"),
        ("file:tensors/w.npy", "file:/etc/passwd", UnsafeFileError, "leads out"),
    ],
)
def test_what_an_edit_breaks_is_named(
    tmp_path: Path, old: str, new: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        edited(tmp_path, lambda t: t.replace(old, new))


def test_what_was_broken_before_may_stay(tmp_path: Path) -> None:
    data = node("b", "Relu", "gone") + A
    found = edited(tmp_path, lambda t: t.replace("Placeholder", "PlaceholderV2"), data)
    assert found == node("b", "Relu", "gone") + node("a", "PlaceholderV2")


def test_deep_in_a_savedmodel(tmp_path: Path) -> None:
    """A node of a function of the second MetaGraph; the rest keeps its odd order."""
    function = wire.length_delimited(3, B[2:]) + wire.length_delimited(
        1, wire.length_delimited(2, wire.length_delimited(1, b"a")) + wire.length_delimited(1, b"f")
    )
    library = wire.length_delimited(2, wire.length_delimited(1, function))
    meta = wire.length_delimited(2, wire.length_delimited(2, library + GRAPH))
    data = wire.length_delimited(2, b"") + meta + wire.varint_field(1, 1)
    found = edited(tmp_path, lambda t: t.replace('"Add"', '"Sub"'), data, "SavedModel")
    assert found == data.replace(C, node("c", "Sub", "b", "w"))
    found = edited(tmp_path, lambda t: t.replace('"Relu"', '"Tanh"'), data, "SavedModel")
    assert found.count(b"Tanh") == 2 and b"Relu" not in found
    assert len(found) == len(data)


def test_maps_and_single_messages(tmp_path: Path) -> None:
    meta = proto.MetaGraphDef()
    meta.meta_info_def.tags.append("serve")
    meta.collection_def["b"].node_list.value.append("x")
    meta.collection_def["a"].node_list.value.append("y")
    data = meta.SerializeToString() + wire.length_delimited(2, GRAPH)
    found = edited(tmp_path, lambda t: t.replace('"serve"', '"train"'), data, "MetaGraphDef")
    assert found == data.replace(b"serve", b"train")
    again = edited(tmp_path, lambda t: t.replace('value: "y"', 'value: "z"'), data, "MetaGraphDef")
    read = proto.MetaGraphDef.FromString(again)
    assert list(read.collection_def["a"].node_list.value) == ["z"]
    assert again.endswith(wire.length_delimited(2, GRAPH))

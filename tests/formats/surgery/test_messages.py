"""Messages as parts: what is where, stored once, and together the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelfmt import proto
from modelfmt.errors import CorruptFileError, MismatchError, MissingError
from modelfmt.storage import wire
from modelfmt.storage.files import piece_bytes
from modelfmt.surgery.messages import ROADS, explode_message, implode_message, text_of
from modelfmt.surgery.parts import Names, Parts, write_manifest

KERNEL = np.arange(12, dtype="<f4").reshape(3, 4) + 0.5


def graph() -> proto.GraphDef:
    made = proto.GraphDef()
    made.versions.producer = 27
    w = made.node.add(name="scope/w", op="Const")
    w.attr["dtype"].type = 1
    w.attr["value"].tensor.dtype = 1
    w.attr["value"].tensor.tensor_content = KERNEL.tobytes()
    for size in KERNEL.shape:
        w.attr["value"].tensor.tensor_shape.dim.add(size=size)
    one = made.node.add(name="one", op="Const")
    one.attr["value"].tensor.dtype = 1
    one.attr["value"].tensor.float_val.append(1.25)
    words = made.node.add(name="words", op="Const")
    words.attr["value"].tensor.dtype = 7
    words.attr["value"].tensor.string_val.extend([b"ab", b"\xff"])
    words.attr["value"].tensor.tensor_shape.dim.add(size=2)
    made.node.add(name="y", op="MatMul", input=["one", "scope/w"])
    function = made.library.function.add()
    function.signature.name = "f"
    inner = function.node_def.add(name="c", op="Const")
    inner.attr["value"].tensor.dtype = 3
    inner.attr["value"].tensor.tensor_content = np.array([7, 8], "<i4").tobytes()
    inner.attr["value"].tensor.tensor_shape.dim.add(size=2)
    return made


def exploded(tmp_path: Path, data: bytes, kind: str = "GraphDef") -> tuple[Parts, dict[str, Any]]:
    folder = tmp_path / "parts"
    folder.mkdir()
    record = explode_message(data, kind, str(folder), "graph", Names())
    write_manifest(str(folder), "graphdef", [record])
    parts = Parts(str(folder))
    return parts, parts.records[0]


def imploded(parts: Parts) -> bytes:
    pieces, _ = implode_message(parts, parts.records[0])
    return b"".join(map(piece_bytes, pieces))


def test_the_parts(tmp_path: Path) -> None:
    parts, record = exploded(tmp_path, graph().SerializeToString(deterministic=True))
    files = [hole["file"] for hole in record["holes"]]
    assert files == ["tensors/scope/w.npy", "tensors/words.json", "tensors/f/c.npy"]
    np.testing.assert_array_equal(np.load(parts.path(files[0])), KERNEL)
    assert json.loads(parts.text(files[1]))["strings"] == ["ab", {"base64": "/w=="}]
    text = proto.parse_text(parts.text("graph.pbtxt"), proto.GraphDef)
    assert text.node[0].attr["value"].tensor.tensor_content == b"file:tensors/scope/w.npy"
    assert list(text.node[1].attr["value"].tensor.float_val) == [1.25]


@pytest.mark.parametrize("deterministic", [True, False])
def test_together_the_same_bytes(tmp_path: Path, deterministic: bool) -> None:
    data = graph().SerializeToString(deterministic=deterministic)
    parts, _ = exploded(tmp_path, data)
    assert imploded(parts) == data


def test_unknown_fields_and_odd_orders_stay(tmp_path: Path) -> None:
    data = graph().SerializeToString(deterministic=True)
    odd = b"\x22\x02\x08\x09" + data + b"\xca\x3e\x03abc" + data[:0] + b"\x0a\x04\x0a\x02zz"
    parts, _ = exploded(tmp_path, odd)
    assert imploded(parts) == odd


def test_a_payload_is_stored_once(tmp_path: Path) -> None:
    parts, _ = exploded(tmp_path, graph().SerializeToString(deterministic=True))
    holding = [
        p.name for p in Path(parts.folder).rglob("*") if p.is_file()
        and KERNEL.tobytes() in p.read_bytes()
    ]  # fmt: skip
    assert holding == ["w.npy"]


def test_edited_elements_change_only_their_bytes(tmp_path: Path) -> None:
    data = graph().SerializeToString(deterministic=True)
    parts, _ = exploded(tmp_path, data)
    np.save(parts.path("tensors/scope/w.npy"), KERNEL * 2)
    assert imploded(parts) == data.replace(KERNEL.tobytes(), (KERNEL * 2).tobytes())


def test_edited_strings_may_be_longer(tmp_path: Path) -> None:
    parts, _ = exploded(tmp_path, graph().SerializeToString(deterministic=True))
    path = Path(parts.path("tensors/words.json"))
    path.write_text(json.dumps({"shape": [2], "strings": ["a much longer one", "c"]}))
    found = proto.GraphDef.FromString(imploded(parts))
    wanted = graph()
    wanted.node[2].attr["value"].tensor.string_val[:] = [b"a much longer one", b"c"]
    assert found == wanted


def test_an_array_of_another_shape_is_refused(tmp_path: Path) -> None:
    parts, _ = exploded(tmp_path, graph().SerializeToString(deterministic=True))
    np.save(parts.path("tensors/scope/w.npy"), KERNEL.T)
    with pytest.raises(MismatchError, match=r"w\.npy.*\[3, 4\].*\[4, 3\]"):
        imploded(parts)


@pytest.mark.parametrize("name", ["graph.bin", "graph.pbtxt", "tensors/words.json"])
def test_a_missing_part_is_named(tmp_path: Path, name: str) -> None:
    parts, _ = exploded(tmp_path, graph().SerializeToString(deterministic=True))
    Path(parts.path(name)).unlink()
    with pytest.raises(MissingError, match=name):
        imploded(parts)


@pytest.mark.parametrize(
    ("key", "value"), [("at", -1), ("at", 10**6), ("length", -5), ("shape", [-1]), ("shape", ["3"]),
                       ("dtype", "float33"), ("how", None), ("file", 3), ("at", "0")],
)  # fmt: skip
def test_a_manifest_that_lies(tmp_path: Path, key: str, value: Any) -> None:
    parts, record = exploded(tmp_path, graph().SerializeToString(deterministic=True))
    record["holes"][0][key] = value
    with pytest.raises(CorruptFileError):
        imploded(parts)


def test_a_constant_that_looks_like_a_reference(tmp_path: Path) -> None:
    """It must not be taken for one: its elements go into a file, scalar or not."""
    made = proto.GraphDef()
    tensor = made.node.add(name="c", op="Const").attr["value"].tensor
    tensor.dtype, tensor.tensor_content = 9, b"file:abc"
    data = made.SerializeToString(deterministic=True)
    parts, record = exploded(tmp_path, data)
    assert len(record["holes"]) == 1 and imploded(parts) == data
    path = Path(parts.path("graph.pbtxt"))
    path.write_text(path.read_text().replace('"c"', '"d"'))
    again = proto.GraphDef.FromString(imploded(Parts(parts.folder)))
    assert again.node[0].attr["value"].tensor.tensor_content == b"file:abc"


def test_what_is_no_such_message() -> None:
    with pytest.raises(CorruptFileError, match="not a GraphDef"):
        text_of(b"\x0a\x05abc", "GraphDef")


def test_the_roads_are_the_schemas() -> None:
    """Every field named there is a message of the kind that is stated."""
    for kind, fields in ROADS.items():
        if kind in ("Entry", "ListValue"):
            continue
        declared = getattr(proto, kind).DESCRIPTOR.fields_by_number
        for number, below in fields.items():
            message = declared[number].message_type
            assert message.name == below or (below == "Entry" and message.GetOptions().map_entry)
    declared = proto.AttrValue.ListValue.DESCRIPTOR.fields_by_number
    assert {n: declared[n].message_type.name for n in ROADS["ListValue"]} == ROADS["ListValue"]


def test_messages_that_never_end(tmp_path: Path) -> None:
    """Functions' attrs within attrs, deeper than protobuf would read."""
    func = b""
    for _ in range(2000):
        value = wire.length_delimited(10, func)
        func = wire.length_delimited(2, wire.length_delimited(2, value))
    attr = wire.length_delimited(5, wire.length_delimited(2, wire.length_delimited(10, func)))
    with pytest.raises(CorruptFileError, match="too deep"):
        exploded(tmp_path, wire.length_delimited(1, attr))


def test_a_tensor_that_fits_no_shape_stays_in_the_text(tmp_path: Path) -> None:
    made = proto.GraphDef()
    tensor = made.node.add(name="c", op="Const").attr["value"].tensor
    tensor.dtype, tensor.tensor_content = 1, b"abc"
    data = made.SerializeToString(deterministic=True)
    parts, record = exploded(tmp_path, data)
    assert record["holes"] == [] and imploded(parts) == data

"""Collections: every kind read and written, entries decoded by key, broken ones named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelfmt import proto
from modelfmt.errors import CorruptFileError
from modelfmt.graphs.saver import Variable
from modelfmt.storage import wire
from modelfmt.tensor import Tensor
from modelfmt.tf.collections import (
    AnyDef,
    SaveSliceInfoDef,
    VariableDef,
    read_collection,
    read_variable_def,
    variable_def,
    write_collection,
    write_variable_def,
)
from modelfmt.tf.contexts import (
    CondContextDef,
    WhileContextDef,
    write_cond_context,
    write_while_context,
)
from modelfmt.tf.defs import (
    AssetFileDef,
    QueueRunnerDef,
    SaverDef,
    write_asset_file_def,
    write_queue_runner_def,
    write_saver_def,
)

GOLDEN = Path(__file__).parents[3] / "golden"
NEW = bytes.fromhex("ca 03") + b"\x03new"  # 57: "new"
PART = bytes.fromhex(
    "0a 06 65 2f 70 30 3a 30"  # 1 variable_name "e/p0:0"
    "12 01 69 1a 01 73"  # 2 initializer_name "i", 3 snapshot_name "s"
    "22 0e"  # 4 save_slice_info_def
    "  0a 01 65"  # 1 full_name "e"
    "  12 02 14 05"  # 2 full_shape 20, 5
    "  1a 02 07 00"  # 3 var_offset 7, 0
    "  22 01 06"  # 4 var_shape 6
    "28 01"  # 5 is_resource
    "32 01 76"  # 6 initial_value_name "v"
    "38 01 40 02 48 01"  # 7 trainable, 8 synchronization ON_WRITE, 9 aggregation SUM
)
WRITERS: dict[type, Callable[[Any], bytes]] = {
    VariableDef: write_variable_def,
    SaverDef: write_saver_def,
    QueueRunnerDef: write_queue_runner_def,
    CondContextDef: write_cond_context,
    WhileContextDef: write_while_context,
    AssetFileDef: write_asset_file_def,
}


def test_a_variable() -> None:
    found = read_variable_def(PART)
    part = SaveSliceInfoDef("e", (20, 5), (7, 0), (6,))
    assert found == VariableDef("e/p0:0", "i", "s", "v", True, True, 2, 1, part)
    assert write_variable_def(found) == PART
    assert write_variable_def(read_variable_def(PART + NEW)) == PART + NEW


def test_an_empty_slice_is_a_slice() -> None:
    raw = b"\x0a\x01a\x22\x00"
    found = read_variable_def(raw)
    assert found.slice_info == SaveSliceInfoDef("", (), (), ())
    assert write_variable_def(found) == raw


def test_what_a_later_slice_says_is_carried() -> None:
    raw = wire.length_delimited(4, b"\x0a\x01e" + NEW)
    assert write_variable_def(read_variable_def(raw)) == raw


def test_a_number_that_the_enum_does_not_have() -> None:
    found = read_variable_def(b"\x40\x63")
    assert found.synchronization == 99 and write_variable_def(found) == b"\x40\x63"


def test_a_variable_of_ours() -> None:
    value = Tensor.from_numpy("d/kernel", np.zeros(2, "f4"))
    ours = Variable("d/kernel", value, "d/kernel/Read/ReadVariableOp")
    raw = write_variable_def(variable_def(ours))
    assert proto.VariableDef.FromString(raw) == proto.VariableDef(
        variable_name="d/kernel:0", initializer_name="d/kernel/Assign",
        snapshot_name="d/kernel/Read/ReadVariableOp:0", is_resource=True, trainable=True,
        initial_value_name="d/kernel/Initializer/zeros:0",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "text", "kind", "values"),
    [
        ("train_op", 'node_list { value: "a" value: "b:0" }', "node_list", ("a", "b:0")),
        ("variables", 'node_list { value: "a" }', "node_list", ("a",)),
        ("numbers", "int64_list { value: [-1, 7] }", "int64_list", (-1, 7)),
        ("rates", "float_list { value: [0.5] }", "float_list", (0.5,)),
        ("words", r'bytes_list { value: "one" value: "\377" }', "bytes_list", (b"one", b"\xff")),
        ("empty", "bytes_list { }", "bytes_list", ()),
        ("none", "", "", ()),
    ],
)
def test_kinds(key: str, text: str, kind: str, values: tuple[Any, ...]) -> None:
    message = proto.parse_text(text, proto.CollectionDef)
    raw = message.SerializeToString()
    found = read_collection(key, raw)
    assert (found.key, found.kind, found.values, found.errors) == (key, kind, values, ())
    assert found.type == "" and found.entries == values
    assert write_collection(found) == raw
    assert write_collection(read_collection(key, raw + NEW)) == raw + NEW


def listed(*entries: bytes) -> bytes:
    held = proto.CollectionDef.BytesList(value=entries)
    return proto.CollectionDef(bytes_list=held).SerializeToString()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, VariableDef("w:0", "w/Assign", trainable=True)) for key in (
            "variables", "trainable_variables", "local_variables", "model_variables",
            "metric_variables", "moving_average_variables", "global_step",
        )),
        ("savers", SaverDef("save/Const:0", "save/done:0", "save/restore_all")),
        ("queue_runners", QueueRunnerDef("q", ("q/enqueue",))),
        ("cond_context", CondContextDef("c", "p:0", "v:0", 1)),
        ("while_context", WhileContextDef("w", 10)),
    ],
)  # fmt: skip
def test_types_by_key(key: str, value: Any) -> None:
    entry = WRITERS[type(value)](value)
    found = read_collection(key, listed(entry, entry))
    assert found.values == (value, value) and found.entries == (entry, entry)
    assert found.type == type(value).__name__
    assert write_collection(found) == listed(entry, entry)


def test_messages_that_name_their_type() -> None:
    asset = AssetFileDef("a:0", "vocab.txt")
    message = proto.CollectionDef()
    for url in ("type.googleapis.com/tensorflow.AssetFileDef", "example.com/x.Unknown"):
        message.any_list.value.add(type_url=url, value=write_asset_file_def(asset))
    raw = message.SerializeToString()
    found = read_collection("saved_model_assets", raw)
    unknown = AnyDef("example.com/x.Unknown", write_asset_file_def(asset))
    assert found.values == (asset, unknown) and found.errors == ()
    assert write_collection(found) == raw


def test_a_broken_entry_is_named_and_the_others_are_read() -> None:
    good = write_variable_def(VariableDef("w:0"))
    found = read_collection("variables", listed(good, b"\x0a\x09short", good))
    assert found.values == (VariableDef("w:0"), b"\x0a\x09short", VariableDef("w:0"))
    (error,) = found.errors
    assert isinstance(error, CorruptFileError) and "not a VariableDef" in str(error)
    assert error.where.key == 'collection "variables", entry 1'
    assert write_collection(found) == listed(good, b"\x0a\x09short", good)


def test_a_group_in_an_entry_is_named() -> None:
    """Valid protobuf, which no TensorFlow writes."""
    found = read_collection("variables", listed(b"\x0a\x01w\xcb\x03\xcc\x03"))
    assert len(found.errors) == 1 and "group" in str(found.errors[0])


def test_what_is_no_collection() -> None:
    with pytest.raises(CorruptFileError, match="not a CollectionDef"):
        read_collection("a", b"\x0a\x09short")


# --- genuine files ---


def metagraphs() -> Iterator[tuple[str, bytes]]:
    for path in sorted(GOLDEN.glob("metagraph/*/*.meta")):
        yield path.parent.name, path.read_bytes()
    for path in sorted(GOLDEN.glob("savedmodel/*/**/saved_model.pb")):
        raw = path.read_bytes()
        for span in wire.scan(raw):
            if span.field == 2:
                yield str(path.relative_to(GOLDEN)), raw[span.offset : span.end]


def stored_collections(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Key and CollectionDef, as they stand in a MetaGraphDef."""
    for span in wire.scan(raw):
        if span.field == 4:
            entry = raw[span.offset : span.end]
            parts = {part.field: entry[part.offset : part.end] for part in wire.scan(entry)}
            yield parts[1].decode(), parts.get(2, b"")


def test_genuine_entries_are_read_and_written_as_the_same_bytes() -> None:
    counted: dict[str, int] = {}
    for name, raw in metagraphs():
        for key, stored in stored_collections(raw):
            found = read_collection(key, stored)
            assert write_collection(found) == stored and found.errors == (), (name, key)
            for entry, value in zip(found.entries, found.values, strict=True):
                counted[type(value).__name__] = counted.get(type(value).__name__, 0) + 1
                if type(value) in WRITERS:
                    assert WRITERS[type(value)](value) == entry, (name, key)
                else:
                    assert isinstance(value, str), (name, key)  # of a node_list
    assert counted["VariableDef"] > 50 and counted["CondContextDef"] and counted["WhileContextDef"]

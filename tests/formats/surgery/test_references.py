"""Names in the messages beside a graph: changed, listed, and dropped with what they stand in."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt import proto
from modelfmt.errors import CorruptFileError, MismatchError
from modelfmt.surgery.references import Sort, changed_fields, changed_message


def metagraph() -> proto.MetaGraphDef:
    message = proto.MetaGraphDef()
    message.saver_def.filename_tensor_name = "save/Const:0"
    message.saver_def.restore_op_name = "save/restore_all"
    variable = proto.VariableDef(variable_name="w:0", initializer_name="w/Assign",
                                 snapshot_name="w/read:0", initial_value_name="w/init:0")
    variable.save_slice_info_def.full_name = "w"
    message.collection_def["variables"].bytes_list.value.append(variable.SerializeToString())
    message.collection_def["train_op"].node_list.value.extend(["train", "other"])
    message.collection_def["notes"].bytes_list.value.append(b"\xff not a message")
    message.collection_def["numbers"].int64_list.value.append(3)
    context = proto.WhileContextDef(context_name="w/while", pivot_name="w/LoopCond:0",
                                    loop_exit_names=["w/Exit:0"])
    context.values_def.values.extend(["w/a:0", "x"])
    context.values_def.external_values["w/b:0"] = "w/c:0"
    message.collection_def["while_context"].bytes_list.value.append(context.SerializeToString())
    info = message.signature_def["serve"].inputs["x"]
    info.coo_sparse.values_tensor_name = "w/values:0"
    message.signature_def["train"].outputs["y"].name = "train:0"
    message.asset_file_def.add(filename="f").tensor_info.name = "w/file:0"
    message.object_graph_def.nodes.add().constant.operation = "w/const"
    message.object_graph_def.nodes.add().variable.name = "w"
    return message


def rename(sort: Sort, text: str) -> str:
    name, slash, rest = text.partition("/")
    head, colon, port = name.partition(":")
    return f"{'V' if head == 'w' else head}{colon}{port}{slash}{rest}"


def test_every_name_is_renamed() -> None:
    raw = metagraph().SerializeToString()
    made = changed_message(raw, "MetaGraphDef", rename)
    message = proto.MetaGraphDef.FromString(made)
    variable = proto.VariableDef.FromString(message.collection_def["variables"].bytes_list.value[0])
    assert [variable.variable_name, variable.initializer_name, variable.snapshot_name,
            variable.initial_value_name, variable.save_slice_info_def.full_name] == [
        "V:0", "V/Assign", "V/read:0", "V/init:0", "V"]  # fmt: skip
    context = proto.WhileContextDef.FromString(
        message.collection_def["while_context"].bytes_list.value[0]
    )
    assert (context.context_name, context.pivot_name) == ("V/while", "V/LoopCond:0")
    assert list(context.values_def.values) == ["V/a:0", "x"]
    assert dict(context.values_def.external_values) == {"V/b:0": "V/c:0"}
    serve = message.signature_def["serve"].inputs["x"]
    assert serve.coo_sparse.values_tensor_name == "V/values:0"
    assert message.asset_file_def[0].tensor_info.name == "V/file:0"
    objects = message.object_graph_def.nodes
    assert (objects[0].constant.operation, objects[1].variable.name) == ("V/const", "V")
    assert message.collection_def["notes"].bytes_list.value[0] == b"\xff not a message"
    assert b"w/" not in made


def test_nothing_changed_keeps_the_bytes_and_unknown_fields() -> None:
    raw = metagraph().SerializeToString() + b"\xfa\x7f\x03abc"
    assert changed_message(raw, "MetaGraphDef", lambda sort, text: text) == raw
    assert changed_message(raw, "MetaGraphDef", rename).endswith(b"\xfa\x7f\x03abc")
    assert changed_fields(memoryview(raw), "MetaGraphDef", lambda sort, text: text) == {}


def test_what_is_gone_takes_its_unit_along() -> None:
    def drop(sort: Sort, text: str) -> str | None:
        return None if sort == "ref" and text.startswith(("train", "save/")) else text

    made = changed_message(metagraph().SerializeToString(), "MetaGraphDef", drop)
    message = proto.MetaGraphDef.FromString(made)
    assert not message.HasField("saver_def") and list(message.signature_def) == ["serve"]
    assert list(message.collection_def["train_op"].node_list.value) == ["other"]
    assert len(message.collection_def["variables"].bytes_list.value) == 1


def test_what_is_gone_outside_of_a_unit() -> None:
    def drop(sort: Sort, text: str) -> Any:
        return None if text == "w/const" else text

    with pytest.raises(MismatchError, match="named where"):
        changed_message(metagraph().SerializeToString(), "MetaGraphDef", drop)


def test_keys_of_a_checkpoints_objects() -> None:
    message = proto.TrackableObjectGraph()
    message.nodes.add().attributes.add(name="VALUE", full_name="w", checkpoint_key="w/.A")
    sorts: list[tuple[str, str]] = []

    def note(sort: Sort, text: str) -> str:
        sorts.append((sort, text))
        return text

    changed_message(message.SerializeToString(), "TrackableObjectGraph", note)
    assert sorts == [("label", "w"), ("key", "w/.A")]


def test_a_name_that_is_no_text() -> None:
    with pytest.raises(CorruptFileError, match="not UTF-8"):
        changed_message(b"\x0a\x01\xff", "SaverDef", rename)

"""Rows of collections: the documented keys, what is trained, what cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelfmt import proto
from modelfmt.surgery.collection_rows import (
    asset_rows,
    broken_collections,
    collection_rows,
    saver_row,
)
from modelfmt.tf.metagraph import MetaGraph

SAVER = (
    'filename_tensor_name: "save/Const:0" save_tensor_name: "save/done:0" '
    'restore_op_name: "save/restore_all" max_to_keep: 5 version: V2'
)
SAVER_ROW = {
    "filename_tensor": "save/Const:0", "save_tensor": "save/done:0",
    "restore_op": "save/restore_all", "version": "V2", "max_to_keep": 5, "sharded": False,
    "keep_checkpoint_every_n_hours": 0.0,
}  # fmt: skip


def metagraph(text: str = "", **entries: Any) -> MetaGraph:
    """A MetaGraphDef of a text, and bytes_lists of messages or bytes by key."""
    message = proto.parse_text(text, proto.MetaGraphDef)
    for key, listed in entries.items():
        raws = [e if isinstance(e, bytes) else e.SerializeToString() for e in listed]
        message.collection_def[key].bytes_list.value.extend(raws)
    return MetaGraph(message.SerializeToString())


def test_variables() -> None:
    plain = proto.VariableDef(variable_name="a:0", initializer_name="a/Assign", trainable=True)
    part = proto.parse_text(
        'variable_name: "b:0" initial_value_name: "i:0" snapshot_name: "s:0" is_resource: true '
        'save_slice_info_def { full_name: "e" full_shape: [9] var_offset: [3] var_shape: [6] } '
        "synchronization: VARIABLE_SYNCHRONIZATION_ON_READ aggregation: 77",
        proto.VariableDef,
    )
    found = collection_rows(metagraph(variables=[plain, part]))["variables"]
    assert (found["kind"], found["type"], found["count"]) == ("bytes_list", "VariableDef", 2)
    assert found["rows"] == [
        {
            "name": "a:0", "trainable": True, "is_resource": False, "initializer": "a/Assign",
            "snapshot": "", "initial_value": "",
            "synchronization": "VARIABLE_SYNCHRONIZATION_AUTO",
            "aggregation": "VARIABLE_AGGREGATION_NONE", "slice_info": None,
        },
        {
            "name": "b:0", "trainable": False, "is_resource": True, "initializer": "",
            "snapshot": "s:0", "initial_value": "i:0",
            "synchronization": "VARIABLE_SYNCHRONIZATION_ON_READ", "aggregation": "77",
            "slice_info": {
                "full_name": "e", "full_shape": [9], "var_offset": [3], "var_shape": [6]
            },
        },
    ]  # fmt: skip


def test_before_1_13_only_the_collection_says_what_is_trained() -> None:
    a, b = (proto.VariableDef(variable_name=name) for name in ("a:0", "b:0"))
    rows = collection_rows(metagraph(variables=[a, b], trainable_variables=[b]))
    assert [row["trainable"] for row in rows["variables"]["rows"]] == [False, True]


def test_other_messages() -> None:
    cond = proto.CondContextDef(context_name="c", pred_name="p:0", pivot_name="v:0", branch=1)
    cond.values_def.values.extend(["x", "y"])
    cond.values_def.external_values["x"] = "in/x"
    loop = proto.WhileContextDef(context_name="w", loop_exit_names=["e"], back_prop=True)
    loop.nested_contexts.add().cond_ctxt.CopyFrom(cond)
    runner = proto.QueueRunnerDef(queue_name="q", enqueue_op_name=["q/e"])
    saver = proto.parse_text(SAVER, proto.SaverDef)
    rows = collection_rows(
        metagraph(cond_context=[cond], while_context=[loop], queue_runners=[runner], savers=[saver])
    )
    assert rows["cond_context"]["rows"] == [
        {"name": "c", "pred": "p:0", "pivot": "v:0", "branch": 1, "values": 2,
         "external_values": 1, "nested": []}
    ]  # fmt: skip
    (row,) = rows["while_context"]["rows"]
    assert (row["name"], row["loop_exits"], row["back_prop"]) == ("w", ["e"], True)
    assert (row["values"], row["nested"]) == (0, ["c"])
    assert rows["queue_runners"]["rows"] == [
        {"name": "q", "enqueue_ops": ["q/e"], "close_op": "", "cancel_op": "",
         "exception_types": []}
    ]  # fmt: skip
    assert rows["savers"]["rows"] == [SAVER_ROW]


def test_plain_lists() -> None:
    rows = collection_rows(
        metagraph("""
        collection_def { key: "train_op" value { node_list { value: "Adam" } } }
        collection_def { key: "steps" value { int64_list { value: 7 } } }
        collection_def { key: "rates" value { float_list { value: [0.5, nan] } } }
        collection_def { key: "words" value { bytes_list { value: "hi" value: "\\377" } } }
        collection_def { key: "nothing" value { } }
        collection_def { key: "saved_model_assets" value { any_list {
          value { type_url: "type.googleapis.com/tensorflow.AssetFileDef"
                  value: "\\022\\005v.txt" }
          value { type_url: "x/y" value: "\\000" } } } }
    """)
    )
    assert {key: found["rows"] for key, found in rows.items()} == {
        "train_op": [{"name": "Adam"}],
        "steps": [{"value": 7}],
        "rates": [{"value": 0.5}, {"value": "nan"}],
        "words": [{"nbytes": 2, "text": "hi"}, {"nbytes": 1, "text": None}],
        "nothing": [],
        "saved_model_assets": [
            {"tensor": "", "filename": "v.txt"},
            {"type_url": "x/y", "nbytes": 1, "text": None},
        ],
    }
    assert [found["kind"] for found in rows.values()] == [
        None, "float_list", "any_list", "int64_list", "node_list", "bytes_list",
    ]  # fmt: skip
    assert {found["type"] for found in rows.values()} == {None}
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_broken_entries_are_told_once_a_collection() -> None:
    good = proto.VariableDef(variable_name="a:0")
    found = metagraph(variables=[good, b"\x0a\x09x", b"\x0a\x09y"], savers=[b"\x0a\x09z"])
    rows = collection_rows(found)["variables"]["rows"]
    assert [row.get("name") for row in rows] == ["a:0", None, None] and rows[1]["nbytes"] == 3
    first, second = map(str, broken_collections(found, "m.meta"))
    assert 'm.meta, collection "savers", entry 0: 1 of 1 entries are broken' in first
    assert 'm.meta, collection "variables", entry 1: 2 of 3 entries are broken' in second
    assert "not a VariableDef" in second
    assert list(broken_collections(metagraph(variables=[good]), "m.meta")) == []


@pytest.mark.parametrize("inside", [True, False])
def test_the_saver(inside: bool) -> None:
    row = saver_row(metagraph(f"saver_def {{ {SAVER} }}" if inside else ""))
    assert row == (SAVER_ROW if inside else None)


def test_asset_files() -> None:
    text = 'asset_file_def { tensor_info { name: "Const:0" } filename: "vocab.txt" }'
    assert asset_rows(metagraph(text)) == [{"tensor": "Const:0", "filename": "vocab.txt"}]

"""What dump says of a MetaGraph's collections, saver and asset files, as plain data.

    collections  {key: {"kind", "type", "count", "rows"}}: kind is node_list, bytes_list,
                 int64_list, float_list or any_list; type the message that its bytes are, null
                 where none is known; and one row an entry
    saver        a row as below; null where there is none
    assets       [{"tensor", "filename"}]

A row, by what it tells of:

    node_list        {"name"}
    numbers          {"value"}, "nan" or "inf" as text
    VariableDef      {"name", "trainable", "is_resource", "initializer", "snapshot",
                     "initial_value", "synchronization", "aggregation", "slice_info"}, the last
                     null or {"full_name", "full_shape", "var_offset", "var_shape"}
    SaverDef         {"filename_tensor", "save_tensor", "restore_op", "version", "max_to_keep",
                     "sharded", "keep_checkpoint_every_n_hours"}
    QueueRunnerDef   {"name", "enqueue_ops", "close_op", "cancel_op", "exception_types"}
    CondContextDef   {"name", "pred", "pivot", "branch", "values", "external_values", "nested"},
                     values and external_values counted, nested a list of names
    WhileContextDef  {"name", "pivot", "pivot_for_pred", "pivot_for_body", "loop_enters",
                     "loop_exits", "maximum_iterations", "parallel_iterations", "back_prop",
                     "swap_memory", "values", "external_values", "nested"}
    AssetFileDef     {"tensor", "filename"}
    other bytes      {"nbytes", "text"}, null where they are no text; of an any_list also "type_url"

A variable is trainable if its VariableDef or, as before TensorFlow 1.13, the collection
``trainable_variables`` says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modelfmt import proto
from modelfmt.errors import CorruptFileError, Where
from modelfmt.tf.collections import AnyDef, Value, VariableDef
from modelfmt.tf.contexts import CondContextDef, ValuesDef, WhileContextDef
from modelfmt.tf.defs import AssetFileDef, QueueRunnerDef, SaverDef

if TYPE_CHECKING:
    from modelfmt.proto._runtime import Enum
    from modelfmt.tf.metagraph import MetaGraph

Row = dict[str, Any]


def collection_rows(metagraph: MetaGraph) -> Row:
    """The collections by key; see the module's text."""
    listed = metagraph.collections.get("trainable_variables")
    values = () if listed is None else listed.values
    trained = {value.name for value in values if isinstance(value, VariableDef)}
    return {
        key: {
            "kind": collection.kind or None,
            "type": collection.type or None,
            "count": len(collection.entries),
            "rows": [_row(value, trained) for value in collection.values],
        }
        for key, collection in metagraph.collections.items()
    }


def broken_collections(metagraph: MetaGraph, path: str) -> Iterator[CorruptFileError]:
    """An error for each collection with entries that are not what its key promises."""
    for collection in metagraph.collections.values():
        if collection.errors:
            first = collection.errors[0]
            yield CorruptFileError(
                f"{len(collection.errors)} of {len(collection.entries)} entries are broken: "
                f"{first.what}",
                where=Where(path, first.where.key),
            )


def saver_row(metagraph: MetaGraph) -> Row | None:
    """The saver; None where there is none."""
    return None if metagraph.saver is None else _saver(metagraph.saver)


def asset_rows(metagraph: MetaGraph) -> list[Row]:
    """The asset files."""
    return [_asset(asset) for asset in metagraph.assets]


def _row(value: Value, trained: set[str]) -> Row:
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, VariableDef):
        return _variable(value, trained)
    if isinstance(value, CondContextDef):
        return {
            "name": value.name, "pred": value.pred, "pivot": value.pivot, "branch": value.branch,
            **_inside(value),
        }  # fmt: skip
    if isinstance(value, WhileContextDef):
        return {
            "name": value.name, "pivot": value.pivot, "pivot_for_pred": value.pivot_for_pred,
            "pivot_for_body": value.pivot_for_body, "loop_enters": [*value.loop_enters],
            "loop_exits": [*value.loop_exits], "maximum_iterations": value.maximum_iterations,
            "parallel_iterations": value.parallel_iterations, "back_prop": value.back_prop,
            "swap_memory": value.swap_memory, **_inside(value),
        }  # fmt: skip
    if isinstance(value, SaverDef):
        return _saver(value)
    if isinstance(value, QueueRunnerDef):
        return {
            "name": value.queue, "enqueue_ops": [*value.enqueue_ops], "close_op": value.close_op,
            "cancel_op": value.cancel_op, "exception_types": [*value.exception_types],
        }  # fmt: skip
    if isinstance(value, AssetFileDef):
        return _asset(value)
    if isinstance(value, AnyDef):
        return {"type_url": value.type_url, **_bytes(value.value)}
    if isinstance(value, bytes):
        return _bytes(value)
    return {"value": value if math.isfinite(value) else str(value)}


def _variable(value: VariableDef, trained: set[str]) -> Row:
    part = value.slice_info
    return {
        "name": value.name,
        "trainable": value.trainable or value.name in trained,
        "is_resource": value.is_resource,
        "initializer": value.initializer,
        "snapshot": value.snapshot,
        "initial_value": value.initial_value,
        "synchronization": _named(proto.VariableSynchronization, value.synchronization),
        "aggregation": _named(proto.VariableAggregation, value.aggregation),
        "slice_info": None if part is None else {
            "full_name": part.full_name, "full_shape": [*part.full_shape],
            "var_offset": [*part.var_offset], "var_shape": [*part.var_shape],
        },
    }  # fmt: skip


def _saver(value: SaverDef) -> Row:
    return {
        "filename_tensor": value.filename_tensor,
        "save_tensor": value.save_tensor,
        "restore_op": value.restore_op,
        "version": _named(proto.SaverDef.CheckpointFormatVersion, value.version),
        "max_to_keep": value.max_to_keep,
        "sharded": value.sharded,
        "keep_checkpoint_every_n_hours": value.keep_checkpoint_every_n_hours,
    }


def _asset(value: AssetFileDef) -> Row:
    return {"tensor": value.tensor, "filename": value.filename}


def _inside(context: CondContextDef | WhileContextDef) -> Row:
    values = context.values or ValuesDef()
    return {
        "values": len(values.values),
        "external_values": len(values.external_values),
        "nested": [inner.name for inner in context.nested],
    }


def _bytes(value: bytes) -> Row:
    try:
        text: str | None = value.decode()
    except UnicodeDecodeError:
        text = None
    return {"nbytes": len(value), "text": text if text and text.isprintable() else None}


def _named(enum: Enum, number: int) -> str:
    """An enum's name for a number; the number itself where a later TensorFlow has added it."""
    try:
        return enum.Name(number)
    except ValueError:
        return str(number)

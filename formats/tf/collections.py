"""Collections of a MetaGraphDef: lists by key, which tell Python of what a graph alone does not.

    CollectionDef  one of  1 node_list   names of nodes or tensors
                           2 bytes_list  serialised messages; the key tells of which type
                           3 int64_list  4 float_list
                           5 any_list    messages that name their type

    variables, trainable_variables, local_variables, model_variables, metric_variables,
    moving_average_variables, global_step      VariableDef
    savers, queue_runners                      SaverDef, QueueRunnerDef (defs.py)
    cond_context, while_context                CondContextDef, WhileContextDef (contexts.py)

A bytes_list of any other key holds the strings that someone put there. Every entry is kept as it
stands; ``values`` has them decoded, those that are not known or broken as bytes. Fields that a
later TensorFlow may add are carried in ``unknown``.
Source: tensorflow/core/protobuf/meta_graph.proto, framework/variable.proto,
and the keys: python/framework/ops.py, GraphKeys, with what register_proto_function registers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple, TypeAlias

from modelfmt import proto
from modelfmt.errors import ModelFormatError, located
from modelfmt.graphs.saver import Variable
from modelfmt.tf.contexts import (
    CondContextDef,
    WhileContextDef,
    read_cond_context,
    read_while_context,
)
from modelfmt.tf.defs import (
    AssetFileDef,
    QueueRunnerDef,
    SaverDef,
    parse,
    read_asset_file_def,
    read_queue_runner_def,
    read_saver_def,
    unknown_fields,
)


@dataclasses.dataclass(frozen=True)
class SaveSliceInfoDef:
    """The part of the variable ``full_name`` that begins at ``var_offset``."""

    full_name: str
    full_shape: tuple[int, ...]
    var_offset: tuple[int, ...]
    var_shape: tuple[int, ...]
    unknown: bytes = b""


@dataclasses.dataclass(frozen=True)
class VariableDef:
    """A variable. All names are tensors ("w:0"), save for ``initializer``, a node.

    Attributes:
        name: the reference, or for a resource variable the handle.
        initializer: assigns the initial value.
        snapshot: the value as other nodes read it.
        initial_value: what the initializer assigns.
        is_resource: whether it is a resource.
        trainable: as stated; before TensorFlow 1.13 only the collection said so.
        synchronization, aggregation: numbers of VariableSynchronization, VariableAggregation.
        slice_info: which part of a larger variable this is.
    """

    name: str
    initializer: str = ""
    snapshot: str = ""
    initial_value: str = ""
    is_resource: bool = False
    trainable: bool = False
    synchronization: int = 0
    aggregation: int = 0
    slice_info: SaveSliceInfoDef | None = None
    unknown: bytes = b""


class AnyDef(NamedTuple):
    """An entry of an any_list: the type by its URL, and the message's bytes."""

    type_url: str
    value: bytes


Entry: TypeAlias = str | int | float | bytes | AnyDef
Value: TypeAlias = (
    Entry | VariableDef | SaverDef | QueueRunnerDef | CondContextDef | WhileContextDef
    | AssetFileDef
)  # fmt: skip


def variable_def(variable: Variable) -> VariableDef:
    """What is told of a variable of ours."""
    return VariableDef(
        f"{variable.name}:0", variable.initializer, f"{variable.read}:0",
        f"{variable.initial_value}:0", variable.is_resource, variable.trainable,
    )  # fmt: skip


def read_variable_def(raw: bytes) -> VariableDef:
    """A serialised VariableDef. Raises CorruptFileError."""
    message = parse(proto.VariableDef, raw)
    part = None
    if message.HasField("save_slice_info_def"):
        info = message.save_slice_info_def
        part = SaveSliceInfoDef(
            info.full_name, tuple(info.full_shape), tuple(info.var_offset), tuple(info.var_shape),
            unknown_fields(proto.SaveSliceInfoDef, info.SerializeToString()),
        )  # fmt: skip
    return VariableDef(
        message.variable_name, message.initializer_name, message.snapshot_name,
        message.initial_value_name, message.is_resource, message.trainable,
        message.synchronization, message.aggregation, part,
        unknown_fields(proto.VariableDef, raw),
    )  # fmt: skip


def write_variable_def(variable: VariableDef) -> bytes:
    """The twin of ``read_variable_def``."""
    message = proto.VariableDef(
        variable_name=variable.name, initializer_name=variable.initializer,
        snapshot_name=variable.snapshot, initial_value_name=variable.initial_value,
        is_resource=variable.is_resource, trainable=variable.trainable,
        synchronization=variable.synchronization, aggregation=variable.aggregation,
    )  # fmt: skip
    if variable.slice_info is not None:
        part = variable.slice_info
        message.save_slice_info_def.SetInParent()
        message.save_slice_info_def.MergeFrom(
            proto.SaveSliceInfoDef(
                full_name=part.full_name, full_shape=part.full_shape,
                var_offset=part.var_offset, var_shape=part.var_shape,
            )
        )  # fmt: skip
        message.save_slice_info_def.MergeFromString(part.unknown)
    return message.SerializeToString(deterministic=True) + variable.unknown


_READERS: dict[str, Callable[[bytes], Value]] = {
    "VariableDef": read_variable_def,
    "SaverDef": read_saver_def,
    "QueueRunnerDef": read_queue_runner_def,
    "CondContextDef": read_cond_context,
    "WhileContextDef": read_while_context,
    "AssetFileDef": read_asset_file_def,
}
#: Collection key -> the type of its bytes.
_TYPES = {
    **dict.fromkeys((
        "variables", "trainable_variables", "local_variables", "model_variables",
        "metric_variables", "moving_average_variables", "global_step",
    ), "VariableDef"),
    "savers": "SaverDef",
    "queue_runners": "QueueRunnerDef",
    "cond_context": "CondContextDef",
    "while_context": "WhileContextDef",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Collection:
    """A CollectionDef; its entries are decoded when ``values`` is first asked for.

    Attributes:
        key: its name.
        kind: node_list, bytes_list, int64_list, float_list or any_list; "" where none is set.
        entries: as they stand.
    """

    key: str
    kind: str
    entries: tuple[Entry, ...] = ()
    unknown: bytes = b""

    @property
    def type(self) -> str:
        """The message that its bytes are, such as VariableDef; "" where none is known."""
        return _TYPES.get(self.key, "") if self.kind == "bytes_list" else ""

    @property
    def values(self) -> tuple[Value, ...]:
        """The entries decoded; one that is not known or broken is as in ``entries``."""
        return self._decoded[0]

    @property
    def errors(self) -> tuple[ModelFormatError, ...]:
        """What is wrong with the entries that are broken."""
        return self._decoded[1]

    @cached_property
    def _decoded(self) -> tuple[tuple[Value, ...], tuple[ModelFormatError, ...]]:
        values: list[Value] = []
        errors = []
        for index, entry in enumerate(self.entries):
            try:
                with located(key=f'collection "{self.key}", entry {index}'):
                    values.append(self._decode(entry))
            except ModelFormatError as error:
                errors.append(error)
                values.append(entry)
        return tuple(values), tuple(errors)

    def _decode(self, entry: Entry) -> Value:
        if isinstance(entry, AnyDef):
            name, raw = entry.type_url.rpartition("/")[2].removeprefix("tensorflow."), entry.value
        elif isinstance(entry, bytes):
            name, raw = self.type, entry
        else:
            return entry
        return _READERS[name](raw) if name in _READERS else entry


def read_collection(key: str, raw: bytes) -> Collection:
    """A serialised CollectionDef. Raises CorruptFileError; a broken entry only when decoded."""
    message = parse(proto.CollectionDef, raw)
    kind = message.WhichOneof("kind")
    entries: tuple[Entry, ...] = ()
    if kind == "any_list":
        entries = tuple(AnyDef(entry.type_url, entry.value) for entry in message.any_list.value)
    elif kind is not None:
        entries = tuple(getattr(message, kind).value)
    return Collection(key, kind or "", entries, unknown_fields(proto.CollectionDef, raw))


def write_collection(collection: Collection) -> bytes:
    """The twin of ``read_collection``: the entries, as they stand."""
    message = proto.CollectionDef()
    if collection.kind:
        held = getattr(message, collection.kind)
        held.SetInParent()
        for entry in collection.entries:
            if isinstance(entry, AnyDef):
                held.value.add(type_url=entry.type_url, value=entry.value)
            else:
                held.value.append(entry)
    return message.SerializeToString(deterministic=True) + collection.unknown

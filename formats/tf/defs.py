"""Small messages beside a graph: SaverDef, QueueRunnerDef, AssetFileDef.

    SaverDef        1 filename_tensor_name  2 save_tensor_name  3 restore_op_name  4 max_to_keep
                    5 sharded  6 keep_checkpoint_every_n_hours  7 version
    QueueRunnerDef  1 queue_name  2 enqueue_op_name  3 close_op_name  4 cancel_op_name
                    5 queue_closed_exception_types
    AssetFileDef    1 tensor_info  2 filename

Fields that a later TensorFlow may add are carried in ``unknown``.
Source: tensorflow/core/protobuf/{saver,queue_runner,meta_graph}.proto.
"""

from __future__ import annotations

import dataclasses
from typing import TypeVar

from modelfmt import proto
from modelfmt.errors import CorruptFileError
from modelfmt.graphs.saver import Saver
from modelfmt.storage import wire

M = TypeVar("M", bound="proto.Message")  # as text: proto is loaded when it is touched


def parse(message_class: type[M], raw: bytes) -> M:
    """A message of protobuf. Raises CorruptFileError."""
    try:
        return message_class.FromString(raw)
    except proto.DecodeError as error:
        name = message_class.DESCRIPTOR.name
        raise CorruptFileError(f"not a {name} ({error})") from None


def unknown_fields(message_class: type[proto.Message], raw: bytes) -> bytes:
    """The fields of a serialised message that its schema does not have, as they stand."""
    return wire.without(raw, message_class.DESCRIPTOR.fields_by_number)


@dataclasses.dataclass(frozen=True)
class SaverDef:
    """The nodes that save and restore; ``version`` is 2 for bundles, 1 for tables of slices."""

    filename_tensor: str
    save_tensor: str
    restore_op: str
    max_to_keep: int = 5
    sharded: bool = False
    keep_checkpoint_every_n_hours: float = 10000.0
    version: int = 2
    unknown: bytes = b""


def saver_def(saver: Saver) -> SaverDef:
    """What is told of a saver of ours."""
    return SaverDef(f"{saver.filename}:0", f"{saver.save}:0", saver.restore)


def read_saver_def(raw: bytes) -> SaverDef:
    """A serialised SaverDef. Raises CorruptFileError."""
    message = parse(proto.SaverDef, raw)
    return SaverDef(
        message.filename_tensor_name, message.save_tensor_name, message.restore_op_name,
        message.max_to_keep, message.sharded, message.keep_checkpoint_every_n_hours,
        message.version, unknown_fields(proto.SaverDef, raw),
    )  # fmt: skip


def write_saver_def(saver: SaverDef) -> bytes:
    """The twin of ``read_saver_def``."""
    message = proto.SaverDef(
        filename_tensor_name=saver.filename_tensor, save_tensor_name=saver.save_tensor,
        restore_op_name=saver.restore_op, max_to_keep=saver.max_to_keep, sharded=saver.sharded,
        keep_checkpoint_every_n_hours=saver.keep_checkpoint_every_n_hours, version=saver.version,
    )  # fmt: skip
    return message.SerializeToString(deterministic=True) + saver.unknown


@dataclasses.dataclass(frozen=True)
class QueueRunnerDef:
    """An input queue; the exception types are numbers of error.Code, none for OUT_OF_RANGE."""

    queue: str
    enqueue_ops: tuple[str, ...] = ()
    close_op: str = ""
    cancel_op: str = ""
    exception_types: tuple[int, ...] = ()
    unknown: bytes = b""


def read_queue_runner_def(raw: bytes) -> QueueRunnerDef:
    """A serialised QueueRunnerDef. Raises CorruptFileError."""
    message = parse(proto.QueueRunnerDef, raw)
    return QueueRunnerDef(
        message.queue_name, tuple(message.enqueue_op_name), message.close_op_name,
        message.cancel_op_name, tuple(message.queue_closed_exception_types),
        unknown_fields(proto.QueueRunnerDef, raw),
    )  # fmt: skip


def write_queue_runner_def(runner: QueueRunnerDef) -> bytes:
    """The twin of ``read_queue_runner_def``."""
    message = proto.QueueRunnerDef(
        queue_name=runner.queue, enqueue_op_name=runner.enqueue_ops,
        close_op_name=runner.close_op, cancel_op_name=runner.cancel_op,
        queue_closed_exception_types=runner.exception_types,
    )  # fmt: skip
    return message.SerializeToString(deterministic=True) + runner.unknown


@dataclasses.dataclass(frozen=True)
class AssetFileDef:
    """A file in the folder assets; ``tensor`` takes its path, ``info`` is told of it besides."""

    tensor: str
    filename: str
    info: bytes = b""
    unknown: bytes = b""


def read_asset_file_def(raw: bytes) -> AssetFileDef:
    """A serialised AssetFileDef. Raises CorruptFileError."""
    message = parse(proto.AssetFileDef, raw)
    tensor = message.tensor_info.name
    message.tensor_info.ClearField("name")
    return AssetFileDef(
        tensor, message.filename, message.tensor_info.SerializeToString(deterministic=True),
        unknown_fields(proto.AssetFileDef, raw),
    )  # fmt: skip


def write_asset_file_def(asset: AssetFileDef) -> bytes:
    """The twin of ``read_asset_file_def``."""
    message = proto.AssetFileDef(filename=asset.filename)
    if asset.tensor or asset.info:
        message.tensor_info.CopyFrom(parse(proto.TensorInfo, asset.info))
        if asset.tensor:
            message.tensor_info.name = asset.tensor
    return message.SerializeToString(deterministic=True) + asset.unknown

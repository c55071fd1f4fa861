"""Small messages beside a graph: read, written, carried."""

from __future__ import annotations

import pytest

from modelfmt import proto
from modelfmt.errors import CorruptFileError
from modelfmt.graphs.saver import Saver
from modelfmt.tf.defs import (
    AssetFileDef,
    QueueRunnerDef,
    SaverDef,
    read_asset_file_def,
    read_queue_runner_def,
    read_saver_def,
    saver_def,
    write_asset_file_def,
    write_queue_runner_def,
    write_saver_def,
)

# A field 57 of text "new", as a TensorFlow to come may add.
NEW = bytes.fromhex("ca 03") + b"\x03new"
SAVER = bytes.fromhex(
    "0a 0c 73 61 76 65 2f 43 6f 6e 73 74 3a 30"  # 1 filename_tensor_name "save/Const:0"
    "12 03 73 3a 30"  # 2 save_tensor_name "s:0"
    "1a 01 72"  # 3 restore_op_name "r"
    "20 05"  # 4 max_to_keep 5
    "28 01"  # 5 sharded
    "35 00 40 1c 46"  # 6 keep_checkpoint_every_n_hours 10000.0
    "38 02"  # 7 version V2
)
RUNNER = bytes.fromhex(
    "0a 01 71"  # 1 queue_name "q"
    "12 02 65 31 12 02 65 32"  # 2 enqueue_op_name "e1", "e2"
    "1a 01 63 22 01 78"  # 3 close_op_name "c", 4 cancel_op_name "x"
    "2a 02 0b 01"  # 5 queue_closed_exception_types OUT_OF_RANGE, CANCELLED
)
ASSET = bytes.fromhex(
    "0a 09 0a 03 61 3a 30 10 07 1a 00"  # 1 tensor_info {name "a:0", dtype DT_STRING, shape []}
    "12 05 76 2e 74 78 74"  # 2 filename "v.txt"
)


def test_a_saver() -> None:
    saver = read_saver_def(SAVER)
    assert saver == SaverDef("save/Const:0", "s:0", "r", 5, True, 10000.0, 2)
    assert write_saver_def(saver) == SAVER
    assert write_saver_def(read_saver_def(SAVER + NEW)) == SAVER + NEW


def test_the_saver_of_a_graph_of_ours() -> None:
    told = saver_def(Saver("save/Const", "save/control_dependency", "save/restore_all", ()))
    assert proto.SaverDef.FromString(write_saver_def(told)) == proto.SaverDef(
        filename_tensor_name="save/Const:0", save_tensor_name="save/control_dependency:0",
        restore_op_name="save/restore_all", max_to_keep=5,
        keep_checkpoint_every_n_hours=10000.0, version=2,
    )  # fmt: skip


def test_a_queue_runner() -> None:
    runner = read_queue_runner_def(RUNNER)
    assert runner == QueueRunnerDef("q", ("e1", "e2"), "c", "x", (11, 1))
    assert write_queue_runner_def(runner) == RUNNER
    assert write_queue_runner_def(read_queue_runner_def(RUNNER + NEW)) == RUNNER + NEW


def test_an_asset_file() -> None:
    asset = read_asset_file_def(ASSET)
    assert (asset.tensor, asset.filename) == ("a:0", "v.txt")
    assert write_asset_file_def(asset) == ASSET
    assert write_asset_file_def(read_asset_file_def(ASSET + NEW)) == ASSET + NEW
    assert write_asset_file_def(AssetFileDef("", "v.txt")) == ASSET[11:]


def test_what_is_no_such_message() -> None:
    for read in (read_saver_def, read_queue_runner_def, read_asset_file_def):
        with pytest.raises(CorruptFileError, match=r"not a \w+Def"):
            read(b"\x0a\x09short")
        with pytest.raises(CorruptFileError, match=r"not a \w+Def"):
            read(b"\x12\x02\xff\xfe")  # no UTF-8

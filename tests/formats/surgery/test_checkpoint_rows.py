"""What dump says of a checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path

from modelfmt.surgery.checkpoint_rows import (
    checkpoint_row,
    odd_in_checkpoint,
    odd_keys,
    saved_object_row,
)
from modelfmt.tf.checkpoint import Checkpoint

GOLDEN = Path(__file__).parents[3] / "golden/checkpoint"


def of(case: str) -> str:
    stated = (GOLDEN / case / "provenance.toml").read_text()
    return str(GOLDEN / case / stated.split('model = "')[1].split('"')[0])


def test_version_files_state_and_slices() -> None:
    with Checkpoint(of("rawtf1.4.1-raw_partitioned")) as checkpoint:
        row = checkpoint_row(checkpoint)
        assert row["version"] == 2 and row["state"]["latest"] == "model.ckpt-1000"
        assert [f["name"] for f in row["files"]][-1] == ".index"
        assert list(row["slices"]) == ["emb/table"]
        assert list(odd_in_checkpoint(checkpoint)) == list(odd_keys(checkpoint)) == []
        assert saved_object_row(checkpoint, 1) is None


def test_version_1() -> None:
    with Checkpoint(of("rawtf0.12.1-raw_partitioned_v1")) as checkpoint:
        row = checkpoint_row(checkpoint)
        assert row["version"] == 1 and len(row["slices"]["emb/table"]) > 1
    with Checkpoint(of("keras2.1.2-tf1.4.1-linear_regression_v1")) as checkpoint:
        assert checkpoint_row(checkpoint)["slices"] == {}


def test_objects() -> None:
    with Checkpoint(of("tfkeras-tf2.8.4-nested_train")) as checkpoint:
        row = saved_object_row(checkpoint, 1)
        assert row is not None and (row["variables"], row["slots"]) == (18, 16)
        assert {"path": "save_counter", "key": "save_counter/.ATTRIBUTES/VARIABLE_VALUE"} in row[
            "rows"
        ]
        assert all("/" not in found["path"] for found in row["rows"])


def test_shards_that_nothing_uses(tmp_path: Path) -> None:
    source = Path(of("rawtf1.15.5-raw_partitioned_sharded")).parent
    copy = Path(shutil.copytree(source, tmp_path / "c"))
    index = next(copy.glob("*.index"))
    prefix = str(index).removesuffix(".index")
    Path(f"{prefix}.data-00000-of-00009").write_bytes(b"stray")
    with Checkpoint(prefix) as checkpoint:
        (found,) = odd_in_checkpoint(checkpoint)
        assert "data-00000-of-00009" in found and "is no shard of this checkpoint" in found

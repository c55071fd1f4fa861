"""Checkpoints with edits: in place where nothing moves, else one shard; keys renamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt.errors import MismatchError
from modelfmt.tf.checkpoint import Checkpoint

GOLDEN = Path(__file__).parents[3] / "golden/checkpoint"
SHARDED = GOLDEN / "rawtf1.15.5-raw_partitioned_sharded/model.ckpt"
OBJECTS = GOLDEN / "rawtf2.3.4-module_conv_train"


def files(prefix: Path) -> dict[str, bytes]:
    return {
        p.name.removeprefix(prefix.name): p.read_bytes()
        for p in prefix.parent.iterdir() if p.name.startswith(f"{prefix.name}.")
    }  # fmt: skip


def prefix_of(folder: Path) -> Path:
    return next(folder.glob("*.index")).with_suffix("")


def test_every_tensor_of_shards_and_slices_in_place(tmp_path: Path) -> None:
    source = prefix_of(SHARDED.parent)
    before = files(source)
    with Checkpoint(str(source)) as checkpoint:
        names = [n for n, t in checkpoint.tensors.items() if t.dtype.name == "float32"]
    assert len(before) > 2 and len(names) > 2
    for number, name in enumerate(names):
        out = tmp_path / f"{number}.ckpt"
        with Checkpoint(str(source), verify=True) as checkpoint:
            wanted = checkpoint.tensors[name].numpy() + np.float32(1)
            checkpoint.tensors[name] = wanted
            checkpoint.save(str(out))
        after = files(out)
        assert set(after) == set(before)
        for suffix, data in before.items():
            assert len(after[suffix]) == len(data)
            count = sum(a != b for a, b in zip(data, after[suffix], strict=True))
            slices = 4
            assert count <= (wanted.nbytes if "data" in suffix else 4 * slices + 4)
        assert modelfmt.check(out) == []
        with Checkpoint(str(out), verify=True) as checkpoint:
            np.testing.assert_array_equal(checkpoint.tensors[name].numpy(), wanted)


def test_other_keys_and_deleted_ones(tmp_path: Path) -> None:
    source = prefix_of(SHARDED.parent)
    with Checkpoint(str(source)) as checkpoint:
        old = {n: t.sha256() for n, t in checkpoint.tensors.items()}
        gone = next(iter(old))
        del checkpoint.tensors[gone]
        checkpoint.save_as(str(tmp_path / "out"), keys=lambda key: f"new/{key}")
    with Checkpoint(str(tmp_path / "out"), verify=True) as checkpoint:
        found = {n: t.sha256() for n, t in checkpoint.tensors.items()}
    assert found == {f"new/{n}": d for n, d in old.items() if n != gone}
    assert modelfmt.check(tmp_path / "out") == []


def test_two_of_one_key(tmp_path: Path) -> None:
    with Checkpoint(str(prefix_of(OBJECTS))) as checkpoint, pytest.raises(MismatchError):
        checkpoint.save_as(str(tmp_path / "out"), keys=lambda key: "same")
    assert list(tmp_path.iterdir()) == []

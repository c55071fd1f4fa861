"""Checkpoints edited: keys, casts, optimizers; object graphs follow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt.errors import MismatchError, MissingError, UnsupportedError
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle_writer import write_bundle
from modelfmt.tf.objects import read_objects

GOLDEN = Path(__file__).parents[3] / "golden/checkpoint"
TRAINED = GOLDEN / "tfkeras-tf2.15.1-nested_train"
OLD_SLOTS = GOLDEN / "tfkeras-tf2.3.4-linear_regression_train"


def build(prefix: Path) -> Path:
    names = ("dense/kernel", "dense/kernel/Adam", "beta1_power", "Adam/dense/kernel/m", "b/w")
    write_bundle(prefix, [Tensor.from_numpy(n, np.ones(3, np.float32)) for n in names])
    return prefix


def keys(path: Path) -> list[str]:
    with modelfmt.open(path) as made:
        return sorted(made.tensors)


def test_by_name_and_scope(tmp_path: Path) -> None:
    source = build(tmp_path / "a")
    modelfmt.edit(source, tmp_path / "b", rename={"dense/kernel": "fc/k", "b": "c"})
    assert keys(tmp_path / "b") == [
        "Adam/fc/k/m", "beta1_power", "c/w", "fc/k", "fc/k/Adam",
    ]  # fmt: skip


def test_the_optimizer(tmp_path: Path) -> None:
    source = build(tmp_path / "a")
    modelfmt.edit(source, tmp_path / "b", strip=["optimizer"])
    assert keys(tmp_path / "b") == ["b/w", "dense/kernel"]


@pytest.mark.parametrize("case", [TRAINED, OLD_SLOTS], ids=lambda c: c.name)
def test_objects(case: Path, tmp_path: Path) -> None:
    modelfmt.edit(case, tmp_path / "b", strip=["optimizer"])
    left = keys(tmp_path / "b")
    assert 1 < len(left) < len(keys(case))
    assert not any(".OPTIMIZER_SLOT" in k or k.startswith("optimizer") for k in left)
    scope = next(k for k in left if k.endswith("VARIABLE_VALUE") and k.count("/") > 2).split("/")[0]
    modelfmt.edit(case, tmp_path / "c", rename={scope: "renamed"})
    with modelfmt.open(tmp_path / "c") as made:
        objects = read_objects(made.tensors)
        assert objects is not None
        for node in objects.nodes:
            assert all(key in made.tensors for key in node.keys.values())
        assert any(k.startswith("renamed/") for k in made.tensors)
    assert modelfmt.check(tmp_path / "c") == []


def test_delete_and_cast(tmp_path: Path) -> None:
    source = build(tmp_path / "a")
    modelfmt.edit(source, tmp_path / "b", delete=["*Adam*"], cast="bfloat16")
    with modelfmt.open(tmp_path / "b") as made:
        assert {t.dtype.name for t in made.tensors.values()} == {"bfloat16"}
        assert sorted(made.tensors) == ["b/w", "beta1_power", "dense/kernel"]


def test_refused(tmp_path: Path) -> None:
    source = build(tmp_path / "a")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(MismatchError, match='there is a "b/w" already'):
        modelfmt.edit(source, tmp_path / "x", rename={"beta1_power": "b/w"})
    with pytest.raises(MissingError, match="nothing matches"):
        modelfmt.edit(source, tmp_path / "x", delete=["nothing*"])
    with pytest.raises(MissingError, match="nothing is called"):
        modelfmt.edit(source, tmp_path / "x", rename={"dence": "fc"})
    with pytest.raises(UnsupportedError, match="no attrs"):
        modelfmt.edit(source, tmp_path / "x", set={"a:b": "1"})
    with pytest.raises(UnsupportedError, match="what trains"):
        modelfmt.edit(source, tmp_path / "x", strip=["training"])
    assert sorted(tmp_path.iterdir()) == before

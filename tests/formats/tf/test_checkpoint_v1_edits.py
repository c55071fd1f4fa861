"""Checkpoints of version 1 with edits: values, names, deletions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt.errors import UnsupportedError
from modelfmt.tf.checkpoint import Checkpoint

GOLDEN = Path(__file__).parents[3] / "golden/checkpoint"
CASES = [GOLDEN / f"{c}_v1" for c in (
    "keras2.1.2-tf1.4.1-linear_regression", "rawtf0.12.1-raw_partitioned",
    "rawtf1.15.5-raw_convnet",
)]  # fmt: skip




@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_values_and_names(case: Path, tmp_path: Path) -> None:
    with modelfmt.open(case) as source:
        assert isinstance(source, Checkpoint)
        old = {n: t.numpy() for n, t in source.tensors.items()}
        name = next(n for n, a in old.items() if a.dtype == np.float32 and a.size > 1)
        source.tensors[name] = old[name] + np.float32(1)
        source.save(str(tmp_path / "a"))
        source.save_as(str(tmp_path / "b"), keys=lambda key: f"new/{key}")
        del source.tensors[name]
        source.save(str(tmp_path / "c"))
    wanted = {**old, name: old[name] + np.float32(1)}
    for out, expected in (
        ("a", wanted), ("b", {f"new/{n}": v for n, v in wanted.items()}),
        ("c", {n: v for n, v in old.items() if n != name}),
    ):  # fmt: skip
        with modelfmt.open(tmp_path / out) as made:
            assert isinstance(made, Checkpoint) and made.version == 1
            assert set(made.tensors) == set(expected)
            for key, value in expected.items():
                np.testing.assert_array_equal(made.tensors[key].numpy(), value)
        assert modelfmt.check(tmp_path / out) == []


def test_a_value_changes_itself_and_a_checksum(tmp_path: Path) -> None:
    case = CASES[0]
    with modelfmt.open(case) as source:
        assert isinstance(source, Checkpoint)
        before = Path(source.reader.files[0]).read_bytes()
        name = next(n for n, t in source.tensors.items() if t.shape and t.dtype.name == "float32")
        tensor = source.tensors[name]
        source.tensors[name] = tensor.numpy() * np.float32(3)
        source.save(str(tmp_path / "a"))
    after = (tmp_path / "a").read_bytes()
    assert sum(a != b for a, b in zip(before, after, strict=True)) <= tensor.nbytes + 4


def test_another_dtype(tmp_path: Path) -> None:
    with modelfmt.open(CASES[0]) as source:
        name = next(n for n, t in source.tensors.items() if t.dtype.name == "float32")
        half = source.tensors[name].numpy().astype(np.float16)
        source.tensors[name] = half  # type: ignore[index]
        source.save(str(tmp_path / "a"))
    with modelfmt.open(tmp_path / "a") as made:
        np.testing.assert_array_equal(made.tensors[name].numpy(), half)


def test_an_added_tensor(tmp_path: Path) -> None:
    with modelfmt.open(CASES[0]) as source:
        source.tensors["fresh"] = np.zeros(3)  # type: ignore[index]
        with pytest.raises(UnsupportedError, match="added"):
            source.save(str(tmp_path / "a"))
    assert list(tmp_path.iterdir()) == []

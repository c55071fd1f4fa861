"""Checkpoints of version 1 taken apart: the same bytes again, and edits in their place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt.errors import CorruptFileError, MismatchError, MissingError
from modelfmt.tf.checkpoint import Checkpoint

GOLDEN = Path(__file__).parents[3] / "golden/checkpoint"
CASES = {
    "keras2.1.2-tf1.4.1-linear_regression_v1", "rawtf0.12.1-raw_partitioned_v1",
    "rawtf2.21.0-session_v1_sharded",
}  # fmt: skip


def of(case: str) -> Path:
    stated = (GOLDEN / case / "provenance.toml").read_text()
    return GOLDEN / case / stated.split('model = "')[1].split('"')[0]


@pytest.fixture(params=sorted(CASES))
def model(request: pytest.FixtureRequest) -> Path:
    return of(request.param)


def contents(path: Path) -> dict[str, bytes]:
    with modelfmt.open(path) as container:
        assert isinstance(container, Checkpoint) and container.version == 1
        return {
            name.removeprefix(container.prefix): Path(name).read_bytes()
            for name in container.reader.files
        }


def test_nothing_edited_is_the_same_bytes(model: Path, tmp_path: Path) -> None:
    done = modelfmt.extract(model, tmp_path / "parts")
    with modelfmt.open(model) as container:
        assert done.tensors == len(container.tensors)
    assert modelfmt.assemble(tmp_path / "parts", tmp_path / "m").edited == []
    assert contents(tmp_path / "m") == contents(model)


def test_edited_elements_take_their_place(model: Path, tmp_path: Path) -> None:
    modelfmt.extract(model, tmp_path / "parts")
    manifest = json.loads((tmp_path / "parts/manifest.json").read_text())
    row = next(r for r in manifest["parts"][0]["tensors"] if r["dtype"] == "float32")
    file = tmp_path / "parts" / row["file"]
    wanted = np.load(file) + 1
    np.save(file, wanted)
    assert modelfmt.assemble(tmp_path / "parts", tmp_path / "m").edited == [row["file"]]
    with modelfmt.open(model) as old, modelfmt.open(tmp_path / "m") as new:
        assert list(old.tensors) == list(new.tensors)
        np.testing.assert_array_equal(new.tensors[row["key"]].numpy(), wanted)
        for name in old.tensors:
            if name != row["key"] and old.tensors[name].strings is None:
                assert old.tensors[name].sha256() == new.tensors[name].sha256()


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    modelfmt.extract(of("keras2.1.2-tf1.4.1-linear_regression_v1"), parts)
    manifest = json.loads((parts / "manifest.json").read_text())
    row = manifest["parts"][0]["tensors"][0]
    np.save(parts / row["file"], np.zeros((7, 7), np.float32))
    with pytest.raises(MismatchError):
        modelfmt.assemble(parts, tmp_path / "m")
    (parts / row["file"]).unlink()
    with pytest.raises(MissingError, match="a part is missing"):
        modelfmt.assemble(parts, tmp_path / "m")
    row["key"] = "ghost"
    (parts / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptFileError, match="ghost"):
        modelfmt.assemble(parts, tmp_path / "m")

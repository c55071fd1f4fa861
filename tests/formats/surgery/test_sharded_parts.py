"""Sharded weights taken apart, edited and put together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt.errors import CorruptFileError, MissingError

KEYS = ["layers/dense/vars/0", "layers/dense/vars/1", "layers/dense_1/vars/0", "optimizer/vars/0"]


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """Two shards, the group of one layer in both."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, keys in enumerate((KEYS[:1], KEYS[1:])):
        with h5py.File(folder / f"m_0000{number}.weights.h5", "w") as file:
            for key in keys:
                file[key] = np.full((2, 3), len(key) + number, "f4")
            for group in {key.rpartition("/")[0] for key in keys}:
                file[group].attrs["name"] = group.split("/")[1]
    names = [f"m_0000{number}.weights.h5" for number in range(2)]
    weight_map = {"/layers/dense/vars": names, "/layers/dense_1/vars": names[1:],
                  "/optimizer/vars": names[1:]}  # fmt: skip
    path = folder / "m.weights.json"
    config = {"metadata": {"total_size": 96.0}, "weight_map": weight_map}
    path.write_text(json.dumps(config, indent=4))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def parts(sharded: Path, tmp_path: Path) -> Path:
    done = modelfmt.extract(sharded, tmp_path / "parts")
    assert done.tensors == 4
    return tmp_path / "parts"


def assembled(parts: Path, name: str = "m.weights.json") -> tuple[list[str], Path]:
    made = parts.parent / "made"
    made.mkdir()
    done = modelfmt.assemble(parts, made / name)
    assert modelfmt.check(made / name) == []
    return done.edited, made


def test_nothing_edited(sharded: Path, parts: Path) -> None:
    edited, made = assembled(parts)
    assert edited == [] and files(made) == files(sharded.parent)


def test_another_name(sharded: Path, parts: Path) -> None:
    _, made = assembled(parts, "new.weights.json")
    assert sorted(files(made)) == [
        "new.weights.json", "new_00000.weights.h5", "new_00001.weights.h5"
    ]
    assert modelfmt.diff(sharded, made / "new.weights.json") == []


def test_an_edited_array(sharded: Path, parts: Path) -> None:
    path = parts / "tensors_00001/layers/dense/vars/1.npy"
    np.save(path, np.load(path) + 1)
    edited, made = assembled(parts)
    assert edited == ["tensors_00001/layers/dense/vars/1.npy"]
    before, after = files(sharded.parent), files(made)
    assert [n for n in after if before[n] != after[n]] == ["m_00001.weights.h5"]
    with modelfmt.open(made / "m.weights.json") as container:
        assert (container.tensors[KEYS[1]].numpy() == 21).all()


def test_an_edited_map(parts: Path) -> None:
    path = parts / "weights.json"
    path.write_text(path.read_text().replace("96.0", "95.0"))
    edited, made = assembled(parts)
    assert edited == ["weights.json"]
    assert json.loads((made / "m.weights.json").read_text())["metadata"] == {"total_size": 95.0}


@pytest.mark.parametrize("weight_map", [{"/v": "m_00000.weights.h5"}, {"/v": ["x", None]}, 3, {}])
def test_a_map_of_other_shards(weight_map: Any, parts: Path) -> None:
    (parts / "weights.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(CorruptFileError, match="other shards"):
        modelfmt.assemble(parts, parts.parent / "o.weights.json")
    assert not list(parts.parent.glob("o*"))


# -- edit: every shard is asked -------------------------------------------------------------------


def test_rename_strip_and_cast(sharded: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "m.weights.json"
    out.parent.mkdir()
    done = modelfmt.edit(sharded, out, rename={"dense": "first"}, strip=["optimizer"],
                         cast="float16")  # fmt: skip
    assert len(done.changes) == 6  # a name in each shard, three weights, the optimizer
    with h5py.File(out.parent / "m_00000.weights.h5") as file:
        assert file["layers/dense/vars"].attrs["name"] == "first"
    config = json.loads(out.read_text())
    assert config["metadata"]["total_size"] == 36
    assert list(config["weight_map"]) == ["/layers/dense/vars", "/layers/dense_1/vars"]
    assert modelfmt.check(out) == []
    tensors = modelfmt.dump(out)["tensors"]
    assert [(row["name"], row["dtype"]) for row in tensors] == [
        (name, "float16") for name in KEYS[:3]
    ]


def test_delete_what_one_shard_has(sharded: Path, tmp_path: Path) -> None:
    modelfmt.edit(sharded, tmp_path / "o.weights.json", delete=["optimizer/*"])
    assert [r["name"] for r in modelfmt.dump(tmp_path / "o.weights.json")["tensors"]] == KEYS[:3]
    with pytest.raises(MissingError, match="nothing matches"):
        modelfmt.edit(sharded, tmp_path / "p.weights.json", delete=["nothing"])
    with pytest.raises(MissingError, match="nothing is called"):
        modelfmt.edit(sharded, tmp_path / "p.weights.json", rename={"nothing": "x"})

"""Sharded weights of Keras 3: one map, several HDF5 files, one set of tensors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt.errors import CorruptFileError, MissingError, UnsafeFileError, UnsupportedError
from modelfmt.storage.files import OutputExistsError


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """Two shards, the group of one layer in both."""
    for number, keys in enumerate((["layers/dense/vars/0"], ["layers/dense/vars/1",
                                                            "layers/dense_1/vars/0"])):  # fmt: skip
        with h5py.File(tmp_path / f"m_0000{number}.weights.h5", "w") as file:
            for key in keys:
                file[key] = np.full((2, 3), len(key) + number, "f4")
    names = [f"m_0000{number}.weights.h5" for number in range(2)]
    weight_map = {"/layers/dense/vars": names, "/layers/dense_1/vars": names[1]}
    path = tmp_path / "m.weights.json"
    config = {"metadata": {"total_size": 72}, "weight_map": weight_map}
    path.write_text(json.dumps(config, indent=4))
    return path


def remapped(path: Path, weight_map: object) -> Path:
    path.write_text(json.dumps({"weight_map": weight_map}))
    return path


def test_the_shards_are_one_set_of_tensors(sharded: Path) -> None:
    with modelfmt.open(sharded) as container:
        assert container.kind == "keras-weights"
        assert list(container.tensors) == [
            "layers/dense/vars/0", "layers/dense/vars/1", "layers/dense_1/vars/0",
        ]  # fmt: skip
        assert container.tensors["layers/dense/vars/1"].numpy()[0, 0] == 20
    report = modelfmt.dump(sharded)
    assert [row["name"] for row in report["layers"]] == ["layers/dense", "layers/dense_1"]
    assert report["oddities"] == [] and modelfmt.check(sharded) == []


def test_selected_tensors(sharded: Path, tmp_path: Path) -> None:
    modelfmt.extract(sharded, tmp_path / "o.npz", select=["*/vars/0"])
    with np.load(tmp_path / "o.npz") as found:
        assert sorted(found.files) == ["layers/dense/vars/0", "layers/dense_1/vars/0"]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_saved_as_it_is_under_its_name_and_another(sharded: Path, tmp_path: Path) -> None:
    for name in ("same", "other"):
        (tmp_path / name).mkdir()
    before = files(sharded.parent)
    with modelfmt.open(sharded) as container:
        container.save(str(tmp_path / "same/m.weights.json"))
        container.save(str(tmp_path / "other/new.weights.json"))
    assert files(tmp_path / "same") == {n: d for n, d in before.items() if n.startswith("m")}
    other = files(tmp_path / "other")
    assert sorted(other) == ["new.weights.json", "new_00000.weights.h5", "new_00001.weights.h5"]
    assert other["new_00000.weights.h5"] == before["m_00000.weights.h5"]
    assert modelfmt.diff(sharded, tmp_path / "other/new.weights.json") == []
    assert other["new.weights.json"] == before["m.weights.json"].replace(b'"m_0', b'"new_0')


def test_an_edited_weight_changes_its_own_bytes(sharded: Path, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    with modelfmt.open(sharded) as container:
        array = container.tensors["layers/dense_1/vars/0"].numpy() + 1
        container.tensors["layers/dense_1/vars/0"] = array
        container.save(str(tmp_path / "made/m.weights.json"))
    before, after = files(sharded.parent), files(tmp_path / "made")
    assert [name for name in after if after[name] != before[name]] == ["m_00001.weights.h5"]
    old, new = (np.frombuffer(x["m_00001.weights.h5"], "u1") for x in (before, after))
    assert 0 < (old != new).sum() <= array.nbytes


def test_what_is_no_name_for_shards(sharded: Path, tmp_path: Path) -> None:
    with modelfmt.open(sharded) as container:
        for name in ("o.h5", "o.json", ".weights.json"):
            with pytest.raises(UnsupportedError, match="take their names"):
                container.save(str(tmp_path / name))
        (tmp_path / "o_00001.weights.h5").write_bytes(b"")
        with pytest.raises(OutputExistsError):
            container.save(str(tmp_path / "o.weights.json"))
    assert not (tmp_path / "o_00000.weights.h5").exists()


def test_a_missing_shard(sharded: Path) -> None:
    (sharded.parent / "m_00001.weights.h5").unlink()
    with pytest.raises(MissingError, match="m_00001"):
        modelfmt.open(sharded)


def test_odd_maps(sharded: Path) -> None:
    remapped(sharded, {"/layers/dense/vars": "m_00000.weights.h5", "/ghost": "m_00000.weights.h5"})
    assert modelfmt.dump(sharded)["oddities"] == [
        'the map tells of "/ghost", which no shard has',
        'the map does not use the shard "m_00001.weights.h5"',
    ]


def test_a_shard_elsewhere(sharded: Path) -> None:
    with pytest.raises(UnsafeFileError, match="another folder"):
        modelfmt.open(remapped(sharded, {"/v": "../m_00000.weights.h5"}))


@pytest.mark.parametrize("weight_map", [{}, {"/v": []}, {"/v": 3}, {"/v": [None]}])
def test_no_map(sharded: Path, weight_map: object) -> None:
    with pytest.raises(CorruptFileError):
        modelfmt.open(remapped(sharded, weight_map), kind="keras-weights")


_SAVE = """
import sys
import keras
import numpy as np
keras.utils.set_random_seed(7)
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64), keras.layers.Dense(64),
                          keras.layers.Dense(3)])
model.save_weights(sys.argv[1] + "/m.weights.json", max_shard_size=20e3 / 1024**3)
np.savez(sys.argv[1] + "/w.npz", *model.get_weights())
"""


@pytest.mark.oracle
def test_what_keras_writes(tmp_path: Path) -> None:
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", _SAVE, str(tmp_path)], check=True, env=environment)
    assert len(list(tmp_path.glob("m_*.weights.h5"))) > 1
    with modelfmt.open(tmp_path / "m.weights.json") as container, np.load(
        tmp_path / "w.npz"
    ) as stored:
        found = [tensor.numpy() for tensor in container.tensors.values()]
        wanted = [stored[f"arr_{k}"] for k in range(len(stored.files))]
        assert len(found) == len(wanted) == 6
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)
    assert modelfmt.check(tmp_path / "m.weights.json") == []

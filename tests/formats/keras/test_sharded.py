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


def test_what_is_not_supported_says_so(sharded: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="sharded"):
        modelfmt.extract(sharded, tmp_path / "parts")
    with modelfmt.open(sharded) as container, pytest.raises(UnsupportedError, match="sharded"):
        container.save(str(tmp_path / "o.weights.json"))


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

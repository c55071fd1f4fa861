"""Keras archives: .keras files."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from modelfmt.errors import ChecksumError, CorruptFileError, MissingError, UnsupportedError
from modelfmt.keras.archive import KerasArchive, write_archive_model
from modelfmt.network import Layer, Network, Ref
from modelfmt.storage.files import FileSpan, OutputExistsError
from modelfmt.tensor import Tensor

GOLDEN = Path(__file__).parents[3] / "golden" / "keras"

#: case -> version, weights of each layer that has some, nested ones included
CASES = {
    "keras3.0.5-tf2.16.2-multi_output": ("3.0.5", None),
    "keras3.15.1-tf2.21.0-mini_transformer": ("3.15.1", {
        "mha": 8, "ln1": 2, "ff1": 2, "ff2": 2, "ln2": 2, "cls": 2}),
    "keras3.15.1-tf2.21.0-siamese": ("3.15.1", {"t1": 2, "t_bn": 4, "t2": 2, "same": 2}),
    "tfkeras-tf2.12.1-nested": ("2.12.0", {
        "inner_dense": 2, "inner_bn": 4, "mid_dense": 2, "outer_dense": 2}),
    "tfkeras-tf2.15.1-rnn_zoo": ("2.15.0", None),
}


def stored(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return h5py.File(io.BytesIO(archive.read("model.weights.h5")))


@pytest.mark.parametrize("case", sorted(CASES))
def test_genuine_files(case: str) -> None:
    path = GOLDEN / case / "model.keras"
    version, weights = CASES[case]
    with KerasArchive(str(path)) as model, stored(path) as truth:
        assert isinstance(model, KerasArchive)
        assert model.keras_version == version
        network = model.network
        found = {n.name: len(n.weights) for n in network.walk() if n.weights}
        if weights is not None:
            assert found == weights
        names: list[str] = []
        truth.visititems(lambda name, item: names.append(name)
                         if isinstance(item, h5py.Dataset) else None)
        assert sorted(model.tensors) == sorted(names)
        owned = [n for n in names if n.startswith(("layers", "_layer"))]
        assert sum(found.values()) == len(owned) > 0 and model.oddities == []
        for layer in network.walk():
            for tensor in layer.weights.values():
                key = tensor.origin.key
                np.testing.assert_array_equal(tensor.numpy(), truth[key][()])
                label = truth[key].parent.attrs.get("name")  # Keras 3.15
                if key.endswith("/vars/0") and label and layer.class_name == "Dense":
                    assert label == layer.name


def test_sublayers_come_in_canonical_order() -> None:
    with KerasArchive(str(GOLDEN / "keras3.15.1-tf2.21.0-mini_transformer/model.keras")) as model:
        assert list(model.network.layer("mha").weights) == [
            f"{part}_dense/vars/{k}" for part in ("query", "key", "value", "output")
            for k in range(2)]


# -- files of our own ---------------------------------------------------------------------------


def small(path: Path, **members: bytes | None) -> str:
    """A .keras file of one Dense layer; ``members`` replaces a part, None leaves it out."""
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((2, 3), np.float32)
        file["optimizer/vars/0"] = np.int64(5)
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": [
        {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d"}}]},
        "compile_config": {"loss": "mse"}}
    parts: dict[str, bytes | None] = {
        "metadata.json": b'{"keras_version": "3.15.1"}', "config.json": json.dumps(config).encode(),
        "model.weights.h5": weights.getvalue()}
    parts.update({name.replace("__", "."): data for name, data in members.items()})
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            if data is not None:
                archive.writestr(name, data)
    return str(path)


def test_the_parts_are_at_hand(tmp_path: Path) -> None:
    with KerasArchive(small(tmp_path / "m.keras")) as model:
        assert isinstance(model, KerasArchive)
        assert model.training_config == {"loss": "mse"}
        assert list(model.optimizer) == ["optimizer/vars/0"]
        assert list(model.network.layer("d").weights) == ["vars/0"]
        assert model.network.layer("d").extras == {"module": "keras.layers"}


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"config__json": None}, MissingError),
        ({"config__json": b"\xff{"}, CorruptFileError),
        ({"config__json": b"3"}, CorruptFileError),
        ({"config__json": b"[" * 100_000}, CorruptFileError),
        ({"model__weights__h5": None}, MissingError),
        ({"model__weights__h5": None, "model__weights__npz": b"x"}, UnsupportedError),
    ],
)
def test_damage_is_named(
    tmp_path: Path, members: dict[str, Any], error: type[Exception]
) -> None:
    path = small(tmp_path / "m.keras", **members)
    with pytest.raises(error) as caught, KerasArchive(path) as model:
        model.network  # noqa: B018
    assert path in str(caught.value)


# -- writing ------------------------------------------------------------------------------------


def network() -> Network:
    weights = {"kernel": Tensor.from_numpy("k", np.ones((2, 3), np.float32)),
               "bias": Tensor.from_numpy("b", np.zeros(3, np.float32))}
    return Network("m", "Sequential", [
        Layer("InputLayer", "x", {"batch_shape": [None, 2]}),
        Layer("Dense", "d", {"units": 3}, weights),
    ], [Ref("x")], [Ref("d")])


def test_written_archives_read_back_and_are_deterministic(tmp_path: Path) -> None:
    first, second = tmp_path / "a.keras", tmp_path / "b.keras"
    write_archive_model(network(), str(first))
    write_archive_model(network(), str(second))
    assert first.read_bytes() == second.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.keras", "b.keras"]
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
        assert json.loads(archive.read("metadata.json")) == {"keras_version": "3.15.1"}
    with stored(first) as file:
        assert file["layers/dense/vars"].attrs["name"] == "d"
    with KerasArchive(str(first)) as model:
        assert {k: v.shape for k, v in model.network.layer("d").weights.items()} == {
            "vars/0": (2, 3), "vars/1": (3,)}


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        write_archive_model(network(), str(path))
    assert path.read_bytes() == b"mine"
    write_archive_model(network(), str(path), force=True)
    assert path.read_bytes()[:2] == b"PK"


@pytest.mark.oracle
def test_keras_3_loads_what_we_write(tmp_path: Path) -> None:
    """Both .h5 and .keras, from both: equal outputs for every model of oracle_models.py."""
    script = Path(__file__).with_name("oracle_models.py")
    done = subprocess.run([sys.executable, str(script), "3", str(tmp_path)],
                          capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [line.split() for line in done.stdout.splitlines() if "->" in line]
    assert len(rows) == 28
    assert {row[0]: row for row in rows if float(row[2]) > 1e-6} == {}


def test_damaged_weights_are_not_made_good(tmp_path: Path) -> None:
    """Weights are read in place, past their checksum; whoever reads all asks for it first."""
    data = bytearray((GOLDEN / "tfkeras-tf2.12.1-nested/model.keras").read_bytes())
    with KerasArchive(str(GOLDEN / "tfkeras-tf2.12.1-nested/model.keras")) as whole:
        whole.verify()
        name = next(name for name in whole.tensors if whole.tensors[name].nbytes > 8)
        payload = whole.tensors[name].payload
        assert isinstance(payload, FileSpan)
        data[payload.offset] ^= 1
    path = tmp_path / "model.keras"
    path.write_bytes(data)
    with KerasArchive(str(path)) as damaged:
        with pytest.raises(ChecksumError, match="crc32"):
            damaged.verify()
        damaged.tensors[name] = damaged.tensors[name].numpy() * 2
        with pytest.raises(ChecksumError):
            damaged.save(str(tmp_path / "edited.keras"))
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]

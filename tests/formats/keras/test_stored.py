"""Tensors and name lists in HDF5."""

from __future__ import annotations

from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest

from modelfmt.errors import CorruptFileError, MissingError, UnsupportedError
from modelfmt.keras.stored import (
    StoredTensors,
    group_at,
    put,
    read_names,
    read_tensor,
    write_names,
)
from modelfmt.storage.hdf5 import Hdf5Group, Hdf5Reader, write_hdf5
from modelfmt.tensor import Tensor


def test_bfloat16_keeps_its_name(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3).astype(ml_dtypes.bfloat16)
    root = Hdf5Group()
    put(root, "a/b", Tensor.from_numpy("w", values))
    path = str(tmp_path / "x.h5")
    write_hdf5(path, root)
    with h5py.File(path) as file:
        assert file["a/b"].dtype.kind == "V" and file["a/b"].attrs["dtype"] == "bfloat16"
    with Hdf5Reader(path) as reader:
        found = read_tensor(reader, "a/b", path)
        assert (found.dtype.name, found.shape, found.origin.key) == ("bfloat16", (2, 3), "a/b")
        np.testing.assert_array_equal(found.numpy(), values)


def test_opaque_elements_need_a_name(tmp_path: Path) -> None:
    path = str(tmp_path / "x.h5")
    with h5py.File(path, "w") as file:
        file["nameless"] = np.zeros(3, "V2")
        file["wrong"] = np.zeros(3, "V2")
        file["wrong"].attrs["dtype"] = "float8_e5m2"
    with Hdf5Reader(path) as reader:
        with pytest.raises(UnsupportedError, match="opaque"):
            read_tensor(reader, "nameless", path)
        with pytest.raises(CorruptFileError, match="expected 1, found 2"):
            read_tensor(reader, "wrong", path)


def test_strings_are_read_and_written(tmp_path: Path) -> None:
    path = str(tmp_path / "x.h5")
    root = Hdf5Group()
    put(root, "vocabulary", Tensor.from_numpy("v", np.array(["a", "bé"], object)))
    write_hdf5(path, root)
    with Hdf5Reader(path) as reader:
        found = read_tensor(reader, "vocabulary", path)
        assert found.dtype.name == "string"
        assert found.numpy().tolist() == [b"a", "bé".encode()]


def test_the_mapping_lists_datasets_only(tmp_path: Path) -> None:
    path = str(tmp_path / "x.h5")
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.zeros(3, ">f4")
        file.create_group("layers/empty/vars")
    with Hdf5Reader(path) as reader:
        tensors = StoredTensors(reader, path)
        assert list(tensors) == ["layers/dense/vars/0"] and len(tensors) == 1
        assert tensors["layers/dense/vars/0"].dtype.name == "float32"
        with pytest.raises(MissingError, match="Did you mean layers/dense/vars/0"):
            tensors["layers/dense/vars/1"]


@pytest.mark.parametrize(
    ("names", "attributes"),
    [
        ([], 1),
        (["a", "bb"], 1),
        ([f"{k:060}" for k in range(1200)], 2),  # 72,000 bytes
        (["n"] * 5000, 2),  # 80,000 bytes of references
    ],
)
def test_name_lists_are_split_as_keras_does(
    tmp_path: Path, names: list[str], attributes: int
) -> None:
    written = write_names("layer_names", names)
    assert len(written) == attributes
    path = str(tmp_path / "x.h5")
    write_hdf5(path, Hdf5Group(written))
    with h5py.File(path) as file:
        assert ("layer_names" in file.attrs) == (attributes == 1)
    with Hdf5Reader(path) as reader:
        assert read_names(reader, "/", "layer_names") == names
        assert read_names(reader, "/", "weight_names") is None


def test_a_name_that_never_fits_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="longer than"):
        write_names("layer_names", ["x" * 70000])


def test_what_is_no_name_list_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "x.h5")
    write_hdf5(path, Hdf5Group({"layer_names": np.arange(3)}))
    with Hdf5Reader(path) as reader, pytest.raises(CorruptFileError, match="no list of names"):
        read_names(reader, "/", "layer_names")


def test_two_tensors_cannot_share_a_path() -> None:
    root = Hdf5Group()
    tensor = Tensor.from_numpy("w", np.zeros(2, np.float32))
    put(root, "a/b", tensor)
    with pytest.raises(UnsupportedError, match="two tensors"):
        put(root, "a/b", tensor)
    with pytest.raises(UnsupportedError, match="a group and a dataset"):
        group_at(root, "a/b/c")

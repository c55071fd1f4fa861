"""Lists of names that lead nowhere after an edit are named; those that did before are not."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from modelfmt.errors import MissingError
from modelfmt.storage.hdf5 import Hdf5Reader
from modelfmt.surgery.hdf5_names import check_names, named_weights


def test_names(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"dense", b"gone"])
        file.create_group("dense").attrs["weight_names"] = np.array([b"kernel:0"])
        file["dense/kernel:0"] = np.ones(2)
    with Hdf5Reader(path) as reader:
        before = named_weights(reader)
        assert before == {"dense": True, "gone": False, "dense/kernel:0": True}
        check_names(reader, before)
    with h5py.File(path, "a") as file:
        file.move("dense/kernel:0", "dense/kernel:1")
    with (
        Hdf5Reader(path) as reader,
        pytest.raises(MissingError, match=r"'dense/kernel:0'.*kernel:1") as caught,
    ):
        check_names(reader, before)
    assert caught.value.close_matches == ["kernel:1"]

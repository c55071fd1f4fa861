"""Amending: what is named changes, the rest stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from modelfmt.errors import MismatchError, MissingError, ModelFormatError, UnsupportedError
from modelfmt.storage.files import Computed
from modelfmt.storage.hdf5.amend import Amendments, Elements, amend

NUMBERS = np.arange(600, dtype="<f4").reshape(20, 30)


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = tmp_path / "f.h5"
    with h5py.File(path, "w", track_order=True) as file:
        file.create_dataset("z", data=NUMBERS, fillvalue=7.0).attrs["unit"] = "m"
        file.create_dataset("y", data=NUMBERS, chunks=(8, 8), compression=4, maxshape=(None, 30))
        file.create_dataset("x", data=np.ones(3, "i4,f8"))
        file["w"] = np.array(["a", "b"], object)
        file["g/z"] = file["z"]
    return str(path)


def test_nothing_is_false() -> None:
    assert not Amendments() and Amendments(removed=["x"])


def test_elements_of_another_shape(path: str) -> None:
    pairs = np.array([(k, k / 2) for k in range(5)], "i4,f8")
    halves = [NUMBERS[:2].tobytes()[:100], NUMBERS[:2].tobytes()[100:]]
    amend(path, Amendments(elements=[
        Elements("z", (2, 30), "<f4", Computed(240, lambda: halves)),
        Elements("y", (25, 30), "<f4", np.resize(NUMBERS, (25, 30)).tobytes()),
        Elements("x", (5,), "|V12", pairs.tobytes()),
        Elements("w", (), strings=["grün".encode()]),
    ]))
    with h5py.File(path) as file:
        assert list(file) == ["z", "y", "x", "w", "g"]
        assert file["z"] == file["g/z"]
        assert file["z"][()].tolist() == NUMBERS[:2].tolist()
        assert (file["z"].fillvalue, file["z"].attrs["unit"]) == (7.0, "m")
        y = file["y"]
        assert y[()].tolist() == np.resize(NUMBERS, (25, 30)).tolist()
        assert (y.chunks, y.compression_opts, y.maxshape) == ((8, 8), 4, (None, 30))
        assert file["x"][()].tolist() == pairs.tolist()
        assert file["w"][()] == "grün".encode()


def test_slabs_are_small(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfmt.storage.hdf5.amend._SLAB", 50)
    pairs = np.array([(k, k / 2) for k in range(50)], "i4,f8").reshape(5, 10)
    amend(path, Amendments(elements=[
        Elements("y", (20, 30), "<f4", (NUMBERS + 1).tobytes()),
        Elements("x", (5, 10), "|V12", pairs.tobytes()),
    ]))
    with h5py.File(path) as file:
        assert file["y"][()].tolist() == (NUMBERS + 1).tolist()
        assert file["x"][()].tolist() == pairs.tolist()


def test_fresh_and_removed(path: str) -> None:
    amend(path, Amendments(
        removed=["z"],
        elements=[Elements("a/b/c", (2,), "<i2", b"\1\0\2\0", fresh=True, attributes={"k": "v"})],
        attributes=[("", "top", [1, 2]), ("a/b/c", "k", None)],
    ))
    with h5py.File(path) as file:
        assert "z" not in file and list(file["g"]) == []
        assert file["a/b/c"][()].tolist() == [1, 2] and not file["a/b/c"].attrs
        assert file.attrs["top"].tolist() == [1, 2]


@pytest.mark.parametrize(("amendments", "error"), [
    (Amendments(removed=["nobody"]), MissingError),
    (Amendments(removed=["g"]), MissingError),
    (Amendments(elements=[Elements("nobody", (), "<f4", bytes(4))]), MissingError),
    (Amendments(elements=[Elements("x", (1,), "<f4", bytes(4), fresh=True)]), MismatchError),
    (Amendments(elements=[Elements("y", (30,), "<f4", bytes(120))]), UnsupportedError),
    (Amendments(attributes=[("nobody", "a", 1)]), ModelFormatError),
])
def test_refusals_are_named(path: str, amendments: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        amend(path, amendments)

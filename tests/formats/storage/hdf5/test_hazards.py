"""Hazards of HDF5: told and never followed; a plain file has none."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from modelfmt.storage.hdf5 import Hdf5Reader
from modelfmt.storage.hdf5.hazards import hazards


def found(path: Path) -> list[tuple[str, str, str]]:
    with Hdf5Reader(path) as reader:
        return sorted(map(tuple, hazards(reader)))  # type: ignore[arg-type]


def test_a_plain_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a/b"] = np.zeros(3)
        file.create_dataset("a/c", data=np.zeros(300), compression="gzip", shuffle=True)
        file["soft"] = h5py.SoftLink("/a/b")
        file["again"] = file["a"]  # a circle is none where each group is entered once
        file["a/up"] = file["/"]
    assert found(tmp_path / "x.h5") == []


def test_each_hazard(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["link"] = h5py.ExternalLink("other.h5", "/w")
        file["g/round"] = h5py.SoftLink("/g/round")
        file.create_dataset("g/data", (2,), "f4", external=[("raw.bin", 0, 8)])
        layout = h5py.VirtualLayout((2,), "f4")
        layout[:] = h5py.VirtualSource("virtual.h5", "k", (2,))
        file.create_virtual_dataset("g/virtual", layout)
        file.create_dataset("g/huge", (1 << 40,), "f4", chunks=(64,))
    rows = found(tmp_path / "x.h5")
    assert [(path, kind) for path, kind, _ in rows] == [
        ("g/data", "external data"), ("g/huge", "bomb"), ("g/round", "soft link"),
        ("g/virtual", "virtual data"), ("link", "external link"),
    ]  # fmt: skip
    said = {path: text for path, _, text in rows}
    assert said["g/data"] == "raw.bin" and said["g/virtual"] == "virtual.h5"
    assert said["link"] == "other.h5:/w" and said["g/huge"].startswith("4398046511104 bytes")

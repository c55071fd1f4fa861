"""Repacking: the same tree without the bytes that nothing refers to, or nothing at all."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from modelfmt.storage.hdf5.repack import repack


@pytest.mark.parametrize("libver", ["earliest", "v108", "v110"])
@pytest.mark.parametrize("track_order", [False, True])
def test_dead_bytes_stay_behind(tmp_path: Path, libver: str, track_order: bool) -> None:
    path, out = tmp_path / "f.h5", tmp_path / "out.h5"
    with h5py.File(path, "w", libver=libver, track_order=track_order, userblock_size=512) as file:
        file.attrs["b"], file.attrs["a"] = "text", np.array((1, 2.5), "i4,f8")
        file["old"] = np.full(5000, 1.25)
        file["z/y"] = np.arange(5)
        file["z"].attrs["k"] = ["v"]
        file.create_dataset("packed", data=np.arange(99), chunks=(10,), compression=1)
        file["words"] = np.array(["ab", "cd"], object)
        file["soft"] = h5py.SoftLink("z/y")
    with h5py.File(path, "a") as file:
        del file["old"]
        names, attributes = list(file), list(file.attrs)
    superblock = path.read_bytes()[512 + 8]
    assert superblock == {"earliest": 0, "v108": 2, "v110": 3}[libver]
    assert repack(str(path), str(out), superblock)
    assert out.stat().st_size < path.stat().st_size - 30_000
    assert out.read_bytes()[512 + 8] == superblock
    with h5py.File(out) as file:
        assert (list(file), list(file.attrs)) == (names, attributes)
        assert file["soft"][()].tolist() == list(range(5)) and file["z"].attrs["k"][0] == "v"
        assert file["packed"].compression_opts == 1 and file["packed"][98] == 98
        assert file["words"][1] == b"cd" and file.attrs["a"].tolist() == (1, 2.5)
        assert file.get("soft", getlink=True).path == "z/y"


def test_what_copying_would_break_is_left(tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    for number in range(3):
        path = tmp_path / f"{number}.h5"
        with h5py.File(path, "w") as file:
            file["x"] = np.arange(5)
            if number == 0:
                file["y"] = file["x"]
            elif number == 1:
                file["type"] = np.dtype("f4")
            else:
                file.attrs["ref"] = file["x"].ref
        assert not repack(str(path), str(out), 0) and not out.exists()

"""Links renamed and moved: all at once, whole groups, order kept."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from modelfmt.errors import MismatchError, MissingError
from modelfmt.storage.hdf5.moving import Links, move_links


def build(path: Path, *, ordered: bool = False) -> None:
    with h5py.File(path, "w", track_order=ordered) as file:
        for name in ("c", "a", "b"):
            group = file.create_group(name, track_order=ordered)
            group.attrs["was"] = name
            inner = group.create_group(name)
            inner["kernel"] = [1.0]
            inner["bias"] = [2.0]


def names(path: Path) -> list[str]:
    found: list[str] = []
    with h5py.File(path) as file:
        file.visititems(lambda n, o: found.append(n) if isinstance(o, h5py.Dataset) else None)
    return sorted(found)


@pytest.mark.parametrize("ordered", [False, True])
def test_two_swap_their_names(tmp_path: Path, ordered: bool) -> None:
    build(tmp_path / "x.h5", ordered=ordered)
    move_links(str(tmp_path / "x.h5"), Links(moved=[("", {"a": "b", "b": "a"})]))
    with h5py.File(tmp_path / "x.h5") as file:
        assert (file["a"].attrs["was"], file["b"].attrs["was"]) == ("b", "a")
        assert list(file) == (["c", "b", "a"] if ordered else ["a", "b", "c"])


def test_a_whole_group_goes_along(tmp_path: Path) -> None:
    build(tmp_path / "x.h5")
    inner = {"a/kernel": "z/kernel", "a/bias": "z/bias"}
    move_links(str(tmp_path / "x.h5"), Links(moved=[("a", inner), ("", {"a": "z"})]))
    assert names(tmp_path / "x.h5") == [
        "b/b/bias", "b/b/kernel", "c/c/bias", "c/c/kernel", "z/z/bias", "z/z/kernel",
    ]  # fmt: skip


def test_other_depths_and_parts_of_a_group(tmp_path: Path) -> None:
    build(tmp_path / "x.h5")
    inner = {"a/kernel": "deep/er/kernel", "a/bias": "bias"}
    move_links(str(tmp_path / "x.h5"), Links(moved=[("a", inner), ("b", {"b/bias": "q/bias"})]))
    found = names(tmp_path / "x.h5")
    assert {"a/bias", "a/deep/er/kernel", "b/b/kernel", "b/q/bias"} <= set(found)
    with h5py.File(tmp_path / "x.h5") as file:
        assert list(file["a"]) == ["bias", "deep"]


def test_cut(tmp_path: Path) -> None:
    build(tmp_path / "x.h5")
    move_links(str(tmp_path / "x.h5"), Links(cut=["a", "b/b/bias"]))
    assert names(tmp_path / "x.h5") == ["b/b/kernel", "c/c/bias", "c/c/kernel"]
    with pytest.raises(MissingError):
        move_links(str(tmp_path / "x.h5"), Links(cut=["nowhere"]))


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    build(tmp_path / "x.h5")
    with pytest.raises(MismatchError, match="already"):
        move_links(str(tmp_path / "x.h5"), Links(moved=[("", {"a": "b"})]))
    with pytest.raises(MismatchError, match="already"):
        move_links(str(tmp_path / "x.h5"), Links(moved=[("a", {"a/bias": "a"})]))

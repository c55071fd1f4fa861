"""Attributes described and put: values, types, order, and what is copied as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from modelfmt.errors import CorruptFileError, ModelFormatError
from modelfmt.storage.hdf5.attributes import Attribute, copy_attributes, describe, put, remove


@pytest.fixture
def file(tmp_path: Path) -> Iterator[h5py.File]:
    with h5py.File(tmp_path / "f.h5", "w") as opened:
        yield opened


def test_described(file: h5py.File) -> None:
    held = file.create_group("g", track_order=True)
    held.attrs["z"] = "text"
    held.attrs["y"] = np.array([[b"ab", b"c"]])
    held.attrs["x"] = b"plain"
    held.attrs["w"] = np.array([1, 2], ">i2")
    held.attrs["v"] = True
    held.attrs["u"] = h5py.Empty("f4")
    held.attrs["t"] = np.bytes_(b"\xff")
    held.attrs["s"] = file["/"].ref
    assert describe("f", held, "g") == [
        Attribute("z", "vlen utf-8", "text"), Attribute("y", "fixed[2] ascii", [["ab", "c"]]),
        Attribute("x", "vlen ascii", "plain"), Attribute("w", ">i2", [1, 2]),
        Attribute("v", "|b1", True), Attribute("u", "empty", None, plain=False),
        Attribute("t", "fixed[1] ascii", {"base64": "/w=="}),
        Attribute("s", "object", None, plain=False),
    ]


@pytest.mark.parametrize("value", ["x", ["a", "bc"], 5, [1.5, 2], True, [[1, 2], [3, 4]]])
def test_a_new_one_is_as_keras_writes_it(file: h5py.File, value: Any) -> None:
    put("f", file["/"], "", "a", value)
    (found,) = describe("f", file["/"], "")
    assert found.value == value and found.plain
    if isinstance(value, str):
        assert found.type == "vlen utf-8"
    elif isinstance(value, list) and isinstance(value[0], str):
        assert found.type == "vlen ascii"


def test_every_value_is_put_back_as_it_was(file: h5py.File) -> None:
    held = file.create_group("g", track_order=True)
    for name, value in (("b", "text"), ("a", np.array([b"x", b"yz"])), ("c", np.float32(0.1))):
        held.attrs[name] = value
    before = describe("f", held, "g")
    for attribute in before:
        put("f", held, "g", attribute.name, attribute.value)
    assert describe("f", held, "g") == before


def test_null_terminated_text_keeps_its_end(file: h5py.File) -> None:
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(4)
    h5py.h5a.create(file.id, b"a", kind, h5py.h5s.create(h5py.h5s.SCALAR)).write(
        np.array(b"abc", "S4"))
    put("f", file["/"], "", "a", "longer")
    found = file.attrs.get_id("a").get_type()
    assert (found.get_size(), found.get_strpad()) == (7, h5py.h5t.STR_NULLTERM)
    assert file.attrs["a"] == b"longer"


def test_copied_as_they_are(file: h5py.File) -> None:
    source, target = file.create_group("s"), file.create_group("t")
    source.attrs["pair"] = np.array((1, 2.5), "i4,f8")
    source.attrs["words"] = np.array(["a", "grün"], object)
    source.attrs["none"] = h5py.Empty("f4")
    source.attrs["enum"] = np.array([True, False])
    copy_attributes(source, target)
    assert dict(target.attrs)["pair"].tolist() == (1, 2.5)
    assert target.attrs["words"].tolist() == ["a", "grün"]
    assert target.attrs["none"].dtype == np.dtype("f4")
    for name in source.attrs:
        assert source.attrs.get_id(name).get_type().equal(target.attrs.get_id(name).get_type())


def test_removed_and_refused(file: h5py.File) -> None:
    file.attrs["a"] = 1
    remove("f", file["/"], "", "a")
    assert not file.attrs
    with pytest.raises(ModelFormatError, match='attribute "a"'):
        remove("f", file["/"], "", "a")
    for value in ({}, [["a"], "b", ["c", "d"]], {"base64": 5}, [1, [2]]):
        with pytest.raises(CorruptFileError):
            put("f", file["/"], "", "a", value)
    file.attrs["large"] = np.zeros(3, "i1")
    with pytest.raises(ModelFormatError, match='attribute "large"'):
        put("f", file["/"], "", "large", [1] * 70_000)


def test_a_name_that_is_no_utf8_is_carried(file: h5py.File) -> None:
    space = h5py.h5s.create(h5py.h5s.SCALAR)
    h5py.h5a.create(file.id, b"a\xff", h5py.h5t.STD_I32LE, space).write(np.array(5, "i4"))
    (found,) = describe("f", file["/"], "")
    assert (found.name, found.value) == ("a\udcff", 5)
    put("f", file["/"], "", found.name, 6)
    target = file.create_group("t")
    copy_attributes(file["/"], target)
    assert [a.value for a in describe("f", target, "t")] == [6]
    assert h5py.h5a.exists(target.id, b"a\xff")

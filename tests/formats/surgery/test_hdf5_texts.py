"""Attributes as JSON: what is edited is written in its old type, everything else stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt.errors import CorruptFileError, MissingError, ModelFormatError, UnsupportedError
from modelfmt.surgery.hdf5_texts import parse_config, restyled, same_json


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "m.h5", "w", track_order=True) as file:
        file.attrs["vlen"] = "grün"
        file.attrs["fixed"] = np.array([b"ab", b"c"])
        file.attrs["bytes"] = np.bytes_(b"gr\xfcn")
        file.attrs["number"] = np.float32(0.1)
        file.attrs["none"] = np.array([])
        file.attrs["pair"] = np.array((1, 2.5), [("a", "i4"), ("b", "f8")])
        file.attrs["model_config"] = '{"a":1,"b":[1.5,null]}'
        file.create_group("g").attrs["text"] = '{"inner": 1}'
        file["g/x"] = np.ones(3)
    modelfmt.extract(tmp_path / "m.h5", tmp_path / "parts")
    return tmp_path / "parts"


def edit(parts: Path, change: Callable[[dict[str, Any]], Any]) -> h5py.File:
    file = parts / "attributes.json"
    stated = json.loads(file.read_text())
    change(stated)
    file.write_text(json.dumps(stated))
    modelfmt.assemble(parts, parts.parent / "out.h5", force=True)
    return h5py.File(parts.parent / "out.h5")


def test_types_and_values_are_stated(parts: Path) -> None:
    stated = json.loads((parts / "attributes.json").read_text())["/"]
    assert stated["vlen"] == {"type": "vlen utf-8", "value": "grün"}
    assert stated["fixed"] == {"type": "fixed[2] ascii", "value": ["ab", "c"]}
    assert stated["bytes"]["value"] == {"base64": "Z3L8bg=="}
    assert stated["number"] == {"type": "<f4", "value": float(np.float32(0.1))}
    assert stated["pair"]["kept"] is True and "value" not in stated["pair"]
    assert stated["model_config"] == {"type": "vlen utf-8", "file": "model_config.json"}
    assert json.loads((parts / "within/g/text.json").read_text()) == {"inner": 1}


@pytest.mark.parametrize(("name", "value", "size"), [
    ("vlen", "longer than before", 16), ("fixed", ["abcdef", "g", "h"], 6),
    ("fixed", ["x", "y"], 2), ("bytes", {"base64": "/w=="}, 4), ("number", 2.5, 4),
    ("none", [1.5, 2.5], 8), ("none", ["a", "b"], 16),
])
def test_a_value_changes_in_its_type(parts: Path, name: str, value: Any, size: int) -> None:
    old = h5py.File(parts.parent / "m.h5")
    with edit(parts, lambda s: s["/"][name].update(value=value)) as file:
        assert list(file.attrs) == list(old.attrs)  # the order of creation
        found = file.attrs[name]
        if isinstance(value, dict):
            assert bytes(found) == b"\xff"
        elif isinstance(value, list):
            assert [e.decode() if isinstance(e, bytes) else e for e in found] == value
        else:
            assert found == value
        kind, was = file.attrs.get_id(name).get_type(), old.attrs.get_id(name).get_type()
        if name in ("vlen", "number", "bytes"):
            assert kind.equal(was)
        elif name == "fixed":
            assert (kind.get_size(), kind.is_variable_str()) == (size, False)
        assert file.attrs["pair"].tolist() == (1, 2.5)
        assert file["g/x"][()].tolist() == [1, 1, 1]


def test_a_config_keeps_its_style(parts: Path) -> None:
    (parts / "model_config.json").write_text('{"a": 2, "b": []}')
    with edit(parts, lambda s: None) as file:
        assert file.attrs["model_config"] == '{"a":2,"b":[]}'


def test_attributes_come_and_go(parts: Path) -> None:
    def change(stated: dict[str, Any]) -> None:
        del stated["/"]["vlen"], stated["/"]["pair"]
        stated["g/x"] = {"unit": {"value": "m"}, "scale": {"value": [1, 2]}}

    with edit(parts, change) as file:
        assert "vlen" not in file.attrs and "pair" not in file.attrs
        assert file["g/x"].attrs["unit"] == "m"
        assert file["g/x"].attrs["scale"].tolist() == [1, 2]


@pytest.mark.parametrize(("change", "error", "words"), [
    (lambda s: s["/"]["number"].update(type="<f8"), UnsupportedError, "type cannot be edited"),
    (lambda s: s["/"]["pair"].update(value=[1]), UnsupportedError, "pair.*cannot be edited"),
    (lambda s: s["/"]["vlen"].pop("value"), CorruptFileError, "has no value"),
    (lambda s: s["/"]["vlen"].update(value={"a": 1}), CorruptFileError, "no text"),
    (lambda s: s["/"]["fixed"].update(value=[["a"], ["b", "c"]]), CorruptFileError, "unequal"),
    (lambda s: s["/"].update(new={"value": {}}), CorruptFileError, "no text"),
    (lambda s: s["/"].update(vlen=5), CorruptFileError, "no attributes by name"),
    (lambda s: s.update(nowhere={"a": {"value": 1}}), MissingError, "nowhere"),
    (lambda s: s["/"]["number"].update(value="text" * 20_000), ModelFormatError, ""),
])
def test_refusals_are_named(
    parts: Path, change: Callable[[Any], Any], error: type[Exception], words: str
) -> None:
    if words:
        with pytest.raises(error, match=words):
            edit(parts, change)
    else:  # a text in the place of a number is a text from then on
        with edit(parts, change) as file:
            assert len(file.attrs["number"]) == 80_000


@pytest.mark.parametrize("text", [
    "[1]", "text", "{", '{"a": 1, "a": 2}', '{"a": 1e999999}x', "{" * 5000, 5, None,
])
def test_what_would_lose_something_is_no_config(text: Any) -> None:
    assert parse_config(text) is None


@pytest.mark.parametrize("text", [
    '{"a": [1.0, 1, NaN, 1e-07, "\\ud800", "ü"]}', '{"a":1}', '{\n "b": true\n}',
])
def test_what_loses_nothing_is(text: str) -> None:
    assert same_json(parse_config(text), json.loads(text))


@pytest.mark.parametrize("old", ['{"a": 1}', '{"a":1}', '{"a": "ü"}', '{\n  "a": 1\n}', '{ "a":1}'])
def test_style(old: str) -> None:
    made = restyled(old, json.loads(old))
    assert made == old or old == '{ "a":1}'

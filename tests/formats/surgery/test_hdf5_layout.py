"""Rows of the manifest: what is written is read, and nonsense is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelfmt.errors import CorruptFileError
from modelfmt.storage.hdf5.places import Place
from modelfmt.surgery.hdf5_layout import layout_row, read_layout_row
from modelfmt.surgery.parts import Parts, write_manifest

PLACES = [
    Place("a", "span", "<f4", (2, 3), ((100, 24),)),
    Place("b", "chunks", ">f8", (3,), ((0, 16), (16, 16)), (2,), ((0,), (2,))),
    Place("c", "heap", "", (2,), ((5, 1), (0, 0))),
    Place("d", "library", "|S3", (4,), ((7, 9),), (2,)),
    Place("e", "span", "|V2", (), ((8, 2),)),
]


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    write_manifest(str(tmp_path), "keras-h5", [])
    return Parts(str(tmp_path))


@pytest.mark.parametrize("place", PLACES, ids=lambda p: p.how)
def test_there_and_back(parts: Parts, place: Place) -> None:
    assert read_layout_row(parts, layout_row(place, "<u2")) == (place, "<u2")


@pytest.mark.parametrize(("index", "change"), [
    (0, {"how": "kept"}), (0, {"at": [[100, 23]]}), (0, {"at": []}), (0, {"at": [[1, 2, 3]]}),
    (0, {"shape": [2, -3]}), (0, {"shape": [2.0, 3]}), (0, {"shape": None}), (0, {"code": "zz"}),
    (0, {"code": "i4,,("}), (1, {"chunk": [0]}), (1, {"chunk": [2, 2]}), (1, {"origins": [[0]]}),
    (1, {"origins": [[0], [3]]}), (1, {"origins": [[0], [0, 0]]}), (1, {"at": [[0, 8], [8, 8]]}),
    (2, {"at": [[5, 1]]}), (3, {"path": 5}), (3, {"npy": None}),
])
def test_nonsense_is_named(parts: Parts, index: int, change: dict[str, Any]) -> None:
    row = {**layout_row(PLACES[index], ""), **change}
    with pytest.raises(CorruptFileError, match="manifest"):
        read_layout_row(parts, row)

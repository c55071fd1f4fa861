"""Files are written by their ending, always the same, and never over another."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import modelfmt
from modelfmt.errors import UnsupportedError
from modelfmt.storage.output import OutputExistsError
from modelfmt.surgery.opening import KINDS
from modelfmt.surgery.view import ENDINGS

GOLDEN = Path(__file__).parents[3] / "golden"
CASES = sorted(file.parent for file in GOLDEN.glob("*/*/provenance.toml"))


def model_in(case: Path) -> Path:
    """The file of a case that is to be opened; of a checkpoint its folder."""
    names = ("saved_model", "model.h5", "model.keras", "model.pb", "model.pbtxt", "*.meta*", "*.h5")
    return next((found for name in names for found in sorted(case.glob(name))), case)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_bytes_every_time(ending: str, tmp_path: Path) -> None:
    model = GOLDEN / "keras/keras3.15.1-tf2.21.0-mini_transformer/model.keras"
    for name in "ab":
        modelfmt.view(model, tmp_path / f"{name}{ending}")
    first, second = ((tmp_path / f"{name}{ending}").read_bytes() for name in "ab")
    assert first == second and len(first) > 500
    with pytest.raises(OutputExistsError):
        modelfmt.view(model, tmp_path / f"a{ending}")
    modelfmt.view(model, tmp_path / f"a{ending}", force=True)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r'one of \.html.*found \.?"?\.?png'):
        modelfmt.view(GOLDEN, tmp_path / "a.png")


def test_every_kind_is_drawn(tmp_path: Path) -> None:
    kinds = set()
    for number, case in enumerate(CASES):
        path = model_in(case)
        picture = modelfmt.view(path, tmp_path / f"{number}.svg")
        drawn = ElementTree.parse(tmp_path / f"{number}.svg").getroot()
        assert picture.boxes and float(drawn.get("width") or 0) > 50
        kinds.add(picture.kind)
    assert kinds == set(KINDS)

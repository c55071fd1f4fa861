"""Files are written by their ending, always the same, and never over another."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import modelfmt
from modelfmt.errors import UnsupportedError
from modelfmt.storage.output import OutputExistsError
from modelfmt.surgery.opening import sniff
from modelfmt.surgery.view import ENDINGS

GOLDEN = Path(__file__).parents[3] / "golden"
CASES = sorted(
    next(p for p in folder.iterdir() if p.name not in ("dump.txt", "provenance.toml"))
    for folder in GOLDEN.glob("*/*/")
    if (folder / "provenance.toml").exists()
)


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
        path = case if case.suffix or case.is_dir() else case.parent
        try:
            kind = sniff(str(path))
        except modelfmt.ModelFormatError:
            path = case.parent
            kind = sniff(str(path))
        picture = modelfmt.view(path, tmp_path / f"{number}.svg")
        drawn = ElementTree.parse(tmp_path / f"{number}.svg").getroot()
        assert picture.boxes and float(drawn.get("width") or 0) > 50
        kinds.add(kind)
    assert len(kinds) >= 6

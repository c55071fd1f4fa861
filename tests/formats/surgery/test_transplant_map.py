"""The TOML map of a transplant: written, read back, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelfmt.errors import CorruptFileError
from modelfmt.storage.output import OutputExistsError
from modelfmt.surgery.transplant_map import Entry, map_text, read_map, write_map

ENTRIES = (
    Entry("a/kernel", ("b/weights",)),
    Entry('q"uo\\te\u00e9/k', ("x", "y"), ({"concatenate": 1}, {"transpose": [1, 0]})),
    Entry("s", ("t",), ({"slice": {"axis": 0, "start": 1, "stop": 2}}, {"transpose": True})),
)


def test_round_trip(tmp_path: Path) -> None:
    write_map(ENTRIES, tmp_path / "m.toml")
    found = read_map(tmp_path / "m.toml")
    assert found.entries == ENTRIES and found.match == "none" and not found.patterns
    with pytest.raises(OutputExistsError):
        write_map(ENTRIES, tmp_path / "m.toml")
    assert map_text(()) == 'match = "none"\n'


def test_patterns(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(
        "[[patterns]]\ndonor = '(.+)/weights'\nhost = '\\1/kernel'\nsteps = [{flip = [0]}]\n"
    )
    (rule,) = read_map(tmp_path / "m.toml").patterns
    assert rule.donor.sub(rule.host, "conv/weights") == "conv/kernel"
    assert rule.steps == ({"flip": [0]},)


@pytest.mark.parametrize(
    "text",
    [
        "x", "[[weights]]\nhost = 'a'", "[[weights]]\nhost = 'a'\ndonor = 1",
        "[[weights]]\nhost = 'a'\ndonor = []", "[weights]\na = 'b'", "other = 1",
        "[[weights]]\nhost = 'a'\ndonor = 'b'\nstep = []",
        "[[weights]]\nhost = 'a'\ndonor = 'b'\nsteps = 'cast'",
        "[[patterns]]\ndonor = '('\nhost = 'a'",
    ],
)
def test_no_map(text: str, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(CorruptFileError, match=r"m.toml: no (map|TOML)"):
        read_map(tmp_path / "m.toml")

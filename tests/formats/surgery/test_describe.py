"""Every kind that can be opened has its describers; test_dump.py tests what they say."""

from __future__ import annotations

from modelfmt.surgery.describe import DESCRIBERS
from modelfmt.surgery.opening import ARRAYS, CONFIG, KINDS


def test_every_kind_is_described() -> None:
    assert set(DESCRIBERS) == {*KINDS, *ARRAYS, CONFIG}
    assert all(DESCRIBERS[kind] for kind in (*KINDS, CONFIG))

"""Risks: their sentence, and what a path that leads out looks like."""

from __future__ import annotations

import pytest

from modelfmt.errors import Where
from modelfmt.surgery.risks import HIGH, SEVERITIES, Risk, leads_out


@pytest.mark.parametrize(
    "path", ["/etc/x", "~/x", "a/../b", "..\\x", "\\\\host\\x", "gs://b/x", "http://x", "C:\\x"]
)
def test_leads_out(path: str) -> None:
    assert leads_out(path)


@pytest.mark.parametrize("path", ["x", "a/b.txt", "a..b", "words 1.txt", "", "c:"])
def test_stays_inside(path: str) -> None:
    assert not leads_out(path)


def test_sentence() -> None:
    risk = Risk(HIGH, "op", "", "ReadFile", "reads").at('node "n"')
    assert str(risk) == 'node "n": ReadFile; reads'
    placed = Risk(HIGH, "op", "n", "ReadFile", "reads", Where("g.pb"))
    assert str(placed) == "g.pb, n: ReadFile; reads"
    assert SEVERITIES == ("critical", "high", "medium", "low")

"""Every family of layers: Keras saves, modelfmt writes a graph, TensorFlow judges it."""

from __future__ import annotations

import importlib
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.oracle

HERE = Path(__file__).parent
GRIDS = sorted(path.stem for path in (HERE / "grids").glob("[a-z]*.py"))
ROUTES = {2: [("h5", "pb", 2)], 3: [("h5", "pb", 3), ("keras", "pb", 3)]}


#: Of each family so many models in the default run; the slow one takes all.
SOME = 16


def refusals(grid: str) -> dict[str, str]:
    if str(HERE) not in sys.path:
        sys.path.append(str(HERE))
    found: dict[str, str] = getattr(importlib.import_module(f"grids.{grid}"), "REFUSED", {})
    return found


def check(table: Any, major: int, allowed: dict[str, str]) -> None:
    verdicts = table.convert(ROUTES[major])
    pattern = re.compile("|".join(allowed) or "(?!)")
    refused = [v for v in verdicts if v.refused and pattern.search(v.refused)]
    agreed = Counter(v.route for v in verdicts if v.agrees)
    print(f"{dict(agreed)} agree, {len(refused)} refused by name")
    wrong = [str(v) for v in verdicts if not v.agrees and v not in refused]
    assert not wrong, "\n".join(wrong)
    assert len(agreed) == len(ROUTES[major])


@pytest.mark.parametrize("major", [2, 3])
def test_some_of_every_family(major: int, bench: Any) -> None:
    table = bench(major)
    table.make(" ".join(f"grids.{grid}" for grid in GRIDS), freeze=False, some=SOME, major=major)
    check(table, major, {k: v for grid in GRIDS for k, v in refusals(grid).items()})


@pytest.mark.slow
@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("grid", GRIDS)
def test_every_family(grid: str, major: int, bench: Any) -> None:
    table = bench(major)
    table.make(f"grids.{grid}", freeze=False, major=major)
    check(table, major, refusals(grid))

"""Recurrent models that TensorFlow froze, read back as layers: the frameworks judge them.

The quick run is thin; the slow one runs all of the grids, each lowered and not lowered.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.oracle

#: What no layer says, or only another one than the graph shows. Whatever is not refused must agree.
REFUSED = re.compile("no Keras layer accounts for|no layer makes the mask|would hand the mask")
#: What Keras 3 cannot freeze: layers that hold the state of random numbers.
UNFROZEN = re.compile("incompatible with expected resource")


def judged(table: Any, wanted: float, *, weights: bool = True) -> None:
    """Convert all models of a table; at least that share agrees, and the rest is refused."""
    table.models = {
        name: row for name, row in table.models.items()
        if not UNFROZEN.search(str(row.get("raised")))
    }  # fmt: skip
    verdicts = table.convert([("pb", "h5", table.major)])
    agreed = [
        v for v in verdicts
        if v.agrees or (not weights and not v.refused and not v.raised and v.error <= v.tolerance)
    ]  # fmt: skip
    rest = [v for v in verdicts if v not in agreed]
    print(*rest, f"{len(agreed)} of {len(verdicts)} agree", sep="\n")
    wrong = [str(v) for v in rest if not REFUSED.search(v.refused)]
    assert not wrong, "\n".join(wrong)
    assert len(agreed) >= wanted * len(verdicts)


@pytest.mark.parametrize("major", [2, 3])
def test_frozen_loops_are_layers(major: int, bench: Any) -> None:
    table = bench(major)
    table.make("grids.rnn grids.conv_rnn", some=14, lower=major == 3, major=major)
    judged(table, 0.7)


@pytest.mark.slow
@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("grid", ["rnn", "conv_rnn"])
def test_all_frozen_loops(major: int, lower: bool, grid: str, bench: Any) -> None:
    table = bench(major)
    table.make(f"grids.{grid}", lower=lower, major=major)
    judged(table, 0.75)


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_loops_of_tensorflow_1(step: int, bench: Any, tmp_path: Path) -> None:
    """dynamic_rnn and its kin: every one of the graphs is layers."""
    table = bench(3)
    script = Path(__file__).parent / "raw_loops.py"
    command = [sys.executable, str(script), str(tmp_path), str(step)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    table.models = json.loads(done.stdout.strip().splitlines()[-1])
    judged(table, 1.0, weights=False)

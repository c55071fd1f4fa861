"""Recurrent models that TensorFlow froze, read back as layers: the frameworks judge them."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = pytest.mark.oracle

#: What no single layer's output tells, or what is no loop: states that leave, unrolled turns, cells
#: of other kinds. Whatever is not refused must agree.
REFUSED = re.compile("no Keras layer accounts for|no layer makes the mask|would hand the mask")


@pytest.mark.parametrize("major", [2, 3])
def test_frozen_loops_are_layers(major: int, bench: Any) -> None:
    table = bench(major)
    table.make("grids.rnn", freeze=True, some=24, major=major)
    verdicts = table.convert([("pb", "h5", major)])
    print(*verdicts, sep="\n")
    wrong = [str(v) for v in verdicts if not v.agrees and not REFUSED.search(v.refused)]
    assert not wrong, "\n".join(wrong)
    agreed = {v.model for v in verdicts if v.agrees}
    assert len(agreed) >= 10, sorted(agreed)

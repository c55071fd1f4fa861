"""Every layer alone: Keras saves and TensorFlow freezes, modelfmt converts, they judge."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.oracle





@pytest.mark.parametrize("major", [2, 3])
def test_every_layer_alone(major: int, bench: Any) -> None:
    table = bench(major)
    table.make("layer_models")
    verdicts = table.convert()
    agreed = Counter(v.route for v in verdicts if v.agrees)
    asked = Counter(v.route for v in verdicts)
    for route in sorted(asked):
        print(f"{route}: {agreed[route]} of {asked[route]} agree")
    wrong = [str(v) for v in verdicts if not v.agrees]
    assert not wrong, "\n".join(wrong)

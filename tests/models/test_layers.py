"""Every layer alone: Keras saves and TensorFlow freezes, modelfmt converts, they judge."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.oracle

#: What Keras 2 has no word for. Refused by name, never written wrongly.
UNKNOWN_TO_2 = re.compile("Keras 2 has no activation function '(log_softmax|hard_silu)'")
#: The routes of the default run; the slow one takes all.
OWN = {
    2: [("h5", "pb", 2), ("pb", "h5", 2)],
    3: [("h5", "pb", 3), ("pb", "keras", 3)],
}


def check(bench: Any, major: int, routes: Any) -> None:
    table = bench(major)
    table.make("layer_models")
    verdicts = table.convert(routes)
    refused = [v for v in verdicts if UNKNOWN_TO_2.search(v.refused)]
    agreed = Counter(v.route for v in verdicts if v.agrees)
    asked = Counter(v.route for v in verdicts if v not in refused)
    for route in sorted(asked):
        print(f"{route}: {agreed[route]} of {asked[route]} agree")
    wrong = [str(v) for v in verdicts if not v.agrees and v not in refused]
    assert not wrong, "\n".join(wrong)
    assert len(asked) == len(routes)


@pytest.mark.parametrize("major", [2, 3])
def test_every_layer_alone(major: int, bench: Any) -> None:
    check(bench, major, OWN[major])


@pytest.mark.slow
@pytest.mark.parametrize("major", [2, 3])
def test_every_layer_alone_by_every_route(major: int, bench: Any) -> None:
    check(bench, major, bench(major).routes)

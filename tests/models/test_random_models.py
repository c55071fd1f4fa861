"""Random models on which nothing was fitted, in both directions, with the frameworks as judges.

MODELFMT_SEED=n draws others; a failure prints the seed and the model's summary.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import Any

import pytest

import modelfmt
from modelfmt.graphs.view import View
from modelfmt.layers import recognise

pytestmark = pytest.mark.oracle

SEED = int(os.environ.get("MODELFMT_SEED", "20240613"))
#: What Keras 2 has no word for. Refused by name, never written wrongly.
UNKNOWN_TO_2 = re.compile("Keras 2 has no activation function '(log_softmax|hard_silu)'")


def check(bench: Any, major: int, first: int, count: int) -> None:
    table = bench(major)
    table.make("random_models", seed=SEED, first=first, count=count)
    verdicts = table.convert()
    refused = [v for v in verdicts if UNKNOWN_TO_2.search(v.refused)]
    asked = Counter(v.route for v in verdicts if v not in refused)
    agreed = Counter(v.route for v in verdicts if v.agrees)
    print(f"\nMODELFMT_SEED={SEED}, models {first} to {first + count - 1} of Keras {major}")
    for route in sorted(asked):
        print(f"  {route}: {agreed[route]} of {asked[route]} agree")
    kept = total = 0
    for name, info in table.models.items():
        with modelfmt.open(table.folder / f"{name}.pb") as container:
            good, bad = names_kept(info, recognise(View(container.graph)))
        kept, total = kept + good, total + good + len(bad)
        if bad:
            print(f"  other names in {name}: {', '.join(bad)}")
    print(f"  names: {kept} of {total} layers keep theirs up to numbering")
    wrong = [v for v in verdicts if not v.agrees and v not in refused]
    summaries = {v.model: table.models[v.model]["summary"] for v in wrong}
    assert not wrong, "\n".join(
        [f"MODELFMT_SEED={SEED}", *map(str, wrong), *(f"{k}\n{v}" for k, v in summaries.items())]
    )
    assert kept >= 0.95 * total


def names_kept(info: dict[str, Any], network: Any) -> tuple[int, list[str]]:
    """How many layers have their name, up to numbering, and those that have not.

    Layers with weights are told by them, the others are counted by name.
    """
    by_weights: dict[frozenset[str], str] = {}
    others: Counter[str] = Counter()
    for layer in network.layers:
        if layer.weights:
            by_weights[frozenset(t.sha256() for t in layer.weights.values())] = layer.name
        others[stem(layer.name)] += 1
    kept, lost = 0, []
    for class_name, name, digests in info["layers"]:
        if digests:
            if not set(digests) <= set(info["weights"]):
                continue  # no output needs it
            found = by_weights.get(frozenset(digests), "")
            same = stem(found) == stem(name)
        else:
            found, same = "?", others[stem(name)] > 0
            others[stem(name)] -= 1
        kept += same
        if not same:
            lost.append(f"{class_name} {name} ({found})")
    return kept, lost


def stem(name: str) -> str:
    """A name without its scope, which Keras 3 does not allow, and without numbers behind it."""
    return re.sub(r"(_\d+|[_.\-])+$", "", name.rsplit("/", 1)[-1])


@pytest.mark.parametrize("major", [2, 3])
def test_a_few_random_models(major: int, bench: Any) -> None:
    check(bench, major, 0, 6)


@pytest.mark.slow
@pytest.mark.parametrize("major", [2, 3])
def test_many_random_models(major: int, bench: Any) -> None:
    check(bench, major, 6, 100)

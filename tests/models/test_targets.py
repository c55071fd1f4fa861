"""Graphs for older TensorFlows: the newest one, which reads them all, judges the numbers.

That the old ones read them as well is a matter of the table of ages, which tests/formats/ops holds
against a registry, and was tried with TensorFlow 1.2.1, 1.4.1, 1.12.3 and 1.15.5.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

import modelfmt
from modelfmt.ops.opages import age, is_younger, parse_version

pytestmark = pytest.mark.oracle

#: What a release lacks and nothing stands for; any other refusal is a failure.
LACKING = re.compile(r"TensorFlow \d\.\d+ does not know|has no older twin")


@pytest.mark.slow
@pytest.mark.parametrize("release", ["1.2", "1.12", "1.14"])
@pytest.mark.parametrize("grid", ["rnn", "attention", "activations", "convolutional", "merging"])
def test_a_family_for_a_release(grid: str, release: str, bench: Any) -> None:
    check(grid, release, bench)


def test_normalization_for_an_old_release(bench: Any) -> None:
    check("normalization", "1.2", bench)


def check(grid: str, release: str, bench: Any) -> None:
    table = bench(3)
    table.options = {"target_tf": release}
    table.make(f"grids.{grid}", freeze=False, major=3)
    verdicts = table.convert([("h5", "pb", 3)])
    wrong = [v for v in verdicts if not v.agrees and not LACKING.search(v.refused)]
    agreed = [v for v in verdicts if v.agrees]
    lacks = Counter(
        " ".join(re.findall(r"know (?:op|attr) \S+|\w+ [^:]*has no older", v.refused))
        for v in verdicts if v.refused
    )  # fmt: skip
    print(f"{grid} for {release}: {len(agreed)} of {len(verdicts)} agree; refused: {dict(lacks)}")
    assert not wrong, "\n".join(map(str, wrong))
    assert len(agreed) > len(verdicts) // 2
    version = parse_version(release)
    for verdict in agreed:
        with modelfmt.open(verdict.path) as file:
            graphs = [file.graph, *file.graph.functions.values()]
            nodes = [node for graph in graphs for node in graph.values()]
            for node in nodes:
                born = age(node.op)
                assert born is not None and born <= version, node.op
                assert not [a for a in node.attrs if is_younger(node.op, a, version)], node.op

"""Round trip: variables become constants, constants variables again, and nothing is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import modelfmt
from modelfmt.tf.metagraph import GraphWithVariables

tomllib = pytest.importorskip("tomllib")  # new in 3.11


def ends(model: Path) -> dict[str, Any]:
    """Inputs and outputs to convert a .meta with; a SavedModel has its signature."""
    if model.parents[1].name != "metagraph":
        return {}
    stated = tomllib.loads((model.parent / "provenance.toml").read_text())
    return {role: [*stated[role].values()] for role in ("inputs", "outputs")}


def digests(path: Path) -> dict[str, str | None]:
    with modelfmt.open(path) as container:
        return {name: tensor.sha256() for name, tensor in container.tensors.items()}


def ops(path: Path) -> dict[str, str]:
    with modelfmt.open(path) as container:
        return {name: node.op for name, node in container.graph.items()}


def test_frozen_constants_are_the_checkpoints(with_variables: Path, tmp_path: Path) -> None:
    modelfmt.convert(with_variables, tmp_path / "frozen.pb", **ends(with_variables))
    with modelfmt.open(with_variables) as container:
        assert isinstance(container, GraphWithVariables)
        values = {t.sha256() for t in container.tensors.values() if t.strings is None}
        variables = set(container.values)
    frozen = {n: d for n, d in digests(tmp_path / "frozen.pb").items() if n in variables}
    sliced = {n for n in frozen if "part_" in n}  # a part of a tensor of the checkpoint
    assert frozen and all(frozen[name] in values for name in set(frozen) - sliced)


def test_frozen_thawed_and_frozen_again(with_variables: Path, tmp_path: Path) -> None:
    """Every node keeps its name; every constant its bytes."""
    first, last = tmp_path / "first.pb", tmp_path / "last.pb"
    modelfmt.convert(with_variables, first, **ends(with_variables))
    modelfmt.convert(first, tmp_path / "thawed.meta")
    modelfmt.convert(tmp_path / "thawed.meta", last)
    assert digests(first).items() <= digests(last).items()
    assert ops(first).items() <= ops(last).items()
    assert {op for name, op in ops(last).items() if name not in ops(first)} <= {"Identity"}
    with modelfmt.open(first) as one, modelfmt.open(last) as other:
        assert modelfmt.check(last) == []
        assert {n for n, node in one.graph.items() if node.op == "Placeholder"} == {
            n for n, node in other.graph.items() if node.op == "Placeholder"
        }

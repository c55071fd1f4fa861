"""Weights across kinds: matched by name, by ends, by layers, by content, by shape."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt.container import Container
from modelfmt.surgery.changes import Changes, Tolerance
from modelfmt.surgery.weight_changes import weight_changes
from modelfmt.tensor import Tensor

GOLDEN = Path(__file__).parents[3] / "golden"
CNN = GOLDEN / "keras-h5" / "tfkeras-tf2.3.4-cnn" / "model.h5"


class Named(Container):
    """Tensors under any names, and nothing else."""

    kind = "tensors"

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__("memory")
        self._tensors = {
            name: Tensor.from_numpy(name, np.asarray(value, np.float32))
            for name, value in values.items()
        }

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return self._tensors

    def close(self) -> None:
        pass


def changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> Changes:
    there = weight_changes(Named(a), Named(b), Tolerance())
    back = weight_changes(Named(b), Named(a), Tolerance())
    assert sorted(c.what for c in there) == sorted(c.swapped().what for c in back)
    return there


def rows(found: Changes) -> list[tuple[str, str, str]]:
    return [(c.where, c.what, c.item) for c in found]


def test_by_name() -> None:
    found = changes({"d/k": [1, 2], "d/b": [3]}, {"d/b": [3], "d/k": [1, 9]})
    assert rows(found) == [("d/k", "changed", "values")] and found.way == "weights by name"


def test_by_the_end_of_a_name() -> None:
    a = {"d/kernel": [1], "e/kernel": [2]}
    b = {"model/d/kernel": [1], "model/e/kernel": [3]}
    assert rows(changes(a, b)) == [("e/kernel = model/e/kernel", "changed", "values")]


def test_by_equal_ends() -> None:
    a, b = {"outer/d/kernel": [1]}, {"inner/d/kernel": [2]}
    assert rows(changes(a, b)) == [("outer/d/kernel = inner/d/kernel", "changed", "values")]


def test_an_ambiguous_end_matches_nobody() -> None:
    a = {"d/kernel": [1]}
    b = {"x/d/kernel": [5], "y/d/kernel": [6]}
    assert {what for _, what, _ in rows(changes(a, b))} == {"removed", "added"}


def test_by_content_then_by_shape() -> None:
    a = {"p": [1, 2], "q": [0, 0], "r": [0, 0], "s": [[1.0]]}
    b = {"0": [0, 0], "1": [1, 2], "2": [0, 0], "3": [[2.0]]}
    found = changes(a, b)
    assert rows(found) == [("s = 3", "changed", "values")]
    assert found.way == "weights by name, 4 by content or shape"


def test_what_is_left() -> None:
    assert rows(changes({"a/k": [1]}, {"b/k": [[1, 2]]})) == [
        ("a/k", "removed", ""), ("b/k", "added", ""),
    ]  # fmt: skip


def test_slots_of_an_optimizer_are_no_weights() -> None:
    a = {"d/kernel": [1, 2]}
    b = {
        "d/kernel": [1, 2], "d/kernel/Adam": [0, 1], "opt/d/kernel/m": [0, 1], "opt/iterations": 7,
        "global_step": 3,
    }  # fmt: skip
    found = changes(a, b)
    assert rows(found) == [("global_step", "added", "")]
    assert found.way.endswith("without 3 variables of the optimizer")


def test_a_layer_that_only_one_has_is_no_slot() -> None:
    a, b = {"d/kernel": [1, 2]}, {"d/kernel": [1, 2], "twin/d/kernel": [3, 4]}
    assert rows(changes(a, b)) == [("twin/d/kernel", "added", "")]


@pytest.mark.parametrize("out", ["x.pb", "x.pbtxt", "x.meta", "saved"])
def test_a_conversion_keeps_the_weights(out: str, tmp_path: Path) -> None:
    modelfmt.convert(CNN, tmp_path / out)
    assert modelfmt.diff(CNN, tmp_path / out) == modelfmt.diff(tmp_path / out, CNN) == []
    other = shutil.copy(CNN, tmp_path / "other.h5")
    with h5py.File(other, "r+") as file:
        file["model_weights/fc/fc/bias:0"][2] += 1
    (change,) = modelfmt.diff(other, tmp_path / out)
    assert change.where.startswith("fc/bias") and change.numbers is not None
    assert (change.numbers.differing, change.numbers.at) == (1, (2,))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("graphdef/keras2.1.2-tf1.4.1-cnn/model.pb",
         "savedmodel/keras2.1.2-tf1.4.1-cnn/saved_model"),
        ("graphdef/tfkeras-tf2.15.1-multi_input/model.pb",
         "savedmodel/tfkeras2.16-tf2.16.2-multi_input_export/saved_model"),
        ("keras-weights/tfkeras-tf2.12.1-nested/model.weights.h5",
         "keras/tfkeras-tf2.12.1-nested/model.keras"),
    ],
)  # fmt: skip
def test_the_same_architecture_is_matched_whole(a: str, b: str) -> None:
    """Of two trainings: every weight has its partner, whatever the numbers."""
    found = modelfmt.diff(GOLDEN / a, GOLDEN / b)
    assert {c.what for c in found} <= {"changed"}


def test_by_recognised_layers(tmp_path: Path) -> None:
    """Consts with names of no use: which is whose is told by the layers around them."""
    modelfmt.convert(CNN, tmp_path / "x.pb")
    from modelfmt import proto

    graph = proto.GraphDef.FromString((tmp_path / "x.pb").read_bytes())
    names = {
        node.name: f"c{k}" for k, node in enumerate(graph.node)
        if node.op == "Const" and node.attr["value"].tensor.tensor_shape.dim
    }  # fmt: skip
    for node in graph.node:
        node.name = names.get(node.name, node.name)
        inputs = [names.get(i, i) for i in node.input]
        del node.input[:]
        node.input.extend(inputs)
    (tmp_path / "y.pb").write_bytes(graph.SerializeToString())
    found = modelfmt.diff(CNN, tmp_path / "y.pb")
    assert found == [] and "by recognised layers" in found.way

"""Every family of layers: Keras saves, modelfmt writes a graph, TensorFlow judges it."""

from __future__ import annotations

import importlib
import inspect
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


_BASE = "a base class, which no file holds alone"
_FOREIGN = "another framework's code"
_CODE = "holds code, which is never executed"
#: The classes that are not written, and why.
NOT_WRITTEN = {
    "Layer": _BASE, "Wrapper": _BASE, "Lambda": _CODE, "AbstractRNNCell": _BASE,
    "FlaxLayer": _FOREIGN, "JaxLayer": _FOREIGN, "TorchModuleWrapper": _FOREIGN,
    "TFSMLayer": "a SavedModel beside the file, of which the file holds the path only",
    "Equalization": "Keras cannot use it in a functional model",
    "DenseFeatures": "feature columns, which its config does not hold",
}  # fmt: skip
#: Of how many classes, and how many of them at least are written.
CLASSES = {3: (143, 130), 2: (112, 100)}


def layer_classes(keras: Any) -> dict[str, str]:
    """The names of all classes of ``keras.layers``: each class's own name by every other."""
    found = {
        alias: value.__name__ for alias, value in vars(keras.layers).items()
        if inspect.isclass(value) and issubclass(value, keras.layers.Layer)
    }  # fmt: skip
    return {**found, **{name: name for name in found.values()}}


@pytest.mark.slow
@pytest.mark.parametrize("major", [3, 2])
def test_every_class_is_written_or_refused_with_a_reason(major: int, bench: Any) -> None:
    keras = pytest.importorskip("keras" if major == 3 else "tf_keras")
    own_name = layer_classes(keras)
    wanted = sorted(set(own_name.values()))
    agreed: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for grid in GRIDS:
        table = bench(major)
        table.make(f"grids.{grid}", freeze=False, major=major)
        allowed = re.compile("|".join(refusals(grid)) or "(?!)")
        for verdict in table.convert(ROUTES[major]):
            if verdict.refused and allowed.search(verdict.refused):
                continue
            stated = table.models[verdict.model]["classes"]
            (agreed if verdict.agrees else failed).update(
                {own_name[name] for name in stated if name in own_name}
            )
    covered = [name for name in wanted if agreed[name] and not failed[name]]
    print(f"\n{len(covered)} of {len(wanted)} classes of Keras {major}, "
          f"{sum(agreed[name] for name in covered)} times")  # fmt: skip
    for name in sorted(set(wanted) - set(covered)):
        print(f"refused: {name}: {NOT_WRITTEN.get(name, f'{failed[name]} failed')}")
    assert set(wanted) - set(covered) <= set(NOT_WRITTEN)
    assert len(wanted) == CLASSES[major][0] and len(covered) >= CLASSES[major][1]

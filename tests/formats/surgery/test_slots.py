"""Which variables are an optimizer's, by their names."""

from __future__ import annotations

import pytest

from modelfmt.surgery.slots import is_optimizers, is_slot

NAMES = {"w", "block/w", "dense/kernel", "dense/kernel/Adam", "Adam/dense/kernel/m",
         "training/Adam/dense/kernel/v", "global_step", "training/SGD/Variable", "SGD/lr",
         "dense/kernel/ExponentialMovingAverage", "momentum/w"}


@pytest.mark.parametrize(
    "name", ["dense/kernel/Adam", "Adam/dense/kernel/m", "training/Adam/dense/kernel/v"]
)
def test_slots(name: str) -> None:
    assert is_slot(name, NAMES) and is_optimizers(name, NAMES)


@pytest.mark.parametrize(
    "name",
    ["w", "block/w", "dense/kernel", "dense/kernel/ExponentialMovingAverage", "momentum/w"],
)
def test_weights_are_none(name: str) -> None:
    assert not is_slot(name, NAMES) and not is_optimizers(name, NAMES)


@pytest.mark.parametrize(
    "name", ["global_step", "beta1_power_1", "training/SGD/Variable", "SGD/lr"]
)
def test_its_own(name: str) -> None:
    assert is_optimizers(name, NAMES) and not is_slot(name, NAMES)

"""Attrs that older TensorFlows would refuse are left out where they say nothing."""

from __future__ import annotations

from modelfmt.dtypes import float32
from modelfmt.ops import opdefs
from modelfmt.ops.opages import _YOUNG, settled


def test_a_young_attr_at_its_default_is_left_out() -> None:
    attrs = opdefs.complete("MatMul", [float32, float32], {})
    assert {"grad_a", "grad_b"} <= set(attrs)
    assert set(settled("MatMul", attrs)) == {"T", "transpose_a", "transpose_b"}


def test_a_young_attr_that_says_something_stays() -> None:
    attrs = opdefs.complete("MatMul", [float32, float32], {"grad_a": True})
    assert settled("MatMul", attrs)["grad_a"] is True


def test_the_same_name_is_old_in_another_op() -> None:
    attrs = opdefs.complete("Conv2D", [float32, float32], {"strides": [1] * 4, "padding": "SAME"})
    assert settled("Conv2D", attrs) == attrs


def test_every_young_attr_is_one_of_its_op() -> None:
    for name, ops in _YOUNG.items():
        for op in ops.split():
            row = opdefs.get(op)
            assert row is not None, op
            assert name in {attr.name for attr in row.attrs}, (op, name)

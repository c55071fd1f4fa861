"""The child of verify, as far as it needs no framework; test_verify.py runs it."""

from __future__ import annotations

from typing import Any

from modelfmt.surgery.verify import _RUN
from modelfmt.surgery.verify_child import _RUNNERS, _flat, _tensor


def test_every_kind_has_a_runner() -> None:
    assert set(_RUNNERS) == set(_RUN)


def test_outputs_in_a_row() -> None:
    one: Any = object()
    assert _flat(one) == [one] and _flat([one, one]) == [one, one]
    assert _flat({"b": 1, "a": 2}) == [1, 2]


def test_tensor_names() -> None:
    assert (_tensor("x"), _tensor("x:1")) == ("x:0", "x:1")

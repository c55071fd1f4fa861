"""Weights matched one to one: names, ends of names, content, shape; an optimizer's left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelfmt.surgery.weight_matching import (
    Matched,
    by_content,
    by_end,
    by_name,
    by_shape,
    drop_state,
)
from modelfmt.tensor import Tensor


def weights(values: Mapping[str, Any]) -> dict[str, Tensor]:
    return {
        name: Tensor.from_numpy(name, np.asarray(value, np.float32))
        for name, value in values.items()
    }


def test_equal_names_come_first() -> None:
    a, b = weights({"d/k": [1], "d/b": [2]}), weights({"d/b": [3], "e/k": [4]})
    matched = by_name(a, b)
    assert matched == Matched([("d/b", "d/b")], ["d/k"], ["e/k"]) and not matched.is_whole


def test_an_end_must_be_the_only_one() -> None:
    a = weights({"m/d/k": [1], "x/e/k": [2], "y/e/k": [3]})
    b = weights({"d/k": [1], "e/k": [2]})
    matched = by_end(a, b, by_name(a, b))
    assert matched.pairs == [("m/d/k", "d/k")]
    assert matched.only_a == ["x/e/k", "y/e/k"] and matched.only_b == ["e/k"]


def test_an_end_of_another_shape_is_none() -> None:
    a, b = weights({"m/d/k": [1, 2]}), weights({"d/k": [1]})
    assert by_end(a, b, by_name(a, b)).pairs == []


def test_content_before_shape() -> None:
    a, b = weights({"p": [1], "q": [2], "r": [[1]]}), weights({"s": [2], "t": [7], "u": [[5]]})
    matched = by_content(a, b, by_name(a, b))
    assert matched.pairs == [("q", "s")]
    assert by_shape(a, b, matched).pairs == [("q", "s"), ("p", "t"), ("r", "u")]


def test_slots_and_what_stands_in_their_scope_are_state() -> None:
    a = weights({"d/k": [1], "opt/d/k/m": [2], "opt/rate": 0.1, "other": [1, 2]})
    unmatched = [name for name in a if name != "d/k"]
    assert drop_state(a, unmatched) == 2 and unmatched == ["other"]

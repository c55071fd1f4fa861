"""Changes: rows, values compared by path, names in a common order."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from modelfmt.surgery.changes import (
    Change,
    Changes,
    Numbers,
    compare_values,
    in_order,
    out_of_order,
    same,
)


def found(a: Any, b: Any, **options: Any) -> list[tuple[str, str, Any, Any]]:
    changes = compare_values("layers", "d", "config", a, b, **options)
    return [(c.what, c.item, c.a, c.b) for c in changes]


def test_equal_values_have_no_changes() -> None:
    value = {"units": 3, "axes": [1, 2], "inner": {"x": None, "y": float("nan")}}
    assert found(value, json.loads(json.dumps(value))) == []


def test_changes_are_found_by_their_paths() -> None:
    a = {"units": 3, "inner": {"rate": 0.5}, "layers": [{"n": 1}, {"n": 2}], "old": 1}
    b = {"units": 4, "inner": {"rate": 0.25}, "layers": [{"n": 1}, {"n": 3}, {"n": 4}], "new": 1}
    assert found(a, b) == [
        ("changed", "config.units", 3, 4),
        ("changed", "config.inner.rate", 0.5, 0.25),
        ("changed", "config.layers[1].n", 2, 3),
        ("added", "config.layers[2]", None, {"n": 4}),
        ("removed", "config.old", 1, None),
        ("added", "config.new", None, 1),
    ]


def test_a_list_of_numbers_is_one_value() -> None:
    assert found([3, 3], [5, 5]) == [("changed", "config", [3, 3], [5, 5])]
    assert found([3], [3, 3]) == [("changed", "config", [3], [3, 3])]


def test_null_is_nothing_where_one_is_lenient() -> None:
    a, b = {"x": None, "y": 1}, {"y": 1, "z": None}
    assert found(a, b, lenient=True) == []
    assert [what for what, *_ in found(a, b)] == ["removed", "added"]


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        (True, 1, False), (False, 0, False), (1, 1.0, True), (math.nan, math.nan, True),
        ([math.nan], [math.nan], True), ((1, 2), [1, 2], True), (None, False, False),
        ({"a": True}, {"a": 1}, False), ({"a": 1}, {"b": 1}, False),
    ],
)  # fmt: skip
def test_sameness(a: Any, b: Any, equal: bool) -> None:
    assert same(a, b) is same(b, a) is equal


def test_a_row_is_json() -> None:
    numbers = Numbers(1, 4, math.inf, 0.5, (1, 0))
    row = Change("weights", "d/kernel", "changed", "values", b=b"\xff", numbers=numbers).row()
    assert json.loads(json.dumps(row, allow_nan=False)) == {
        "part": "weights", "where": "d/kernel", "item": "values", "what": "changed",
        "a": None, "b": "\\xff",
        "numbers": {"differing": 1, "of": 4, "max_abs": "inf", "max_rel": 0.5, "at": [1, 0]},
    }  # fmt: skip


def test_the_other_side() -> None:
    change = Change("nodes", "n", "added", b="Relu")
    assert change.swapped() == Change("nodes", "n", "removed", a="Relu")
    assert change.swapped().swapped() == change


def test_changes_are_a_list() -> None:
    assert Changes() == [] and not Changes(way="nodes")
    assert Changes([Change("nodes", "n", "moved")], "nodes").way == "nodes"


def test_a_common_order() -> None:
    assert in_order("abc", "axbcy") == list("axbcy")
    assert in_order([], "ab") == in_order("ab", []) == ["a", "b"]
    assert in_order("ba", "ab") == ["b", "a"]


@pytest.mark.parametrize(
    ("a", "b", "moved"),
    [("abc", "abc", ""), ("abcd", "dabc", "d"), ("ab", "xyb", ""), ("abc", "cba", "ab")],
)
def test_the_fewest_that_moved(a: str, b: str, moved: str) -> None:
    assert len(out_of_order(a, b)) == len(moved)
    assert moved != "d" or out_of_order(a, b) == ["d"]

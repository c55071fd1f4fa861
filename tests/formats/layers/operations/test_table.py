"""The table of operations: spellings, arguments and their defaults."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import ConversionError
from modelfmt.layers.operations.table import REQUIRED, _parsed, find, names, operation


def spelled(parameters: str) -> Any:
    return _parsed("it", parameters, lambda ops, *values: [])


def test_parameters_are_read() -> None:
    found = spelled("x, axis=-1, _kind='int32'")
    assert found.parameters == (("x", REQUIRED), ("axis", -1), ("_kind", "int32"))
    assert found.values(["t"], {}) == ["t", -1, "int32"]
    assert found.values([], {"x": "t", "axis": 2, "name": "n"}) == ["t", 2, "int32"]


def test_any_number_of_arguments() -> None:
    assert spelled("*x, indexing='xy'").values(["a", "b"], {}) == [["a", "b"], "xy"]


@pytest.mark.parametrize(
    ("args", "kwargs", "sentence"),
    [
        ([], {}, "does not say its 'x'"),
        (["a", "b", "c"], {}, "with 3 arguments"),
        (["a"], {"other": 3}, "other=3"),
        (["a"], {"_kind": "int64"}, "_kind='int64'"),
    ],
)
def test_arguments_that_do_not_fit(args: list[Any], kwargs: Any, sentence: str) -> None:
    with pytest.raises(ConversionError, match=sentence):
        spelled("x, _kind='int32'").values(args, kwargs)


def test_an_argument_of_none_is_left_out() -> None:
    assert spelled("x").values(["a"], {"conjugate": None}) == ["a"]


@pytest.mark.parametrize("idle", [False, 0, ""])
def test_an_unknown_argument_is_refused_whatever_it_says(idle: Any) -> None:
    with pytest.raises(ConversionError, match=f"axis={idle!r}"):
        spelled("x").values(["a"], {"axis": idle})


def test_arguments_that_must_be_as_they_are() -> None:
    found = spelled("x, *, conjugate=False, align='LEFT'")
    assert found.values(["a"], {"conjugate": False, "align": None}) == ["a"]
    with pytest.raises(ConversionError, match="conjugate=True"):
        found.values(["a"], {"conjugate": True})


def test_arguments_of_any_name() -> None:
    assert spelled("x, **more").values(["a"], {"h": 2}) == ["a", {"h": 2}]


def test_names_stand_once() -> None:
    with pytest.raises(ValueError, match="Add stands twice"):
        operation("Add(a, b)")(lambda ops, a, b: [])
    assert len(set(names())) == len(list(names()))


def test_older_places_are_found() -> None:
    assert find("compat.v1.transpose") is find("transpose") is not None
    assert find("no.such") is None

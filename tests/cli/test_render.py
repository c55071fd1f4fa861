"""Rendering: plain text, columns that line up."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.cli.render import (
    counted,
    render_conversion,
    render_verification,
    shape,
    size,
    table,
)
from modelfmt.surgery.convert import Conversion
from modelfmt.surgery.verify import Comparison, Verification


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"),
     (1 << 20, "1.0 MiB"), (5 << 30, "5.0 GiB"), (1 << 42, "4.0 TiB")],
)  # fmt: skip
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("dims", "text"),
    [(None, "[...]"), ([], "[]"), ([None, 28, 1], "[?, 28, 1]"), ((2,), "[2]"), ([0], "[0]")],
)
def test_shapes(dims: Any, text: str) -> None:
    assert shape(dims) == text


def test_columns_line_up_and_no_line_ends_in_blanks() -> None:
    assert list(table([["a", "bb", ""], ["ccc", "d", "e"]])) == ["  a    bb", "  ccc  d   e"]
    assert list(table([], indent="")) == []


def test_a_conversion() -> None:
    done = Conversion("a.h5", "keras-h5", "b.pb", "graphdef", 6, 10, 2048)
    wanted = "a.h5 (keras-h5) -> b.pb (graphdef): 6 layers, 10 weights, 2.0 KiB, 0.25 s"
    assert render_conversion(done, 0.251) == wanted
    rewritten = Conversion("a.pb", "graphdef", "b.pbtxt", "graphdef")
    assert render_conversion(rewritten, 1) == "a.pb (graphdef) -> b.pbtxt (graphdef): 1.00 s"


def test_a_verification() -> None:
    outcome = Verification([Comparison("y", "z", 1.25e-7, 2.0, True),
                            Comparison("long_name", "q", 0.5, 1.0, False)])  # fmt: skip
    assert render_verification(outcome).splitlines() == [
        "output     in the other  max |a - b|  max |a|",
        "y          z             1.25e-07     2        agrees",
        "long_name  q             0.5          1        DIFFERS",
    ]


def test_what_is_counted() -> None:
    assert [counted(n, "node") for n in (0, 1, 2000)] == ["0 nodes", "1 node", "2,000 nodes"]

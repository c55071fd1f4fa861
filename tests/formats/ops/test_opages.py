"""Ages of ops and attrs: what older TensorFlows would refuse is left out where it says nothing."""

from __future__ import annotations

import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.ops import opdefs
from modelfmt.ops.opage_rows import ROWS
from modelfmt.ops.opages import _ages, age, parse_version, producer_of, settled


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


def test_an_older_version_is_told_less() -> None:
    attrs = opdefs.complete("Conv2D", [float32, float32], {"strides": [1] * 4, "padding": "SAME"})
    assert "dilations" in settled("Conv2D", attrs, (1, 12))
    assert "explicit_paddings" not in settled("Conv2D", attrs, (1, 12))
    assert "dilations" not in settled("Conv2D", attrs, (1, 4))


def test_every_op_of_the_table_of_definitions_has_an_age() -> None:
    names = [name for name in opdefs._rows() if not name.startswith("_")]
    assert [name for name in names if age(name) is None] == []


def test_every_attr_of_the_table_is_one_of_its_op() -> None:
    for name in _ages():
        op, _, attr = name.partition(".")
        row = opdefs.get(op)
        if attr and row is not None:
            assert attr in {each.name for each in row.attrs}, name
            assert age(op, attr) > age(op), name  # type: ignore[operator]


def test_a_young_attr_has_a_default() -> None:
    """Else a node of an older release, which has no such attr, could not be read."""
    for name in _ages():
        op, _, attr = name.partition(".")
        row = opdefs.get(op)
        if attr and row is not None:
            default = next(each.default for each in row.attrs if each.name == attr)
            assert not isinstance(default, opdefs.Required), name


def test_no_name_stands_twice() -> None:
    names = ROWS.split()
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "version"),
    [("Add", (1, 0)), ("AddV2", (1, 5)), ("FusedBatchNormV2", (1, 4)), ("SelectV2", (1, 14)),
     ("BatchMatMulV2", (1, 14)), ("GatherV2", (1, 3)), ("StatelessWhile", (1, 11))],
)  # fmt: skip
def test_ages(name: str, version: tuple[int, int]) -> None:
    assert age(name) == version


def test_versions() -> None:
    assert parse_version("1.15.5") == (1, 15)
    assert parse_version("2.3") == (2, 3)
    assert producer_of((1, 4)) == 24
    assert producer_of((2, 0)) < 134 <= producer_of((2, 21))
    for text in ("1.16", "3", "0.12", "", "1", "two"):
        with pytest.raises(ConversionError, match="no such release"):
            parse_version(text)


@pytest.mark.oracle
def test_against_the_installed_tensorflow() -> None:
    """What the table says is there is there, and what is not listed apart came with its op."""
    op_def_registry = pytest.importorskip("tensorflow.python.framework.op_def_registry")
    import tensorflow as tf

    here = parse_version(tf.__version__)
    checked = 0
    for name, version in _ages().items():
        op, _, attr = name.partition(".")
        found = op_def_registry.get(op)
        if version > here:
            continue
        assert found is not None, name
        assert not attr or attr in {each.name for each in found.attr}, name
        checked += 1
    assert checked > 1000

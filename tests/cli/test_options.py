"""What the commands share: lists in options, and errors in one line."""

from __future__ import annotations

import pytest
import typer

from modelfmt.cli.options import guarded, listed
from modelfmt.errors import ConversionError, CorruptFileError


@pytest.mark.parametrize(
    ("values", "parts"),
    [(None, None), ([], None), ([""], None), (["a,b", "c"], ["a", "b", "c"]), (["a,,"], ["a"])],
)
def test_lists_are_split_at_commas(values: list[str] | None, parts: list[str] | None) -> None:
    assert listed(values) == parts


@pytest.mark.parametrize(
    ("error", "status"), [(CorruptFileError("x"), 3), (ConversionError("x"), 4)]
)
def test_an_error_ends_with_its_status(
    error: Exception, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        guarded(False, fail)
    assert ended.value.exit_code == status
    assert capsys.readouterr().err == "fmt: x.\n"
    with pytest.raises(type(error)):
        guarded(True, fail)


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded(False, lambda: 1 / 0)
    assert guarded(False, lambda: 3) == 3

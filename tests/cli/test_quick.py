"""Quick start-up: the same values as typer's own conversion, without loading what it needs."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any, Optional

import pytest
import typer
from typer.testing import CliRunner

from modelfmt.cli.quick import QuickGroup

ARGUMENTS: list[list[str]] = [
    ["p"],
    ["p", "--flag", "--count", "7", "--rate", "0.5"],
    ["p", "--many", "a", "--many", "b,c", "--name", "n"],
    ["p", "--name", ""],
    [],
    ["p", "--count", "seven"],
    ["p", "--rate", "x"],
    ["p", "--nothing"],
    ["p", "q"],
    ["--help"],
]


def app(group: Any, seen: list[Any]) -> typer.Typer:
    made = typer.Typer(cls=group, add_completion=False, rich_markup_mode=None)

    @made.callback()
    def _main() -> None:
        pass

    @made.command()
    def run(
        path: str,
        flag: Annotated[bool, typer.Option("--flag")] = False,
        count: Annotated[int, typer.Option()] = 3,
        rate: Annotated[float, typer.Option()] = 1e-4,
        name: Annotated[Optional[str], typer.Option()] = None,  # noqa: UP045
        many: Annotated[Optional[list[str]], typer.Option()] = None,  # noqa: UP045
    ) -> None:
        seen.append((path, flag, count, rate, name, many or []))

    return made


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=" ".join)
def test_values_are_those_of_typer(arguments: list[str]) -> None:
    slow: list[Any] = []
    quick: list[Any] = []
    first = CliRunner().invoke(app(None, slow), ["run", *arguments])
    second = CliRunner().invoke(app(QuickGroup, quick), ["run", *arguments])
    assert quick == slow
    assert [type(v) for row in quick for v in row] == [type(v) for row in slow for v in row]
    assert (second.exit_code, second.stdout, second.stderr) == (
        first.exit_code, first.stdout, first.stderr,
    )  # fmt: skip


def test_a_plain_dump_does_not_load_pydantic() -> None:
    script = (
        "import sys\nfrom modelfmt.cli.main import main\nsys.argv = ['fmt', 'dump', 'nowhere.h5']\n"
        "try: main()\nfinally: print('pydantic' in sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "False"

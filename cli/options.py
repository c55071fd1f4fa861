"""What the commands have in common: options, and how an error of ours ends a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Optional

import typer

from modelfmt import ModelFormatError

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing that is no data.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing output.")]
From = Annotated[
    Optional[str], typer.Option("--from", metavar="KIND", help="Kind of the source.")  # noqa: UP045
]
Inputs = Annotated[
    Optional[list[str]], typer.Option(metavar="T,..", help="Input tensors of a graph.")  # noqa: UP045
]
Outputs = Annotated[
    Optional[list[str]], typer.Option(metavar="T,..", help="Output tensors of a graph.")  # noqa: UP045
]


def guarded(debug: bool, work: Callable[[], Any]) -> Any:
    """Run ``work``; an error of ours ends the command with one line and its exit status."""
    try:
        return work()
    except ModelFormatError as error:
        if debug:
            raise
        typer.echo(f"fmt: {error}", err=True)
        raise typer.Exit(error.exit_status) from None


def listed(values: list[str] | None) -> list[str] | None:
    """The parts of comma-separated options; None where there are none."""
    return [part for value in values or () for part in value.split(",") if part] or None


def pairs(values: list[str] | None, option: str, shape: str) -> dict[str, str]:
    """Options of the form A=B."""
    found: dict[str, str] = {}
    for value in values or ():
        # An attr or a node has no "=" in its name, a value may.
        left, equals, right = value.partition("=")
        if not equals or not left or left in found:
            what = "given twice" if left in found else f"expected {shape}"
            raise typer.BadParameter(f"{value!r}: {what}", param_hint=option)
        found[left] = right
    return found

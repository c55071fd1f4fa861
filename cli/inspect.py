"""Commands that look at one file: dump, check."""

from __future__ import annotations

import json
from typing import Annotated, Optional

import typer

import modelfmt
from modelfmt.cli.options import AsJson, Debug, From, Quiet, guarded

commands = typer.Typer(rich_markup_mode=None)


@commands.command()
def dump(
    path: Annotated[str, typer.Argument(help="A model file.")],
    select: Annotated[
        Optional[list[str]], typer.Option(metavar="GLOB", help="List only these tensors.")  # noqa: UP045
    ] = None,
    as_json: AsJson = False,
    digest: Annotated[bool, typer.Option("--digest", help="Hash every tensor.")] = False,
    from_kind: From = None,
    debug: Debug = False,
) -> None:
    """Tell what is in a model file: kind, versions, inputs, outputs, layers or ops, tensors."""
    report = guarded(
        debug,
        lambda: modelfmt.dump(path, kind=from_kind, select=select or (), digest=digest),
    )
    if as_json:
        typer.echo(json.dumps(report))
        return
    from modelfmt.cli.render import render_dump

    typer.echo(render_dump(report))


@commands.command()
def check(
    path: Annotated[str, typer.Argument(help="A model file.")],
    from_kind: From = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Look for damage: checksums, dangling inputs, shapes, weights; exit status 1 if any."""
    findings = guarded(debug, lambda: modelfmt.check(path, kind=from_kind))
    if as_json:
        typer.echo(json.dumps({"path": path, "findings": [str(error) for error in findings]}))
    else:
        for error in findings:
            typer.echo(str(error))
        if not findings and not quiet:
            typer.echo(f"{path}: nothing found", err=True)
    if findings:
        raise typer.Exit(1)

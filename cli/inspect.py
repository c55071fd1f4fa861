"""Commands that look at one file: dump, check, audit."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Optional

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
    pbtxt: Annotated[
        bool, typer.Option("--pbtxt", help="Print the file's message as protobuf text.")
    ] = False,
    digest: Annotated[bool, typer.Option("--digest", help="Hash every tensor.")] = False,
    values: Annotated[
        bool, typer.Option("--values", help="Show the elements of small tensors.")
    ] = False,
    depth: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(metavar="N", min=1, help="List nested layers and objects N levels deep."),
    ] = None,
    from_kind: From = None,
    debug: Debug = False,
) -> None:
    """Tell what is in a model file: kind, versions, inputs, outputs, layers or ops, tensors."""
    if pbtxt:
        if as_json or digest or values or select or depth:
            raise typer.BadParameter("--pbtxt prints the whole message, and nothing else")
        typer.echo(guarded(debug, lambda: modelfmt.dump_text(path, kind=from_kind)), nl=False)
        return
    report = guarded(
        debug,
        lambda: modelfmt.dump(
            path, kind=from_kind, select=select or (), digest=digest, values=values, depth=depth
        ),
    )
    if as_json:
        typer.echo(json.dumps(report))
        return
    from modelfmt.cli.render_dump import render_dump, styled_dump

    if not sys.stdout.isatty():
        typer.echo(render_dump(report))
        return
    styles: dict[str, dict[str, Any]] = {"title": {"bold": True}, "odd": {"fg": "yellow"}, "": {}}
    for line, style in styled_dump(report):
        typer.echo(typer.style(line, **styles[style]) if style else line)


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
        said = {"findings": [str(error) for error in findings], "notes": findings.notes}
        typer.echo(json.dumps({"path": path, **said}))
    else:
        for note in () if quiet else findings.notes:
            typer.echo(f"{path}: {note}", err=True)
        for error in findings:
            typer.echo(str(error))
        if not findings and not quiet:
            typer.echo(f"{path}: nothing found", err=True)
    if findings:
        raise typer.Exit(1)


@commands.command()
def audit(
    path: Annotated[str, typer.Argument(help="A model file, or a Keras config.")],
    from_kind: From = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Tell what a framework would run or open if it loaded this file; exit status 1 if anything.

    Nothing is imported, unpickled or run. A file without findings may still compute anything.
    """
    risks = guarded(debug, lambda: modelfmt.audit(path, kind=from_kind))
    if as_json:
        from dataclasses import asdict

        found = [{**asdict(risk), "where": path} for risk in risks]
        typer.echo(json.dumps({"path": path, "findings": found}))
    else:
        from modelfmt.cli.render import table

        rows = [[risk.severity, risk.rule, f"{risk}"] for risk in risks]
        for line in table(rows, indent="") if rows else ():
            typer.echo(line)
        if not risks and not quiet:
            typer.echo(f"{path}: nothing found", err=True)
    if risks:
        raise typer.Exit(1)

"""The command that edits a file: edit."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Optional

import typer

import modelfmt
from modelfmt.cli.options import AsJson, Debug, Force, From, Quiet, guarded, pairs

commands = typer.Typer(rich_markup_mode=None)


@commands.callback()
def _group() -> None:
    """One command alone would be no group."""


@commands.command()
def edit(
    path: Annotated[str, typer.Argument(help="A model file.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="OUT", help="The file to write.")],
    rename: Annotated[
        Optional[list[str]], typer.Option(metavar="OLD=NEW", help="Rename one thing, or a scope.")  # noqa: UP045
    ] = None,
    delete: Annotated[
        Optional[list[str]], typer.Option(metavar="GLOB", help="Delete nodes, keys, datasets.")  # noqa: UP045
    ] = None,
    set_: Annotated[
        Optional[list[str]], typer.Option("--set", metavar="NODE:ATTR=VALUE", help="Set an attr.")  # noqa: UP045
    ] = None,
    cast: Annotated[
        Optional[str], typer.Option(metavar="DTYPE", help="Store float weights as DTYPE.")  # noqa: UP045
    ] = None,
    strip: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="WHAT", help="Strip training, optimizer or unused."),
    ] = None,
    from_kind: From = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Rename, delete, set, cast or strip; all else keeps its bytes.

    Names are those of PATH. In a Keras file they are layers: LAYER:KEY=JSON sets a key of a config.
    """
    done = guarded(
        debug,
        lambda: modelfmt.edit(
            path, out, rename=pairs(rename, "--rename", "OLD=NEW"), delete=delete or (),
            set=pairs(set_, "--set", "NODE:ATTR=VALUE"), cast=cast, strip=strip or (),
            kind=from_kind, force=force,
        ),
    )
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    elif not quiet:
        from modelfmt.cli.render import render_edit

        typer.echo(render_edit(done), err=True)

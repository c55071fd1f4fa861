"""The command that moves weights between files: transplant."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any, Optional

import typer

import modelfmt
from modelfmt.cli.options import AsJson, Debug, Force, Quiet, guarded, pairs

commands = typer.Typer(rich_markup_mode=None)


@commands.callback()
def _group() -> None:
    """One command alone would be no group."""


@commands.command()
def transplant(
    donor: Annotated[str, typer.Argument(help="A model file, a checkpoint, .npz, .safetensors.")],
    host: Annotated[str, typer.Argument(help="The model file that gets the weights.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="OUT", help="The file to write.")],
    map_: Annotated[
        Optional[str], typer.Option("--map", metavar="FILE.toml", help="Which becomes which.")  # noqa: UP045
    ] = None,
    rename: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="PATTERN=REPLACEMENT", help="Make donor names the host's (regex)."),
    ] = None,
    match: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="HOW", help="The rest by name, suffix, order, shape or none."),
    ] = None,
    select: Annotated[
        Optional[list[str]], typer.Option(metavar="GLOB", help="Only these weights of HOST.")  # noqa: UP045
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="What gets nothing keeps what it has.")
    ] = False,
    cast: Annotated[bool, typer.Option("--cast", help="Cast weights to HOST's dtypes.")] = False,
    ema: Annotated[
        bool, typer.Option("--ema", help="Take exponential moving averages for the weights.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the mapping, and write it to OUT.toml.")
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Put the weights of DONOR into HOST, and write that to OUT, a file of HOST's kind.

    All else of HOST keeps its bytes. --dry-run prints what would become what, and what is left on
    both sides, and writes OUT.toml: a --map that says the same, for you to change.
    """
    done = guarded(debug, lambda: modelfmt.transplant(
        donor, host, out, map=map_, rename=pairs(rename, "--rename", "PATTERN=REPLACEMENT"),
        match=match, select=select or (), partial=partial or dry_run, cast=cast, ema=ema,
        dry_run=dry_run, force=force,
    ))  # fmt: skip
    if dry_run:
        guarded(debug, lambda: modelfmt.write_map(done.entries, f"{out}.toml", force=force))
    if as_json:
        typer.echo(json.dumps({**asdict(done), "dry_run": dry_run}))
    elif dry_run:
        typer.echo(_mapping(done))
        if not quiet:
            typer.echo(f"{out}.toml says the same; nothing else is written", err=True)
    elif not quiet:
        from modelfmt.cli.render import render_transplant

        typer.echo(render_transplant(done), err=True)


def _mapping(done: Any) -> str:
    from modelfmt.cli.render import render_mapping

    return render_mapping(done)

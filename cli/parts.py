"""Commands that take a file apart and put it together: extract, assemble."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Optional

import typer

import modelfmt
from modelfmt.cli.options import (
    AsJson,
    Debug,
    Force,
    From,
    Inputs,
    Outputs,
    Quiet,
    guarded,
    listed,
)

commands = typer.Typer(rich_markup_mode=None)


@commands.command()
def extract(
    path: Annotated[str, typer.Argument(help="A model file.")],
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="OUT", help="Folder, .npz, .safetensors or .pb.")
    ],
    select: Annotated[
        Optional[list[str]], typer.Option(metavar="GLOB", help="Take these tensors only.")  # noqa: UP045
    ] = None,
    inputs: Inputs = None,
    outputs: Outputs = None,
    from_kind: From = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Take a model file apart: text, JSON and .npy, for hands and scripts; assemble reverses it.

    With --select only those tensors, to .npz, .safetensors or a folder of .npy; with --inputs
    and --outputs the subgraph between those tensors, to .pb.
    """
    done = guarded(
        debug,
        lambda: modelfmt.extract(
            path, out, kind=from_kind, select=select or (), inputs=listed(inputs),
            outputs=listed(outputs), force=force,
        ),
    )
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    elif not quiet:
        from modelfmt.cli.render import render_extraction

        typer.echo(render_extraction(done), err=True)


@commands.command()
def assemble(
    parts: Annotated[str, typer.Argument(help="A folder that extract made.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="OUT", help="The file to write.")],
    to: Annotated[
        Optional[str], typer.Option(metavar="KIND", help="Kind of the output; else the old one.")  # noqa: UP045
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Put the parts of a model file together again; nothing edited means the same bytes."""
    done = guarded(debug, lambda: modelfmt.assemble(parts, out, to=to, force=force))
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    elif not quiet:
        from modelfmt.cli.render import render_assembly

        typer.echo(render_assembly(done), err=True)

"""The command that draws a model: view."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

import modelfmt
from modelfmt.cli.options import Debug, Force, From, Quiet, guarded

commands = typer.Typer(rich_markup_mode=None)


@commands.callback()
def _group() -> None:
    """One command alone would be no group."""


@commands.command()
def view(
    path: Annotated[str, typer.Argument(help="A model file.")],
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="OUT", help="A .html, .svg, .dot or .mmd.")
    ],
    depth: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(metavar="N", min=0, help="Unfold N levels of scopes, not what is readable."),
    ] = None,
    from_kind: From = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Draw a model as one page to unfold and search, or as SVG, Graphviz or Mermaid.

    Layers where the file states them, else nodes, else tensors, in the scopes of their names. The
    file needs no network and no other file; the same model gives the same bytes.
    """
    picture = guarded(
        debug, lambda: modelfmt.view(path, out, kind=from_kind, depth=depth, force=force)
    )
    if not quiet:
        count = sum(not box.children for box in picture.boxes)
        typer.echo(f"{out}: {count} boxes, {len(picture.edges)} edges", err=True)

"""Commands between two files: convert, verify."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any, Optional

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
def convert(
    source: Annotated[str, typer.Argument(help="A .h5, .keras, .pb, .meta, SavedModel, ...")],
    destination: Annotated[str, typer.Argument(help="The file to write: .pb, .h5, .keras.")],
    from_kind: From = None,
    to: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="KIND", help="Kind of the output; its extension tells as well."),
    ] = None,
    keras: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(metavar="2|3", help="Keras of an .h5 (3), SavedModel or checkpoint (2)."),
    ] = None,
    inputs: Inputs = None,
    outputs: Outputs = None,
    signature: Annotated[
        Optional[str], typer.Option(metavar="KEY", help="Signature of a .meta or SavedModel.")  # noqa: UP045
    ] = None,
    tags: Annotated[
        Optional[list[str]], typer.Option(metavar="T,..", help="Tags of a SavedModel's graph.")  # noqa: UP045
    ] = None,
    custom: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="FILE.py", help="Runs a file of yours that registers layers."),
    ] = None,
    freeze_batch: Annotated[
        Optional[int], typer.Option(metavar="N", help="Batch size of every input.")  # noqa: UP045
    ] = None,
    target_tf: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="VERSION", help="Write a graph that this TensorFlow reads: 1.12."),
    ] = None,
    config: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FILE", help="Layers for weights alone: .json, .yaml, .h5, ..."),
    ] = None,
    strip: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="optimizer", help="Leave out how it is compiled, and the optimizer."),
    ] = None,
    report: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FILE", help="Tell node by node what became of it: .json, .txt, .md."),
    ] = None,
    verify_: Annotated[
        bool, typer.Option("--verify", help="Run both files in TensorFlow and compare.")
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Convert a model file into another kind; the extension of DESTINATION says which."""
    start = time.perf_counter()

    def work() -> Any:
        for file in custom or ():
            modelfmt.load_custom(file)
        return modelfmt.convert(
            source, destination, from_kind=from_kind, to=to, keras=keras,
            inputs=listed(inputs), outputs=listed(outputs), signature=signature,
            tags=listed(tags), freeze_batch=freeze_batch, target_tf=target_tf, config=config,
            strip=listed(strip) or (), force=force, report=report,
        )

    done = guarded(debug, work)
    seconds = time.perf_counter() - start
    if as_json:
        from dataclasses import asdict

        typer.echo(json.dumps(asdict(done)))
    elif not quiet:
        from modelfmt.cli.render import render_conversion

        typer.echo(render_conversion(done, seconds), err=True)
        for note in done.notes:
            typer.echo(f"note: {note}", err=True)
    if verify_:
        verify(source, destination, as_json=as_json, quiet=quiet, debug=debug)


@commands.command()
def upgrade(
    old: Annotated[str, typer.Argument(help="A model file of any Keras or TensorFlow.")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="NEW", help="The file to write: .keras, .h5.")
    ],
    config: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FILE", help="Layers for weights alone: .json, .yaml, .h5, ..."),
    ] = None,
    custom: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="FILE.py", help="Runs a file of yours that registers layers."),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Convert an old model into the newest Keras: a convert whose target is Keras 3."""
    convert(
        old, output, config=config, custom=custom, force=force, as_json=as_json, quiet=quiet,
        debug=debug,
    )


@commands.command()
def verify(
    a: Annotated[str, typer.Argument(help="A model file.")],
    b: Annotated[str, typer.Argument(help="What should compute the same, or recorded .npz.")],
    inputs: Annotated[
        Optional[str], typer.Option(metavar="FILE.npz", help="Inputs by name; else random.")  # noqa: UP045
    ] = None,
    samples: Annotated[int, typer.Option(help="Batch size of random inputs.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of random inputs.")] = 0,
    rtol: Annotated[float, typer.Option(help="Tolerance relative to the largest output.")] = 1e-4,
    atol: Annotated[float, typer.Option(help="Absolute tolerance.")] = 1e-5,
    custom_keras: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="FILE.py", help="Runs a file with Keras classes that they need."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Run model files in TensorFlow or Keras, on equal inputs; exit status 1 if they differ.

    B is another model file, or an .npz of recorded inputs (in_NAME) and outputs (out_NAME). Where
    two Keras files differ, the first layer that does is named.
    """
    outcome = guarded(
        debug,
        lambda: modelfmt.verify(
            a, b, inputs=inputs, samples=samples, seed=seed, rtol=rtol, atol=atol,
            custom=custom_keras or (),
        ),
    )
    if as_json:
        from dataclasses import asdict

        typer.echo(json.dumps({"agrees": outcome.agrees, **asdict(outcome)}))
    elif not quiet:
        from modelfmt.cli.render import render_verification

        typer.echo(render_verification(outcome))
    if not outcome.agrees:
        raise typer.Exit(1)

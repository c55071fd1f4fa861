"""The commands of ``fmt``. Data goes to stdout, talk and errors to stderr.

Exit status: 0 done, or no difference; 1 differences or findings; 2 usage; 3 unreadable or
damaged file; 4 not convertible.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any, NoReturn, Optional

import typer

import modelfmt
from modelfmt import ModelFormatError
from modelfmt.cli.quick import QuickGroup

app = typer.Typer(
    name="fmt",
    cls=QuickGroup,
    help="Read, convert and compare TensorFlow and Keras model files, without TensorFlow.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing that is no data.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
From = Annotated[
    Optional[str], typer.Option("--from", metavar="KIND", help="Kind of the source.")  # noqa: UP045
]


def _guarded(debug: bool, work: Callable[[], Any]) -> Any:
    """Run ``work``; an error of ours ends the command with one line and its exit status."""
    try:
        return work()
    except ModelFormatError as error:
        if debug:
            raise
        typer.echo(f"fmt: {error}", err=True)
        raise typer.Exit(error.exit_status) from None


def _listed(values: list[str] | None) -> list[str] | None:
    """The parts of comma-separated options; None where there are none."""
    return [part for value in values or () for part in value.split(",") if part] or None


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"modelfmt {modelfmt.__version__}")
        raise typer.Exit()


@app.command()
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
    report = _guarded(
        debug,
        lambda: modelfmt.dump(path, kind=from_kind, select=select or (), digest=digest),
    )
    if as_json:
        typer.echo(json.dumps(report))
        return
    from modelfmt.cli.render import render_dump

    typer.echo(render_dump(report))


@app.command()
def convert(
    source: Annotated[str, typer.Argument(help="A .h5, .keras, .pb or .pbtxt file.")],
    destination: Annotated[str, typer.Argument(help="The file to write: .pb, .h5, .keras.")],
    from_kind: From = None,
    to: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="KIND", help="Kind of the output; its extension tells as well."),
    ] = None,
    keras: Annotated[int, typer.Option(metavar="2|3", help="Keras major of an .h5 output.")] = 3,
    inputs: Annotated[
        Optional[list[str]], typer.Option(metavar="T,..", help="Input tensors of a graph.")  # noqa: UP045
    ] = None,
    outputs: Annotated[
        Optional[list[str]], typer.Option(metavar="T,..", help="Output tensors of a graph.")  # noqa: UP045
    ] = None,
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
    verify_: Annotated[
        bool, typer.Option("--verify", help="Run both files in TensorFlow and compare.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing output.")] = False,
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
            inputs=_listed(inputs), outputs=_listed(outputs), signature=signature,
            tags=_listed(tags), force=force,
        )

    done = _guarded(debug, work)
    seconds = time.perf_counter() - start
    if as_json:
        from dataclasses import asdict

        typer.echo(json.dumps(asdict(done)))
    elif not quiet:
        from modelfmt.cli.render import render_conversion

        typer.echo(render_conversion(done, seconds), err=True)
    if verify_:
        verify(source, destination, as_json=as_json, quiet=quiet, debug=debug)


@app.command()
def check(
    path: Annotated[str, typer.Argument(help="A model file.")],
    from_kind: From = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Look for damage: checksums, dangling inputs, shapes, weights; exit status 1 if any."""
    findings = _guarded(debug, lambda: modelfmt.check(path, kind=from_kind))
    if as_json:
        typer.echo(json.dumps({"path": path, "findings": [str(error) for error in findings]}))
    else:
        for error in findings:
            typer.echo(str(error))
        if not findings and not quiet:
            typer.echo(f"{path}: nothing found", err=True)
    if findings:
        raise typer.Exit(1)


@app.command()
def verify(
    a: Annotated[str, typer.Argument(help="A model file.")],
    b: Annotated[str, typer.Argument(help="The file that should compute the same.")],
    inputs: Annotated[
        Optional[str], typer.Option(metavar="FILE.npz", help="Inputs by name; else random.")  # noqa: UP045
    ] = None,
    samples: Annotated[int, typer.Option(help="Batch size of random inputs.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of random inputs.")] = 0,
    rtol: Annotated[float, typer.Option(help="Tolerance relative to the largest output.")] = 1e-4,
    atol: Annotated[float, typer.Option(help="Absolute tolerance.")] = 1e-5,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Run two model files in TensorFlow or Keras, on equal inputs; exit status 1 if they differ."""
    outcome = _guarded(
        debug,
        lambda: modelfmt.verify(
            a, b, inputs=inputs, samples=samples, seed=seed, rtol=rtol, atol=atol
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


def main() -> NoReturn:
    """Entry point of the console scripts; a closed pipe ends it quietly."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    sys.exit(0)


if __name__ == "__main__":
    main()

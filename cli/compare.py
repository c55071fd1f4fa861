"""The command that compares: diff. Its text is one line a change, under a heading for each part.

    nodes:
      ~ dense/MatMul  attr transpose_b: false -> true
      - old/Relu  (Relu)                                only in a
      + new/Tanh  (Tanh)                                only in b
    weights:
      ~ dense/kernel  3 of 784 elements, max |a - b| 0.25 (relative 0.1) at [3, 4]

``--json`` prints {"a", "b", "way", "changes": [row, ...]}; a row has the keys part, where, item,
what (added: only in b, removed: only in a, changed, renamed, moved), a, b, and for numbers
"numbers": {differing, of, max_abs, max_rel, at}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

import modelfmt
from modelfmt.cli.options import AsJson, Debug, Quiet, guarded

commands = typer.Typer(rich_markup_mode=None)

_LONGEST = 60
_SIGNS = {"added": "+", "removed": "-", "changed": "~", "renamed": "~", "moved": "~"}


@commands.callback()
def _group() -> None:
    """A lone command would be the group itself."""


@commands.command()
def diff(
    a: Annotated[str, typer.Argument(help="A model file.")],
    b: Annotated[str, typer.Argument(help="Another one, of any kind.")],
    rtol: Annotated[float, typer.Option(help="Tolerance relative to the larger number.")] = 0.0,
    atol: Annotated[float, typer.Option(help="Absolute tolerance.")] = 0.0,
    as_bytes: Annotated[
        bool, typer.Option("--bytes", help="Compare bytes, and say what stands there.")
    ] = False,
    inference_form: Annotated[
        bool, typer.Option("--inference-form", help="Compare what the models compute.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Tell what differs between two model files; exit status 1 if anything does."""
    found = guarded(
        debug,
        lambda: modelfmt.diff(
            a, b, rtol=rtol, atol=atol, bytes=as_bytes, inference_form=inference_form
        ),
    )
    if as_json:
        rows = [change.row() for change in found]
        typer.echo(json.dumps({"a": a, "b": b, "way": found.way, "changes": rows}))
    elif not quiet:
        for line in render(found):
            typer.echo(line)
        typer.echo(f"{found.way}: {_counted(len(found))}", err=True)
    if found:
        raise typer.Exit(1)


def _counted(count: int) -> str:
    return "no difference" if not count else f"{count} difference{'s' * (count != 1)}"


def render(changes: Any) -> Iterator[str]:
    """The text of changes, a line each, grouped by part."""
    parts: dict[str, list[Any]] = {}
    for change in changes:
        parts.setdefault(change.part, []).append(change)
    for part, found in parts.items():
        yield f"{part}:"
        for change in found:
            yield _printable(f"  {_SIGNS[change.what]} {_line(change)}")


def _line(change: Any) -> str:
    words = [change.where] if change.where else []
    if change.part == "bytes":
        return "  ".join([*words, _spans(change), change.item]).rstrip()
    if change.numbers is not None:
        item = change.item.removesuffix("values").rstrip()
        return "  ".join([*words, *([f"{item}:"] if item else []), _numbers(change.numbers)])
    if change.what == "renamed":
        return "  ".join([*words, f"renamed: {change.a} -> {change.b}"])
    if change.what == "moved":
        return "  ".join([*words, "moved"])
    if change.what == "changed":
        values = "" if change.a is None and change.b is None else (
            f": {' -> '.join(_abridged(change.a, change.b))}"
        )
        return "  ".join([*words, (change.item + values).removeprefix(": ")])
    value = change.a if change.what == "removed" else change.b
    if change.item:
        return "  ".join([*words, f"{change.item}: {_value(value)}"])
    if value is not None:
        words.append(f"({_value(value, bare=True)})")
    return "  ".join(words)


def _numbers(numbers: Any) -> str:
    at = f" at {list(numbers.at)}" if numbers.at else ""
    apart = f"max |a - b| {numbers.max_abs:.3g} (relative {numbers.max_rel:.3g}){at}"
    return f"{numbers.differing:,} of {numbers.of:,} differ, {apart}"


def _spans(change: Any) -> str:
    def span(place: Any) -> str:
        return f"@{place['offset']:#x} {place['length']} bytes"

    if change.what in ("added", "removed"):
        return span(change.a or change.b)
    moved = "moved " if change.what == "moved" else ""
    if change.a == change.b:
        return span(change.a)
    return f"{moved}{span(change.a)} -> {span(change.b)}"


def _abridged(a: Any, b: Any) -> list[str]:
    """Two values as text; of long ones the surroundings of the first difference."""
    texts = [_value(a, limit=0), _value(b, limit=0)]
    if max(map(len, texts)) <= _LONGEST:
        return texts
    pairs = zip(*texts, strict=False)
    first = next((k for k, (x, y) in enumerate(pairs) if x != y), min(map(len, texts)))
    start = max(0, first - _LONGEST // 3)
    return [
        ("..." if start else "") + text[start : start + _LONGEST]
        + ("..." if len(text) > start + _LONGEST else "")
        for text in texts
    ]


def _value(value: Any, limit: int = _LONGEST, *, bare: bool = False) -> str:
    if isinstance(value, bytes):
        text = repr(value)
    elif bare and isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, default=repr, ensure_ascii=False)
    return text if not limit or len(text) <= limit else f"{text[: limit - 3]}..."


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

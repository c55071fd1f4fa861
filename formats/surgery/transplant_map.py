"""The map of a transplant as a TOML file, both directions.

    match = "none"                      how to match what the map leaves; see transplant.py

    [[patterns]]                        the donor's names, made the host's: regular expressions
    donor = '(.+)/weights'
    host = '\1/kernel'
    steps = [{transpose = [1, 0]}]      see transforms.py

    [[weights]]                         one weight of the host
    host = "lstm/kernel"
    donor = ["w_i", "w_c", "w_f", "w_o"]
    steps = [{concatenate = 1}]
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from modelfmt.errors import CorruptFileError, Where
from modelfmt.storage.files import SourceFile, atomic_output
from modelfmt.surgery.transforms import Step


@dataclasses.dataclass(frozen=True)
class Entry:
    """Which weights of the donor become one of the host, by which steps."""

    host: str
    donors: tuple[str, ...]
    steps: tuple[Step, ...] = ()


@dataclasses.dataclass(frozen=True)
class Graft:
    """One weight of the host, and what it is made of; ``how`` says how it was found."""

    host: str
    donors: tuple[str, ...]
    steps: tuple[Step, ...]
    how: str
    shape: tuple[int, ...]
    dtype: str


@dataclasses.dataclass(frozen=True)
class Pattern:
    """A regular expression that a donor's whole name matches, and the host's name for it."""

    donor: re.Pattern[str]
    host: str
    steps: tuple[Step, ...] = ()


@dataclasses.dataclass(frozen=True)
class TransplantMap:
    """What a map says; ``match`` is None where it leaves that open."""

    entries: tuple[Entry, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    match: str | None = None


def read_map(path: str | os.PathLike[str]) -> TransplantMap:
    """Read a map.

    Raises:
        CorruptFileError: no TOML, or not such a one.

    Written by: ``write_map``.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    with SourceFile(path) as file:
        data, where = file.read(0, file.size), Where(file.path)
    try:
        record = tomllib.loads(data.decode())
    except ValueError as error:
        raise CorruptFileError(f"no TOML ({error})", where=where) from None
    try:
        if unknown := set(record) - {"match", "patterns", "weights"}:
            raise ValueError(f"what is {sorted(unknown)[0]!r}?")
        return TransplantMap(
            tuple(_entry(row) for row in record.get("weights", ())),
            tuple(pattern(row["donor"], row["host"], _steps(row)) for row in _patterns(record)),
            record.get("match"),
        )
    except (KeyError, TypeError, ValueError, AttributeError, re.error) as error:
        raise CorruptFileError(f"no map of a transplant ({error!r})", where=where) from None


def write_map(
    entries: Iterable[Entry], path: str | os.PathLike[str], *, force: bool = False
) -> None:
    """Write a map that says just these, atomically.

    Raises:
        OutputExistsError: something stands at ``path``, and not ``force``.

    Read by: ``read_map``.
    """
    with atomic_output(path, force=force) as out:
        out.file.write(map_text(entries).encode())


def map_text(entries: Iterable[Entry]) -> str:
    """The text of a map that says just these."""
    blocks = ['match = "none"\n']
    for entry in entries:
        donor = list(entry.donors) if len(entry.donors) > 1 else entry.donors[0]
        lines = ["[[weights]]", f"host = {_toml(entry.host)}", f"donor = {_toml(donor)}"]
        if entry.steps:
            lines.append(f"steps = {_toml(list(entry.steps))}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def pattern(donor: str, host: str, steps: Sequence[Step] = ()) -> Pattern:
    """A pattern of a regular expression. Raises re.error."""
    return Pattern(re.compile(donor), host, tuple(steps))


def _entry(row: dict[str, Any]) -> Entry:
    donors = row["donor"]
    names = (donors,) if isinstance(donors, str) else tuple(donors)
    if not names or not all(isinstance(name, str) for name in (*names, row["host"])):
        raise ValueError("names are texts")
    return Entry(row["host"], names, _steps(row))


def _patterns(record: dict[str, Any]) -> list[dict[str, Any]]:
    return list(record.get("patterns", ()))


def _steps(row: dict[str, Any]) -> tuple[Step, ...]:
    if unknown := set(row) - {"host", "donor", "steps"}:
        raise ValueError(f"what is {sorted(unknown)[0]!r}?")
    steps = row.get("steps", [])
    if not isinstance(steps, list):
        raise TypeError("steps is a list")
    return tuple(steps)


def _toml(value: Any) -> str:
    """A value as TOML: texts are written as JSON's, which TOML reads the same."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

"""Every error that modelfmt raises on purpose, and the one shape of their sentences.

    where: what; expected X, found Y. hint.

The floor that notices knows the offset; the floors above add key and path while the
exception unwinds, with ``located()``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@dataclasses.dataclass(frozen=True)
class Where:
    """A place in a file: path, byte offset, and a readable key such as ``node "dense/MatMul"``."""

    path: str | None = None
    key: str | None = None
    offset: int | None = None

    def __str__(self) -> str:
        place = self.path or ""
        if self.offset is not None:
            place = f"{place} @{self.offset:#x}".strip()
        return ", ".join(part for part in (place, self.key) if part)


#: No place in particular.
NOWHERE = Where()


class ModelFormatError(Exception):
    """Base of all errors here; ``where``, ``expected``, ``found`` and ``hint`` stay readable.

    ``exit_status`` is what the command line ends with (3: unreadable or damaged file).
    """

    exit_status = 3

    def __init__(
        self,
        what: str,
        *,
        where: Where | None = None,
        expected: object = None,
        found: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where or NOWHERE
        self.expected = expected
        self.found = found
        self.hint = hint

    def __str__(self) -> str:
        place = str(self.where)
        sentence = f"{place}: {self.what}" if place else self.what
        operands = []
        if self.expected is not None:
            operands.append(f"expected {self.expected}")
        if self.found is not None:
            operands.append(f"found {self.found}")
        if operands:
            sentence += "; " + ", ".join(operands)
        sentence += "."
        return _one_line(f"{sentence} {self.hint}" if self.hint else sentence)


def _one_line(text: str) -> str:
    """``text`` with what a file smuggled into it (line ends, escapes) made visible."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class UnknownFormatError(ModelFormatError):
    """Nothing recognised these bytes."""


class CorruptFileError(ModelFormatError):
    """The bytes break the rules of their own format."""


class TruncatedError(CorruptFileError):
    """The file ends before what it promises; ``wanted`` and ``available`` are byte counts."""

    def __init__(
        self, what: str, *, wanted: int, available: int, where: Where | None = None
    ) -> None:
        super().__init__(
            what, where=where, expected=f"{wanted} bytes", found=f"{available} bytes"
        )
        self.wanted = wanted
        self.available = available


class ChecksumError(CorruptFileError):
    """A stored checksum does not match its bytes; ``stored`` and ``computed`` are uint32."""

    def __init__(
        self, what: str, *, stored: int, computed: int, where: Where | None = None
    ) -> None:
        super().__init__(f"{what}; stored {stored:#010x}, computed {computed:#010x}", where=where)
        self.stored = stored
        self.computed = computed


class UnsupportedError(ModelFormatError):
    """A valid file, or a valid part of one, that modelfmt does not handle (yet)."""


class UnsafeFileError(ModelFormatError):
    """The file would read or run something outside of itself, or is a bomb."""


class MissingError(ModelFormatError, KeyError):
    """No entry of that name; ``close_matches`` lists similar ones."""

    def __init__(
        self, what: str, *, close_matches: Iterable[str] = (), where: Where | None = None
    ) -> None:
        self.close_matches = list(close_matches)
        hint = f"Did you mean {', '.join(self.close_matches)}?" if self.close_matches else None
        super().__init__(what, where=where, hint=hint)


class MismatchError(ModelFormatError, ValueError):
    """Two things that must agree do not; see ``expected`` and ``found``."""


class ConversionError(ModelFormatError):
    """The model cannot be expressed in the target format."""

    exit_status = 4


class UnknownLayerError(ConversionError):
    """No codec is registered for a layer's class name."""


class UnrecognisedGraphError(ConversionError):
    """Some nodes belong to no Keras layer; ``nodes`` names them all."""

    def __init__(
        self, what: str, *, nodes: Iterable[str] = (), where: Where | None = None,
        hint: str | None = None,
    ) -> None:
        self.nodes = list(nodes)
        super().__init__(what, where=where, hint=hint)


@contextmanager
def located(
    path: str | None = None, key: str | None = None, offset: int | None = None
) -> Iterator[None]:
    """Add what this floor knows of the place to a ModelFormatError that passes through.

    A path or offset that is already known stays; keys are joined, the outer one first;
    one that is known already is not said twice.
    """
    try:
        yield
    except ModelFormatError as error:
        old = error.where
        keys = [k for k in (key if key != old.key else None, old.key) if k]
        error.where = Where(
            old.path if old.path is not None else path,
            ", ".join(keys) or None,
            old.offset if old.offset is not None else offset,
        )
        raise

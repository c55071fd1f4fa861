"""Errors: one sentence shape, and places that are added while unwinding."""

from __future__ import annotations

import pytest

from modelfmt import errors
from modelfmt.errors import (
    ChecksumError,
    ConversionError,
    CorruptFileError,
    MismatchError,
    MissingError,
    ModelFormatError,
    TruncatedError,
    UnknownLayerError,
    UnrecognisedGraphError,
    Where,
    located,
)


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (Where(), ""),
        (Where("a.pb"), "a.pb"),
        (Where("a.pb", offset=0x1F30), "a.pb @0x1f30"),
        (Where(offset=16), "@0x10"),
        (Where("a.pb", 'node "x"', 0), 'a.pb @0x0, node "x"'),
        (Where(key='node "x"'), 'node "x"'),
    ],
)
def test_a_place_reads(where: Where, text: str) -> None:
    assert str(where) == text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ModelFormatError("it broke"), "it broke."),
        (
            ModelFormatError("it broke", where=Where("a", "k"), expected=1, found=2, hint="Mend."),
            "a, k: it broke; expected 1, found 2. Mend.",
        ),
        (ModelFormatError("it broke", found=0), "it broke; found 0."),
        (ModelFormatError("it broke", expected="a b"), "it broke; expected a b."),
        (
            TruncatedError("cut", wanted=9, available=3, where=Where("a")),
            "a: cut; expected 9 bytes, found 3 bytes.",
        ),
        (
            ChecksumError("crc32c does not match", stored=0x9A31C0DE, computed=0x04D2A1FF),
            "crc32c does not match; stored 0x9a31c0de, computed 0x04d2a1ff.",
        ),
        (MissingError("no node 'b'", close_matches=["a", "c"]), "no node 'b'. Did you mean a, c?"),
        (MissingError("no node 'b'"), "no node 'b'."),
    ],
)
def test_a_sentence_reads(error: ModelFormatError, text: str) -> None:
    assert str(error) == text


def test_a_sentence_is_one_printable_line() -> None:
    error = ModelFormatError("a\nb\x1b[0m\u2028\ud800 é", where=Where("p\r"))
    assert str(error) == "p\\r: a\\nb\\x1b[0m\\u2028\\ud800 é."


def test_operands_stay_readable() -> None:
    error = TruncatedError("cut", wanted=9, available=3)
    assert (error.wanted, error.available, error.expected) == (9, 3, "9 bytes")
    checksum = ChecksumError("bad", stored=1, computed=2)
    assert (checksum.stored, checksum.computed) == (1, 2)
    assert MissingError("no", close_matches=iter("ab")).close_matches == ["a", "b"]
    assert UnrecognisedGraphError("what", nodes=iter("ab")).nodes == ["a", "b"]


def test_errors_are_what_python_calls_them() -> None:
    assert issubclass(MissingError, KeyError) and issubclass(MismatchError, ValueError)
    assert issubclass(TruncatedError, CorruptFileError)
    assert issubclass(UnknownLayerError, ConversionError)
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, Exception)]
    assert len(classes) > 10 and all(issubclass(c, ModelFormatError) for c in classes)


@pytest.mark.parametrize(
    ("kind", "status"),
    [(ModelFormatError, 3), (CorruptFileError, 3), (MissingError, 3), (ConversionError, 4),
     (UnknownLayerError, 4), (UnrecognisedGraphError, 4)],
)  # fmt: skip
def test_exit_status(kind: type[ModelFormatError], status: int) -> None:
    assert kind.exit_status == kind("what").exit_status == status


def test_places_are_added_from_within_outwards() -> None:
    with (
        pytest.raises(CorruptFileError) as caught,
        located(path="a.pb", key="outer", offset=1),
        located(key="inner", offset=2),
    ):
        raise CorruptFileError("what", where=Where(key="core"))
    assert caught.value.where == Where("a.pb", "outer, inner, core", 2)


def test_a_known_place_stays() -> None:
    with pytest.raises(ModelFormatError) as caught, located("outer.pb", offset=7):
        raise ModelFormatError("what", where=Where("inner.pb", offset=0))
    assert caught.value.where == Where("inner.pb", None, 0)


def test_other_exceptions_pass_untouched() -> None:
    with pytest.raises(ZeroDivisionError), located("a.pb"):
        1 / 0  # noqa: B018

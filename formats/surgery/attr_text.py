"""An attr's value, and back from the text that a user gives for it.

    bool  true, false        string  as it is          type   float32
    int   3                  shape   [?, 28, 28], or ? for an unknown rank
    float 0.5                list    JSON: [1, 2], ["a"], ["float32"], [[2, 3]]

What kind of value is wanted is told by the one that stands there.
"""

from __future__ import annotations

import json
from typing import Any

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import MismatchError, UnsupportedError, Where
from modelfmt.graph import AttrValue, Func, Shape

_BOOLS = {"true": True, "false": False, "1": True, "0": False}


def parse_attr(text: str, old: AttrValue, where: Where) -> AttrValue:
    """The value that ``text`` says, of the kind of ``old``.

    Raises:
        MismatchError: the text says no such value.
        UnsupportedError: a kind that no text stands for (a tensor).
    """
    try:
        if isinstance(old, list):
            value = json.loads(text)
            if not isinstance(value, list):
                raise ValueError("no list")
            return [_element(v, old[0] if old else None) for v in value]
        return _one(text, old)
    except (ValueError, TypeError) as error:
        raise MismatchError(
            f"no value of that kind ({error})", where=where, expected=kind_of(old),
            found=repr(text),
        ) from None


def kind_of(value: AttrValue) -> str:
    """What a value is, in TensorFlow's words."""
    if isinstance(value, list):
        return f"list({kind_of(value[0])})" if value else "list"
    for kind, name in (
        (bool, "bool"), (int, "int"), (float, "float"), ((str, bytes), "string"),
        (DType, "type"), (Shape, "shape"), (Func, "func"),
    ):
        if isinstance(value, kind):
            return name
    return "tensor" if value is not None else "nothing"


def _one(text: str, old: AttrValue) -> AttrValue:
    if isinstance(old, bool):
        if text.lower() not in _BOOLS:
            raise ValueError("true or false")
        return _BOOLS[text.lower()]
    if isinstance(old, int):
        number = int(text)
        if not -(1 << 63) <= number < 1 << 63:
            raise ValueError("an int64")
        return number
    if isinstance(old, float):
        return float(text)
    if isinstance(old, str | bytes):
        return text
    if isinstance(old, DType):
        return _type(text)
    if isinstance(old, Shape):
        return Shape(None) if text in ("?", "<unknown>") else _shape(text)
    if isinstance(old, Func):
        return Func(text, old.attrs)
    raise UnsupportedError(
        f"a {kind_of(old)} cannot be set from a text",
        hint="Extract the file, edit the part, and assemble it.",
    )


def _element(value: Any, old: Any) -> AttrValue:
    """An element of a list, as JSON has it; without an old one its own kind."""
    if isinstance(old, Shape) or (old is None and isinstance(value, list)):
        return _dims(value)
    if isinstance(old, float) and isinstance(value, int | float):
        return float(value)
    if isinstance(old, str | DType | bytes | Func):
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is no text")
        return _one(value, old)
    if old is not None and type(value) is not type(old):
        raise ValueError(f"{value!r} is no {kind_of(old)}")
    if not isinstance(value, str | int | float | bool):
        raise ValueError(f"{value!r}")
    return value


def _type(text: str) -> DType:
    try:
        return dtypes.from_name(text)
    except UnsupportedError as error:
        raise ValueError(error.what) from None


def _shape(text: str) -> Shape:
    return _dims(json.loads(text.replace("?", "null")))


def _dims(value: Any) -> Shape:
    if value is None:
        return Shape(None)
    if not isinstance(value, list) or not all(
        size is None or (type(size) is int and size >= -1) for size in value
    ):
        raise ValueError("sizes in brackets")
    return Shape(tuple(None if size in (None, -1) else size for size in value))

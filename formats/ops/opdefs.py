"""Op definitions: inputs, outputs and attrs of TensorFlow's ops, and what follows from them.

The rows stand as text in ``opdef_rows`` and are parsed one by one, when first asked for::

    Pack(values: N * T) -> output: T; N: int >= 1, T: type, axis: int = 0

Source: TensorFlow's op registry, tensorflow/core/framework/op_def.proto; a test compares.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from modelfmt.errors import MismatchError, MissingError, UnsupportedError

if TYPE_CHECKING:
    from modelfmt.dtypes import DType
    from modelfmt.graph import AttrValue

_T = TypeVar("_T")

# Patterns stay text until a row is read: compiling them would be most of the import.
#: A string, a bracketed list, or one character.
_PIECES = r'"(?:[^"\\]|\\.)*"|\[[^\]]*\]|.'
_HEAD = r"(\w+)\((.*?)\) -> (.*)"
_ARG = r"(\w+): (ref )?(?:(\w+) \* )?(\w+)"
_ATTR = r"(\w+): ([\w()]+)(?: >= (-?\d+))?(?: in (\[.*?\]))?(?: = (.*))?"

#: Outputs of one node that we are willing to list.
MAX_OUTPUTS = 65536


class Required:
    """The default of an attr that has none."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = Required()


class Arg(NamedTuple):
    """An input or output of an op; exactly one of the first three says its type.

    Attributes:
        name: as in ``node:name:0`` inside of functions.
        type: a fixed dtype.
        type_attr: the attr of type ``type`` that holds its dtype.
        type_list_attr: the attr of type ``list(type)``: one tensor for each of its dtypes.
        number_attr: the attr that says how many tensors of that dtype; empty for just one.
        is_ref: a reference of TensorFlow 1 (Variable, Assign).
    """

    name: str
    type: DType | None = None
    type_attr: str = ""
    type_list_attr: str = ""
    number_attr: str = ""
    is_ref: bool = False


class AttrDef(NamedTuple):
    """An attr of an op.

    Attributes:
        name: the key in a node's attrs.
        type: ``int``, ``float``, ``bool``, ``string``, ``type``, ``shape``, ``tensor``, ``func``,
            or ``list(...)`` of one.
        default: an AttrValue, or REQUIRED.
        minimum: of an int, or of a list's length; None without one.
        allowed: the strings allowed; empty where any is.
    """

    name: str
    type: str
    default: AttrValue | Required = REQUIRED
    minimum: int | None = None
    allowed: tuple[str, ...] = ()


class OpDef(NamedTuple):
    """An op: its args and attrs in TensorFlow's own order."""

    name: str
    inputs: tuple[Arg, ...]
    outputs: tuple[Arg, ...]
    attrs: tuple[AttrDef, ...]
    stateful: bool = False
    commutative: bool = False


def get(op: str) -> OpDef | None:
    """The definition of ``op``, None where the table has no such row."""
    row = _rows().get(op)
    return None if row is None else _parse(row)


def complete(
    op: str, input_dtypes: Sequence[DType], attrs: Mapping[str, AttrValue]
) -> dict[str, AttrValue]:
    """The attrs that TensorFlow would write for a node, in order of name.

    Type attrs and list lengths follow from the inputs, defaults are filled in, attrs that start
    with an underscore are carried.

    Args:
        op: an op of the table.
        input_dtypes: one per data input; references count as their base type.
        attrs: those that the inputs and the defaults do not tell.

    Raises:
        MismatchError: inputs disagree with each other or with ``attrs``, or a value is not allowed.
        MissingError: a required attr is missing, or the op has no such attr.
        UnsupportedError: no such op in the table.
    """
    opdef = _known(op)
    names = {attr.name for attr in opdef.attrs}
    for name in attrs:
        if name not in names and not name.startswith("_"):
            import difflib

            close = difflib.get_close_matches(name, list(names), n=3)
            raise MissingError(f"{op} has no attr {name!r}", close_matches=close)
    found = _inferred(opdef, input_dtypes, attrs)
    result = {name: value for name, value in attrs.items() if name.startswith("_")}
    for attr in opdef.attrs:
        value = attrs.get(attr.name, found.get(attr.name, attr.default))
        if isinstance(value, Required):
            raise MissingError(f"{op} needs attr {attr.name!r}")
        _check(op, attr, value)
        result[attr.name] = list(value) if isinstance(value, list) else value
    return dict(sorted(result.items()))


def output_dtypes(op: str, attrs: Mapping[str, AttrValue]) -> list[DType]:
    """The dtype of each output of a node, in order.

    Raises:
        MissingError: an attr that the outputs depend on is missing.
        MismatchError: such an attr holds no dtype or count.
        UnsupportedError: no such op in the table, or an attr is left to a function's caller.
    """
    opdef = _known(op)
    result: list[DType] = []
    for arg in opdef.outputs:
        if arg.type_list_attr:
            listed = _value(opdef, arg.type_list_attr, attrs, list)
            for dtype in listed:
                if not isinstance(dtype, _dtype_class()):
                    raise MismatchError(
                        f"attr {arg.type_list_attr!r} of {op} lists something else",
                        expected="dtypes", found=repr(dtype),
                    )
            result += listed
            continue
        dtype = arg.type or _value(opdef, arg.type_attr, attrs, _dtype_class())
        count = _value(opdef, arg.number_attr, attrs, int) if arg.number_attr else 1
        if count > MAX_OUTPUTS:
            raise MismatchError(
                f"attr {arg.number_attr!r} of {op} is too large",
                expected=f"at most {MAX_OUTPUTS}", found=count,
            )
        result += [dtype] * count
    return result


def width(arg: Arg, attrs: Mapping[str, AttrValue]) -> int:
    """How many tensors an input or output arg stands for; 1 where the attrs do not tell."""
    if arg.type_list_attr:
        types = attrs.get(arg.type_list_attr)
        return len(types) if isinstance(types, list) else 1
    number = attrs.get(arg.number_attr) if arg.number_attr else 1
    return number if isinstance(number, int) else 1


def _known(op: str) -> OpDef:
    opdef = get(op)
    if opdef is None:
        raise UnsupportedError(f"no definition of op {op!r}")
    return opdef


def _dtype_class() -> type[DType]:
    from modelfmt.dtypes import DType

    return DType


def _value(opdef: OpDef, name: str, attrs: Mapping[str, AttrValue], kind: type[_T]) -> _T:
    """The attr of that name or its default, which must be a ``kind``."""
    value: AttrValue | Required | None = attrs.get(name)
    if value is None:
        value = next(attr.default for attr in opdef.attrs if attr.name == name)
    if isinstance(value, kind):
        return value
    if isinstance(value, Required):
        raise MissingError(f"{opdef.name} needs attr {name!r}")
    if type(value).__name__ == "Placeholder":
        raise UnsupportedError(f"attr {name!r} of {opdef.name} is left to the function's caller")
    raise MismatchError(
        f"attr {name!r} of {opdef.name} has a value of another type",
        expected=kind.__name__.lower(), found=repr(value),
    )


def _check(op: str, attr: AttrDef, value: AttrValue) -> None:
    """Hold a value against what the definition allows."""
    if attr.allowed and isinstance(value, (str, bytes)):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if text not in attr.allowed:
            raise MismatchError(
                f"attr {attr.name!r} of {op} is not allowed",
                expected=" or ".join(f'"{word}"' for word in attr.allowed), found=f'"{text}"',
            )
    if attr.minimum is not None:
        size = len(value) if isinstance(value, list) else value
        if isinstance(size, int) and size < attr.minimum:
            what = "is too short" if isinstance(value, list) else "is too small"
            raise MismatchError(
                f"attr {attr.name!r} of {op} {what}",
                expected=f"at least {attr.minimum}", found=size,
            )


def _inferred(
    opdef: OpDef, dtypes: Sequence[DType], attrs: Mapping[str, AttrValue]
) -> dict[str, AttrValue]:
    """Type attrs, list lengths and type lists, as the inputs tell them."""
    lengths = _lengths(opdef, len(dtypes), attrs)
    found: dict[str, AttrValue] = {
        arg.number_attr: lengths[arg.number_attr] for arg in opdef.inputs if arg.number_attr
    }
    rest = list(dtypes)
    for arg in opdef.inputs:
        size = lengths.get(arg.number_attr or arg.type_list_attr, 1)
        mine, rest = rest[:size], rest[size:]
        values: list[AttrValue] = [mine] if arg.type_list_attr else list(mine)
        name = arg.type_attr or arg.type_list_attr
        for value in values:
            expected = found.setdefault(name, attrs.get(name, value)) if name else arg.type
            if value != expected:
                raise MismatchError(
                    f"{opdef.name}: input {arg.name!r} has another dtype",
                    expected=expected, found=value,
                )
    return found


def _lengths(opdef: OpDef, count: int, attrs: Mapping[str, AttrValue]) -> dict[str, int]:
    """How many inputs each number attr and each type list stands for."""
    total = count
    lengths: dict[str, int] = {}
    unknown: dict[str, int] = {}
    for arg in opdef.inputs:
        name = arg.number_attr or arg.type_list_attr
        known = attrs.get(name) if name else 1
        if isinstance(known, list):
            known = len(known)
        if isinstance(known, int):
            total -= known
            lengths[name] = known
        else:
            unknown[name] = unknown.get(name, 0) + 1
    for last, (name, times) in enumerate(unknown.items(), 1 - len(unknown)):
        if last < 0:
            raise MissingError(f"{opdef.name} needs attr {name!r} to tell its inputs apart")
        lengths[name] = max(total // times, 0)
        total -= lengths[name] * times
    if total:
        many = "many" if total > 0 else "few"
        raise MismatchError(
            f"{opdef.name} has too {many} inputs", expected=count - total, found=count
        )
    lengths.pop("", None)
    return lengths


# --- the text of a row ---


@cache
def _rows() -> dict[str, str]:
    """The text of each row, by name."""
    from modelfmt.ops.opdef_rows import ROWS

    rows = ROWS.replace("\n  ", " ").splitlines()
    return {row[: row.index("(")]: row for row in rows if row and row[0] != "#"}


@cache
def _parse(row: str) -> OpDef:
    head, *parts = _split(row, ";")
    name, inputs, outputs = re.fullmatch(_HEAD, head).groups()  # type: ignore[union-attr]
    flags = parts.pop().split() if parts and ":" not in parts[-1] else []
    attrs = tuple(_parse_attr(text) for text in _split(parts[0], ",")) if parts else ()
    types = {attr.name: attr.type for attr in attrs}
    return OpDef(
        name,
        tuple(_parse_arg(text, types) for text in _split(inputs, ",")),
        tuple(_parse_arg(text, types) for text in _split(outputs.strip("()"), ",")),
        attrs,
        stateful="stateful" in flags,
        commutative="commutative" in flags,
    )


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators that stand outside of strings and brackets."""
    parts = [""]
    for piece in re.findall(_PIECES, text):
        if piece == separator:
            parts.append("")
        else:
            parts[-1] += piece
    return [part.strip() for part in parts if part.strip()]


def _parse_arg(text: str, attr_types: Mapping[str, str]) -> Arg:
    from modelfmt import dtypes

    name, is_ref, number, kind = re.fullmatch(_ARG, text).groups()  # type: ignore[union-attr]
    attr_type = attr_types.get(kind)
    return Arg(
        name,
        type=dtypes.from_name(kind) if attr_type is None else None,
        type_attr=kind if attr_type == "type" else "",
        type_list_attr=kind if attr_type == "list(type)" else "",
        number_attr=number or "",
        is_ref=bool(is_ref),
    )


def _parse_attr(text: str) -> AttrDef:
    match = re.fullmatch(_ATTR, text)
    assert match, text
    name, kind, minimum, allowed, default = match.groups()
    return AttrDef(
        name,
        kind,
        REQUIRED if default is None else _parse_literal(kind, default),
        None if minimum is None else int(minimum),
        tuple(json.loads(allowed)) if allowed else (),
    )


def _parse_literal(kind: str, text: str) -> AttrValue:
    if kind.startswith("list("):
        return [_parse_literal(kind[5:-1], part) for part in _split(text[1:-1], ",")]
    if kind == "type":
        from modelfmt import dtypes

        return dtypes.from_name(text)
    if kind == "shape":
        from modelfmt.graph import Shape

        return Shape(None if text == "?" else ())
    value: AttrValue = json.loads(text)
    if isinstance(value, float):  # an attr holds 32 bits: 0.2 is read as 0.20000000298023224
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    return value

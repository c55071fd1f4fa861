"""AttrValue, both directions: a NodeDef's attr as a Python value (see ``graph.AttrValue``).

    1 list {2 s, 3 i, 4 f, 5 b, 6 type, 7 shape, 8 tensor, 9 func}
    2 s  3 i  4 f  5 b  6 type  7 shape  8 tensor  9 placeholder  10 func

Source: tensorflow/core/framework/attr_value.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import CorruptFileError, UnsupportedError
from modelfmt.graph import AttrValue, Func, Placeholder, Shape
from modelfmt.storage import wire
from modelfmt.storage.files import FileSpan, Piece
from modelfmt.storage.splice import delimited
from modelfmt.tensor import Tensor
from modelfmt.tf.tensorproto import read_tensor, write_tensor

_LIST, _S, _I, _F, _B, _TYPE, _SHAPE, _TENSOR, _PLACEHOLDER, _FUNC = range(1, 11)
_LIST_FUNC = 9
_WIRE_TYPES = {
    _S: wire.LEN, _I: wire.VARINT, _F: wire.I32, _B: wire.VARINT, _TYPE: wire.VARINT,
    _SHAPE: wire.LEN, _TENSOR: wire.LEN,
}  # fmt: skip

_DEEPEST = 33  # functions within functions: protobuf reads 100 messages deep, three for each


def read_attr(source: FileSpan | bytes, name: str, depth: int = 0) -> AttrValue:
    """The Python value of a serialised AttrValue; a tensor's elements stay unread.

    Args:
        source: the message.
        name: given to a Tensor that it holds.
        depth: of how many functions it is an attr.

    Raises:
        CorruptFileError: not an AttrValue, or one within more functions than protobuf takes.

    Written by: ``write_attr``.
    """
    view = source.view() if isinstance(source, FileSpan) else memoryview(source)
    value: AttrValue = None
    for span in wire.scan(view):
        if span.field == _LIST:
            value = _read_list(_sub(source, span), name, depth)
        elif span.field == _PLACEHOLDER:
            value = Placeholder(_text(view[span.offset : span.end]))
        elif span.field == _FUNC:
            value = _read_func(_sub(source, span), name, depth)
        elif span.field <= _TENSOR:
            value = _read_one(source, view, span, name)
    return value


def write_attr(value: AttrValue) -> list[Piece]:
    """An AttrValue as pieces; payloads of tensors are not read. Read by: ``read_attr``."""
    if isinstance(value, list):
        return delimited(_LIST, _write_list(value))
    if value is None:
        return [b""]
    return _write_one(value, in_list=False)


def read_map_entry(view: memoryview) -> tuple[str, wire.Span | None]:
    """Key and value span of a map<string, message> entry: 1 key, 2 value."""
    key, value = "", None
    for span in wire.scan(view):
        if span.field == 1:
            key = _text(view[span.offset : span.end])
        elif span.field == 2:
            value = span
    return key, value


def write_map_entry(field: int, key: str, value: list[Piece]) -> list[Piece]:
    """One entry of a map<string, message> field."""
    name = wire.length_delimited(1, key.encode())
    return delimited(field, [name, *delimited(2, value)])


def _sub(source: FileSpan | bytes, span: wire.Span) -> FileSpan | bytes:
    if isinstance(source, FileSpan):
        return source.span(span.offset, span.length)
    return source[span.offset : span.end]


def _text(raw: memoryview) -> str:
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError:
        raise CorruptFileError("a name is not UTF-8 text", found=bytes(raw[:40])) from None


def _read_one(
    source: FileSpan | bytes, view: memoryview, span: wire.Span, name: str
) -> AttrValue:
    raw = view[span.offset : span.end]
    if span.wire_type != _WIRE_TYPES[span.field]:
        raise CorruptFileError(
            f"field {span.field} of an attr has another wire type",
            expected=_WIRE_TYPES[span.field], found=span.wire_type,
        )
    if span.field == _S:
        try:
            return str(raw, "utf-8")
        except UnicodeDecodeError:
            return bytes(raw)
    if span.field == _F:
        value: float = struct.unpack("<f", raw)[0]
        return value
    if span.field == _SHAPE:
        return _read_shape(raw)
    if span.field == _TENSOR:
        return read_tensor(_sub(source, span), name)
    number = wire.read_varint(view, span.offset)[0]
    if span.field == _I:
        return wire.signed64(number)
    return bool(number) if span.field == _B else dtypes.from_enum(number)


def _read_list(source: FileSpan | bytes, name: str, depth: int) -> list[Any]:
    view = source.view() if isinstance(source, FileSpan) else memoryview(source)
    items: list[Any] = []
    for span in wire.scan(view):
        if span.field == _LIST_FUNC:
            items.append(_read_func(_sub(source, span), name, depth))
        elif span.wire_type == wire.LEN and span.field in (_I, _F, _B, _TYPE):
            items.extend(_unpacked(view[span.offset : span.end], span.field))
        elif span.field <= _TENSOR:
            items.append(_read_one(source, view, span, name))
    return items


def _unpacked(raw: memoryview, field: int) -> Iterable[AttrValue]:
    if field == _F:
        if len(raw) % 4:
            raise CorruptFileError("floats that end within a number", found=f"{len(raw)} bytes")
        yield from struct.unpack(f"<{len(raw) // 4}f", raw)
        return
    at = 0
    while at < len(raw):
        number, at = wire.read_varint(raw, at)
        if field == _I:
            yield wire.signed64(number)
        else:
            yield bool(number) if field == _B else dtypes.from_enum(number)


def _read_shape(view: memoryview) -> Shape:
    sizes: list[int | None] = []
    for dim in wire.scan(view):
        if dim.field == 3 and wire.read_varint(view, dim.offset)[0]:
            return Shape(None)
        if dim.field == 2:
            size = 0
            for part in wire.scan(view, dim.offset, dim.end):
                if part.field == 1:
                    size = wire.signed64(wire.read_varint(view, part.offset)[0])
            sizes.append(None if size < 0 else size)
    return Shape(tuple(sizes))


def _read_func(source: FileSpan | bytes, name: str, depth: int) -> Func:
    """NameAttrList: 1 name, map<string, AttrValue> 2 attr."""
    if depth == _DEEPEST:
        raise CorruptFileError(f"an attr within more than {_DEEPEST} functions")
    view = source.view() if isinstance(source, FileSpan) else memoryview(source)
    called, attrs = "", {}
    for span in wire.scan(view):
        if span.field == 1:
            called = _text(view[span.offset : span.end])
        elif span.field == 2:
            entry = _sub(source, span)
            key, value = read_map_entry(view[span.offset : span.end])
            attrs[key] = None if value is None else read_attr(_sub(entry, value), name, depth + 1)
    return Func(called, attrs)


def _write_list(values: list[Any]) -> list[Piece]:
    """The fields of a ListValue; numbers are packed, as its definition asks."""
    first = values[0] if values else None
    if isinstance(first, bool):
        return [wire.length_delimited(_B, bytes(map(int, values)))]
    if isinstance(first, int):
        return [wire.length_delimited(_I, b"".join(map(wire.varint, values)))]
    if isinstance(first, float):
        return [wire.length_delimited(_F, struct.pack(f"<{len(values)}f", *values))]
    if isinstance(first, DType):
        return [wire.length_delimited(_TYPE, b"".join(wire.varint(v.enum) for v in values))]
    return [piece for value in values for piece in _write_one(value, in_list=True)]


def _write_one(value: AttrValue, *, in_list: bool) -> list[Piece]:
    if isinstance(value, bool):
        return [wire.varint_field(_B, int(value))]
    if isinstance(value, int):
        return [wire.varint_field(_I, value)]
    if isinstance(value, float):
        return [wire.tag(_F, wire.I32) + struct.pack("<f", value)]
    if isinstance(value, str | bytes):
        raw = value.encode() if isinstance(value, str) else value
        return [wire.length_delimited(_S, raw)]
    if isinstance(value, DType):
        return [wire.varint_field(_TYPE, value.enum)]
    if isinstance(value, Shape):
        return [wire.length_delimited(_SHAPE, _write_shape(value))]
    if isinstance(value, Tensor):
        return delimited(_TENSOR, write_tensor(value))
    if isinstance(value, Func):
        entries = [
            piece
            for key in sorted(value.attrs)
            for piece in write_map_entry(2, key, write_attr(value.attrs[key]))
        ]
        name = wire.length_delimited(1, value.name.encode())
        return delimited(_LIST_FUNC if in_list else _FUNC, [name, *entries])
    if isinstance(value, Placeholder):
        return [wire.length_delimited(_PLACEHOLDER, value.name.encode())]
    raise UnsupportedError(f"an attr cannot hold a {type(value).__name__}")


def _write_shape(shape: Shape) -> bytes:
    if shape.dims is None:
        return wire.varint_field(3, 1)
    return b"".join(
        wire.length_delimited(2, b"" if d == 0 else wire.varint_field(1, -1 if d is None else d))
        for d in shape.dims
    )

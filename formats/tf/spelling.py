"""How a TensorProto spells its elements: which bytes they are, and those bytes for other elements.

    raw       tensor_content, or typed values of fixed width in one packed field: the elements
    packed    varints in one packed field
    single    one field a value, each with its tag
    strings   one string_val a value

Only values that stand together and are all there are told; a scalar that stands for many elements
is no array to edit. The fields are those of tensorproto.py.
"""

from __future__ import annotations

from typing import NamedTuple

from modelfmt.dtypes import DType, string
from modelfmt.storage import wire
from modelfmt.storage.files import FileSpan, Piece, piece_bytes
from modelfmt.tensor import Filled, Tensor
from modelfmt.tf.tensorproto import read_tensor, typed_field

CONTENT, STRING = 4, 8
_FIXED = {5: 4, 6: 8, 9: 4, 12: 8}  # typed field -> bytes of a value
_VARINT = {7, 10, 11, 13, 16, 17}
_BYTES = 18


class Spelling(NamedTuple):
    """Where a TensorProto's elements stand, and how.

    Attributes:
        how: raw, packed, single or strings.
        field: of the TensorProto.
        start, length: of the bytes that the elements make, in the message.
        spans: the fields, tags included, that hold them.
    """

    how: str
    field: int
    start: int
    length: int
    spans: tuple[wire.Span, ...]


def find_spelling(source: FileSpan | bytes, view: memoryview) -> tuple[Spelling, Tensor] | None:
    """The Spelling of a serialised TensorProto, with its Tensor; None: it has no such.

    Raises:
        CorruptFileError, UnsupportedError: as ``read_tensor``.
    """
    held = [s for s in wire.scan(view) if s.field in {CONTENT, STRING, _BYTES, *_FIXED, *_VARINT}]
    if not held or len({s.field for s in held}) > 1:
        return None
    field, first, last = held[0].field, held[0], held[-1]
    if sum(s.end - s.start for s in held) != last.end - first.start:
        return None  # other fields stand between them
    tensor = read_tensor(source, "")
    if not tensor.size or not (tensor.dtype.itemsize or tensor.strings):
        return None
    if field not in (CONTENT, STRING, typed_field(tensor.dtype)):
        return None  # values that mean nothing
    one = len(held) == 1 and first.wire_type == wire.LEN
    whole = Spelling("raw", field, first.offset, first.length, tuple(held))
    if tensor.strings is None and one and field in (CONTENT, _BYTES, *_FIXED):
        return (whole, tensor) if first.length == tensor.nbytes else None
    if field in (CONTENT, _BYTES):
        return None
    payload = tensor.payload
    count = len(held) if field == STRING else tensor.size
    if (payload.stored().size if isinstance(payload, Filled) else count) != tensor.size:
        return None
    how = "strings" if field == STRING else "packed" if one else "single"
    start, end = (first.offset, first.end) if how == "packed" else (first.start, last.end)
    found = Spelling(how, field, start, end - start, tuple(held))
    again = spell(found.how, field, tensor.dtype, elements(tensor))
    return (found, tensor) if again == bytes(view[start:end]) else None


def elements(tensor: Tensor) -> Piece | list[bytes]:
    """What ``spell`` takes: the strings of a tensor of strings, else its payload."""
    return tensor.payload if tensor.strings is None else tensor.strings()


def spell(how: str, field: int, dtype: DType, values: Piece | list[bytes]) -> bytes | None:
    """The bytes of some elements in a TensorProto; None where it cannot be done.

    Args:
        how, field: of a Spelling.
        dtype: of the elements.
        values: strings, or little-endian bytes in C order.
    """
    if isinstance(values, list):
        if dtype is not string:
            return None
        return b"".join(wire.length_delimited(STRING, value) for value in values)
    raw = piece_bytes(values)
    if how == "raw":
        return raw
    if field in _FIXED:
        width = _FIXED[field]
        parts = [raw[at : at + width] for at in range(0, len(raw), width)]
        head = wire.tag(field, wire.I32 if width == 4 else wire.I64)
        return b"".join(head + part for part in parts)
    numbers = _integers(raw, dtype)
    if numbers is None:
        return None
    if how == "packed":
        return b"".join(map(wire.varint, numbers))
    return b"".join(wire.varint_field(field, number) for number in numbers)


def _integers(raw: bytes, dtype: DType) -> list[int] | None:
    import numpy as np

    if dtype.name in ("float16", "bfloat16"):
        code = "<u2"  # their bits
    elif dtype.code.startswith(("<i", "<u", "i", "u")):
        code = dtype.code
    else:
        code = "u1" if dtype.code == "?" else ""
    if not code:
        return None
    numbers: list[int] = np.frombuffer(raw, code).tolist()
    return numbers


def field_bytes(how: str, field: int, body: bytes) -> bytes:
    """A whole field, or fields, of a TensorProto around the bytes that ``spell`` gave."""
    return wire.length_delimited(field, body) if how in ("raw", "packed") else body



"""TensorProto, both directions, without copying what can stay in the file.

    1 dtype  2 tensor_shape  3 version_number  4 tensor_content      raw little-endian elements
    5 float_val  6 double_val  7 int_val  8 string_val  9 scomplex_val  10 int64_val
    11 bool_val  12 dcomplex_val  13 half_val  16 uint32_val  17 uint64_val  18 float8_val

Either ``tensor_content`` holds every element, or the typed ``*_val`` does, where the last value
stands for all that are left out, and no value means zero. half_val carries the bits of float16
and bfloat16 in an int32. Source: tensorflow/core/framework/tensor.proto and tensor.cc.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import CorruptFileError, UnsafeFileError, UnsupportedError, Where, located
from modelfmt.storage import wire
from modelfmt.storage.files import FileSpan, Piece, piece_bytes, piece_length
from modelfmt.storage.splice import delimited
from modelfmt.tensor import Filled, Tensor

if TYPE_CHECKING:
    import numpy as np

_CONTENT, _STRING, _BYTES = 4, 8, 18
STRINGS = _STRING  # the field of strings
#: Field of the typed values -> (how they are packed on the wire, numpy type of an element).
_TYPED = {
    5: ("fixed", "<f4"), 6: ("fixed", "<f8"), 7: ("varint", "<i8"), 9: ("fixed", "<f4"),
    10: ("varint", "<i8"), 11: ("varint", "<i8"), 12: ("fixed", "<f8"), 13: ("varint", "<i8"),
    16: ("varint", "<u8"), 17: ("varint", "<u8"), 18: ("bytes", "u1"),
}  # fmt: skip
#: dtypes whose typed values, where all stand in one packed field, are the bytes of tensor_content.
_RAW = {"float32": 5, "float64": 6, "complex64": 9, "complex128": 12}
#: dtype -> the field of its typed values, where that is not int_val.
_FIELDS = {
    **_RAW, "int64": 10, "bool": 11, "float16": 13, "bfloat16": 13, "uint32": 16, "uint64": 17,
}
_CHUNK = 1 << 20
#: So many bytes may the one value stand for that is repeated: what a message can hold. They are
#: made in chunks; a list of strings is held whole, and takes a pointer for each.
_SPLAT, _STRINGS, _POINTER = 2 << 30, 32 << 20, 8


def read_tensor(
    source: FileSpan | bytes, name: str, origin: Where | None = None, *,
    like: tuple[DType, tuple[int, ...]] | None = None,
) -> Tensor:
    """The Tensor of a serialised TensorProto; its elements are not read.

    Args:
        source: the message. From a FileSpan, ``tensor_content`` stays in the file.
        name: for the Tensor.
        origin: for errors and dumps.
        like: dtype and shape, where the message leaves them out (checkpoints of version 1); it
            must then hold every element.

    Raises:
        CorruptFileError: too many elements, or a size that fits no shape.
        UnsupportedError: a dtype that has no elements (resource, variant), or is unknown.

    Written by: ``write_tensor``.
    """
    origin = origin or (source.where if isinstance(source, FileSpan) else Where())
    view = source.view() if isinstance(source, FileSpan) else memoryview(source)
    number, shape = 0, tuple[int, ...]()
    content: Piece | None = None
    typed: list[wire.Span] = []
    for span in wire.scan(view):
        if span.field == 1:
            number, _ = wire.read_varint(view, span.offset)
        elif span.field == 2:
            shape = _read_shape(view, span.offset, span.end, origin)
        elif span.field == _CONTENT and span.length:
            content = (
                source.span(span.offset, span.length)
                if isinstance(source, FileSpan)
                else view[span.offset : span.end]
            )
        elif span.field in _TYPED or span.field == _STRING:
            typed.append(span)
    dtype = dtypes.from_enum(number) if like is None else like[0]
    shape = shape if like is None else like[1]
    tensor = Tensor(name, dtype, shape, b"", origin)
    if dtype is dtypes.string:
        values = [bytes(view[s.offset : s.end]) for s in typed if s.field == _STRING]
        if content is not None:
            values = _packed_strings(piece_bytes(content), tensor)
        _check_count(len(values), tensor, exact=like is not None)
        return Tensor(
            name, dtype, shape, origin=origin, strings=functools.partial(_splat, values, tensor),
            stored=sum(map(len, values)),
        )  # fmt: skip
    if not dtype.itemsize:
        raise UnsupportedError(f"a constant of dtype {dtype}", where=origin)
    size = tensor.nbytes
    if content is not None:
        length = piece_length(content)
        if length != size:
            raise CorruptFileError(
                "tensor_content does not fit the shape", where=origin,
                expected=f"{size} bytes for {dtype}{list(shape)}", found=f"{length} bytes",
            )
        return Tensor(name, dtype, shape, content, origin)
    spans = [s for s in typed if s.field == typed_field(dtype)]
    if len(spans) == 1 and _RAW.get(dtype.name) == spans[0].field and spans[0].length == size:
        (span,) = spans  # packed fixed-width numbers are the elements themselves
        whole = (
            source.span(span.offset, size)
            if isinstance(source, FileSpan)
            else view[span.offset : span.end]
        )
        return Tensor(name, dtype, shape, whole, origin)
    stored = functools.partial(_stored, source, spans, tensor, exact=like is not None)
    payload = Filled(size, functools.partial(_filled, stored, tensor), stored)
    return Tensor(name, dtype, shape, payload, origin)


def write_tensor(tensor: Tensor) -> list[Piece]:
    """A TensorProto as pieces: its payload is neither read nor copied.

    Read by: ``read_tensor``.
    """
    dims = b"".join(
        wire.length_delimited(2, wire.varint_field(1, size) if size else b"")
        for size in tensor.shape
    )
    head = wire.varint_field(1, tensor.dtype.enum) + wire.length_delimited(2, dims)
    if tensor.strings is not None:
        values = (wire.length_delimited(_STRING, value) for value in tensor.strings())
        return [head + b"".join(values)]
    if not tensor.nbytes:
        return [head]
    return [head, *delimited(_CONTENT, [tensor.payload])]


def _read_shape(view: memoryview, start: int, end: int, origin: Where) -> tuple[int, ...]:
    """TensorShapeProto: repeated Dim dim = 2 {int64 size = 1}; bool unknown_rank = 3."""
    sizes = []
    for field, _, _, offset, length in wire.fields(view, start, end):
        if field == 2:
            size = 0
            for inner in wire.fields(view, offset, offset + length):
                if inner[0] == 1:
                    size = wire.signed64(wire.read_varint(view, inner[3])[0])
            if size < 0:
                raise CorruptFileError("a constant of unknown size", where=origin, found=size)
            sizes.append(size)
        elif field == 3 and wire.read_varint(view, offset)[0]:
            raise CorruptFileError("a constant of unknown rank", where=origin)
    return tuple(sizes)


def _check_count(count: int, tensor: Tensor, exact: bool = False) -> None:
    if count > tensor.size or (exact and count < tensor.size):
        raise CorruptFileError(
            f"{'more' if count > tensor.size else 'fewer'} values than the shape has elements",
            where=tensor.origin, expected=tensor.size, found=count,
        )


def _packed_strings(raw: bytes, tensor: Tensor) -> list[bytes]:
    """Strings in tensor_content: every length as a varint, then every string's bytes."""
    lengths, at = [], 0
    with located(path=tensor.origin.path, key=tensor.origin.key):
        for _ in range(tensor.size):
            length, at = wire.read_varint(raw, at)
            lengths.append(length)
    if at + sum(lengths) != len(raw):
        raise CorruptFileError(
            "the strings in tensor_content do not fit their lengths", where=tensor.origin,
            expected=f"{at + sum(lengths)} bytes", found=f"{len(raw)} bytes",
        )
    values = []
    for length in lengths:
        values.append(raw[at : at + length])
        at += length
    return values


def _splat(values: list[bytes], tensor: Tensor) -> list[bytes]:
    """All string elements: the last value stands for those left out."""
    last = values[-1] if values else b""
    _check_splat((tensor.size - len(values)) * _POINTER, tensor, _STRINGS)
    return [*values, *[last] * (tensor.size - len(values))]


def _check_splat(missing: int, tensor: Tensor, limit: int = _SPLAT) -> None:
    """Raise UnsafeFileError where one stored value stands for absurdly many bytes."""
    if missing > limit:
        raise UnsafeFileError(
            "one value stands for absurdly many elements", where=tensor.origin,
            expected=f"at most {limit} bytes", found=f"{missing} bytes",
        )


def _stored(
    source: FileSpan | bytes, spans: list[wire.Span], tensor: Tensor, *, exact: bool = False
) -> np.ndarray[Any, Any]:
    """The elements that stand in the typed fields, in the tensor's dtype."""
    import numpy as np

    view = source.view() if isinstance(source, FileSpan) else memoryview(source)
    parts = [_values(view, span) for span in spans]
    found = np.concatenate(parts) if parts else np.zeros(0, "<i8")
    if tensor.dtype.name.startswith("complex"):
        if found.size % 2:
            raise CorruptFileError("half a complex number", where=tensor.origin)
        found = found.view(tensor.dtype.numpy)
    elif tensor.dtype.name in ("float16", "bfloat16"):
        found = found.astype("<u2").view(tensor.dtype.numpy)
    elif typed_field(tensor.dtype) == _BYTES:
        found = found.astype("u1").view(tensor.dtype.numpy)
    else:
        found = found.astype(tensor.dtype.numpy)
    _check_count(found.size, tensor, exact)
    return found


def _filled(stored: Callable[[], np.ndarray[Any, Any]], tensor: Tensor) -> Iterator[bytes]:
    """All elements, as the dtype's bytes, in bounded chunks."""
    import numpy as np

    found = stored()
    missing = tensor.size - found.size
    _check_splat(missing * tensor.dtype.itemsize, tensor)
    yield found.tobytes()
    filler = found[-1:] if found.size else np.zeros(1, tensor.dtype.numpy)
    step = max(1, _CHUNK // tensor.dtype.itemsize)
    while missing:
        count = min(missing, step)
        yield np.repeat(filler, count).tobytes()
        missing -= count


def typed_field(dtype: DType) -> int:
    """The field that holds the typed values of a dtype; others that stand there mean nothing."""
    if dtype.name.startswith(("float8", "float4")):
        return _BYTES
    return _FIELDS.get(dtype.name, 7)


def _values(view: memoryview, span: wire.Span) -> np.ndarray[Any, Any]:
    """The numbers in one field, packed or single."""
    import numpy as np

    packing, code = _TYPED[span.field]
    raw = view[span.offset : span.end]
    if packing != "varint":
        if len(raw) % np.dtype(code).itemsize:
            raise CorruptFileError(
                "numbers that end within an element", where=Where(offset=span.start),
                found=f"{len(raw)} bytes",
            )
        return np.frombuffer(raw, code)
    if span.wire_type != wire.LEN:
        return np.array([_as(code, wire.read_varint(view, span.offset)[0])], code)
    numbers, at = [], 0
    while at < len(raw):
        value, at = wire.read_varint(raw, at)
        numbers.append(_as(code, value))
    return np.array(numbers, code)


def _as(code: str, value: int) -> int:
    return value if code == "<u8" else wire.signed64(value)

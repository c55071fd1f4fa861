"""FunctionDef and the library that holds them, both directions.

    FunctionDefLibrary   1 function, 2 gradient
    FunctionDef          1 signature (OpDef)  3 node_def  4 ret {1 output, 2 tensor}  5 attr
                         6 control_ret {1 output, 2 node}  7 arg_attr {1 index, 2 attrs}
                         8 resource_arg_unique_id {1 index, 2 id}
    OpDef                1 name  2 input_arg  3 output_arg  17 is_stateful  20 control_output
    ArgDef               1 name  3 type  7 handle_data  17 experimental_full_type

A function is written with the bytes it was read from; a specialised copy with those of its
original wherever it takes and yields the same; one that was built, as TensorFlow writes it.
Source: tensorflow/core/framework/function.proto, op_def.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelfmt import proto
from modelfmt.errors import CorruptFileError, UnsupportedError, located
from modelfmt.graph import Function
from modelfmt.graphs.function_builder import BuiltFunction
from modelfmt.graphs.specialise import Specialised
from modelfmt.storage import wire
from modelfmt.storage.files import FileSpan, Piece
from modelfmt.storage.splice import coalesce, delimited
from modelfmt.tf.nodedef import WireNodes, path_of, view_of, write_node

_LIBRARY, _FUNCTION, _GRADIENT = 2, 1, 2
_SIGNATURE, _NODE, _RET, _ATTR, _CONTROL_RET, _ARG_ATTR, _ARG_ID = 1, 3, 4, 5, 6, 7, 8
#: Attrs that let TensorFlow put another function in the place of this one.
_TWINS = ("api_implements", "api_preferred_device")


class WireFunction(Function):
    """A function that stands in a file; ``raw`` is its FunctionDef."""

    def __init__(
        self,
        raw: FileSpan | bytes,
        name: str,
        arguments: list[str],
        results: Mapping[str, str],
    ) -> None:
        self.body = WireNodes(raw, field=_NODE)
        super().__init__(name, self.body, arguments, results)
        self.raw = raw


def read_library(source: FileSpan | bytes) -> Iterator[tuple[str, Function]]:
    """The functions of a GraphDef, by name, in file order; their bodies are not read.

    Written by: ``write_library``.
    """
    view = view_of(source)
    for library in wire.scan(view):
        if library.field != _LIBRARY:
            continue
        for span in wire.scan(view, library.offset, library.end):
            if span.field == _FUNCTION:
                with located(path=path_of(source)):
                    function = read_function(_sub(source, span))
                yield function.name, function


def read_gradients(source: FileSpan | bytes) -> Iterator[tuple[str, str]]:
    """Each function of a GraphDef that has a gradient of its own, and that function's name.

    GradientDef {1 function_name, 2 gradient_func}; they stand in the library, field 2.
    """
    view = view_of(source)
    for library in wire.scan(view):
        if library.field != _LIBRARY:
            continue
        for span in wire.scan(view, library.offset, library.end):
            if span.field == _GRADIENT:
                row = {p.field: _text(view, p) for p in wire.scan(view, span.offset, span.end)}
                yield row.get(1, ""), row.get(2, "")


def write_library(functions: Mapping[str, Function]) -> list[Piece]:
    """A FunctionDefLibrary as pieces. Read by: ``read_library``."""
    pieces: list[Piece] = []
    for function in functions.values():
        pieces += delimited(_FUNCTION, write_function(function))
    return pieces


def read_function(raw: FileSpan | bytes) -> WireFunction:
    """The Function of a serialised FunctionDef. Written by: ``write_function``."""
    view = view_of(raw)
    name, arguments, outputs, returned = "", list[str](), list[str](), dict[str, str]()
    for span in wire.scan(view):
        if span.field == _SIGNATURE:
            for part in wire.scan(view, span.offset, span.end):
                if part.field == 1:
                    name = _text(view, part)
                elif part.field in (2, 3):
                    (arguments if part.field == 2 else outputs).append(_first_text(view, part))
        elif span.field == _RET:
            entry = {p.field: _text(view, p) for p in wire.scan(view, span.offset, span.end)}
            returned[entry.get(1, "")] = entry.get(2, "")
    results = {output: returned[output] for output in outputs if output in returned}
    return WireFunction(raw, name, arguments, results)


def write_function(function: Function) -> list[Piece]:
    """A FunctionDef as pieces: of one from a file its bytes.

    Raises:
        UnsupportedError: a function that neither was built, nor stands in a file, nor is a copy of
            one that does.

    Read by: ``read_function``.
    """
    if isinstance(function, WireFunction):
        return [function.raw]
    if isinstance(function, BuiltFunction):
        return _write_built(function)
    if not isinstance(function, Specialised) or not isinstance(function.origin, WireFunction):
        raise UnsupportedError(f'writing function "{function.name}", which no file holds')
    raw = function.origin.raw
    view = view_of(raw)
    pieces: list[Piece] = []
    controls: list[str] = []  # those whose nodes are still there
    for span in wire.scan(view):
        if span.field == _CONTROL_RET:
            entry = {p.field: _text(view, p) for p in wire.scan(view, span.offset, span.end)}
            if entry.get(2, "") in function:
                controls.append(entry.get(1, ""))
    for span in wire.scan(view):
        if span.field == _SIGNATURE:
            signature = _signature(bytes(view[span.offset : span.end]), function, controls)
            pieces.append(wire.length_delimited(_SIGNATURE, signature))
        elif not _is_changed(view, span, function, controls):
            pieces.append(_sub(raw, span._replace(offset=span.start, length=span.end - span.start)))
    return coalesce([*pieces, *_body(function)])


def _body(function: Function) -> Iterator[Piece]:
    """The nodes of a function, and what it returns."""
    for node in function.values():
        yield from delimited(_NODE, write_node(node))
    for output, tensor in function.results.items():
        entry = [wire.length_delimited(k, t.encode()) for k, t in ((1, output), (2, tensor))]
        yield wire.length_delimited(_RET, b"".join(entry))


def _write_built(function: BuiltFunction) -> list[Piece]:
    signature = proto.OpDef(name=function.name)
    for args, names, types in (
        (signature.input_arg, function.arguments, function.taken),
        (signature.output_arg, function.results, function.yielded),
    ):
        for name, dtype in zip(names, types, strict=True):
            args.add(name=name, type=dtype.enum)
    raw = signature.SerializeToString(deterministic=True)
    return coalesce([wire.length_delimited(_SIGNATURE, raw), *_body(function)])


def _is_changed(
    view: memoryview, span: wire.Span, function: Specialised, controls: list[str]
) -> bool:
    """Whether a field of the original is written anew, or left out, in the copy."""
    if span.field == _CONTROL_RET:
        return _first_text(view, span) not in controls
    if span.field == _ATTR:
        return _first_text(view, span) in _TWINS
    if span.field == _ARG_ATTR:
        index = _index(view, span)
        return index < len(function.taken) and function.taken[index] is not None
    # An id says which resources are one, and of these some are none any more.
    return span.field in (_NODE, _RET, _ARG_ID)


def _signature(raw: bytes, function: Specialised, controls: list[str]) -> bytes:
    try:
        message = proto.OpDef.FromString(raw)
    except proto.DecodeError as error:
        raise CorruptFileError(f"not an OpDef ({error})") from None
    message.name = function.name
    for arguments, values in (
        (message.input_arg, function.taken), (message.output_arg, function.yielded),
    ):  # fmt: skip
        for argument, value in zip(arguments, values, strict=True):
            if value is not None:
                argument.type = value.dtype.enum
                argument.ClearField("handle_data")
                argument.ClearField("experimental_full_type")
    message.control_output[:] = [c for c in message.control_output if c in controls]
    return message.SerializeToString(deterministic=True)


def _index(view: memoryview, span: wire.Span) -> int:
    """The key of a map<uint32, ...> entry."""
    parts = wire.scan(view, span.offset, span.end)
    return next((wire.read_varint(view, p.offset)[0] for p in parts if p.field == 1), 0)


def _sub(source: FileSpan | bytes, span: wire.Span) -> FileSpan | bytes:
    if isinstance(source, FileSpan):
        return source.span(span.offset, span.length)
    return source[span.offset : span.end]


def _text(view: memoryview, span: wire.Span) -> str:
    try:
        return str(view[span.offset : span.end], "utf-8")
    except UnicodeDecodeError:
        raise CorruptFileError("a name in a FunctionDef is not UTF-8 text") from None


def _first_text(view: memoryview, span: wire.Span) -> str:
    """Field 1 of a message: the name of an ArgDef, the key of a map entry."""
    for part in wire.scan(view, span.offset, span.end):
        if part.field == 1:
            return _text(view, part)
    return ""

"""A serialised message as parts: readable text, its tensors as files, and the bytes between them.

    {"part": "message", "message": "GraphDef", "output": "",
     "text": "graph.pbtxt", "sha256": HEX,       the message without the elements of its tensors
     "raw": "graph.bin",                         the same, as it stood in the file
     "holes": [{"at": offset in raw, "length": bytes, "file": "tensors/w.npy", "dtype": "float32",
                "shape": [2], "how": "raw", "field": 4, "crc32c": of those bytes}, ...]}

In the text a tensor's elements are ``tensor_content: "file:tensors/w.npy"``. Each payload is stored
once: scalars, values that stand for many, and what is no array stay in the text. While the text is
as it was, the file is ``raw`` with its holes filled; else merging.py takes over, field by field.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from modelfmt import proto
from modelfmt.errors import CorruptFileError, UnsupportedError, Where, located
from modelfmt.storage import wire
from modelfmt.storage.crc32c import crc32c_of_piece
from modelfmt.storage.files import FileSpan, Piece, piece_bytes, piece_length, write_pieces
from modelfmt.surgery.parts import Names, Parts, Record, digest
from modelfmt.surgery.payloads import (
    dtype_of,
    read_npy,
    read_strings_json,
    write_npy,
    write_strings_json,
)
from modelfmt.tensor import Tensor
from modelfmt.tf.nodedef import view_of
from modelfmt.tf.spelling import Spelling, find_spelling, spell

REFERENCE = b"file:"
_DEEPEST = 100  # protobuf's own limit

#: Message -> its fields that lead to tensors, and what they are. An Entry is a map's.
ROADS = {
    "SavedModel": {2: "MetaGraphDef"},
    "MetaGraphDef": {2: "GraphDef"},
    "GraphDef": {1: "NodeDef", 2: "FunctionDefLibrary"},
    "FunctionDefLibrary": {1: "FunctionDef"},
    "FunctionDef": {3: "NodeDef", 5: "Entry"},
    "NodeDef": {5: "Entry"},
    "Entry": {2: "AttrValue"},
    "AttrValue": {1: "ListValue", 8: "TensorProto", 10: "NameAttrList"},
    "ListValue": {8: "TensorProto", 9: "NameAttrList"},
    "NameAttrList": {2: "Entry"},
}


class Cut(NamedTuple):
    """What takes the place of a tensor's elements: where they stand, and the reference instead."""

    spelling: Spelling
    reference: str


#: Decides about the TensorProto at an offset: (offset, its bytes, the name it is known by).
Decide = Callable[[int, memoryview, str], Cut | None]


def strip(
    view: memoryview, kind: str, decide: Decide, base: int = 0, name: str = "", depth: int = 0
) -> bytes:
    """A message with the elements of its tensors replaced by references."""
    if depth > _DEEPEST:
        raise CorruptFileError("messages within messages, too deep for protobuf")
    if kind == "TensorProto":
        cut = decide(base, view, name)
        return bytes(view) if cut is None else _stripped(view, cut)
    roads = ROADS.get(kind, {})
    own = _name(view, kind)
    name = "/".join(filter(None, [name, own])) if kind != "Entry" else _dotted(name, own)
    out = bytearray()
    done = 0
    for span in wire.scan(view):
        below = roads.get(span.field)
        if below is None or span.wire_type != wire.LEN:
            continue
        old = view[span.offset : span.end]
        new = strip(old, below, decide, base + span.offset, name, depth + 1)
        if len(new) != len(old) or new != old:
            out += view[done : span.start]
            out += wire.length_delimited(span.field, new)
            done = span.end
    if not done:
        return bytes(view)
    out += view[done:]
    return bytes(out)


def _stripped(view: memoryview, cut: Cut) -> bytes:
    start, end = cut.spelling.spans[0].start, cut.spelling.spans[-1].end
    reference = wire.length_delimited(4, REFERENCE + cut.reference.encode())
    return b"".join((view[:start], view[end:], reference))


def _name(view: memoryview, kind: str) -> str:
    """What a message is called: a node's or function's name, an attr's key."""
    if kind not in ("NodeDef", "FunctionDef", "Entry"):
        return ""
    for span in wire.scan(view):
        if span.field == 1 and span.wire_type == wire.LEN:
            if kind == "FunctionDef":
                return _name(view[span.offset : span.end], "NodeDef")
            return bytes(view[span.offset : span.end]).decode("utf-8", "backslashreplace")
    return ""


def _dotted(name: str, key: str) -> str:
    return name if key in ("value", "") else f"{name}.{key}"


def explode_message(
    source: FileSpan | bytes, kind: str, folder: str, stem: str, names: Names, *,
    output: str = "", tensors: str = "tensors",
) -> Record:
    """Write the parts of a message, and return their record for the manifest.

    Args:
        source: the serialised message.
        kind: its name in ``modelfmt.proto``.
        folder: where the parts go.
        stem: of the text and the raw bytes.
        names: of files that are there already.
        output: where the message goes, for the record.
        tensors: the folder for tensors within ``folder``.

    Raises:
        CorruptFileError: it is no such message.

    Read by: ``implode_message``.
    """
    view = view_of(source)
    holes: list[tuple[int, Record]] = []

    def decide(base: int, tensor: memoryview, name: str) -> Cut | None:
        raw = source.span(base, len(tensor)) if isinstance(source, FileSpan) else bytes(tensor)
        found = None
        with suppress(UnsupportedError, CorruptFileError):  # a resource; what fits no shape
            found = find_spelling(raw, tensor)
        if found is None or not _is_array(found[1], tensor, found[0]):
            return None
        spelling, held = found
        file = names.allocate(tensors, name, ".json" if held.strings else ".npy")
        write_elements(os.path.join(folder, *file.split("/")), held)
        record = {
            "at": base + spelling.start, "length": spelling.length, "file": file,
            "dtype": held.dtype.name, "shape": list(held.shape), "how": spelling.how,
            "field": spelling.field,
            "crc32c": crc32c_of_piece(_part(raw, spelling.start, spelling.start + spelling.length)),
        }
        holes.append((base, record))
        return Cut(spelling, file)

    stripped = strip(view, kind, decide)
    text = text_of(stripped, kind).encode()
    texts, raws = names.allocate(".", stem, ".pbtxt")[2:], names.allocate(".", stem, ".bin")[2:]
    for name, pieces in ((texts, [text]), (raws, list(_between(source, [h for _, h in holes])))):
        path = os.path.join(folder, *name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            write_pieces(file, pieces)
    removed = 0
    for _, record in holes:
        record["at"] -= removed
        removed += record["length"]
    return {
        "part": "message", "message": kind, "output": output, "text": texts,
        "sha256": digest(text), "raw": raws, "holes": [record for _, record in holes],
    }


def text_of(data: bytes, kind: str) -> str:
    """The text of a serialised message. Raises CorruptFileError."""
    try:
        return proto.format_text(getattr(proto, kind).FromString(data))
    except proto.DecodeError as error:
        raise CorruptFileError(f"not a {kind} ({error})") from None


def write_elements(path: str, tensor: Tensor, *, big_endian: bool = False) -> None:
    """Write a tensor's elements into a file of their own, folders and all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if tensor.strings is not None:
        write_strings_json(path, tensor.strings(), tensor.shape)
    else:
        write_npy(path, tensor.payload, tensor.dtype, tensor.shape, big_endian=big_endian)


def _is_array(tensor: Tensor, view: memoryview, spelling: Spelling) -> bool:
    """Whether elements go into a file; what looks like a reference must, to be told from one."""
    if spelling.field == 4:
        content = bytes(view[spelling.start : spelling.start + len(REFERENCE)])
        if content == REFERENCE:
            return True
    return len(tensor.shape) > 0


def _between(source: FileSpan | bytes, holes: list[Record]) -> Iterator[Piece]:
    done = 0
    for hole in holes:
        yield _part(source, done, hole["at"])
        done = hole["at"] + hole["length"]
    yield _part(source, done, piece_length(source))


def _part(source: FileSpan | bytes, start: int, end: int) -> Piece:
    return source.span(start, end - start) if isinstance(source, FileSpan) else source[start:end]


# -- and back ---------------------------------------------------------------------------------


class Filled(NamedTuple):
    """A hole with the bytes that go into it; ``at`` counts in the whole message."""

    at: int
    record: Record
    body: Piece

    @property
    def fits(self) -> bool:
        """Whether it has the length that it had."""
        length: int = self.record["length"]
        return piece_length(self.body) == length

    @property
    def is_edited(self) -> bool:
        """Whether they are not the bytes that it had."""
        known: object = self.record.get("crc32c")
        return not self.fits or (known is not None and crc32c_of_piece(self.body) != known)


def implode_message(parts: Parts, record: Record) -> tuple[list[Piece], list[str]]:
    """The message that a record's parts make, as pieces, and the names of the parts edited.

    Raises:
        MissingError: a part is not there.
        MismatchError: an array of another dtype or shape.
        CorruptFileError: the text is no such message, or says what cannot be.

    Written by: ``explode_message``.
    """
    kind = parts.get(record, "message", str)
    raw = parts.span(parts.get(record, "raw", str))
    text_name = parts.get(record, "text", str)
    text = parts.text(text_name)
    edited = digest(text.encode()) != parts.get(record, "sha256", str)
    holes = list(_filled(parts, record, raw))
    names = [hole.record["file"] for hole in holes if hole.is_edited]
    if not edited and all(hole.fits for hole in holes):
        return list(_joined(raw, holes)), names
    from modelfmt.surgery.merging import merge

    with located(path=parts.path(text_name)):
        return [merge(parts, kind, raw, holes, text)], [text_name] * edited + names


def read_elements(parts: Parts, hole: Record) -> Piece | list[bytes]:
    """The elements that stand in a hole's file. Raises MissingError, MismatchError."""
    file = parts.open(parts.get(hole, "file", str))
    shape = shape_of(parts, hole)
    dtype = dtype_of(parts.get(hole, "dtype", str), parts.where)
    if dtype.name == "string":
        return read_strings_json(file, shape)
    return read_npy(file, dtype, shape, big_endian=bool(hole.get("big_endian")))


def shape_of(parts: Parts, record: Record) -> tuple[int, ...]:
    """The shape that a record states. Raises CorruptFileError."""
    shape: list[Any] = parts.get(record, "shape", list)
    if not all(isinstance(size, int) and size >= 0 for size in shape):
        raise CorruptFileError("the manifest states no shape", where=parts.where, found=shape)
    return tuple(shape)


def _filled(parts: Parts, record: Record, raw: FileSpan) -> Iterator[Filled]:
    added = done = 0
    for hole in parts.get(record, "holes", list):
        at, length = parts.get(hole, "at", int), parts.get(hole, "length", int)
        if not done <= at <= raw.length or length < 0:
            raise CorruptFileError(
                "the holes are out of order or pass the end", where=Where(raw.file.path),
                expected=f"{done} to {raw.length}", found=at,
            )
        done = at
        yield Filled(at + added, hole, spelled(parts, hole))
        added += length


def spelled(parts: Parts, hole: Record) -> Piece:
    """A hole's elements, as the bytes that they are in the message."""
    how, field = parts.get(hole, "how", str), parts.get(hole, "field", int)
    values = read_elements(parts, hole)
    if how == "raw" and not isinstance(values, list):
        return values
    dtype = dtype_of(parts.get(hole, "dtype", str), parts.where)
    body = spell(how, field, dtype, values)
    if body is None:
        raise CorruptFileError(f"no way to spell {dtype} as {how}", where=parts.where)
    return body


def _joined(raw: FileSpan, holes: list[Filled]) -> Iterator[Piece]:
    done = 0
    for hole in holes:
        at: int = hole.record["at"]
        yield raw.span(done, at - done)
        yield hole.body
        done = at
    yield raw.span(done, raw.length - done)


def whole(raw: FileSpan, holes: list[Filled]) -> bytes:
    """The message as it was, with those elements that have the length that they had."""
    same = [h if h.fits else h._replace(body=bytes(h.record["length"])) for h in holes]
    return b"".join(map(piece_bytes, _joined(raw, same)))


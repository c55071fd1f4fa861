"""Where the messages beside a graph name its nodes, tensors and checkpoint keys.

One table says which field of which message is such a name; one walk follows it, for renaming and
for looking alike. A field that does not change keeps its bytes, one that we do not know as well.

    ref      a node or a tensor: "a", "a:1", "^a"
    label    a name that need not be a node's: a variable's, a context's
    key      a checkpoint key

A *unit* is what goes when a name in it goes: an entry of a collection, a signature, an asset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from modelfmt.errors import CorruptFileError, MismatchError
from modelfmt.storage import wire
from modelfmt.tf.collections import Collection

Sort: TypeAlias = Literal["ref", "label", "key"]
#: Gives the name that takes a name's place; None lets the unit go in which it stands.
Change: TypeAlias = Callable[[Sort, str], str | None]

_FIELDS: Mapping[str, Mapping[int, str]] = {
    "MetaGraphDef": {
        3: "SaverDef", 4: "CollectionEntry", 5: "SignatureEntry", 6: "AssetFileDef",
        7: "SavedObjectGraph",
    },
    "SaverDef": {1: "ref", 2: "ref", 3: "ref"},
    "SignatureEntry": {2: "SignatureDef"},
    "SignatureDef": {1: "InfoEntry", 2: "InfoEntry"},
    "InfoEntry": {2: "TensorInfo"},
    "TensorInfo": {1: "ref", 4: "CooSparse", 5: "CompositeTensor"},
    "CooSparse": {1: "ref", 2: "ref", 3: "ref"},
    "CompositeTensor": {2: "TensorInfo"},
    "AssetFileDef": {1: "TensorInfo"},
    "VariableDef": {1: "ref", 2: "ref", 3: "ref", 4: "SaveSliceInfoDef", 6: "ref"},
    "SaveSliceInfoDef": {1: "label"},
    "QueueRunnerDef": {1: "ref", 2: "ref", 3: "ref", 4: "ref"},
    "CondContextDef": {1: "label", 2: "ref", 3: "ref", 5: "ValuesDef", 6: "ControlFlowContextDef"},
    "WhileContextDef": {
        1: "label", 5: "ref", 6: "ref", 7: "ref", 8: "ref", 9: "ValuesDef", 10: "ref", 11: "ref",
        12: "ControlFlowContextDef",
    },
    "ControlFlowContextDef": {1: "CondContextDef", 2: "WhileContextDef"},
    "ValuesDef": {1: "ref", 2: "ValuesEntry"},
    "ValuesEntry": {1: "ref", 2: "ref"},
    "NodeList": {1: "ref"},
    "SavedObjectGraph": {1: "SavedObject"},
    "SavedObject": {7: "SavedVariable", 9: "SavedConstant"},
    "SavedVariable": {6: "label", 8: "SavedVariable"},
    "SavedConstant": {1: "ref"},
    "TrackableObjectGraph": {1: "TrackableObject"},
    "TrackableObject": {2: "SerializedTensor"},
    "SerializedTensor": {2: "label", 3: "key"},
}
#: (message, field) whose value is a unit.
_UNITS = {
    ("MetaGraphDef", 3), ("MetaGraphDef", 5), ("MetaGraphDef", 6), ("NodeList", 1),
    ("ValuesDef", 1), ("ValuesDef", 2), ("BytesList", 1), ("AnyList", 1),
    ("CondContextDef", 6), ("WhileContextDef", 12),
}  # fmt: skip
_DEEPEST = 100


class _Gone(Exception):
    """A name is gone, and with it the unit around it."""


def changed_fields(
    source: memoryview, kind: str, change: Change
) -> dict[wire.Span, list[bytes]]:
    """The fields of a message that change, each with what takes its place (nothing: it goes).

    Args:
        source: a serialised message.
        kind: its name.
        change: is asked for every name.

    Raises:
        CorruptFileError: not such a message, or a name that is no text.
        MismatchError: a name is gone that is in no unit.
    """
    try:
        return _fields(source, kind, change, "", 0)
    except _Gone:
        raise MismatchError(f"what is stripped is named where a {kind} needs it") from None


def changed_message(source: bytes, kind: str, change: Change) -> bytes:
    """A whole message with other names, the same bytes where none changes."""
    out, done = bytearray(), 0
    for span, pieces in changed_fields(memoryview(source), kind, change).items():
        out += source[done : span.start]
        out += b"".join(pieces)
        done = span.end
    return bytes(out + source[done:])


def _message(view: memoryview, kind: str, change: Change, key: str, depth: int) -> bytes:
    edits = _fields(view, kind, change, key, depth)
    out, done = bytearray(), 0
    for span, pieces in edits.items():
        out += view[done : span.start]
        out += b"".join(pieces)
        done = span.end
    return bytes(view) if not edits else bytes(out + view[done:])


def _fields(
    view: memoryview, kind: str, change: Change, key: str, depth: int
) -> dict[wire.Span, list[bytes]]:
    if depth > _DEEPEST:
        raise CorruptFileError("messages within messages, too deep for protobuf")
    edits: dict[wire.Span, list[bytes]] = {}
    for span in wire.scan(view):
        if span.wire_type != wire.LEN:
            continue
        value = view[span.offset : span.end]
        try:
            new = _value(view, value, kind, span.field, change, key, depth)
        except _Gone:
            if (kind, span.field) not in _UNITS:
                raise
            edits[span] = []
            continue
        if new is not None and new != value:
            edits[span] = [wire.length_delimited(span.field, new)]
    return edits


def _value(
    view: memoryview, value: memoryview, kind: str, field: int, change: Change, key: str,
    depth: int,
) -> bytes | None:
    """What a field's value becomes; None for one without names."""
    if kind == "CollectionEntry":
        return _message(value, "CollectionDef", change, _key(view), depth) if field == 2 else None
    if kind == "CollectionDef":
        below = {1: "NodeList", 2: "BytesList", 5: "AnyList"}.get(field)
        return _message(value, below, change, key, depth) if below else None
    if kind == "BytesList":
        below = Collection(key, "bytes_list").type if field == 1 else ""
        return _message(value, below, change, "", depth) if below in _FIELDS else None
    if kind == "AnyList":
        return _any(value, change, depth) if field == 1 else None
    what = _FIELDS[kind].get(field)
    if what is None:
        return None
    if what not in ("ref", "label", "key"):
        return _message(value, what, change, "", depth + 1)
    text = _text(value)
    if not text:
        return None
    new = change(what, text)  # type: ignore[arg-type]
    if new is None:
        raise _Gone
    return new.encode()


def _any(value: memoryview, change: Change, depth: int) -> bytes | None:
    """google.protobuf.Any: 1 type_url, 2 value."""
    spans = {span.field: span for span in wire.scan(value)}
    if 1 not in spans or 2 not in spans:
        return None
    url = _text(value[spans[1].offset : spans[1].end])
    kind = url.rpartition("/")[2].removeprefix("tensorflow.")
    if kind not in _FIELDS:
        return None
    held = spans[2]
    new = _message(value[held.offset : held.end], kind, change, "", depth + 1)
    start, end = value[: held.start], value[held.end :]
    return b"".join((start, wire.length_delimited(2, new), end))


def _key(entry: memoryview) -> str:
    for span in wire.scan(entry):
        if span.field == 1 and span.wire_type == wire.LEN:
            return _text(entry[span.offset : span.end])
    return ""


def _text(value: memoryview) -> str:
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        raise CorruptFileError("a name is not UTF-8 text", found=bytes(value[:40])) from None

"""NodeDef, both directions: decoded on touch, rewritten only where it was changed.

    1 name  2 op  3 input  4 device  5 attr {1 key, 2 AttrValue}

Source: tensorflow/core/framework/node_def.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TypeAlias

from modelfmt.errors import CorruptFileError, ModelFormatError, Where, located
from modelfmt.graph import AttrValue, Node
from modelfmt.storage import wire
from modelfmt.storage.files import FileSpan, Piece, piece_length
from modelfmt.storage.patching import patched
from modelfmt.storage.splice import delimited, splice
from modelfmt.tensor import Tensor
from modelfmt.tf.attrvalue import read_attr, read_map_entry, write_attr, write_map_entry
from modelfmt.tf.spelling import elements, find_spelling, spell

_NAME, _OP, _INPUT, _DEVICE, _ATTR = 1, 2, 3, 4, 5
_TENSOR = 8  # of an AttrValue
_NONE: frozenset[str] = frozenset()
_Item: TypeAlias = tuple[int, int, int, int, int]  # of wire.fields


class WireAttrs(MutableMapping[str, AttrValue]):
    """The attrs of a node in a file: each is decoded when asked for; edits stand beside."""

    __slots__ = ("_decoded", "_entries", "_found", "_node", "_raw", "changed", "deleted")

    def __init__(self, raw: FileSpan | bytes, node: str, entries: list[_Item]) -> None:
        self._raw, self._node, self._entries = raw, node, entries
        self._found: dict[str, wire.Span] | None = None
        self._decoded: dict[str, AttrValue] = {}
        self.changed: dict[str, AttrValue] = {}
        self.deleted: frozenset[str] = _NONE

    @property
    def _spans(self) -> dict[str, wire.Span]:
        """Where the values stand, by key; of many nodes nobody asks. Raises CorruptFileError."""
        if self._found is None:
            view = view_of(self._raw)
            found: dict[str, wire.Span] = {}
            try:
                for field, kind, start, offset, length in self._entries:
                    key, value = _attr(view, offset, offset + length)
                    found[key] = value or wire.Span(field, kind, start, offset, 0)
            except ModelFormatError:
                with located(path=path_of(self._raw), key=f'node "{self._node}"'):
                    raise
            self._found = found
        return self._found

    def __getitem__(self, key: str) -> AttrValue:
        if key in self.changed:
            return self.changed[key]
        if key in self.deleted or key not in self._spans:
            raise KeyError(key)
        if key not in self._decoded:
            span = self._spans[key]
            raw = (
                self._raw.span(span.offset, span.length)
                if isinstance(self._raw, FileSpan)
                else self._raw[span.offset : span.end]
            )
            try:
                self._decoded[key] = read_attr(raw, self._node)
            except ModelFormatError:
                with located(key=f'node "{self._node}", attr "{key}"'):
                    raise
        return self._decoded[key]

    def __setitem__(self, key: str, value: AttrValue) -> None:
        self.changed[key] = value
        self.deleted -= {key}

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self.changed.pop(key, None)
        self.deleted |= {key}

    def __contains__(self, key: object) -> bool:
        return key in self.changed or (key in self._spans and key not in self.deleted)

    def __iter__(self) -> Iterator[str]:
        yield from (k for k in self._spans if k not in self.deleted)
        yield from (k for k in self.changed if k not in self._spans)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def copy(self) -> WireAttrs:
        """The same attrs, to be changed on their own."""
        twin = WireAttrs(self._raw, self._node, self._entries)
        twin._found = self._found
        twin._decoded, twin.changed = self._decoded, dict(self.changed)
        twin.deleted = self.deleted
        return twin


class WireNode(Node):
    """A Node that stands in a file; ``raw`` is its NodeDef."""

    raw: FileSpan | bytes

    def copy(self) -> WireNode:
        attrs = self.attrs.copy() if isinstance(self.attrs, WireAttrs) else dict(self.attrs)
        node = WireNode(self.name, self.op, list(self.inputs), attrs, self.device)
        node.raw = self.raw
        return node


def view_of(source: FileSpan | bytes) -> memoryview:
    """The bytes of a message in a file or at hand."""
    return source.view() if isinstance(source, FileSpan) else memoryview(source)


def path_of(source: FileSpan | bytes) -> str | None:
    """The file that a message stands in."""
    return source.file.path if isinstance(source, FileSpan) else None


def read_node(raw: FileSpan | bytes) -> WireNode:
    """The Node of a serialised NodeDef; no attr is decoded. Raises CorruptFileError.

    Written by: ``write_node``.
    """
    view = view_of(raw)
    texts = {_NAME: "", _OP: "", _DEVICE: ""}
    inputs: list[str] = []
    attrs: list[_Item] = []
    for item in wire.fields(view):
        field = item[0]
        if field == _ATTR:
            attrs.append(item)
        elif field == _INPUT:
            inputs.append(_text(view, item[3], item[4]))
        elif field in texts:
            texts[field] = _text(view, item[3], item[4])
    node = WireNode(
        texts[_NAME], texts[_OP], inputs, WireAttrs(raw, texts[_NAME], attrs), texts[_DEVICE]
    )
    node.raw = raw
    return node


def write_node(node: Node) -> list[Piece]:
    """A NodeDef as pieces: of a node from a file, its own bytes wherever it was not changed.

    Attrs of new nodes stand in order of their keys. Read by: ``read_node``.
    """
    if isinstance(node, WireNode):
        return _respliced(node)
    head = [_field(_NAME, node.name), _field(_OP, node.op)]
    head += [_field(_INPUT, i) for i in node.inputs]
    if node.device:
        head.append(_field(_DEVICE, node.device))
    attrs = [
        piece
        for key in sorted(node.attrs)
        for piece in write_map_entry(_ATTR, key, write_attr(node.attrs[key]))
    ]
    return [b"".join(head), *attrs]


def is_changed(node: Node) -> bool:
    """Whether a node would be written other than it was read."""
    return not isinstance(node, WireNode) or write_node(node) != [node.raw]


def _respliced(node: WireNode) -> list[Piece]:
    view = view_of(node.raw)
    attrs = node.attrs
    changed = dict(attrs.changed) if isinstance(attrs, WireAttrs) else dict(attrs)
    deleted = attrs.deleted if isinstance(attrs, WireAttrs) else _NONE
    texts = {_NAME: node.name, _OP: node.op, _DEVICE: node.device}
    spans = list(wire.scan(view))
    stored = [_text(view, s.offset, s.length) for s in spans if s.field == _INPUT]
    inputs: list[Piece] = [_field(_INPUT, i) for i in node.inputs]
    edits: list[tuple[wire.Span, list[Piece]]] = []
    seen: set[int] = set()
    rewired = stored != node.inputs
    for span in spans:
        if span.field in texts:
            seen.add(span.field)
            if _text(view, span.offset, span.length) != texts[span.field]:
                edits.append((span, [_field(span.field, texts[span.field])]))
        elif span.field == _INPUT and rewired:
            edits.append((span, inputs))
            inputs = []
        elif span.field == _ATTR:
            key, _ = read_map_entry(view[span.offset : span.end])
            if key in deleted:
                edits.append((span, []))
            elif key in changed:
                value = changed.pop(key)
                written = _respelled(node.raw, key, value) or write_attr(value)
                edits.append((span, write_map_entry(_ATTR, key, written)))
    appended: list[Piece] = list(inputs) if rewired else []
    appended += [_field(f, text) for f, text in texts.items() if text and f not in seen]
    for key in sorted(changed):
        appended += write_map_entry(_ATTR, key, write_attr(changed[key]))
    return splice(node.raw, edits, appended)


def _respelled(raw: FileSpan | bytes, key: str, value: AttrValue) -> list[Piece] | None:
    """An attr's tensor spelled as the one in its place: other elements, and no other byte."""
    if not isinstance(value, Tensor):
        return None
    attr = next((a for k, a in _attrs(raw) if k == key), None)
    parts = [] if attr is None else list(wire.scan(view_of(attr)))
    if attr is None or len(parts) != 1 or parts[0].field != _TENSOR:
        return None
    proto = sub(attr, parts[0])
    try:
        found = find_spelling(proto, view_of(proto))
    except ModelFormatError:  # the old one is none that can be read: nothing to keep
        return None
    if found is None or (found[1].dtype, found[1].shape) != (value.dtype, value.shape):
        return None
    spelling = found[0]
    body: Piece | None = (
        value.payload if spelling.how == "raw" and value.strings is None
        else spell(spelling.how, spelling.field, value.dtype, elements(value))
    )  # fmt: skip
    if body is None or piece_length(body) != spelling.length:
        return None
    return delimited(_TENSOR, patched(proto, [(spelling.start, body)]))


def _attrs(raw: FileSpan | bytes) -> Iterator[tuple[str, FileSpan | bytes]]:
    view = view_of(raw)
    for span in wire.scan(view):
        if span.field == _ATTR:
            entry = sub(raw, span)
            key, value = read_map_entry(view_of(entry))
            if value is not None:
                yield key, sub(entry, value)


def sub(source: FileSpan | bytes, span: wire.Span) -> FileSpan | bytes:
    """The value of a field."""
    if isinstance(source, FileSpan):
        return source.span(span.offset, span.length)
    return source[span.offset : span.end]


def _field(field: int, text: str) -> bytes:
    return wire.length_delimited(field, text.encode())


def _attr(view: memoryview, start: int, end: int) -> tuple[str, wire.Span | None]:
    """Key and value of a map entry, as ``read_map_entry``, where it stands in a node."""
    key, value = "", None
    for item in wire.fields(view, start, end):
        if item[0] == 1:
            key = _text(view, item[3], item[4])
        elif item[0] == 2:
            value = wire.Span(*item)
    return key, value


def _text(view: memoryview, offset: int, length: int) -> str:
    try:
        return str(view[offset : offset + length], "utf-8")
    except UnicodeDecodeError:
        raise CorruptFileError("a name in a NodeDef is not UTF-8 text") from None


class WireNodes(Mapping[str, Node]):
    """The nodes of a serialised GraphDef (or of a function's body), decoded on touch."""

    def __init__(self, source: FileSpan | bytes, field: int = 1) -> None:
        self.source, self._field = source, field
        self.touched: dict[str, Node] = {}
        self._found: dict[str, wire.Span] | None = None

    @property
    def spans(self) -> dict[str, wire.Span]:
        """Where each node's field stands, by name, in file order.

        Raises:
            CorruptFileError: two nodes of one name, or a name that is no text.
        """
        if self._found is None:
            with located(path=path_of(self.source)):
                self._found = self._scan()
        return self._found

    def _scan(self) -> dict[str, wire.Span]:
        view = view_of(self.source)
        found: dict[str, wire.Span] = {}
        for item in wire.fields(view):
            field, wire_type, _, offset, length = item
            if field != self._field or wire_type != wire.LEN:
                continue
            name = ""
            for inner in wire.fields(view, offset, offset + length):
                if inner[0] == 1:
                    try:
                        name = str(view[inner[3] : inner[3] + inner[4]], "utf-8")
                    except UnicodeDecodeError:
                        raise CorruptFileError(
                            "the name of a node is not UTF-8 text", where=Where(offset=inner[3])
                        ) from None
                    break
            if name in found:
                raise CorruptFileError(f'two nodes are called "{name}"', where=Where(offset=offset))
            found[name] = wire.Span(*item)
        return found

    def __getitem__(self, name: str) -> Node:
        node = self.touched.get(name)
        if node is None:
            span = self.spans[name]
            raw = (
                self.source.span(span.offset, span.length)
                if isinstance(self.source, FileSpan)
                else self.source[span.offset : span.end]
            )
            try:
                node = self.touched[name] = read_node(raw)
            except ModelFormatError:
                with located(path=path_of(self.source), key=f'node "{name}"'):
                    raise
        return node

    def __iter__(self) -> Iterator[str]:
        return iter(self.spans)

    def __len__(self) -> int:
        return len(self.spans)

    def __contains__(self, name: object) -> bool:
        return name in self.spans

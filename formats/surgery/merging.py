"""An edited text and the message that it was made from: what is the same keeps its bytes.

The two are compared field by field, on the way down through graphs and functions to the fields of
a node. A field that says the same is taken from the old bytes, in its old place; any other is
encoded anew, with references to files of elements resolved. Unknown fields stay where they are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from modelfmt import dtypes, proto
from modelfmt.errors import CorruptFileError, MismatchError, MissingError, Where, located
from modelfmt.graph import parse_input
from modelfmt.storage import wire
from modelfmt.storage.files import FileSpan, piece_bytes
from modelfmt.surgery.messages import (
    REFERENCE,
    Cut,
    Filled,
    shape_of,
    spelled,
    strip,
    text_of,
    whole,
)
from modelfmt.surgery.parts import Parts, Record
from modelfmt.tf.spelling import Spelling, field_bytes

#: Message -> its fields that are compared part by part: graphs, functions, nodes.
_BELOW = {
    "SavedModel": {2: "MetaGraphDef"},
    "MetaGraphDef": {2: "GraphDef"},
    "GraphDef": {1: "NodeDef", 2: "FunctionDefLibrary"},
    "FunctionDefLibrary": {1: "FunctionDef"},
    "FunctionDef": {3: "NodeDef"},
}
_SCALARS = (str, bytes, int, float)  # protobuf's lists have no __iter__ to know them by


def merge(parts: Parts, kind: str, raw: FileSpan, holes: Sequence[Filled], text: str) -> bytes:
    """The message that an edited text stands for.

    Args:
        parts: where references lead.
        kind: of the message.
        raw: its old bytes, without the elements of its tensors.
        holes: those elements, as they are now.
        text: as it is now.

    Raises:
        CorruptFileError: not such a message, or two nodes of one name.
        MissingError: a node reads what there is not, or a reference leads nowhere.
        MismatchError: a file of elements that does not fit the tensor that refers to it.
    """
    return _Merger(parts, kind, raw, holes).merged(text)


def _parse(text: str, kind: str) -> Any:
    try:
        return proto.parse_text(text, getattr(proto, kind))
    except proto.ParseError as error:
        raise CorruptFileError(f"not a text {kind} ({error})") from None


class _Merger:
    def __init__(
        self, parts: Parts, kind: str, raw: FileSpan, holes: Sequence[Filled]
    ) -> None:
        self.parts, self.kind = parts, kind
        self.holes = list(holes)
        self.data = whole(raw, self.holes)
        self.places = [hole.at for hole in self.holes]
        self.moved = [hole.at for hole in self.holes if not hole.fits]
        self.records = {hole.record["file"]: hole.record for hole in self.holes}

    def merged(self, text: str) -> bytes:
        new = _parse(text, self.kind)
        view = memoryview(self.data)
        stripped = strip(view, self.kind, self._cut)
        old = _parse(text_of(stripped, self.kind), self.kind)  # with what a text makes of it
        _check_edges(self.kind, new, old)
        return self._message(self.kind, view, 0, new, old)

    def _cut(self, base: int, tensor: memoryview, name: str) -> Cut | None:
        at = bisect_left(self.places, base)
        if at == len(self.places) or self.places[at] >= base + len(tensor):
            return None
        record = self.holes[at].record
        how, field, length = record["how"], record["field"], record["length"]
        start = self.places[at] - base
        # The fields, tags and all.
        spans: tuple[wire.Span, ...] = (wire.Span(field, wire.LEN, start, start, length),)
        if how in ("raw", "packed"):
            spans = tuple(s for s in wire.scan(tensor) if s.field == field)
        spelling = Spelling(how, field, start, length, spans)
        return Cut(spelling, record["file"])

    def _is_moved(self, start: int, end: int) -> bool:
        """Whether elements between two offsets have another length than they had."""
        at = bisect_left(self.moved, start)
        return at < len(self.moved) and self.moved[at] < end

    def _message(self, kind: str, view: memoryview, base: int, new: Any, old: Any) -> bytes:
        if not self._is_moved(base, base + len(view)) and _same(new, old):
            return bytes(view)
        spans = list(wire.scan(view))
        known = new.DESCRIPTOR.fields_by_number
        chunks: dict[int, list[bytes]] = {}
        places = {span.field: place for place, span in enumerate(spans)}  # the last ones
        for field, descriptor in sorted(known.items()):
            mine = [span for span in spans if span.field == field]
            below = _BELOW.get(kind, {}).get(field)
            values = [_listed(getattr(m, descriptor.name)) for m in (new, old)]
            if below and mine and len(values[1]) == len(mine) and _is_set(new, descriptor.name):
                chunks[field] = list(self._elements(field, below, view, base, mine, *values))
            else:
                chunks[field] = self._unit(view, base, mine, descriptor, new, old)
        out: list[bytes] = []
        for place, span in enumerate(spans):
            if span.field not in known:
                out.append(bytes(view[span.start : span.end]))
                continue
            left = chunks[span.field]
            out += left if places[span.field] == place else left[:1]
            del left[: len(left) if places[span.field] == place else 1]
        for field in sorted(known):
            if field not in places:
                out += chunks[field]
        return b"".join(out)

    def _elements(
        self, field: int, kind: str, view: memoryview, base: int, spans: list[wire.Span],
        new: Sequence[Any], old: Sequence[Any],
    ) -> Iterator[bytes]:
        """Graphs, functions or nodes: each beside the old one of its name."""
        places: dict[str, list[int]] = {}
        for place, element in enumerate(old):
            places.setdefault(_key(kind, element, place), []).append(place)
        for place, element in enumerate(new):
            found = places.get(_key(kind, element, place))
            if not found:
                yield wire.length_delimited(field, self._encoded(element))
                continue
            at = found.pop(0)
            span = spans[at]
            inside = view[span.offset : span.end]
            body = self._message(kind, inside, base + span.offset, element, old[at])
            if body == inside:
                yield bytes(view[span.start : span.end])
            else:
                yield wire.length_delimited(field, body)

    def _unit(
        self, view: memoryview, base: int, spans: list[wire.Span], descriptor: Any, new: Any,
        old: Any,
    ) -> list[bytes]:
        """A field with all its values: the old bytes, or else all of it anew."""
        now, before = _only(new, descriptor.name), _only(old, descriptor.name)
        moved = any(self._is_moved(base + s.start, base + s.end) for s in spans)
        if not moved and _same(now, before):
            return [bytes(view[span.start : span.end]) for span in spans]
        body = self._encoded(now)
        return [body] if body else []

    def _encoded(self, message: Any) -> bytes:
        twin = type(message)()
        twin.CopyFrom(message)
        for tensor in _tensors(twin):
            if tensor.tensor_content.startswith(REFERENCE):
                self._resolve(tensor)
        data: bytes = twin.SerializeToString(deterministic=True)
        return data

    def _resolve(self, tensor: Any) -> None:
        """Put the elements in the place of a reference to them."""
        try:
            file = tensor.tensor_content[len(REFERENCE) :].decode()
        except UnicodeDecodeError:
            raise CorruptFileError("a reference to a file that is no text") from None
        dtype = dtypes.from_enum(tensor.dtype)
        shape = [dim.size for dim in tensor.tensor_shape.dim]
        strings = dtype is dtypes.string
        added: Record = {
            "file": file, "dtype": dtype.name, "shape": shape,
            "how": "strings" if strings else "raw", "field": 8 if strings else 4,
        }
        record = self.records.get(file, added)
        if (record["dtype"], list(shape_of(self.parts, record))) != (dtype.name, shape):
            raise MismatchError(
                f'a tensor does not fit the elements it refers to, "{file}"',
                expected=f"{record['dtype']}{record['shape']}", found=f"{dtype}{shape}",
            )
        body = piece_bytes(spelled(self.parts, record))
        tensor.ClearField("tensor_content")
        tensor.MergeFromString(field_bytes(record["how"], record["field"], body))


def _same(a: Any, b: Any) -> bool:
    """As bytes: NaN is unequal to itself."""
    one: bytes = a.SerializeToString(deterministic=True)
    other: bytes = b.SerializeToString(deterministic=True)
    return one == other


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, (proto.Message, *_SCALARS)) else list(value)


def _is_set(message: Any, field: str) -> bool:
    return any(descriptor.name == field for descriptor, _ in message.ListFields())


def _only(message: Any, field: str) -> Any:
    """The message with one of its fields only."""
    made = type(message)()
    for descriptor, value in message.ListFields():
        if descriptor.name == field:
            if isinstance(value, proto.Message):
                getattr(made, field).CopyFrom(value)
            elif hasattr(value, "MergeFrom"):
                getattr(made, field).MergeFrom(value)
            else:
                setattr(made, field, value)
    return made


def _key(kind: str, element: Any, place: int) -> str:
    if kind == "NodeDef":
        return str(element.name)
    return str(element.signature.name) if kind == "FunctionDef" else str(place)


def _tensors(message: Any) -> Iterator[Any]:
    """Every TensorProto in a message."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for _, value in message.ListFields():
        if isinstance(value, proto.Message):
            yield from _tensors(value)
        elif not isinstance(value, _SCALARS):
            below: Iterable[Any] = value.values() if hasattr(value, "values") else value
            for item in below:
                if isinstance(item, proto.Message):
                    yield from _tensors(item)


def _check_edges(kind: str, new: Any, old: Any) -> None:
    """Raise for a node that stands there twice, or reads what there is not, and did not before."""
    before = set(_broken(kind, old))
    for scope, node, read in _broken(kind, new):
        if (scope, node, read) in before:
            continue
        place = Where(key=f'function "{scope}", node "{node}"' if scope else f'node "{node}"')
        if not read:
            raise CorruptFileError("two nodes of one name", where=place)
        raise MissingError(f"reads {read!r}, which does not exist", where=place)


def _broken(kind: str, message: Any) -> Iterator[tuple[str, str, str]]:
    if kind == "SavedModel":
        for meta in message.meta_graphs:
            yield from _broken("GraphDef", meta.graph_def)
    elif kind == "MetaGraphDef":
        yield from _broken("GraphDef", message.graph_def)
    elif kind == "GraphDef":
        yield from _broken_nodes("", message.node, ())
        for function in message.library.function:
            arguments = [argument.name for argument in function.signature.input_arg]
            with located(key=f'function "{function.signature.name}"'):
                yield from _broken_nodes(function.signature.name, function.node_def, arguments)


def _broken_nodes(
    scope: str, nodes: Iterable[Any], arguments: Iterable[str]
) -> Iterator[tuple[str, str, str]]:
    names = {node.name for node in nodes} | set(arguments)
    seen: set[str] = set()
    for node in nodes:
        if node.name in seen:
            yield scope, node.name, ""
        seen.add(node.name)
        for text in node.input:
            if parse_input(text).node not in names:
                yield scope, node.name, text

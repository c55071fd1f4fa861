"""Changes between two graphs: nodes, functions, versions, as they stand in two GraphDefs.

A node's place in the file says nothing to TensorFlow, yet nodes that moved are named: no change
means the same content. Attrs are compared by value; how a value is spelled is no difference.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

from modelfmt import proto
from modelfmt.dtypes import DType
from modelfmt.errors import CorruptFileError, located
from modelfmt.graph import Func, Function, Node, Placeholder, Shape
from modelfmt.storage import wire
from modelfmt.storage.files import FileSpan, Piece, piece_bytes, piece_length
from modelfmt.storage.splice import splice
from modelfmt.surgery.changes import (
    ADDED,
    CHANGED,
    EXACT,
    MOVED,
    REMOVED,
    Change,
    Tolerance,
    compare_values,
    in_order,
    out_of_order,
    same,
)
from modelfmt.surgery.elements import compare_tensors, even_chunks
from modelfmt.tensor import Tensor
from modelfmt.tf.functiondef import WireFunction
from modelfmt.tf.graphdef import WireGraph
from modelfmt.tf.nodedef import WireNode, WireNodes, view_of

_CHUNK, _SMALL = 1 << 20, 1 << 16
_NODE, _LIBRARY = 1, 2
_NODE_DEF = 3  # in a FunctionDef
_LAST_NODE_FIELD = 5


def graph_changes(
    a: WireGraph, b: WireGraph, tolerance: Tolerance = EXACT, *, scope: str = ""
) -> Iterator[Change]:
    """The changes from one GraphDef to another, as the files have them.

    Args:
        scope: stands before the names, where a file holds several graphs.
    """
    yield from _rest_changes(a, b, scope)
    unchanged = _unchanged(WireNodes(a.source), WireNodes(b.source))
    yield from node_changes("nodes", a, b, tolerance, scope, unchanged)
    yield from _function_changes(a, b, tolerance, scope)


def node_changes(
    part: str, a: Mapping[str, Node], b: Mapping[str, Node], tolerance: Tolerance,
    scope: str = "", unchanged: Container[str] = (),
) -> Iterator[Change]:
    """The changes between the nodes of two graphs or function bodies, by name.

    Args:
        unchanged: nodes known to be equal, which are not decoded.
    """
    for name in in_order(list(a), list(b)):
        where = scope + name
        if name in unchanged:
            continue
        if name not in b:
            yield Change(part, where, REMOVED, a=a[name].op)
        elif name not in a:
            yield Change(part, where, ADDED, b=b[name].op)
        else:
            with located(key=f'node "{name}"'):
                yield from _node(part, where, a[name], b[name], tolerance)
    for name in out_of_order(list(a), list(b)):
        yield Change(part, scope + name, MOVED)


def _unchanged(a: WireNodes, b: WireNodes) -> set[str]:
    """The nodes that have the same bytes in two files."""
    views, found = (view_of(a.source), view_of(b.source)), set[str]()
    for name, left in a.spans.items():
        right = b.spans.get(name)
        if right is None or left.length != right.length:
            continue
        if left.length < _SMALL:
            x, y = (bytes(v[s.offset : s.end]) for v, s in zip(views, (left, right), strict=True))
            same_node = x == y
        else:
            same_node = same_bytes(_raw(a, left), _raw(b, right))
        if same_node:
            found.add(name)
    return found


def _raw(nodes: WireNodes, span: wire.Span) -> FileSpan | bytes:
    source = nodes.source
    if isinstance(source, FileSpan):
        return source.span(span.offset, span.length)
    return source[span.offset : span.end]


def _node(part: str, where: str, a: Node, b: Node, tolerance: Tolerance) -> Iterator[Change]:
    for item, left, right in (("op", a.op, b.op), ("device", a.device, b.device)):
        if left != right:
            yield Change(part, where, CHANGED, item, left, right)
    if a.inputs != b.inputs:
        yield Change(part, where, CHANGED, "inputs", list(a.inputs), list(b.inputs))
    for key in in_order(sorted(a.attrs), sorted(b.attrs)):
        item = f"attr {key}"
        if key not in b.attrs:
            yield Change(part, where, REMOVED, item, a=plain_attr(a.attrs[key]))
        elif key not in a.attrs:
            yield Change(part, where, ADDED, item, b=plain_attr(b.attrs[key]))
        else:
            yield from _attr(part, where, item, a.attrs[key], b.attrs[key], tolerance)
    if isinstance(a, WireNode) and isinstance(b, WireNode) and _rest(a) != _rest(b):
        yield Change(part, where, CHANGED, "other fields of the NodeDef")


def _attr(
    part: str, where: str, item: str, a: Any, b: Any, tolerance: Tolerance
) -> Iterator[Change]:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        yield from compare_tensors(part, where, a, b, tolerance, prefix=f"{item} ")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b) and any(
        isinstance(value, Tensor) for value in a
    ):
        for k, (left, right) in enumerate(zip(a, b, strict=True)):
            yield from _attr(part, where, f"{item}[{k}]", left, right, tolerance)
    elif not same(plain_attr(a), plain_attr(b)):
        yield Change(part, where, CHANGED, item, plain_attr(a), plain_attr(b))


def plain_attr(value: Any) -> Any:
    """An attr's value as JSON could hold it; a tensor is its dtype and shape."""
    if isinstance(value, DType):
        return value.name
    if isinstance(value, Shape):
        return None if value.dims is None else list(value.dims)
    if isinstance(value, Tensor):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, Placeholder):
        return f"${value.name}"
    if isinstance(value, Func):
        return {"func": value.name, **{k: plain_attr(v) for k, v in value.attrs.items()}}
    return [plain_attr(v) for v in value] if isinstance(value, list) else value


def _rest(node: WireNode) -> list[bytes]:
    """The fields of a NodeDef that a Node has not."""
    view = view_of(node.raw)
    spans = wire.scan(view)
    return [bytes(view[s.start : s.end]) for s in spans if s.field > _LAST_NODE_FIELD]


def same_bytes(a: Piece, b: Piece) -> bool:
    """Whether two pieces hold the same, read in bounded chunks."""
    if piece_length(a) != piece_length(b):
        return False
    if isinstance(a, FileSpan) and isinstance(b, FileSpan) and a == b:
        return True
    pairs = zip(even_chunks(a, _CHUNK), even_chunks(b, _CHUNK), strict=True)
    return all(left == right for left, right in pairs)


# -- functions, and what else there is -------------------------------------------------------------


def _function_changes(
    a: WireGraph, b: WireGraph, tolerance: Tolerance, scope: str
) -> Iterator[Change]:
    for name in in_order(list(a.functions), list(b.functions)):
        left, right = a.functions.get(name), b.functions.get(name)
        where = scope + name
        if left is None:
            yield Change("functions", where, ADDED, b=f"{len(right or ())} nodes")
        elif right is None:
            yield Change("functions", where, REMOVED, a=f"{len(left)} nodes")
        else:
            yield from _function(where, left, right, tolerance)
    for name in out_of_order(list(a.functions), list(b.functions)):
        yield Change("functions", scope + name, MOVED)


def _function(where: str, a: Function, b: Function, tolerance: Tolerance) -> Iterator[Change]:
    if isinstance(a, WireFunction) and isinstance(b, WireFunction):
        if same_bytes(a.raw, b.raw):
            return
        heads = [
            _message(proto.FunctionDef, _without(f.raw, {_NODE_DEF})) for f in (a, b)
        ]
        yield from message_changes("functions", where, "", *heads)
    yield from node_changes("functions", a, b, tolerance, f"{where}/")


def _rest_changes(a: WireGraph, b: WireGraph, scope: str) -> Iterator[Change]:
    """Versions, gradients and what else a GraphDef holds besides nodes and functions."""
    heads = [_message(proto.GraphDef, _head(graph.source)) for graph in (a, b)]
    yield from message_changes("versions", scope.rstrip("/"), "", *heads)


def _head(source: FileSpan | bytes) -> bytes:
    """A GraphDef without nodes and functions."""
    view = view_of(source)
    edits = []
    for span in wire.scan(view):
        if span.field == _NODE:
            edits.append((span, list[Piece]()))
        elif span.field == _LIBRARY:
            raw = bytes(view[span.offset : span.end])
            edits.append((span, [wire.length_delimited(_LIBRARY, _without(raw, {1}))]))
    return b"".join(map(piece_bytes, splice(source, edits)))


def _without(source: FileSpan | bytes, fields: set[int]) -> bytes:
    edits = [(s, list[Piece]()) for s in wire.scan(view_of(source)) if s.field in fields]
    return b"".join(map(piece_bytes, splice(source, edits)))


def _message(kind: Any, data: bytes) -> Any:
    try:
        return kind.FromString(data)
    except proto.DecodeError as error:
        raise CorruptFileError(f"not a {kind.__name__} ({error})") from None


def message_changes(part: str, where: str, item: str, a: Any, b: Any) -> Iterator[Change]:
    """The changes between two protobuf messages of one type, by field paths."""
    found = list(compare_values(part, where, item, message_tree(a), message_tree(b)))
    yield from found
    if not found:
        raw = [message.SerializeToString(deterministic=True) for message in (a, b)]
        if raw[0] != raw[1]:
            yield Change(part, where, CHANGED, item or "fields unknown to modelfmt")


def message_tree(message: Any) -> Any:
    """A message as dicts and lists, with the fields that are set."""
    return {field.name: _tree(value) for field, value in message.ListFields()}


def _tree(value: Any) -> Any:
    if isinstance(value, str | bytes | int | float | bool):
        return value
    if hasattr(value, "ListFields"):
        return message_tree(value)
    if hasattr(value, "items"):
        return {str(key): _tree(value[key]) for key in sorted(value)}
    return [_tree(each) for each in value]

"""A serialised GraphDef with edits, as pieces: what was not touched keeps its bytes.

Nodes may be changed, deleted, and put in front of others; functions may be changed in their
nodes, and deleted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from modelfmt.graph import Function, Node
from modelfmt.storage import wire
from modelfmt.storage.files import FileSpan, Piece
from modelfmt.storage.splice import coalesce, delimited, splice
from modelfmt.tf.functiondef import WireFunction
from modelfmt.tf.nodedef import WireNodes, is_changed, view_of, write_node

_NODE, _LIBRARY = 1, 2
_FUNCTION, _BODY = 1, 3


@dataclasses.dataclass
class GraphEdits:
    """What changes beside nodes themselves.

    Attributes:
        deleted: names of nodes.
        inserted: new nodes, by the name of the node in front of which they stand.
        functions: names of functions that are deleted.
    """

    deleted: set[str] = dataclasses.field(default_factory=set)
    inserted: dict[str, list[Node]] = dataclasses.field(default_factory=dict)
    functions: set[str] = dataclasses.field(default_factory=set)


def graph_pieces(
    source: FileSpan | bytes, nodes: WireNodes, functions: Mapping[str, Function] | None,
    edits: GraphEdits,
) -> list[Piece]:
    """The GraphDef with its edits.

    Args:
        source: as it stands.
        nodes: of ``source``; those that were touched may differ.
        functions: of ``source``, or None where nobody asked for them.
        edits: the rest.
    """
    changes: dict[wire.Span, list[Piece]] = {}
    changed = {name for name, node in nodes.touched.items() if is_changed(node)}
    for name in changed | edits.deleted | set(edits.inserted):
        span = nodes.spans[name]
        made: list[Piece] = []
        for node in edits.inserted.get(name, ()):
            made += delimited(_NODE, write_node(node))
        if name not in edits.deleted:
            made += (
                delimited(_NODE, write_node(nodes[name])) if name in changed
                else [_whole(source, span)]
            )  # fmt: skip
        changes[span] = made
    if functions is not None:
        changes.update(_libraries(source, functions, edits.functions))
    return splice(source, sorted(changes.items(), key=lambda change: change[0].start))


def _whole(source: FileSpan | bytes, span: wire.Span) -> Piece:
    length = span.end - span.start
    if isinstance(source, FileSpan):
        return source.span(span.start, length)
    return source[span.start : span.end]


def _libraries(
    source: FileSpan | bytes, functions: Mapping[str, Function], gone: Iterable[str]
) -> Iterable[tuple[wire.Span, list[Piece]]]:
    """The library fields that change; a library without functions is left out."""
    view = view_of(source)
    listed = iter(functions.items())
    for library in wire.scan(view):
        if library.field != _LIBRARY:
            continue
        pieces: list[Piece] = []
        same = True
        for span in wire.scan(view, library.offset, library.end):
            raw = _whole(source, span)
            if span.field == _FUNCTION:
                name, function = next(listed)
                written = _function(function)
                if name in gone or written is not None:
                    same = False
                    pieces += [] if name in gone else delimited(_FUNCTION, written or [])
                    continue
            pieces.append(raw)
        if not same:
            yield library, delimited(_LIBRARY, coalesce(pieces)) if pieces else []


def _function(function: Function) -> list[Piece] | None:
    """A function with changed nodes, as pieces; None where none is."""
    if not isinstance(function, WireFunction):
        return None
    nodes = function.body
    edits = [
        (nodes.spans[name], delimited(_BODY, write_node(node)))
        for name, node in nodes.touched.items()
        if is_changed(node)
    ]
    if not edits:
        return None
    return splice(function.raw, sorted(edits, key=lambda edit: edit[0].start))

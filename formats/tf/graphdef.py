"""GraphDef files, binary (.pb) and text (.pbtxt).

    1 node (NodeDef)  2 library {1 function, 2 gradient}  3 version  4 versions {1 producer}

A file is scanned for its nodes' names; a node is decoded when it is touched. Saving splices:
the bytes of nodes that were not changed, and all that we do not understand, stay as they are.
Source: tensorflow/core/framework/graph.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from modelfmt.container import Container
from modelfmt.errors import (
    CorruptFileError,
    MismatchError,
    MissingError,
    UnsupportedError,
    Where,
    located,
)
from modelfmt.graph import Function, Graph
from modelfmt.storage import wire
from modelfmt.storage.files import (
    FileSpan,
    Piece,
    SourceFile,
    atomic_output,
    piece_bytes,
    piece_length,
    write_pieces,
)
from modelfmt.storage.splice import delimited
from modelfmt.tensor import Tensor
from modelfmt.tf.functiondef import WireFunction as WireFunction
from modelfmt.tf.functiondef import read_library, write_library
from modelfmt.tf.graph_pieces import GraphEdits, graph_pieces
from modelfmt.tf.nodedef import WireNodes as WireNodes
from modelfmt.tf.nodedef import view_of, write_node

if TYPE_CHECKING:
    import numpy.typing as npt

_NODE, _LIBRARY, _VERSIONS = 1, 2, 4
#: The GraphDef version written into new graphs: TensorFlow 1.15 and newer read it as it is.
PRODUCER = 134


class WireGraph(Graph):
    """A serialised GraphDef as a Graph; nodes may be edited, and ``pieces()`` has the result.

    ``edits`` has the nodes and functions to delete, and nodes to insert, at the next writing.
    """

    is_stored = True

    def __init__(self, source: FileSpan | bytes) -> None:
        self.source = source
        self._wire = WireNodes(source)
        super().__init__(self._wire)
        self._functions: dict[str, Function] | None = None
        self.edits = GraphEdits()

    @cached_property
    def producer(self) -> int:  # type: ignore[override]
        """The GraphDef version of the TensorFlow that wrote the graph; 0 where it is not said."""
        view = view_of(self.source)
        for span in wire.scan(view):
            if span.field == _VERSIONS:
                for part in wire.scan(view, span.offset, span.end):
                    if part.field == 1:
                        return wire.read_varint(view, part.offset)[0]
        return 0

    @property
    def functions(self) -> Mapping[str, Function]:
        """The library's functions, by name."""
        if self._functions is None:
            self._functions = dict(read_library(self.source))
        return self._functions

    def pieces(self) -> list[Piece]:
        """The GraphDef with its edits: untouched nodes and unknown fields as they were."""
        return graph_pieces(self.source, self._wire, self._functions, self.edits)


class GraphDefFile(Container):
    """A .pb or .pbtxt file that holds a GraphDef. Kind ``graphdef``."""

    kind = "graphdef"

    def __init__(self, path: str, *, text: bool = False) -> None:
        super().__init__(path)
        self._file = SourceFile(path)
        self.is_text = text
        with located(path=path):
            self._graph = WireGraph(self._parse_text() if text else self._file.span())

    @property
    def graph(self) -> WireGraph:
        """The graph, its nodes editable in place; ``save`` writes the edits."""
        return self._graph

    @property
    def tensors(self) -> ConstTensors:
        """The Const nodes' values, by node name; assigning replaces one."""
        return ConstTensors(self._graph)

    def save(self, path: str, *, force: bool = False) -> None:
        """Write the graph with its edits; nothing edited means the same bytes."""
        pieces = self._graph.pieces()
        if self.is_text:
            edited = pieces != [self._graph.source]
            pieces = [_format_text(pieces)] if edited else [self._file.span()]
        with atomic_output(path, force=force) as out:
            write_pieces(out.file, pieces)

    def close(self) -> None:
        self._file.close()

    def _parse_text(self) -> bytes:
        from modelfmt import proto

        try:
            text = str(self._file.view(), "utf-8")
        except UnicodeDecodeError as error:
            raise CorruptFileError("not UTF-8 text", where=Where(offset=error.start)) from None
        try:
            message = proto.parse_text(text, proto.GraphDef)
        except proto.ParseError as error:
            raise CorruptFileError(f"not a text GraphDef ({error})") from None
        return message.SerializeToString(deterministic=True)


class ConstTensors(MutableMapping[str, Tensor]):
    """The values of a graph's Const nodes, by name. Assign an array or a Tensor to replace one."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __getitem__(self, name: str) -> Tensor:
        node = self._graph[name]
        value = node.attrs.get("value")
        if node.op != "Const" or not isinstance(value, Tensor):
            raise MissingError(f"node {name!r} is no Const but a {node.op}")
        return value.renamed(name)

    def __setitem__(self, name: str, value: Tensor | npt.ArrayLike) -> None:
        """Replace a constant; the dtype and the shape stay. Raises MismatchError."""
        old = self[name]
        new = value if isinstance(value, Tensor) else Tensor.from_numpy(name, value)
        if (new.dtype, new.shape) != (old.dtype, old.shape):
            raise MismatchError(
                "a constant is replaced by one of its dtype and shape",
                where=Where(key=f'node "{name}"'), expected=f"{old.dtype}{list(old.shape)}",
                found=f"{new.dtype}{list(new.shape)}",
            )
        self._graph[name].attrs["value"] = new

    def __delitem__(self, name: str) -> None:
        raise MismatchError("deleting a constant would break the nodes that read it")

    def __iter__(self) -> Iterator[str]:
        return (name for name, node in self._graph.items() if node.op == "Const")

    def __len__(self) -> int:
        return sum(1 for _ in self)


def write_graphdef(graph: Graph, path: str, *, text: bool = False, force: bool = False) -> None:
    """Write any Graph as a GraphDef file, atomically; payloads are copied in the kernel.

    Args:
        graph: nodes of a file keep their bytes.
        path: the output.
        text: as a .pbtxt.
        force: replace an existing file.

    Raises:
        UnsupportedError: the message would pass protobuf's limit of 2 GiB.
    """
    pieces = graph.pieces() if isinstance(graph, WireGraph) else _graph_pieces(graph)
    check_size(pieces, path, "GraphDef", "Write a .meta with its checkpoint instead.")
    if text:
        pieces = [_format_text(pieces)]
    with atomic_output(path, force=force) as out:
        write_pieces(out.file, pieces)


def _graph_pieces(graph: Graph) -> list[Piece]:
    pieces: list[Piece] = []
    for node in graph.values():
        pieces += delimited(_NODE, write_node(node))
    if graph.functions:
        pieces += delimited(_LIBRARY, write_library(graph.functions))
    # A file without versions means the oldest: ops removed since are still allowed in it.
    producer = graph.producer or (0 if graph.is_stored else PRODUCER)
    if producer:
        pieces.append(wire.length_delimited(_VERSIONS, wire.varint_field(1, producer)))
    return pieces


def check_size(pieces: Sequence[Piece], path: str, what: str, hint: str | None = None) -> None:
    """Raise UnsupportedError for a message that no reader of protobuf takes; its limit is 2 GiB."""
    total = sum(map(piece_length, pieces))
    if total >= 1 << 31:
        raise UnsupportedError(
            f"a {what} cannot hold this much", where=Where(path),
            expected="less than 2 GiB, protobuf's limit", found=f"{total} bytes", hint=hint,
        )


def _format_text(pieces: list[Piece]) -> bytes:
    from modelfmt import proto

    data = b"".join(piece_bytes(piece) for piece in pieces)
    return proto.format_text(proto.GraphDef.FromString(data)).encode()

"""Graph: nodes by name, edges as the strings that TensorFlow writes.

A Graph is a ``Mapping[str, Node]`` in file order. Where the nodes come from (a mapped file, a
function body, a builder) is the business of subclasses; consumers are derived, never stored.

An *input* is ``a`` (output 0 of node a), ``a:1``, or ``^a`` (a control edge). In the body of a
function it is ``a:out_arg:0``, or the bare name of an argument. Source:
tensorflow/core/framework/node_def.proto and function.proto.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple, TypeAlias

from modelfmt.dtypes import DType
from modelfmt.errors import MissingError
from modelfmt.tensor import Tensor

#: A static shape: None where the rank is unknown, None inside where a size is.
Dims: TypeAlias = tuple[int | None, ...] | None


@dataclasses.dataclass(frozen=True)
class Shape:
    """The value of an attr of type shape; ``dims`` is None where the rank is unknown."""

    dims: Dims

    def __str__(self) -> str:
        if self.dims is None:
            return "<unknown>"
        return "[" + ", ".join("?" if d is None else str(d) for d in self.dims) + "]"


@dataclasses.dataclass(frozen=True)
class Func:
    """The value of an attr of type func: a function's name and the attrs it is called with."""

    name: str
    attrs: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Placeholder:
    """The value of an attr that a function's instantiation fills in, by name."""

    name: str


#: Python value of an AttrValue: bool b, int i, float f, str or bytes s, DType type, Shape shape,
#: Tensor tensor, Func func, Placeholder placeholder, and lists of them.
AttrValue: TypeAlias = (
    bool | int | float | str | bytes | DType | Shape | Tensor | Func | Placeholder
    | list[Any] | None
)


class Edge(NamedTuple):
    """A parsed input: output number ``port`` of ``node``; -1 for a control edge.

    In the body of a function, ``output`` names the output arg that ``port`` counts from.
    """

    node: str
    port: int
    output: str = ""


def parse_input(text: str) -> Edge:
    """The Edge of an input string: ``a``, ``a:1``, ``^a``, or ``a:out:0`` in a function."""
    if text.startswith("^"):
        return Edge(text[1:], -1)
    node, _, rest = text.partition(":")
    if not rest:
        return Edge(node, 0)
    output, _, index = rest.rpartition(":")
    return Edge(node, int(index), output) if index.isdigit() else Edge(node, 0, rest)


def tensor_name(node: str, index: int = 0) -> str:
    """The input string of output ``index`` of ``node``: the twin of ``parse_input``."""
    return node if index == 0 else f"{node}:{index}"


@dataclasses.dataclass
class Node:
    """One NodeDef: name, op (its type), inputs, attrs, device."""

    name: str
    op: str
    inputs: list[str] = dataclasses.field(default_factory=list)
    attrs: MutableMapping[str, AttrValue] = dataclasses.field(default_factory=dict)
    device: str = ""

    @property
    def data_inputs(self) -> list[str]:
        """The inputs without control edges."""
        return [i for i in self.inputs if not i.startswith("^")]

    @property
    def controls(self) -> list[str]:
        """The names of the nodes that control edges come from."""
        return [i[1:] for i in self.inputs if i.startswith("^")]

    def copy(self) -> Node:
        """A node to be changed on its own; one from a file keeps the bytes that stay the same."""
        return Node(self.name, self.op, list(self.inputs), dict(self.attrs), self.device)

    def __repr__(self) -> str:
        return f"Node({self.name!r}, {self.op!r}, inputs={self.inputs!r})"


class Graph(Mapping[str, Node]):
    """A read-only mapping of nodes by name, in file order.

    ``functions`` maps the name of each library function to its body, a Graph too, and
    ``producer`` is the GraphDef version of the TensorFlow that wrote it (0: unknown);
    ``is_stored`` says that it comes from a file.
    """

    producer: int = 0
    is_stored: bool = False

    def __init__(self, nodes: Mapping[str, Node] | None = None) -> None:
        self._nodes: Mapping[str, Node] = nodes if nodes is not None else {}

    @property
    def functions(self) -> Mapping[str, Function]:
        """The library's functions, by name."""
        return {}

    def __getitem__(self, name: str) -> Node:
        try:
            return self._nodes[name]
        except KeyError:
            import difflib

            close = difflib.get_close_matches(name, list(self._nodes), n=3)
            raise MissingError(f"no node {name!r}", close_matches=close) from None

    def find(self, name: str) -> Node | None:
        """The node of that name, if there is one."""
        return self._nodes.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    def consumers(self) -> dict[str, list[str]]:
        """Names of the nodes that read each node, by any edge; derived anew at every call."""
        readers: dict[str, list[str]] = {name: [] for name in self}
        for name, node in self.items():
            for source in dict.fromkeys(parse_input(i).node for i in node.inputs):
                if source in readers:
                    readers[source].append(name)
        return readers


class Function(Graph):
    """A function of a graph's library: its body's nodes, and what goes in and out.

    Attributes:
        name: as calls name it.
        arguments: the names that its body reads as inputs, in order; they are no nodes.
        results: output name to the tensor of the body that it returns, in order.
    """

    def __init__(
        self,
        name: str,
        nodes: Mapping[str, Node],
        arguments: list[str],
        results: Mapping[str, str],
    ) -> None:
        super().__init__(nodes)
        self.name = name
        self.arguments = arguments
        self.results = results


def called_functions(
    nodes: Mapping[str, Node], library: Mapping[str, Function]
) -> dict[str, Function]:
    """The functions that nodes call, directly or through others, in the library's order."""
    needed: set[str] = set()
    todo: list[Mapping[str, Node]] = [nodes] if library else []
    while todo:
        for name in {n for node in todo.pop().values() for n in _called(node)}:
            if name in library and name not in needed:
                needed.add(name)
                todo.append(library[name])
    return {name: function for name, function in library.items() if name in needed}


def _called(node: Node) -> Iterator[str]:
    """The names of the functions that a node may call; its op may be one, in TensorFlow 1."""
    yield node.op
    for value in node.attrs.values():
        yield from _function_names(value)


def _function_names(value: AttrValue) -> Iterator[str]:
    if isinstance(value, Func):
        yield value.name
        for inner in value.attrs.values():
            yield from _function_names(inner)
    elif isinstance(value, list) and value and isinstance(value[0], Func):
        for inner in value:
            yield from _function_names(inner)

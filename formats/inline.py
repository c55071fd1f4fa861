"""Function calls replaced by the bodies of their functions, for those who want to see one graph.

    y = PartitionedCall(x), f=square          y/mul = Mul(x, x)
    square(a) { mul = Mul(a, a)       ->      y     = IdentityN(y/mul)
                return mul:z:0 }

Only calls are expanded; While, If and Case keep their functions. The graph itself is left alone.
Source: tensorflow/core/framework/function.proto.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from modelfmt import opdefs
from modelfmt.errors import CorruptFileError, UnsupportedError, located
from modelfmt.graph import (
    AttrValue,
    Func,
    Function,
    Graph,
    Node,
    Placeholder,
    parse_input,
    tensor_name,
)

_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
#: Calls within calls, of which TensorFlow itself makes a dozen at most.
_MAX_DEPTH = 100


class InlinedGraph(Graph):
    """A graph without calls; ``functions`` are those of the original, for its control flow."""

    def __init__(self, graph: Graph, nodes: Mapping[str, Node]) -> None:
        super().__init__(nodes)
        self._whole = graph
        self.producer = graph.producer

    @property
    def functions(self) -> Mapping[str, Function]:
        return self._whole.functions


def inline(graph: Graph) -> Graph:
    """``graph`` with every call expanded; the same object where it has none.

    The nodes of a body are named ``<call>/<node>``, and the call becomes an IdentityN that
    yields the results under the call's name.

    Raises:
        CorruptFileError: a call of a function that the library lacks, or of itself.
    """
    if not graph.functions or not any(_called(node, graph) for node in graph.values()):
        return graph
    nodes: dict[str, Node] = {}
    for node in graph.values():
        for expanded in _expanded(node, graph, 0):
            nodes[expanded.name] = expanded
    return InlinedGraph(graph, nodes)


def _called(node: Node, graph: Graph) -> str | None:
    """The name of the function that a node calls; TensorFlow 1 uses it as the op."""
    if node.op in _CALLS:
        function = node.attrs.get("f")
        return function.name if isinstance(function, Func) else None
    return node.op if node.op in graph.functions else None


def _expanded(node: Node, graph: Graph, depth: int) -> Iterator[Node]:
    name = _called(node, graph)
    if name is None:
        yield node
        return
    with located(key=f'node "{node.name}"'):
        function = graph.functions.get(name)
        if function is None:
            raise CorruptFileError(f'calls function "{name}", which the library lacks')
        if depth > _MAX_DEPTH:
            raise CorruptFileError(f'function "{name}" calls itself')
        yield from _body(node, function, graph, depth)


def _body(call: Node, function: Function, graph: Graph, depth: int) -> Iterator[Node]:
    arguments = dict(zip(function.arguments, call.data_inputs, strict=False))
    called = call.attrs.get("f")
    given: Mapping[str, AttrValue] = called.attrs if isinstance(called, Func) else call.attrs

    def outer(text: str) -> str:
        """An edge of the body as an edge of the graph."""
        if text.startswith("^"):
            name = text[1:]
            return f"^{call.name}/{name}" if name in function else f"^{parse_input(arguments[name]).node}"
        name = text.split(":")[0]
        if name in arguments:
            return arguments[name]
        if name not in function:
            raise CorruptFileError(f'reads "{text}", which function "{function.name}" lacks')
        return tensor_name(f"{call.name}/{name}", _port(function[name], text, graph))

    for node in function.values():
        inner = dataclasses.replace(
            Node(node.name, node.op, node.inputs, node.attrs, node.device),
            name=f"{call.name}/{node.name}",
            inputs=[outer(i) for i in node.inputs],
            attrs={key: _filled(value, given) for key, value in node.attrs.items()},
        )
        yield from _expanded(inner, graph, depth + 1)
    results = [outer(tensor) for tensor in function.results.values()]
    yield Node(call.name, "IdentityN", results, _types(call))


def _types(call: Node) -> dict[str, AttrValue]:
    types = call.attrs.get("Tout")
    return {"T": types} if isinstance(types, list) else {}


def _filled(value: AttrValue, given: Mapping[str, AttrValue]) -> AttrValue:
    """An attr of the body, as the call instantiates it."""
    return given.get(value.name) if isinstance(value, Placeholder) else value


def _port(node: Node, text: str, graph: Graph) -> int:
    """The output number that ``node:output_arg:index`` means."""
    edge = parse_input(text)
    if not edge.output or _called(node, graph):
        return edge.port
    row = opdefs.get(node.op)
    if row is None:
        if edge.port == 0:
            return 0
        raise UnsupportedError(f"an edge to output {edge.output!r} of unknown op {node.op}")
    first = 0
    for arg in row.outputs:
        if arg.name == edge.output:
            return first + edge.port
        first += _count(node, arg)
    raise CorruptFileError(f'op {node.op} has no output "{edge.output}"')


def _count(node: Node, arg: opdefs.Arg) -> int:
    if arg.type_list_attr:
        types = node.attrs.get(arg.type_list_attr)
        return len(types) if isinstance(types, list) else 1
    number = node.attrs.get(arg.number_attr) if arg.number_attr else 1
    return number if isinstance(number, int) else 1


